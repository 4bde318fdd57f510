/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-service.h"

#include <string.h>

#include "dbus/names.h"

/* ---- files ---- */

static void test_payloads(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        s->answer =
                "[{'name':'fio','file':'/etc/x/fio.payload','exec':'fio','output':'json','user':'nobody'},"
                "{'name':'bad','file':'/etc/x/bad.payload','error':'Exec: missing; write one'}]";
        g_auto(Run) listed = ktctl(s, "payloads");
        assert_string_equal(s->method, "ListPayloads");
        assert_run(&listed, DONE, "fio   fio   json    nobody  /etc/x/fio.payload\n", NULL);
        assert_run(&listed, DONE, "/etc/x/bad.payload  Exec: missing; write one\n", NULL);
        g_auto(Run) reloaded = ktctl(s, "reload-payloads --json");
        assert_string_equal(s->method, "ReloadPayloads");
        assert_run(&reloaded, DONE, "\"error\" : \"Exec: missing; write one\"", NULL);
        s->answer = "[]";
        g_auto(Run) none = ktctl(s, "payloads");
        assert_run(&none, DONE, "No payload is defined by a file.\n", NULL);
        g_auto(Run) quiet = ktctl(s, "payloads --no-legend");
        assert_string_equal(quiet.output, "");
}

/* ---- starting ---- */

#define SETUP(target) "{'target':'" target "','dry_run':false}"

static void test_run_by_name(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        s->answer = "{'payload':'fio','cgroup':'','path':'/r/@payload-1','pid':70,'argv':['/usr/bin/fio','a "
                    "b'],'target':'step'}";
        assert_sent(s, "run-payload fio", DONE, "RunPayload",
                    "[{'payload':'fio','args':[]}," SETUP("step") "]");
        assert_sent(s, "run-payload --cgroup a fio x --backdrop -- --size=1 --", DONE, "RunPayload",
                    "[{'payload':'fio','args':['x','--size=1','--'],'cgroup':'a'}," SETUP("backdrop") "]");
        g_auto(Run) run = ktctl(s, "run-payload fio");
        assert_run(&run, DONE, "fio      -       step   70  /usr/bin/fio \"a b\"  /r/@payload-1\n", NULL);
}

static void test_run_a_command(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        assert_sent(
                s, "run-payload -- /bin/sleep 5 --json", DONE, "RunPayload",
                "[{'payload':{'name':'sleep','exec':'/bin/sleep','args':['5','--json']}}," SETUP("step") "]");
        assert_sent(
                s,
                "run-payload --cgroup a --name n --output json --check exit-code:0 --check min:x=1 --metric "
                "x=higher-better,ops --environment A=b --environment C= --working-directory /tmp --user "
                "nobody --process-group parent -- bench",
                DONE, "RunPayload",
                "[{'payload':{'name':'n','exec':'bench','args':[],'output':'json','checks':['exit-code:0',"
                "'min:x=1'],'metrics':['x=higher-better,ops'],'environment':['A=b','C='],"
                "'working_directory':'/tmp','user':'nobody','process_group':'parent'},'cgroup':'a'}," SETUP(
                        "step") "]");
}

static void test_dry_run(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        s->answer = "{'payload':'x','cgroup':'','path':'/r/p','argv':['x'],'target':'step','actions':["
                    "{'action':'mkdir','path':'/r/p'},"
                    "{'action':'payload','path':'/r/p','payload':'x','argv':['/bin/x','y']}]}";
        g_auto(Run) run = ktctl(s, "run-payload x --dry-run");
        assert_json(at(s->arguments, "1"), "{'target':'step','dry_run':true}");
        assert_run(&run, DONE, "payload  /r/p  /bin/x y\n", NULL);
}

static void test_add_cgroup(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        s->answer = "{'name':'a','cpuset':'','path':'/r/a','target':'step','works':[{'work_type':'SpinWait',"
                    "'workers':1,'pids':[7]}],'payload':{'payload':'sleep','cgroup':'a','pid':70}}";
        assert_sent(s, "add-cgroup a --cpuset llc:0 --payload fio", DONE, "AddCgroupDef",
                    "[{'cpuset':'llc:0','payload':'fio','name':'a'}," SETUP("step") "]");
        assert_sent(
                s, "add-cgroup a -- sleep 5", DONE, "AddCgroupDef",
                "[{'payload':{'name':'sleep','exec':'sleep','args':['5']},'name':'a'}," SETUP("step") "]");
        g_auto(Run) run = ktctl(s, "add-cgroup a -- sleep 5");
        assert_run(&run, DONE, "sleep             70", NULL);
        assert_run(&run, DONE, "PAYLOAD-PID", NULL);
}

static void test_mistakes(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *line, *text;
        } rows[] = {
                { "run-payload", "too few arguments" },
                { "run-payload --", "no command stands behind --" },
                { "add-cgroup a --", "no command stands behind --" },
                { "add-cgroup a --payload x -- y", "exclude each other" },
                { "run-payload x --check exit-code:0", "--check is for a command behind --" },
                { "run-payload x --chekc exit-code:0", "did you mean --check?" },
                { "run-payload x --size=1", "what is meant for the payload stands behind --" },
                { "run-payload x -s", "what is meant for the payload stands behind --" },
                { "run-payload -- x \xff", "argument 1 of the payload is not UTF-8" },
                { "run-payload --check \xff -- x", "--check: value is not UTF-8" },
                { "run-payload --user \xff -- x", "--user: value is not UTF-8" },
                { "wait-payload \xff", "the payload's name is not UTF-8" },
                { "wait-payload x --cgroup \xff", "--cgroup: value is not UTF-8" },
                { "wait-payload x --kill", "give --timeout, or use kill-payload" },
                { "wait-payload", "too few arguments" },
                { "kill-payload x y", "one too many" },
                { "wait-paylaod x", "did you mean 'wait-payload'?" },
        };
        Service *s = service_start();

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(Run) run = ktctl(s, rows[i].line);
                assert_run(&run, USAGE, NULL, rows[i].text);
                assert_string_equal(run.output, "");
        }
        assert_int_equal(s->calls, 0);
}

static void test_refusals(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        s->error = "NoSuchPayload";
        g_auto(Run) run = ktctl(s, "wait-payload x");
        assert_run(&run, FAILED, NULL, "why not [NoSuchPayload]");
        s->error = "PayloadExists";
        g_auto(Run) second = ktctl(s, "--json run-payload x");
        assert_run(&second, FAILED, NULL, KT_ERROR_PREFIX "PayloadExists");
}

/* ---- results ---- */

#define RECORD(result, rest)                                                                                 \
        "{'payload':'bench','cgroup':'a','slot':'step','origin':'call','pid':70,'argv':['/bin/bench'],"      \
        "'placement':'born'," result ",'run_us':1500000,'oom_kills':0,"                                      \
        "'rusage':{'user_us':1200000,'system_us':300,'max_rss_kib':2048}," rest                              \
        ",'stdout':{'bytes':4,'kept':4,'truncated':false},"                                                  \
        "'stderr':{'bytes':9000000000,'kept':16777216,'truncated':true}}"
#define PASSED "'metrics':[],'metrics_truncated':false,'passed':true,'failures':[]"

static void test_a_result(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        set_streams(s, "out\n", "err\n");
        s->answer = RECORD("'result':'exited','exit_code':0",
                           "'metrics':[{'name':'io.ops','value':9007199254740993,'polarity':'higher-better',"
                           "'unit':'ops','stream':'stdout'},{'name':'','value':0.1,'polarity':'target',"
                           "'target':2.5,'unit':'','stream':'stdout'}],'metrics_truncated':true,"
                           "'passed':true,'failures':[]");
        assert_sent(s, "wait-payload bench --json", DONE, "WaitPayload", "['bench',{}]");
        g_auto(Run) run = ktctl(s, "wait-payload bench");
        assert_string_equal(run.errors, "");
        assert_string_equal(run.output, "payload     bench\n"
                                        "cgroup      a\n"
                                        "pid         70 (born)\n"
                                        "command     /bin/bench\n"
                                        "result      exit 0\n"
                                        "run time    1.50s\n"
                                        "CPU time    1.20s user, 300us system\n"
                                        "max RSS     2M\n"
                                        "stdout      4 bytes\n"
                                        "stderr      9000000000 bytes, of which the first 16777216 are kept\n"
                                        "checks      passed\n"
                                        "\n"
                                        "NAME               VALUE  UNIT  POLARITY       STREAM\n"
                                        "io.ops  9007199254740993  ops   higher-better  stdout\n"
                                        "-                    0.1        target 2.5     stdout\n"
                                        "There were more; they are left out.\n");
        assert_run(&run, DONE, NULL, NULL);
}

static void test_what_is_waited_for(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        set_streams(s, "", "");
        s->answer = RECORD("'result':'exited','exit_code':3", PASSED);
        assert_sent(s, "wait-payload bench --cgroup= --timeout 5 --kill", DONE, "WaitPayload",
                    "['bench',{'cgroup':'','timeout':'5s','kill':true}]");
        assert_sent(s, "--timeout 1.5 wait-payload bench", DONE, "WaitPayload",
                    "['bench',{'timeout':'1.5s'}]");
        assert_sent(s, "--timeout 1 wait-payload bench --timeout=20ms --cgroup a/b", DONE, "WaitPayload",
                    "['bench',{'cgroup':'a/b','timeout':'20ms'}]");
        assert_sent(s, "kill-payload bench --cgroup a", DONE, "KillPayload", "['bench',{'cgroup':'a'}]");
}

/* wait-payload wants it to end by itself; for kill-payload that is no matter. Checks are for both. */
static void test_exit_codes(G_GNUC_UNUSED void **state) {
#define FAILURE                                                                                              \
        "'metrics':[],'passed':false,'failures':['exit-code:0: it is 3; last words:\\nbad \\u001b[2J']"
        static const struct {
                const char *record;
                int wait, kill;
                const char *text;
        } rows[] = {
                { RECORD("'result':'exited','exit_code':3", PASSED), DONE, DONE, "result      exit 3\n" },
                { RECORD("'result':'exited','exit_code':3", FAILURE), INCOMPLETE, INCOMPLETE,
                  "checks      failed\n  - exit-code:0: it is 3; last words:\n    bad \\u001b[2J\n" },
                { RECORD("'result':'killed','exit_code':-1", PASSED), INCOMPLETE, DONE,
                  "result      killed\n" },
                { RECORD("'result':'timed-out','exit_code':-1", PASSED), INCOMPLETE, DONE,
                  "result      timed-out\n" },
                { RECORD("'result':'oom-killed','exit_code':-1", PASSED), INCOMPLETE, DONE,
                  "result      oom-killed\n" },
                { RECORD("'result':'signaled','exit_code':-1,'signal':11", PASSED), INCOMPLETE, DONE,
                  "result      signal 11\n" },
                { "{}", DONE, DONE, "checks      passed\n" },
        };
        Service *s = service_start();

        set_streams(s, "", "");
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                s->answer = rows[i].record;
                g_auto(Run) waited = ktctl(s, "wait-payload bench");
                assert_run(&waited, rows[i].wait, rows[i].text, NULL);
                g_auto(Run) killed = ktctl(s, "kill-payload bench --json");
                assert_run(&killed, rows[i].kill, NULL, NULL);
                quoted(s->f, killed.output);
        }
}

/* ---- the scenario's state and report ---- */

static void test_status(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        s->answer = "{'scenario':'default','step_index':1,'cgroups':[],'payloads':["
                    "{'payload':'one','cgroup':'','slot':'step','origin':'call','pid':70,'argv':['/bin/one'],"
                    "'state':'running','stdout':{'bytes':5},'stderr':{'bytes':0}},"
                    "{'payload':'two','cgroup':'a','slot':'backdrop','pid':71,'argv':['two','x'],"
                    "'state':'exited','run_us':2000,'result':'signaled','signal':9,'exit_code':-1,"
                    "'stdout':{'bytes':0},'stderr':{'bytes':7}}]}";
        g_auto(Run) run = ktctl(s, "status");
        assert_run(&run, DONE, NULL, NULL);
        assert_string_equal(run.output,
                            "PAYLOAD  CGROUP  SLOT      PID  STATE     RUN  STDOUT  STDERR  COMMAND\n"
                            "one      -       step       70  running             5       0  /bin/one\n"
                            "two      a       backdrop   71  signal 9  2ms       0       7  two x\n"
                            "\nScenario default, step 1: no cgroups, 2 payloads.\n");
}

static void test_report(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        g_autofree char *report =
                g_strdelimit(g_strdup("{'cgroups':[],'payloads':[" RECORD(
                                     "'result':'killed','exit_code':-1",
                                     PASSED) "," RECORD("'result':'exited','exit_code':1",
                                                        "'metrics':[{},{}],'passed':false,'failures':['min:x="
                                                        "1: there is no metric x']") "]}"),
                             "'", '"');

        s->fds[0] = memfd_of(report);
        s->answer =
                "{'step_index':0,'cgroups':0,'workers':0,'payloads':2,'payloads_failed':1,'passed':false}";
        g_auto(Run) run = ktctl(s, "end-step");
        assert_run(&run, INCOMPLETE,
                   "bench    a        70  killed  ok        1.50s  1.20s   300us       2M\n",
                   "ktctl: payload bench, cgroup a: min:x=1: there is no metric x\n");
        assert_run(&run, INCOMPLETE, "exit 1  1 failed  1.50s  1.20s   300us       2M        2\n", NULL);
        assert_run(&run, INCOMPLETE, "Step 0: 0 cgroups, 0 workers; 2 payloads, 1 failed.\n", NULL);
        g_auto(Run) json = ktctl(s, "end-step --json");
        assert_run(&json, INCOMPLETE, "\"payloads\":", NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_payloads, service_teardown),
                cmocka_unit_test_teardown(test_run_by_name, service_teardown),
                cmocka_unit_test_teardown(test_run_a_command, service_teardown),
                cmocka_unit_test_teardown(test_dry_run, service_teardown),
                cmocka_unit_test_teardown(test_add_cgroup, service_teardown),
                cmocka_unit_test_teardown(test_mistakes, service_teardown),
                cmocka_unit_test_teardown(test_refusals, service_teardown),
                cmocka_unit_test_teardown(test_a_result, service_teardown),
                cmocka_unit_test_teardown(test_what_is_waited_for, service_teardown),
                cmocka_unit_test_teardown(test_exit_codes, service_teardown),
                cmocka_unit_test_teardown(test_status, service_teardown),
                cmocka_unit_test_teardown(test_report, service_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
