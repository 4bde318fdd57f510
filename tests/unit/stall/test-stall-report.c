/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/sched.h>
#include <sys/prctl.h>

#include "stall/stall-report.h"

#define SECOND UINT64_C(1000000000)

static const StallWindow flat = {
        .n = 4, .samples = { { 5, 7, 0 }, { 5, 7, SECOND / 2 }, { 5, 7, SECOND }, { 5, 7, 3 * SECOND / 2 } }
};

/* ---- a tree of made-up cgroup files ---- */

static int set_up(void **state) {
        *state = g_dir_make_tmp("kt-stall-XXXXXX", NULL);
        return *state ? 0 : -1;
}

static void remove_tree(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *below = g_build_filename(path, name, NULL);
                remove_tree(below);
        }
        remove(path);
}

static int tear_down(void **state) {
        remove_tree(*state);
        g_free(*state);
        return 0;
}

static void put(const char *root, const char *cgroup, const char *knob, const char *text) {
        g_autofree char *dir = g_build_filename(root, cgroup, NULL),
                        *path = g_build_filename(dir, knob, NULL);

        assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
        assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void put_all(const char *root) {
        put(root, "a/b", "cpu.stat",
            "usage_usec 1\nnr_periods 20\nnr_throttled 20\nthrottled_usec 1900000\n");
        put(root, "a/b", "cpu.pressure", "some avg10=1.00 total=2\nfull avg10=0.00 total=0\n");
        put(root, "a/b", "cgroup.events", "populated 1\nfrozen 0\n");
        put(root, "a", "cpu.stat", "usage_usec 1\n");
}

static GHashTable *earlier(void) {
        GHashTable *before = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        CpuStat *s = g_new(CpuStat, 1);

        *s = (CpuStat){ 17, 17, 400000 };
        g_hash_table_insert(before, g_strdup("a/b"), s);
        return before;
}

static StallReport *report_of_self(const char *cgroup) {
        const StallSubject who = { .pid = getpid(),
                                   .tid = gettid(),
                                   .cgroup = cgroup,
                                   .work_type = "SpinWait",
                                   .work_index = 1,
                                   .worker = 3 };
        return stall_report_new(&who, &flat);
}

static const WireInspected *good_answer(void) {
        static WireInspected a = { .kind = WIRE_INSPECTED,
                                   .wchan = "0",
                                   .syscall = "running",
                                   .stack = "[<0>] one\n[<0>] two",
                                   .scan_whole = 1,
                                   .n_rivals = 18,
                                   .n_competitors = 1 };

        a.competitors[0] =
                (WireCompetitor){ .pid = 12, .tid = 13, .cpu = 6, .policy = SCHED_FIFO, .priority = 50 };
        strcpy(a.competitors[0].comm, "h\xf6g\n");
        return &a;
}

static const StallLevel *level(const StallReport *r, guint i) {
        assert_true(i < r->levels->len);
        return &g_array_index(r->levels, StallLevel, i);
}

/* ---- reading ---- */

static void what_everybody_may_read(void **state) {
        g_autoptr(GHashTable) before = earlier();
        g_autoptr(StallReport) r = report_of_self("a/b");

        put_all(*state);
        assert_int_equal(prctl(PR_SET_NAME, "a\nState:\tZ \xff"), 0);
        stall_report_read(r, *state, before);
        assert_int_equal(r->state, 'R'); /* whatever the name pretends */
        assert_string_equal(r->texts[STALL_COMM], "a\nState:\tZ \xef\xbf\xbd");
        assert_true(g_utf8_validate(r->texts[STALL_STATUS], -1, NULL));
        assert_non_null(strstr(r->texts[STALL_STATUS], "\nPid:\t"));
        assert_non_null(strchr(r->texts[STALL_KERNEL_CGROUP], '/'));
        assert_int_equal(strspn(r->texts[STALL_LOADAVG], "0123456789."),
                         strcspn(r->texts[STALL_LOADAVG], " "));
        assert_string_equal(r->texts[STALL_PRESSURE], "some avg10=1.00 total=2\nfull avg10=0.00 total=0");
        assert_false(r->frozen);

        assert_int_equal(r->levels->len, 3);
        assert_string_equal(level(r, 0)->cgroup, "a/b");
        assert_null(level(r, 0)->missing);
        assert_int_equal(stall_level_growth(level(r, 0)).throttled_usec, 1500000);
        assert_string_equal(level(r, 1)->cgroup, "a");
        assert_string_equal(level(r, 1)->missing, "[unreadable: the cpu controller is not enabled here]");
        assert_string_equal(level(r, 2)->cgroup, "");
        assert_string_equal(level(r, 2)->missing, "[unreadable: No such file or directory]");
        assert_int_equal(stall_report_judge(r), STALL_THROTTLED);
}

static void without_an_earlier_reading(void **state) {
        g_autoptr(StallReport) r = report_of_self("a/b");
        CpuStat s;

        put_all(*state);
        stall_report_read(r, *state, NULL);
        assert_string_equal(level(r, 0)->missing, "[unreadable: not known from before the stall]");
        assert_int_equal(stall_report_judge(r), STALL_STARVED);
        assert_true(stall_read_cpu_stat(*state, "a/b", &s));
        assert_int_equal(s.periods, 20);
        assert_false(stall_read_cpu_stat(*state, "a", &s));
        assert_false(stall_read_cpu_stat(*state, "nowhere", &s));
}

static void a_frozen_cgroup(void **state) {
        g_autoptr(StallReport) r = report_of_self("a/b");

        put_all(*state);
        put(*state, "a/b", "cgroup.events", "populated 1\nfrozen 1\n");
        stall_report_read(r, *state, NULL);
        assert_true(r->frozen);
        assert_int_equal(stall_report_judge(r), STALL_NONE);
}

static void the_root_itself(void **state) {
        g_autoptr(StallReport) r = report_of_self("");

        put_all(*state);
        stall_report_read(r, *state, NULL);
        stall_report_read(r, *state, NULL); /* once more is no more */
        assert_int_equal(r->levels->len, 1);
}

/* ---- the executor's part ---- */

static void the_question(G_GNUC_UNUSED void **state) {
        g_autoptr(StallReport) r = report_of_self("a");
        hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
        WireInspect q;

        hwloc_bitmap_set(cpus, 0);
        hwloc_bitmap_set(cpus, 64);
        hwloc_bitmap_set(cpus, 8191);
        hwloc_bitmap_set(cpus, 8192); /* no such CPU */
        stall_report_ask(r, 99, cpus, &q);
        assert_int_equal(q.kind, WIRE_INSPECT);
        assert_int_equal(q.serial, 99);
        assert_int_equal(q.pid, getpid());
        assert_int_equal(q.tid, gettid());
        for (unsigned i = 0; i < WIRE_INSPECT_WORDS; i++)
                assert_true(q.cpus[i] == (i < 2 ? 1 : i == 127 ? UINT64_C(1) << 63 : 0));
        stall_report_ask(r, 99, NULL, &q);
        for (unsigned i = 0; i < WIRE_INSPECT_WORDS; i++)
                assert_true(q.cpus[i] == UINT64_MAX);
        hwloc_bitmap_free(cpus);
}

static void errors_of_the_executor(G_GNUC_UNUSED void **state) {
        g_autoptr(StallReport) r = report_of_self("a");
        const WireInspected gone = { .error = ESRCH };
        WireInspected refused = *good_answer();

        assert_string_equal(r->texts[STALL_WCHAN], "[unreadable: not asked for]");
        stall_report_add_inspection(r, &gone);
        assert_string_equal(r->texts[STALL_WCHAN], "[unreadable: No such process]");
        assert_string_equal(r->texts[STALL_SYSCALL], "[unreadable: No such process]");
        assert_null(r->texts[STALL_STACK]);
        assert_string_equal(r->scan, "No such process");

        refused.syscall_error = refused.stack_error = EPERM;
        refused.scan_whole = 0;
        stall_report_add_inspection(r, &refused);
        assert_string_equal(r->texts[STALL_WCHAN], "0");
        assert_string_equal(r->texts[STALL_SYSCALL], "[unreadable: Operation not permitted]");
        assert_null(r->texts[STALL_STACK]);
        assert_non_null(strstr(r->scan, "more tasks"));
        assert_int_equal(r->n_competitors, 1);
}

/* Nothing in it is believed but its size. */
static void an_answer_of_ones(void **state) {
        g_autoptr(StallReport) r = report_of_self("a");
        WireInspected a;

        memset(&a, 0xff, sizeof(a));
        a.error = a.wchan_error = a.syscall_error = a.stack_error = a.scan_error = 0;
        stall_report_read(r, *state, NULL);
        stall_report_add_inspection(r, &a);
        assert_int_equal(r->n_competitors, WIRE_COMPETITORS);
        stall_report_judge(r);
        g_autoptr(JsonObject) o = stall_report_to_json(r);
        g_autofree char *text = stall_report_text(r);
        assert_true(g_utf8_validate(text, -1, NULL));
        assert_true(g_utf8_validate(json_object_get_string_member(o, "stack"), -1, NULL));
        assert_true(g_utf8_validate(r->cause, -1, NULL));
}

/* ---- JSON and text ---- */

static StallReport *made_up(void) {
        StallReport *r = report_of_self("a/b");
        StallLevel l = { .cgroup = g_strdup("a/b"), .after = { 4, 4, 1400000 } };
        StallLevel unknown = { .cgroup = g_strdup("a"), .missing = g_strdup("[unreadable: x]") };

        r->pid = 40;
        r->tid = 41;
        r->state = 'R';
        stall_report_add_inspection(r, good_answer());
        g_free(r->texts[STALL_COMM]);
        r->texts[STALL_COMM] = g_strdup("w\n\"");
        g_free(r->texts[STALL_PRESSURE]);
        r->texts[STALL_PRESSURE] = g_strdup("some 1\nfull 2");
        g_free(r->texts[STALL_LOADAVG]);
        r->texts[STALL_LOADAVG] = g_strdup("");
        g_array_append_val(r->levels, l);
        g_array_append_val(r->levels, unknown);
        stall_report_judge(r);
        return r;
}

static void as_json(G_GNUC_UNUSED void **state) {
        static const char expected[] =
                "{\"pid\":40,\"tid\":41,\"cgroup\":\"a/"
                "b\",\"work_type\":\"SpinWait\",\"work_index\":1,\"worker\":3,"
                "\"class\":\"throttled\",\"cause\":\"runnable for 1.5 s, but not allowed to run; cgroup "
                "'a/b' used "
                "up its cpu.max in 4 of 4 periods and was throttled for 1.4 s\",\"window_ms\":1500,"
                "\"samples\":[{\"nr_switches\":5,\"sum_exec_runtime_ns\":7},{\"nr_switches\":5,"
                "\"sum_exec_runtime_ns\":7},{\"nr_switches\":5,\"sum_exec_runtime_ns\":7},{\"nr_switches\":5,"
                "\"sum_exec_runtime_ns\":7}],\"state\":\"R\",\"comm\":\"w\\n\\\"\",\"status\":\"[unreadable: "
                "not "
                "asked for]\",\"kernel_cgroup\":\"[unreadable: not asked for]\",\"loadavg\":\"\","
                "\"cpu_pressure\":\"some 1\\nfull 2\",\"wchan\":\"0\",\"syscall\":\"running\","
                "\"stack\":\"[<0>] one\\n[<0>] two\","
                "\"throttling\":[{\"cgroup\":\"a/"
                "b\",\"nr_periods\":4,\"nr_throttled\":4,\"throttled_usec\":1400000},"
                "{\"cgroup\":\"a\",\"cpu_stat\":\"[unreadable: x]\"}],"
                "\"runnable_on_its_cpus\":{\"count\":18,\"first\":[{\"pid\":12,\"tid\":13,\"comm\":"
                "\"h\357\277\275g\\n\","
                "\"cpu\":6,\"policy\":\"SCHED_FIFO\",\"priority\":50,\"nice\":0}]}}";
        g_autoptr(StallReport) r = made_up();
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

        json_node_take_object(node, stall_report_to_json(r));
        g_autofree char *text = json_to_string(node, FALSE);
        assert_string_equal(text, expected);
}

static void as_text(G_GNUC_UNUSED void **state) {
        g_autoptr(StallReport) r = made_up();
        g_autofree char *text = stall_report_text(r);

        assert_string_equal(
                text,
                "worker 3 (SpinWait, work 1) in cgroup 'a/b' made no progress: throttled\n"
                "  pid 40, thread 41 \"w\\n\\\"\"\n"
                "  cause: runnable for 1.5 s, but not allowed to run; cgroup 'a/b' used up its cpu.max in 4 "
                "of 4 periods and was throttled for 1.4 s\n"
                "  samples: 4 in 1.5 s, nr_switches 5 -> 5 (+0), sum_exec_runtime_ns 7 -> 7 (+0)\n"
                "  state: R\n"
                "  wchan: 0\n"
                "  syscall: running\n"
                "  kernel's cgroup: [unreadable: not asked for]\n"
                "  loadavg: \n"
                "  cpu.pressure:\n"
                "    some 1\n"
                "    full 2\n"
                "  cpu.stat of 'a/b': throttled in 4 of 4 periods, 1400000 us\n"
                "  runnable on CPU 6: h\\366g\\n (pid 13, SCHED_FIFO 50)\n"
                "  runnable on its CPUs: 17 more\n"
                "  stack:\n"
                "    [<0>] one\n"
                "    [<0>] two\n");
}

static void of_a_payload(void **state) {
        const StallSubject who = { .pid = 7, .tid = 7, .cgroup = "", .payload = "bench" };
        g_autoptr(StallReport) r = stall_report_new(&who, &(StallWindow){ 0 });
        g_autofree char *text = stall_report_text(r);
        g_autoptr(JsonObject) o = stall_report_to_json(r);

        assert_true(g_str_has_prefix(text,
                                     "payload bench in the scenario's root made no progress: none\n  pid 7 "
                                     "\"[unreadable: not asked for]\"\n  cause: \n  samples: 0 in 0.0 s, "));
        assert_non_null(strstr(text, "runnable on its CPUs, incomplete: not asked for\n"));
        assert_string_equal(json_object_get_string_member(o, "payload"), "bench");
        assert_false(json_object_has_member(o, "worker"));
        assert_false(json_object_has_member(o, "stack"));
        (void)state;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_everybody_may_read, set_up, tear_down),
                cmocka_unit_test_setup_teardown(without_an_earlier_reading, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_frozen_cgroup, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_root_itself, set_up, tear_down),
                cmocka_unit_test(the_question),
                cmocka_unit_test(errors_of_the_executor),
                cmocka_unit_test_setup_teardown(an_answer_of_ones, set_up, tear_down),
                cmocka_unit_test(as_json),
                cmocka_unit_test(as_text),
                cmocka_unit_test(of_a_payload),
        };
        return cmocka_run_group_tests_name("stall-report", tests, NULL, NULL);
}
