/* SPDX-License-Identifier: GPL-2.0-only */
#include "client/cells.h"
#include "client/colour.h"
#include "client/failure.h"
#include "client/print.h"
#include "client/signal-line.h"

#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- tables ---- */

static void assert_cell(char *(*format)(JsonNode *node), const char *json, const char *want) {
        g_autoptr(JsonNode) node = json_from_string(json, NULL);
        g_autofree char *cell = format(node);

        assert_string_equal(cell, want);
}

static void assert_no_cell(char *(*format)(JsonNode *node), const char *json) {
        g_autoptr(JsonNode) node = json_from_string(json, NULL);

        assert_null(format(node));
}

static void test_cells(void **state) {
        (void)state;
        assert_cell(cell_count, "12345", "12345");
        assert_cell(cell_duration, "0", "0ns");
        assert_cell(cell_duration, "999", "999ns");
        assert_cell(cell_duration, "12345", "12.3us");
        assert_cell(cell_duration, "2000000000", "2s");
        assert_cell(cell_duration, "7200000000000", "7200s");
        assert_cell(cell_duration, "\"18446744073709551615\"", "18446744074s"); /* above JSON's integers */
        assert_cell(cell_kib, "32768", "32M");
        assert_cell(cell_kib, "1572864", "1.50G");
        assert_cell(cell_list, "[10,21]", "10 21");
        assert_cell(cell_ranges, "[4,5,6,9,11,12]", "4-6,9,11-12");
        assert_cell(cell_ranges, "[]", "");
        assert_cell(cell_length, "[1,2]", "2");
        assert_no_cell(cell_length, "[]");
        assert_no_cell(cell_length, "{}");
        assert_null(cell_text(NULL));
}

static void test_results_of_workers(void **state) {
        (void)state;
        assert_cell(cell_result, "{\"completed\":true,\"exit_info\":null}", "ok");
        assert_cell(cell_result, "{\"completed\":true,\"exit_info\":{\"kind\":\"exited\",\"value\":0}}",
                    "ok");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":null}", "incomplete");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":{\"kind\":\"deadline\"}}", "killed");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":{\"kind\":\"signaled\",\"value\":9}}",
                    "signal 9");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":{\"kind\":\"exited\",\"value\":1}}",
                    "exit 1");
        assert_cell(cell_result, "{}", "ok");
}

static char *printed_report(const char *json, const char *summary, guint *ret_failures) {
        g_autoptr(JsonNode) report = json_from_string(json, NULL), node = json_from_string(summary, NULL);
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        print_report(out, json_node_get_object(report), json_node_get_object(node), true);
        fclose(out);
        *ret_failures = report_failures(json_node_get_object(report));
        return text;
}

static void test_report(void **state) {
        guint failures;
        g_autofree char *text = printed_report(
                "{\"cgroups\":[{\"name\":\"a\",\"works\":[{\"work_type\":\"SpinWait\",\"workers\":["
                "{\"tid\":7,\"completed\":true,\"iterations\":3},"
                "{\"tid\":8,\"completed\":false,\"exit_info\":{\"kind\":\"signaled\",\"value\":9}}]}]},"
                "{\"name\":\"b\",\"works\":[]}]}",
                "{\"step_index\":2,\"cgroups\":2,\"workers\":2,\"completed\":1,\"killed\":1,"
                "\"iterations\":3,\"work_units\":0}",
                &failures);

        (void)state;
        assert_int_equal(failures, 1);
        assert_non_null(strstr(text, "signal 9"));
        assert_non_null(strstr(
                text,
                "\n\nStep 2: 2 cgroups, 2 workers: 1 completed, 1 killed; 3 iterations, 0 work units.\n"));
        assert_ptr_equal(strstr(text, "SpinWait"), g_strrstr(text, "SpinWait")); /* once, not once a worker */
        assert_null(strstr(text, "WAKE-P50"));                                   /* nobody measured it */
}

static void test_answers_with_nothing_in_them(void **state) {
        g_autoptr(JsonNode) odd =
                json_from_string("{\"cgroups\":[null,1,{\"works\":{}},{\"works\":[2,{\"workers\":[3]}]}],"
                                 "\"numa_nodes\":[4],\"llcs\":5,\"distances\":[6,7]}",
                                 NULL);
        g_autofree char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        JsonObject *object = json_node_get_object(odd);

        (void)state;
        print_state(out, object, true, true);
        print_topology(out, object, true);
        print_report(out, object, NULL, true);
        print_results(out, json_object_get_array_member(object, "cgroups"), true);
        print_plan(out, json_object_get_array_member(object, "cgroups"));
        print_state(out, NULL, true, true);
        fclose(out);
        assert_int_equal(report_failures(object), 0);
}

static JsonObject *object_of(const char *json, JsonNode **ret_node) {
        g_autofree char *text = g_strdelimit(g_strdup(json), "'", '"');

        *ret_node = json_from_string(text, NULL);
        assert_non_null(*ret_node);
        return json_node_get_object(*ret_node);
}

static const char container[] =
        "{'cgroups':[{'name':'a','works':["
        "{'work_type':'PipeIo','pcomm':'srv','leader_pid':70,'tids':[71,72],'pids':[],'workers':["
        "{'tid':71,'completed':true,'iterations':1,'phase_slices':[{},{},{}]},"
        "{'tid':72,'completed':true,'iterations':1,'phase_slices':[]}]},"
        "{'work_type':'SpinWait','pcomm':null,'workers':[{'tid':73,'completed':true}]}]}]}";

static void test_containers(void **state) {
        g_autoptr(JsonNode) node = NULL;
        JsonObject *object = object_of(container, &node);
        g_autofree char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        (void)state;
        print_report(out, object, NULL, true);
        fflush(out);
        assert_non_null(strstr(text, "PipeIo    srv        70"));
        assert_non_null(strstr(text, "PHASES\n"));
        assert_non_null(strstr(text, " 3\n"));
        rewind(out);
        print_state(out, object, false, true);
        fflush(out);
        assert_non_null(strstr(text, "PipeIo    srv        70"));
        fclose(out);
}

static void test_containers_that_were_made(void **state) {
        g_autoptr(JsonNode) node = NULL;
        JsonObject *object = object_of("{'cgroups':[{'name':'a','works':[{'work_type':'PipeIo','workers':2,"
                                       "'pcomm':'srv','pids':[70],'tids':[71,72]}]}]}",
                                       &node);
        g_autofree char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        (void)state;
        print_results(out, json_object_get_array_member(object, "cgroups"), false);
        fclose(out);
        assert_string_equal(text, "a               PipeIo        2  srv    70    71-72\n");
}

static void test_plan_lines(void **state) {
        g_autoptr(JsonNode) node = NULL;
        JsonObject *object = object_of(
                "{'cgroups':[{'actions':[{'action':'mkdir','path':'/r/a'},"
                "{'action':'write','path':'/r/a/x','value':'7'},{'action':'write','path':'/r/a/"
                "y','value':''},"
                "{'action':'spawn','path':'/r/a','works':[{'work_type':'Bursty','workers':2,'cpus':''}]},"
                "{'action':'spawn','path':'/r/a','pcomm':'srv','works':["
                "{'work_type':'PipeIo','workers':2,'cpus':'0-3'},"
                "{'work_type':'Bursty','workers':1,'cpus':'0'}]},"
                "{'action':'phase','phase':3},{'action':'phase'}]}]}",
                &node);
        g_autofree char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        (void)state;
        print_plan(out, json_object_get_array_member(object, "cgroups"));
        fclose(out);
        assert_string_equal(text,
                            "mkdir   /r/a\n"
                            "write   /r/a/x  7\n"
                            "write   /r/a/y  \"\"\n"
                            "spawn   /r/a    2 x Bursty\n"
                            "spawn   /r/a    threads of srv: 2 x PipeIo on CPUs 0-3, 1 x Bursty on CPUs 0\n"
                            "phase           3\n"
                            "phase\n");
}

/* ---- colours ---- */

typedef struct Terminal {
        int master;
        FILE *out;
} Terminal;

static Terminal terminal_open(void) {
        Terminal t;
        int slave;

        assert_return_code(openpty(&t.master, &slave, NULL, NULL, NULL), 0);
        t.out = fdopen(slave, "w");
        assert_non_null(t.out);
        return t;
}

/* All that was written to it. */
static char *terminal_close(Terminal *t) {
        GString *text = g_string_new(NULL);
        char part[4096];
        ssize_t n;

        fputc('\x04', t->out); /* the end; else the last read would wait */
        fflush(t->out);
        while (!strchr(text->str, '\x04')) {
                n = read(t->master, part, sizeof(part));
                assert_true(n > 0);
                g_string_append_len(text, part, n);
        }
        g_string_truncate(text, text->len - 1);
        fclose(t->out);
        close(t->master);
        return g_string_free(text, FALSE);
}

static const char killed[] = "{'cgroups':[{'name':'a','works':[{'work_type':'SpinWait','workers':["
                             "{'tid':7,'completed':true,'iterations':3},"
                             "{'tid':8,'completed':false,'exit_info':{'kind':'signaled','value':9}}]}]}]}";

static char *report_on_terminal(const char *term, const char *no_color) {
        g_autoptr(JsonNode) node = NULL;
        JsonObject *object = object_of(killed, &node);
        Terminal t = terminal_open();

        setenv("TERM", term, true);
        if (no_color)
                setenv("NO_COLOR", no_color, true);
        else
                unsetenv("NO_COLOR");
        print_report(t.out, object, NULL, false);
        return terminal_close(&t);
}

static void test_colours(void **state) {
        g_autofree char *coloured = report_on_terminal("xterm", NULL);
        g_autofree char *also = report_on_terminal("xterm", "");
        g_autofree char *dumb = report_on_terminal("dumb", NULL);
        g_autofree char *refused = report_on_terminal("xterm", "1");
        const char *sign = strchr(coloured, '\x1b');

        (void)state;
        assert_non_null(sign);
        assert_true(g_str_has_prefix(sign, COLOUR_BAD "signal 9\x1b["));
        assert_null(strchr(strstr(sign, "signal 9") + strlen("signal 9\x1b["), '\x1b')); /* nothing else */
        assert_string_equal(also, coloured);
        assert_null(strchr(dumb, '\x1b'));
        assert_string_equal(refused, dumb);
}

/* Colours have no width: without them the table is the same, be it cut to the terminal or not. */
static void check_layout(const char *columns) {
        g_autofree char *coloured = NULL, *plain = NULL, *stripped = NULL;
        g_autoptr(GRegex) sequence = g_regex_new("\x1b\\[[0-9;]*m", 0, 0, NULL);

        setenv("COLUMNS", columns, true);
        coloured = report_on_terminal("xterm", NULL);
        plain = report_on_terminal("dumb", NULL);
        stripped = g_regex_replace_literal(sequence, coloured, -1, 0, "", 0, NULL);
        assert_non_null(strstr(coloured, COLOUR_BAD "signal 9"));
        assert_string_equal(stripped, plain);
        unsetenv("COLUMNS");
}

static void test_colours_keep_the_layout(void **state) {
        (void)state;
        check_layout("40");
        check_layout("400");
}

/* What failure_print() writes to standard error where that is a terminal. */
static char *failure_on_terminal(const char *term, bool json) {
        Terminal t = terminal_open();
        int saved = dup(STDERR_FILENO);

        setenv("TERM", term, true);
        unsetenv("NO_COLOR");
        fflush(stderr);
        dup2(fileno(t.out), STDERR_FILENO);
        failure_print(json, KTCTL_FAILED, "org.x.Why", "no %s", "way");
        fflush(stderr);
        dup2(saved, STDERR_FILENO);
        close(saved);
        return terminal_close(&t);
}

static void test_colours_of_failures(void **state) {
        g_autofree char *coloured = failure_on_terminal("xterm", false);
        g_autofree char *dumb = failure_on_terminal("dumb", false);
        g_autofree char *json = failure_on_terminal("xterm", true);

        (void)state;
        assert_string_equal(coloured, COLOUR_BAD "ktctl:" COLOUR_NONE " no way [Why]\r\n");
        assert_string_equal(dumb, "ktctl: no way [Why]\r\n");
        assert_string_equal(json, "{\"error\":\"org.x.Why\",\"message\":\"no way\"}\r\n");
}

static void test_no_colours_in_files(void **state) {
        FILE *file = tmpfile();

        (void)state;
        setenv("TERM", "xterm", true);
        unsetenv("NO_COLOR");
        assert_non_null(file);
        assert_false(colour_wanted(file));
        fclose(file);
}

static void test_colours_of_states(void **state) {
        g_autoptr(JsonNode) bad = json_from_string("{\"state\":\"killed\"}", NULL);
        g_autoptr(JsonNode) good = json_from_string("{\"state\":\"running\"}", NULL);
        g_autoptr(JsonNode) none = json_from_string("{}", NULL);

        (void)state;
        assert_string_equal(colour_state(json_node_get_object(bad)), COLOUR_BAD);
        assert_null(colour_state(json_node_get_object(good)));
        assert_null(colour_state(json_node_get_object(none)));
        assert_null(colour_result(json_node_get_object(none)));
}

/* ---- lines of the monitor ---- */

static const gint64 when = G_GINT64_CONSTANT(1700000000000042); /* 2023-11-14 22:13:20 UTC */

static void assert_line(const char *signal, const char *arguments, const char *json, const char *text,
                        bool bad) {
        g_autofree char *quoted = g_strdelimit(g_strdup(arguments), "'", '"'), *got_json = NULL,
                        *got_text = NULL;
        g_autofree char *wanted = g_strdelimit(g_strdup(json), "'", '"');
        g_autoptr(JsonNode) node = json_from_string(quoted, NULL);
        SignalLine line = { when, "s", signal, json_node_get_array(node) };

        got_json = signal_line_json(&line);
        got_text = signal_line_text(&line);
        assert_string_equal(got_json, wanted);
        assert_string_equal(got_text, text);
        assert_int_equal(signal_line_is_bad(&line), bad);
}

#define JSON(signal, rest)                                                                                   \
        "{'time':'2023-11-14T22:13:20.000042Z','signal':'" signal "','scenario':'s'" rest "}"
#define TEXT(rest) "2023-11-14 22:13:20.000042  " rest

static void test_signal_lines(void **state) {
        (void)state;
        assert_line("CgroupAdded", "['foo','/x/foo']", JSON("CgroupAdded", ",'name':'foo','path':'/x/foo'"),
                    TEXT("CgroupAdded        name=foo path=/x/foo"), false);
        assert_line("WorkerExited", "['foo',12,{'kind':'signaled','value':9}]",
                    JSON("WorkerExited", ",'cgroup':'foo','pid':12,'info':{'kind':'signaled','value':9}"),
                    TEXT("WorkerExited       cgroup=foo pid=12 kind=signaled value=9"), true);
        assert_line("WorkerExited", "['foo',12,{'kind':'exited','value':0}]",
                    JSON("WorkerExited", ",'cgroup':'foo','pid':12,'info':{'kind':'exited','value':0}"),
                    TEXT("WorkerExited       cgroup=foo pid=12 kind=exited value=0"), false);
        assert_line("PayloadExited", "['x','',12,{'result':'exited','exit_code':0,'run_us':5}]",
                    JSON("PayloadExited", ",'name':'x','cgroup':'','pid':12,"
                                          "'info':{'result':'exited','exit_code':0,'run_us':5}"),
                    TEXT("PayloadExited      name=x cgroup=- pid=12 result=exited exit_code=0 run_us=5"),
                    false);
        assert_line("PayloadExited", "['x','a',12,{'result':'exited','exit_code':1}]",
                    JSON("PayloadExited",
                         ",'name':'x','cgroup':'a','pid':12,'info':{'result':'exited','exit_code':1}"),
                    TEXT("PayloadExited      name=x cgroup=a pid=12 result=exited exit_code=1"), true);
        assert_line("PayloadExited", "['x','a',12,{'result':'signaled','exit_code':-1,'signal':9}]",
                    JSON("PayloadExited", ",'name':'x','cgroup':'a','pid':12,"
                                          "'info':{'result':'signaled','exit_code':-1,'signal':9}"),
                    TEXT("PayloadExited      name=x cgroup=a pid=12 result=signaled exit_code=-1 signal=9"),
                    true);
        assert_line("StepEnded", "[3,{'workers':2,'warnings':['a b','c']}]",
                    JSON("StepEnded", ",'step_index':3,'summary':{'workers':2,'warnings':['a b','c']}"),
                    TEXT("StepEnded          step_index=3 workers=2 warnings=\"a b\",c"), false);
        assert_line("PropertiesChanged", "['i',{'Cgroups':['a','b'],'Workers':0},[]]",
                    JSON("PropertiesChanged",
                         ",'interface_name':'i','changed_properties':"
                         "{'Cgroups':['a','b'],'Workers':0},'invalidated_properties':[]"),
                    TEXT("PropertiesChanged  Cgroups=a,b Workers=0"), false);
        assert_line("NameOwnerChanged", "['n','','u']",
                    JSON("NameOwnerChanged", ",'name':'n','old_owner':'','new_owner':'u'"),
                    TEXT("NameOwnerChanged   the daemon is there"), false);
        assert_line("NameOwnerChanged", "['n','u','']",
                    JSON("NameOwnerChanged", ",'name':'n','old_owner':'u','new_owner':''"),
                    TEXT("NameOwnerChanged   the daemon is gone"), false);
}

/* What fits a line; JSON has all of it. */
static void test_stall_lines(void **state) {
        (void)state;
        assert_line("StallDetected",
                    "['foo',12,'starved',{'pid':12,'tid':13,'cgroup':'foo','work_type':'PipeIo',"
                    "'work_index':1,'worker':2,'class':'starved','cause':'never \\u001b picked','fails':true,"
                    "'stack':'a\\nb','samples':[{'nr_switches':1}]}]",
                    JSON("StallDetected",
                         ",'cgroup':'foo','pid':12,'class':'starved','details':{'pid':12,'tid':13,"
                         "'cgroup':'foo','work_type':'PipeIo','work_index':1,'worker':2,'class':'starved',"
                         "'cause':'never \\u001b picked','fails':true,'stack':'a\\nb',"
                         "'samples':[{'nr_switches':1}]}"),
                    TEXT("StallDetected      cgroup=foo pid=12 class=starved tid=13 work_type=PipeIo "
                         "work_index=1 worker=2 fails=true cause=\"never \\u001b picked\""),
                    true);
        assert_line("StallDetected", "['',12,'sleeping',{'payload':'x','fails':false,'cause':'asleep'}]",
                    JSON("StallDetected", ",'cgroup':'','pid':12,'class':'sleeping',"
                                          "'details':{'payload':'x','fails':false,'cause':'asleep'}"),
                    TEXT("StallDetected      cgroup=- pid=12 class=sleeping payload=x fails=false "
                         "cause=asleep"),
                    false);
        assert_line("StallDetected", "['a',1,'b','c']",
                    JSON("StallDetected", ",'cgroup':'a','pid':1,'class':'b','details':'c'"),
                    TEXT("StallDetected      cgroup=a pid=1 class=b details=c"), false);
        assert_line("StallDetected", "['a']", JSON("StallDetected", ",'cgroup':'a'"),
                    TEXT("StallDetected      cgroup=a"), false);
}

/* A later daemon says more than this client knows. */
static void test_unknown_signals(void **state) {
        (void)state;
        assert_line("SomethingNew", "['foo',true,{'class':'starved'},null]",
                    JSON("SomethingNew", ",'arg0':'foo','arg1':true,'arg2':{'class':'starved'},'arg3':null"),
                    TEXT("SomethingNew       arg0=foo arg1=true class=starved arg3=null"), false);
        assert_line("CgroupAdded", "['foo','/x','new']",
                    JSON("CgroupAdded", ",'name':'foo','path':'/x','arg2':'new'"),
                    TEXT("CgroupAdded        name=foo path=/x arg2=new"), false);
        assert_line("Nothing", "[]", JSON("Nothing", ""), TEXT("Nothing"), false);
        assert_line("WorkerExited", "['foo']", JSON("WorkerExited", ",'cgroup':'foo'"),
                    TEXT("WorkerExited       cgroup=foo"), false);
        assert_line("NameOwnerChanged", "[]", JSON("NameOwnerChanged", ""), TEXT("NameOwnerChanged"), false);
}

/* What somebody else named must not look like something else, nor reach a terminal as it is. */
static void test_odd_values(void **state) {
        (void)state;
        assert_line("CgroupAdded", "['a b','']", JSON("CgroupAdded", ",'name':'a b','path':''"),
                    TEXT("CgroupAdded        name=\"a b\" path=-"), false);
        assert_line("CgroupAdded", "['\\u001b[2J','x']",
                    JSON("CgroupAdded", ",'name':'\\u001b[2J','path':'x'"),
                    TEXT("CgroupAdded        name=\"\\u001b[2J\" path=x"), false);
}

/* ---- the contract's names of arguments ---- */

typedef struct Reading {
        char *signal;
        guint n, signals;
} Reading;

static void on_start(G_GNUC_UNUSED GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, gpointer userdata, G_GNUC_UNUSED GError **error) {
        Reading *r = userdata;

        for (size_t i = 0; names[i]; i++) {
                if (!g_str_equal(names[i], "name"))
                        continue;
                if (g_str_equal(element, "signal")) {
                        r->signal = g_strdup(values[i]);
                        r->n = 0;
                        r->signals++;
                } else if (r->signal && g_str_equal(element, "arg")) {
                        const char *name = signal_argument(r->signal, r->n++);
                        if (g_strcmp0(name, values[i]) != 0)
                                fail_msg("%s: argument %u is %s, not %s", r->signal, r->n, values[i], name);
                }
        }
}

static void on_end(G_GNUC_UNUSED GMarkupParseContext *context, const char *element, gpointer userdata,
                   G_GNUC_UNUSED GError **error) {
        Reading *r = userdata;

        if (!g_str_equal(element, "signal"))
                return;
        if (signal_argument(r->signal, r->n))
                fail_msg("%s has only %u arguments", r->signal, r->n);
        g_clear_pointer(&r->signal, g_free);
}

static void test_names_of_the_contract(void **state) {
        static const GMarkupParser parser = { .start_element = on_start, .end_element = on_end };
        g_autofree char *path = g_build_filename(g_getenv("KT_SOURCES"), "dbus/org.ktstr.Setup1.xml", NULL);
        g_autofree char *xml = NULL;
        Reading r = { 0 };
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, &r, NULL);

        (void)state;
        assert_true(g_file_get_contents(path, &xml, NULL, NULL));
        assert_true(g_markup_parse_context_parse(context, xml, -1, NULL));
        assert_true(r.signals >= 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cells),
                cmocka_unit_test(test_results_of_workers),
                cmocka_unit_test(test_report),
                cmocka_unit_test(test_answers_with_nothing_in_them),
                cmocka_unit_test(test_containers),
                cmocka_unit_test(test_containers_that_were_made),
                cmocka_unit_test(test_plan_lines),
                cmocka_unit_test(test_colours),
                cmocka_unit_test(test_colours_keep_the_layout),
                cmocka_unit_test(test_colours_of_failures),
                cmocka_unit_test(test_no_colours_in_files),
                cmocka_unit_test(test_colours_of_states),
                cmocka_unit_test(test_signal_lines),
                cmocka_unit_test(test_stall_lines),
                cmocka_unit_test(test_unknown_signals),
                cmocka_unit_test(test_odd_values),
                cmocka_unit_test(test_names_of_the_contract),
        };

        setenv("TZ", "UTC", true);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
