/* SPDX-License-Identifier: GPL-2.0-only */

/* Stalls in what ktctl prints of a state and of a report. */

#include "client/colour.h"
#include "client/print-stall.h"
#include "client/print.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static JsonNode *quoted(const char *json) {
        g_autofree char *text = g_strdelimit(g_strdup(json), "'", '"');
        JsonNode *node = json_from_string(text, NULL);

        if (!node)
                fail_msg("no JSON: %s", text);
        return node;
}

/* ---- standard error, as a text ---- */

typedef struct Capture {
        int saved;
        FILE *file;
} Capture;

static Capture capture_begin(void) {
        Capture c = { dup(STDERR_FILENO), tmpfile() };

        assert_non_null(c.file);
        fflush(stderr);
        assert_return_code(dup2(fileno(c.file), STDERR_FILENO), errno);
        return c;
}

static char *capture_end(Capture *c) {
        char text[4096];
        size_t n;

        fflush(stderr);
        assert_return_code(dup2(c->saved, STDERR_FILENO), errno);
        close(c->saved);
        rewind(c->file);
        n = fread(text, 1, sizeof(text) - 1, c->file);
        fclose(c->file);
        return g_strndup(text, n);
}

/* ---- a report ---- */

#define STARVED                                                                                              \
        "{'pid':70,'tid':70,'cgroup':'busy','work_type':'SpinWait','work_index':1,'worker':3,"               \
        "'class':'starved','cause':'runnable for 1.5 s and never picked','state':'R','stack':'a\\nb',"       \
        "'status':'long','fails':true}"
#define THREAD                                                                                               \
        "{'pid':80,'tid':82,'cgroup':'busy','work_type':'PipeIo','work_index':0,'worker':0,"                 \
        "'class':'sleeping','cause':'asleep for 1.5 s','fails':false}"
#define PAYLOAD                                                                                              \
        "{'pid':90,'tid':90,'cgroup':'','payload':'my job','class':'blocked',"                               \
        "'cause':'blocked uninterruptibly in io_schedule','fails':true}"

static char *printed_report(const char *json, const char *summary, char **ret_errors) {
        g_autoptr(JsonNode) report = quoted(json), node = quoted(summary);
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        Capture c = capture_begin();

        print_report(out, json_node_get_object(report), json_node_get_object(node), true);
        *ret_errors = capture_end(&c);
        fclose(out);
        return text;
}

static void test_report(G_GNUC_UNUSED void **state) {
        g_autofree char *errors = NULL;
        g_autofree char *text =
                printed_report("{'cgroups':[],'stalls':[" STARVED "," THREAD "," PAYLOAD "]}",
                               "{'step_index':2,'cgroups':1,'stalls':3,'stalls_failed':2}", &errors);

        assert_string_equal(
                text,
                "CGROUP  PID  TID  WHO                          CLASS     FAILS  CAUSE\n"
                "busy     70       worker 3 (SpinWait, work 1)  starved   yes    runnable for 1.5 s and "
                "never picked\n"
                "busy     80   82  worker 0 (PipeIo, work 0)    sleeping  no     asleep for 1.5 s\n"
                "-        90       payload \"my job\"             blocked   yes    blocked "
                "uninterruptibly in io_schedule\n"
                "\nStep 2: 1 cgroup, 0 workers; 3 stalls, 2 failed.\n");
        assert_string_equal(
                errors,
                "ktctl: worker 3 (SpinWait, work 1), cgroup busy, pid 70 stalled: starved: runnable for 1.5 "
                "s and never picked\n"
                "ktctl: payload \"my job\", cgroup -, pid 90 stalled: blocked: blocked uninterruptibly in "
                "io_schedule\n");
}

/* A thread is told from its process. */
static void test_failure_of_a_thread(G_GNUC_UNUSED void **state) {
        g_autoptr(JsonNode) stalls =
                quoted("[{'pid':80,'tid':82,'cgroup':'a','work_type':'PipeIo','worker':4,"
                       "'class':'stopped','cause':'x','fails':true}]");
        g_autofree char *errors = NULL;
        Capture c = capture_begin();

        print_stall_failures(json_node_get_array(stalls));
        errors = capture_end(&c);
        assert_string_equal(errors, "ktctl: worker 4 (PipeIo, work 0), cgroup a, pid 80, thread 82 stalled: "
                                    "stopped: x\n");
}

static void test_tables_stand_apart(G_GNUC_UNUSED void **state) {
        static const char *const above[] = {
                "'cgroups':[{'name':'x'}],",
                "'payloads':[{'payload':'x'}],",
                "'cgroups':[{'name':'x'}],'payloads':[{'payload':'x'}],",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(above); i++) {
                g_autofree char *json = g_strconcat("{", above[i], "'stalls':[" THREAD "]}", NULL);
                g_autofree char *errors = NULL, *text = printed_report(json, "{}", &errors);
                assert_non_null(strstr(text, "\n\nCGROUP  PID  TID  WHO"));
                assert_non_null(strstr(text, "asleep for 1.5 s\n\nStep 0: "));
                assert_null(strstr(text, "\n\n\n"));
                assert_string_equal(errors, "");
        }
}

static void test_exit_status(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *report;
                guint failures;
        } rows[] = {
                { "{'stalls':[]}", 0 },
                { "{'stalls':[" THREAD "]}", 0 },
                { "{'stalls':[" THREAD "," STARVED "]}", 1 },
                { "{'stalls':[" PAYLOAD "," STARVED "],'payloads':[{'passed':false}]}", 3 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(JsonNode) report = quoted(rows[i].report);
                assert_int_equal(report_failures(json_node_get_object(report)), rows[i].failures);
        }
}

/* ---- a state ---- */

static char *printed_state(const char *json, bool legend) {
        g_autoptr(JsonNode) node = quoted(json);
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        print_state(out, json_node_get_object(node), false, legend);
        fclose(out);
        return text;
}

static void test_state(G_GNUC_UNUSED void **state) {
        g_autofree char *on = printed_state(
                "{'scenario':'s','step_index':1,'stall_monitor_active':true,'stalls':[" THREAD "]}", true);
        g_autofree char *off =
                printed_state("{'scenario':'s','stall_monitor_active':false,'stalls':[]}", true);
        g_autofree char *unknown = printed_state("{'scenario':'s'}", true);
        g_autofree char *bare = printed_state("{'stall_monitor_active':true,'stalls':[" THREAD "]}", false);

        assert_string_equal(on,
                            "CGROUP  PID  TID  WHO                        CLASS     FAILS  CAUSE\n"
                            "busy     80   82  worker 0 (PipeIo, work 0)  sleeping  no     asleep for 1.5 "
                            "s\n"
                            "\nScenario s, step 1: no cgroups, 1 stall; stall monitor on.\n");
        assert_string_equal(off, "Scenario s, step 0: no cgroups; stall monitor off.\n");
        assert_string_equal(unknown, "Scenario s, step 0: no cgroups.\n");
        assert_string_equal(
                bare, "busy     80   82  worker 0 (PipeIo, work 0)  sleeping  no     asleep for 1.5 s\n");
}

/* ---- odd ones ---- */

/* Of another version of the daemon, or with names that somebody made up. */
static void test_odd_stalls(G_GNUC_UNUSED void **state) {
        g_autofree char *errors = NULL;
        g_autofree char *text =
                printed_report("{'stalls':[null,1,{},{'fails':1,'pid':{},'cause':[],'class':{}},"
                               "{'fails':true},{'payload':'\\u001b[2J','cause':'a\\u001bb','fails':true}]}",
                               "{}", &errors);

        assert_null(strchr(text, '\x1b'));
        assert_null(strchr(errors, '\x1b'));
        assert_non_null(strstr(text, "payload \"\\u001b[2J\""));
        assert_non_null(strstr(errors, "ktctl: ?, cgroup ?, pid ? stalled: ?: ?\n"));
        assert_non_null(strstr(errors, "a\\u001bb\n"));
        assert_int_equal(count_stall_failures(NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_report),
                cmocka_unit_test(test_failure_of_a_thread),
                cmocka_unit_test(test_tables_stand_apart),
                cmocka_unit_test(test_exit_status),
                cmocka_unit_test(test_state),
                cmocka_unit_test(test_odd_stalls),
        };

        return cmocka_run_group_tests_name("ktctl-stalls", tests, NULL, NULL);
}
