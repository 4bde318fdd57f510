/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "executor/inspect.h"
#include "stall/proc-sched.h"
#include "stall/stall-report.h"

enum { STALL_WINDOW = 4 }; /* as it is by default */

#define INTERVAL UINT64_C(500000000)

typedef struct Watch {
        StallWindow window;
        uint64_t switches, runtime_ns, time_ns;
} Watch;

static Watch watch_new(void) {
        Watch w = { .switches = 42, .runtime_ns = 1000 };

        stall_window_init(&w.window, 1, STALL_WINDOW);
        return w;
}

/* The next tick finds the numbers as they are. */
static bool tick(Watch *w) {
        w->time_ns += INTERVAL;
        return stall_window_push(&w->window, (StallSample){ w->switches, w->runtime_ns, w->time_ns },
                                 INTERVAL);
}

static unsigned reports_in(Watch *w, unsigned ticks) {
        unsigned n = 0;

        for (unsigned i = 0; i < ticks; i++)
                n += tick(w);
        return n;
}

/* res:R149 ops:P20 */
static void sample_text(G_GNUC_UNUSED void **state) {
        StallSample s = { 0 };

        assert_true(proc_sched_parse("kt-worker (1234, #threads: 1)\n"
                                     "-------------------------------------------------------------------\n"
                                     "se.exec_start                                :        100000.000001\n"
                                     "se.sum_exec_runtime                          :          1234.567890\n"
                                     "nr_switches                                  :                   42\n"
                                     "nr_voluntary_switches                        :                   40\n",
                                     &s));
        assert_int_equal(s.switches, 42);
        assert_true(s.runtime_ns == 1234567890);
}

/* res:R150 ops:P21 */
static void own_file(G_GNUC_UNUSED void **state) {
        StallSample s = { 0 };

        if (access("/proc/self/sched", R_OK) < 0) {
                print_message("skipped: this kernel has no /proc/PID/sched\n");
                skip();
        }
        usleep(1000); /* one switch at least, and a runtime that is booked */
        assert_int_equal(proc_sched_read(getpid(), gettid(), &s), 0);
        assert_true(s.switches >= 1);
        assert_true(s.runtime_ns > 0);
}

/* res:R151 ops:P22 */
static void flat_window(G_GNUC_UNUSED void **state) {
        Watch w = watch_new();

        assert_int_equal(reports_in(&w, 3), 0); /* ops:P24 */
        assert_true(tick(&w));
}

/* res:R151 ops:P23: at each place, by each counter */
static void any_change(G_GNUC_UNUSED void **state) {
        for (unsigned at = 1; at < STALL_WINDOW; at++)
                for (unsigned which = 0; which < 2; which++) {
                        Watch w = watch_new();
                        assert_int_equal(reports_in(&w, at), 0);
                        *(which ? &w.switches : &w.runtime_ns) += 1;
                        assert_int_equal(reports_in(&w, STALL_WINDOW - at), 0);
                }
}

/* res:R153 ops:P25 */
static void last_four(G_GNUC_UNUSED void **state) {
        Watch w = watch_new();

        for (unsigned i = 0; i < 6; i++) {
                w.switches = i;
                assert_false(tick(&w));
        }
        assert_int_equal(w.window.n, 4);
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(w.window.samples[i].switches, 2 + i);
}

/* res:R154 ops:P26 ops:P27 */
static void one_report_an_episode(G_GNUC_UNUSED void **state) {
        Watch w = watch_new();

        assert_int_equal(reports_in(&w, 3), 0);
        assert_true(tick(&w));
        assert_false(w.window.armed);
        assert_int_equal(reports_in(&w, 100), 0);
        w.runtime_ns++;
        assert_false(tick(&w));
        assert_true(w.window.armed);
        assert_int_equal(reports_in(&w, 3), 1);
        assert_int_equal(reports_in(&w, 100), 0);
}

/* res:R155 */
static void unreadable_between(G_GNUC_UNUSED void **state) {
        Watch w = watch_new();

        reports_in(&w, 3);
        stall_window_miss(&w.window);
        assert_true(w.window.armed);
        assert_int_equal(reports_in(&w, 3), 0);
        assert_true(tick(&w));
        stall_window_miss(&w.window);
        assert_false(w.window.armed);
        assert_int_equal(reports_in(&w, 10), 0);
}

/* res:R152 ops:P28 */
static void diagnostics_of_nobody(G_GNUC_UNUSED void **state) {
        static const StallText unreadable[] = { STALL_COMM,  STALL_STATUS,  STALL_KERNEL_CGROUP,
                                                STALL_WCHAN, STALL_SYSCALL, STALL_PRESSURE };
        const StallSubject nobody = { .cgroup = "cg_0", .work_type = "SpinWait" };
        Watch w = watch_new();
        g_autoptr(StallReport) r = stall_report_new(&nobody, &w.window);
        WireInspect question;
        WireInspected answer;

        stall_report_ask(r, 1, NULL, &question);
        inspect_task(&question, &answer);
        stall_report_read(r, "/nonexistent", NULL);
        stall_report_add_inspection(r, &answer);
        for (size_t i = 0; i < G_N_ELEMENTS(unreadable); i++)
                if (!g_str_has_prefix(r->texts[unreadable[i]], "[unreadable: "))
                        fail_msg("text %d: %s", unreadable[i], r->texts[unreadable[i]]);
        assert_int_equal(r->state, '?');
        assert_null(r->texts[STALL_STACK]);
        assert_true(*r->texts[STALL_LOADAVG] && *r->texts[STALL_LOADAVG] != '[');
        assert_int_equal(stall_report_judge(r), STALL_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sample_text),        cmocka_unit_test(own_file),
                cmocka_unit_test(flat_window),        cmocka_unit_test(any_change),
                cmocka_unit_test(last_four),          cmocka_unit_test(one_report_an_episode),
                cmocka_unit_test(unreadable_between), cmocka_unit_test(diagnostics_of_nobody),
        };
        return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
