/* SPDX-License-Identifier: GPL-2.0-only */

/* What callers see of a payload, as JSON, from books made by hand. */

#include <signal.h>

#include "plan-fixture.h"
#include "report/report-payload.h"
#include "report/report.h"

static PayloadState *payload(const char *cgroup, Slot slot) {
        g_autoptr(PayloadDef) def = payload_def_new("bench", "/bin/bench");
        PayloadState *p = payload_state_new(3, def, cgroup);

        g_strfreev(def->args);
        def->args = g_strsplit("--all", " ", -1);
        g_strfreev(p->args);
        p->args = g_strsplit("-n 5", " ", -1);
        p->slot = slot;
        p->origin = PAYLOAD_OF_CALL;
        p->pid = 77;
        return p;
}

static WirePayloadExit *ended(uint32_t kind, int32_t value, uint32_t asked, uint64_t oom_kills) {
        WirePayloadExit *e = g_new0(WirePayloadExit, 1);

        *e = (WirePayloadExit){ .exit_kind = kind,
                                .exit_value = value,
                                .asked = asked,
                                .oom_kills = oom_kills,
                                .run_ns = 2500999,
                                .user_us = 1,
                                .system_us = 2,
                                .max_rss_kib = 3,
                                .minor_faults = 4,
                                .major_faults = 5,
                                .in_blocks = 6,
                                .out_blocks = 7,
                                .voluntary_switches = 8,
                                .involuntary_switches = 9 };
        return e;
}

static void assert_json(JsonObject *got, const char *expected) {
        g_autoptr(JsonNode) want = json_quoted(expected),
                            node = json_node_init_object(json_node_alloc(), got);

        if (!json_node_equal(node, want)) {
                g_autofree char *text = json_to_string(node, TRUE);
                fail_msg("got\n%s", text);
        }
}

/* A SIGKILL has four senders: one of us by order, one of us by the clock, the kernel for want of memory, and
 * somebody else. */
static void results(void **state G_GNUC_UNUSED) {
        static const struct {
                uint32_t kind;
                int32_t value;
                uint32_t asked;
                uint64_t oom_kills;
                bool timed_out;
                const char *info;
        } rows[] = {
                { WORKER_EXIT_CODE, 0, 0, 0, false, "'result':'exited','exit_code':0,'oom_kills':0" },
                { WORKER_EXIT_CODE, 42, 0, 0, true, "'result':'exited','exit_code':42,'oom_kills':0" },
                { WORKER_EXIT_CODE, 0, 0, 1, false, "'result':'exited','exit_code':0,'oom_kills':1" },
                { WORKER_EXIT_SIGNAL, SIGTERM, 0, 1, false,
                  "'result':'signaled','exit_code':-1,'signal':15,'oom_kills':1" },
                { WORKER_EXIT_SIGNAL, SIGKILL, 0, 0, false,
                  "'result':'signaled','exit_code':-1,'signal':9,'oom_kills':0" },
                { WORKER_EXIT_SIGNAL, SIGKILL, 0, 2, false,
                  "'result':'oom-killed','exit_code':-1,'signal':9,'oom_kills':2" },
                { WORKER_EXIT_SIGNAL, SIGKILL, 1, 2, false,
                  "'result':'killed','exit_code':-1,'signal':9,'oom_kills':2" },
                { WORKER_EXIT_SIGNAL, SIGKILL, 1, 0, true,
                  "'result':'timed-out','exit_code':-1,'signal':9,'oom_kills':0" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(PayloadState) p = payload("a", SLOT_STEP);
                g_autofree char *expected = g_strdup_printf("{%s,'run_us':2500}", rows[i].info);
                p->exit = ended(rows[i].kind, rows[i].value, rows[i].asked, rows[i].oom_kills);
                p->timed_out = rows[i].timed_out;
                g_autoptr(JsonObject) info = payload_exit_info(p);
                assert_json(info, expected);
        }
}

#define HEAD                                                                                                 \
        "'payload':'bench','cgroup':'a','slot':'step','origin':'call','pid':77,'argv':['/bin/"               \
        "bench','--all','-n','5'],"

static void whole_record(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadState) p = payload("a", SLOT_STEP);
        char *failures[] = { (char[]){ "too slow" }, NULL };

        p->exit = ended(WORKER_EXIT_CODE, 1, 0, 0);
        p->moved = true;
        p->output[0] = (PayloadCount){ 10, 10 };
        p->output[1] = (PayloadCount){ 11, 10 };
        g_autoptr(JsonObject) record = payload_record(p, NULL, failures);
        assert_json(record,
                    "{" HEAD
                    "'placement':'moved','result':'exited','exit_code':1,'run_us':2500,'oom_kills':0,"
                    "'rusage':{'user_us':1,'system_us':2,'max_rss_kib':3,'minor_faults':4,'major_faults':5,"
                    "'in_blocks':6,'out_blocks':7,'voluntary_switches':8,'involuntary_switches':9},"
                    "'metrics':[],'metrics_truncated':false,'passed':false,'failures':['too slow'],"
                    "'stdout':{'bytes':10,'kept':10,'truncated':false},"
                    "'stderr':{'bytes':11,'kept':10,'truncated':true}}");
}

static void while_it_lives(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadState) p = payload("a", SLOT_STEP);
        static const char *const streams = "'stdout':{'bytes':0,'kept':0,'truncated':false},"
                                           "'stderr':{'bytes':0,'kept':0,'truncated':false}}";
        g_autofree char *running = g_strdup_printf("{" HEAD "'state':'running',%s", streams);
        g_autofree char *exited = g_strdup_printf(
                "{" HEAD "'state':'exited','result':'exited','exit_code':0,'run_us':2500,'oom_kills':0,%s",
                streams);

        g_autoptr(JsonObject) before = payload_live(p);
        assert_json(before, running);
        p->exit = ended(WORKER_EXIT_CODE, 0, 0, 0);
        g_autoptr(JsonObject) after = payload_live(p);
        assert_json(after, exited);
}

static void just_started(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadState) alone = payload("", SLOT_BACKDROP);

        g_autoptr(JsonObject) started = payload_started(alone, "/r", false);
        assert_json(started,
                    "{'payload':'bench','cgroup':'','path':'/r/@payload-3','target':'backdrop','pid':77,"
                    "'argv':['/bin/bench','--all','-n','5']}");
        g_autoptr(JsonObject) planned = payload_started(alone, "/r", true);
        assert_false(json_object_has_member(planned, "pid"));
}

/* Records stand in the report of their slot, and a failed check fails it. */
static void in_the_report(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        g_autoptr(PayloadState) step = payload("a", SLOT_STEP), alone = payload("", SLOT_STEP),
                                back = payload("a", SLOT_BACKDROP);
        char *failures[] = { (char[]){ "one" }, (char[]){ "two" }, NULL };

        scenario_add_record(d->scenario, SLOT_STEP, payload_record(step, NULL, NULL));
        scenario_add_record(d->scenario, SLOT_BACKDROP, payload_record(back, NULL, failures));
        g_autoptr(JsonObject) good = report_summary(d->scenario, SLOT_STEP, NULL);
        assert_true(json_object_get_boolean_member(good, "passed"));
        assert_int_equal(json_object_get_int_member(good, "payloads"), 1);

        scenario_add_record(d->scenario, SLOT_STEP, payload_record(alone, NULL, failures));
        g_autoptr(JsonObject) bad = report_summary(d->scenario, SLOT_STEP, NULL);
        assert_false(json_object_get_boolean_member(bad, "passed"));
        assert_int_equal(json_object_get_int_member(bad, "payloads"), 2);
        assert_int_equal(json_object_get_int_member(bad, "payloads_failed"), 1);
        JsonArray *lines = json_object_get_array_member(bad, "failures");
        assert_int_equal(json_array_get_length(lines), 2);
        assert_string_equal(json_array_get_string_element(lines, 0), "payload 'bench' (no cgroup): one");

        g_autoptr(JsonObject) all = report_summary(d->scenario, SLOT_BACKDROP, NULL);
        assert_int_equal(json_object_get_int_member(all, "payloads"), 3);
        assert_string_equal(json_array_get_string_element(json_object_get_array_member(all, "failures"), 0),
                            "payload 'bench' in cgroup 'a': one");
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_STEP, NULL);
        assert_int_equal(
                json_array_get_length(json_object_get_array_member(json_node_get_object(report), "payloads")),
                2);
}

/* The values of variables stay with whoever may read the file. */
static void files(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadSet) set = payload_set_new();
        PayloadDef *def = payload_def_new("bench", "bench");

        g_strfreev(def->environment);
        def->environment = g_strsplit("TOKEN=secret=x MODE=", " ", -1);
        payload_set_add(set, "/p/bench.payload", "bench", def, NULL);
        payload_set_add(set, "/p/bad.payload", "bad", NULL, "Exec: is missing");
        g_autoptr(JsonArray) list = payload_set_to_json(set);
        assert_json(json_array_get_object_element(list, 0),
                    "{'name':'bench','file':'/p/bench.payload','exec':'bench','output':'exit-code',"
                    "'process_group':'own','working_directory':'/','environment':['TOKEN','MODE']}");
        assert_json(json_array_get_object_element(list, 1),
                    "{'name':'bad','file':'/p/bad.payload','error':'Exec: is missing'}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(results),        cmocka_unit_test(whole_record),
                cmocka_unit_test(while_it_lives), cmocka_unit_test(just_started),
                cmocka_unit_test(in_the_report),  cmocka_unit_test(files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
