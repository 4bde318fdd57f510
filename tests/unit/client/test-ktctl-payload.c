/* SPDX-License-Identifier: GPL-2.0-only */
#include "client/cells.h"
#include "client/colour.h"
#include "client/payload.h"
#include "client/print-payload.h"
#include "client/print.h"
#include "client/stream.h"

#include "common/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- command lines ---- */

static const Verb verbs[] = {
        { "run-payload", "NAME [ARG...]", "run", 0, UINT_MAX,
          OPTION_BIT(OPTION_CGROUP) | OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_CHECK) |
                  OPTION_BIT(OPTION_ENVIRONMENT),
          VERB_COMMAND, NULL },
        { "add-cgroup", "NAME", "add", 1, 1, 0, VERB_DEFINITION | VERB_COMMAND, NULL },
        { "wait-payload", "NAME", "wait", 1, 1,
          OPTION_BIT(OPTION_CGROUP) | OPTION_BIT(OPTION_WAIT) | OPTION_BIT(OPTION_KILL), 0, NULL },
        { "kill-payload", "NAME", "kill", 1, 1, OPTION_BIT(OPTION_CGROUP), 0, NULL },
        { 0 },
};

/* Words with blanks between. */
static Invocation *parse(const char *line, char ***ret_argv) {
        g_autoptr(GError) error = NULL;
        Invocation *i;

        *ret_argv = g_strsplit(line, " ", -1);
        i = invocation_parse(verbs, *ret_argv, &error);
        if (!i)
                fail_msg("%s: %s", line, error->message);
        return i;
}

/* Takes the object. */
static void assert_object(JsonObject *object, const char *json) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
        g_autofree char *text = NULL, *wanted = g_strdelimit(g_strdup(json), "'", '"');

        assert_non_null(object);
        json_node_take_object(node, object);
        text = json_to_string(node, FALSE);
        assert_string_equal(text, wanted);
}

static void assert_request(const char *line, const char *json) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = parse(line, &argv);

        assert_object(payload_request(i, NULL), json);
}

static void assert_no_request(const char *line, const char *message) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = parse(line, &argv);
        g_autoptr(GError) error = NULL;

        assert_null(payload_request(i, &error));
        assert_string_equal(error->message, message);
}

static void test_requests(G_GNUC_UNUSED void **state) {
        assert_request("k run-payload x", "{'payload':'x','args':[]}");
        assert_request("k run-payload x --cgroup a y -- --z --", "{'payload':'x','args':['y','--z','--'],"
                                                                 "'cgroup':'a'}");
        assert_request("k run-payload -- /a/b c -- d",
                       "{'payload':{'name':'b','exec':'/a/b','args':['c','--','d']}}");
        assert_request("k run-payload --cgroup= --name n --check a --check b --environment A=1 -- b",
                       "{'payload':{'name':'n','exec':'b','args':[],'checks':['a','b'],"
                       "'environment':['A=1']},'cgroup':''}");
        assert_no_request("k run-payload",
                          "run-payload: too few arguments; usage: ktctl run-payload NAME [ARG...]");
        assert_no_request("k run-payload x --check a",
                          "--check is for a command behind --; what the payload 'x' is stands in its file");
        assert_no_request("k run-payload x y \xff", "argument 2 of the payload is not UTF-8");
        assert_no_request("k run-payload -- \xff", "the command is not UTF-8");
        assert_no_request("k run-payload --check a --check \xff -- x", "--check: value is not UTF-8");
}

/* Behind a name "--" begins a command; before it, it is what it is everywhere. */
static void test_command_of_a_cgroup(G_GNUC_UNUSED void **state) {
        g_auto(GStrv) argv = NULL, dashed_argv = NULL, named_argv = NULL;
        g_autoptr(Invocation) i = parse("k add-cgroup a --nice 1 -- x -- y", &argv);
        g_autoptr(Invocation) dashed = parse("k add-cgroup -- --name", &dashed_argv);
        g_autoptr(Invocation) named = parse("k add-cgroup a --payload p -- x", &named_argv);
        g_autoptr(GError) error = NULL;

        assert_true(definition_set_payload(i->definition, payload_of_command(i, NULL), NULL));
        assert_object(json_object_ref(definition_finish(i->definition, "a")),
                      "{'nice':1,'payload':{'name':'x','exec':'x','args':['--','y']},'name':'a'}");
        assert_null(dashed->command);
        assert_string_equal(dashed->arguments->pdata[0], "--name");
        assert_false(definition_set_payload(named->definition, payload_of_command(named, NULL), &error));
        assert_string_equal(error->message, "--payload and a command behind -- exclude each other: a cgroup "
                                            "has one payload; start others with run-payload");
}

static void assert_wait(const char *line, const char *json) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = parse(line, &argv);

        assert_true(i->timeout_us == UINT64_MAX);
        assert_object(payload_options(i), json);
}

static void test_waiting(G_GNUC_UNUSED void **state) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) kill = parse("k --timeout 3 kill-payload x", &argv);

        assert_wait("k wait-payload x", "{}");
        assert_wait("k wait-payload x --cgroup=", "{'cgroup':''}");
        assert_wait("k wait-payload x --timeout 3 --kill", "{'timeout':'3s','kill':true}");
        assert_wait("k --timeout 0.5 wait-payload x", "{'timeout':'0.5s'}");
        assert_wait("k --timeout 9 wait-payload x --timeout 1ms", "{'timeout':'1ms'}");
        assert_wait("k wait-payload x --timeout soon", "{'timeout':'soon'}"); /* the daemon says why not */
        assert_wait("k wait-payload x --timeout=", "{'timeout':''}");
        assert_true(kill->timeout_us == 3 * G_USEC_PER_SEC);
        assert_object(payload_options(kill), "{}");
}

/* ---- cells ---- */

static void assert_cell(char *(*format)(JsonNode *node), const char *json, const char *want) {
        g_autofree char *text = g_strdelimit(g_strdup(json), "'", '"');
        g_autoptr(JsonNode) node = json_from_string(text, NULL);
        g_autofree char *cell = format(node);

        if (g_strcmp0(cell, want) != 0)
                fail_msg("%s is shown as %s, not %s", json, cell, want);
}

static void test_cells(G_GNUC_UNUSED void **state) {
        assert_cell(cell_us, "999", "999us");
        assert_cell(cell_us, "1500000", "1.50s");
        assert_cell(cell_us, "{}", NULL);
        assert_cell(cell_name, "''", "-");
        assert_cell(cell_name, "'a'", "a");
        assert_cell(cell_number, "0.1", "0.1");
        assert_cell(cell_number, "0.30000000000000004", "0.30000000000000004");
        assert_cell(cell_number, "1e300", "1e+300");
        assert_cell(cell_number, "9223372036854775807", "9223372036854775807");
        assert_cell(cell_number, "'18446744073709551615'", "18446744073709551615");
        assert_cell(cell_command, "['/bin/sh','-c','a b','','\\u001b[2J','\\u009b1m']",
                    "/bin/sh -c \"a b\" \"\" \"\\u001b[2J\" \"\\u009b1m\"");
        assert_cell(cell_command, "{}", NULL);
        assert_cell(cell_payload_result, "{'state':'running'}", "running");
        assert_cell(cell_payload_result, "{'state':'exited','result':'exited','exit_code':7}", "exit 7");
        assert_cell(cell_payload_result, "{'result':'signaled','signal':11}", "signal 11");
        assert_cell(cell_payload_result, "{'result':'timed-out'}", "timed-out");
        assert_cell(cell_payload_result, "{}", NULL);
        assert_cell(cell_checks, "{'passed':true,'failures':[]}", "ok");
        assert_cell(cell_checks, "{'passed':false,'failures':['a','b']}", "2 failed");
        assert_cell(cell_checks, "{'passed':false}", "failed");
        assert_cell(cell_checks, "{}", "ok");
        assert_cell(cell_polarity, "{'polarity':'unknown'}", NULL);
        assert_cell(cell_polarity, "{'polarity':'target','target':0.5}", "target 0.5");
        assert_cell(cell_polarity, "{'polarity':'lower-better'}", "lower-better");
}

static char *indented(JsonNode *node) {
        return text_printable(node, "  ");
}

static void test_printable(G_GNUC_UNUSED void **state) {
        assert_cell(indented, "'a\\nb\\tc\\u001b[2J\\u009b1m\\u007f\\u00e9'",
                    "a\n  b\tc\\u001b[2J\\u009b1m\\u007f\xc3\xa9");
        assert_cell(indented, "{}", "?");
}

static void test_colours(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *record;
                bool cut_short, failed;
        } rows[] = {
                { "{}", false, false },
                { "{\"result\":\"exited\",\"exit_code\":1,\"passed\":true,\"failures\":[]}", false, false },
                { "{\"result\":\"killed\",\"passed\":true}", true, false },
                { "{\"result\":\"exited\",\"passed\":false}", false, true },
                { "{\"result\":\"oom-killed\",\"failures\":[\"x\"]}", true, true },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(JsonNode) node = json_from_string(rows[i].record, NULL);
                JsonObject *record = json_node_get_object(node);

                assert_int_equal(payload_was_cut_short(record), rows[i].cut_short);
                assert_int_equal(payload_failed(record), rows[i].failed);
                assert_int_equal(colour_payload(record) != NULL, rows[i].cut_short);
                assert_int_equal(colour_checks(record) != NULL, rows[i].failed);
        }
}

/* ---- answers of another version of the daemon ---- */

static void test_answers_with_nothing_in_them(G_GNUC_UNUSED void **state) {
        static const char *const documents[] = {
                "{}",
                "{\"payloads\":[null,1,{},{\"stdout\":1,\"argv\":{},\"rusage\":[],\"metrics\":{}}]}",
                "{\"payloads\":[{\"failures\":[null,{},\"x\"],\"metrics\":[1,null,{}]}]}",
                ("{\"failures\":[null,{}],\"metrics\":[1,null,{}],\"argv\":[null,{}],\"payload\":{},"
                 "\"placement\":\"born\",\"oom_kills\":\"2\",\"stdout\":{\"truncated\":true}}"),
        };
        g_autofree char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        for (size_t i = 0; i < G_N_ELEMENTS(documents); i++) {
                g_autoptr(JsonNode) node = json_from_string(documents[i], NULL);
                JsonObject *object = json_node_get_object(node);

                print_record(out, node, true);
                print_payload_start(out, object, true);
                print_state(out, object, true, true);
                print_report(out, object, NULL, true);
                if (json_object_has_member(object, "payloads"))
                        print_payloads(out, json_object_get_array_member(object, "payloads"), true);
                assert_true(report_failures(object) <= 1);
        }
        print_payload_start(out, NULL, true);
        print_payloads(out, NULL, true);
        fclose(out);
}

/* ---- bytes ---- */

enum { MUCH = 300000 };

static gpointer drain(gpointer fd) {
        char part[1000];
        size_t sum = 0;
        ssize_t n;

        while ((n = read(GPOINTER_TO_INT(fd), part, sizeof(part))) > 0)
                sum += (size_t)n;
        return GSIZE_TO_POINTER(sum);
}

/* More than a pipe holds, to one that does not wait for room. */
static void test_streams(G_GNUC_UNUSED void **state) {
        g_autofree char *much = g_strnfill(MUCH, 'x');
        int from = memfd_new_sealed("x", much, MUCH), pipefd[2];
        off_t offset = 10;
        GThread *reader;

        assert_return_code(pipe2(pipefd, O_CLOEXEC), errno);
        assert_return_code(fcntl(pipefd[1], F_SETFL, O_NONBLOCK), errno);
        reader = g_thread_new("reader", drain, GINT_TO_POINTER(pipefd[0]));
        assert_int_equal(stream_copy(from, &offset, pipefd[1]), 0);
        assert_int_equal(offset, MUCH);
        assert_int_equal(stream_copy(from, &offset, pipefd[1]), 0);
        close(pipefd[1]);
        assert_int_equal(GPOINTER_TO_SIZE(g_thread_join(reader)), MUCH - 10);
        close(pipefd[0]);
        offset = 0;
        assert_int_equal(stream_copy(-1, &offset, -1), -EBADF);
        assert_int_equal(stream_copy(from, &offset, -1), -EBADF);
        assert_int_equal(offset, 0);
        close(from);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests),
                cmocka_unit_test(test_command_of_a_cgroup),
                cmocka_unit_test(test_waiting),
                cmocka_unit_test(test_cells),
                cmocka_unit_test(test_printable),
                cmocka_unit_test(test_colours),
                cmocka_unit_test(test_answers_with_nothing_in_them),
                cmocka_unit_test(test_streams),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
