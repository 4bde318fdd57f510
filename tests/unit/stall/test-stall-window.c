/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "stall/proc-sched.h"

enum { STALL_WINDOW = 4 }; /* as it is by default */

enum { MS = 1000000, INTERVAL = 500 * MS };

static StallWindow new_window(void) {
        StallWindow w;

        stall_window_init(&w, 77, STALL_WINDOW);
        return w;
}

/* At tick t of a clock that is even to the nanosecond. */
static bool push_at(StallWindow *w, uint64_t switches, uint64_t runtime_ns, unsigned t) {
        return stall_window_push(w, (StallSample){ switches, runtime_ns, (uint64_t)t * INTERVAL }, INTERVAL);
}

/* ---- the window ---- */

static void earliest_after_three_intervals(G_GNUC_UNUSED void **state) {
        StallWindow w = new_window();

        assert_int_equal(stall_window_span(&w), 0);
        for (unsigned t = 10; t < 13; t++)
                assert_false(push_at(&w, 5, 6, t));
        assert_true(push_at(&w, 5, 6, 13));
        assert_true(stall_window_span(&w) == UINT64_C(3) * INTERVAL);
}

static void progress_slides_out_of_the_window(G_GNUC_UNUSED void **state) {
        StallWindow w = new_window();

        /* 1 1 2 2 2 2: the fourth 2 is the first flat window */
        for (unsigned t = 0; t < 5; t++)
                assert_false(push_at(&w, t < 2 ? 1 : 2, 9, t));
        assert_true(push_at(&w, 2, 9, 5));
}

static void a_counter_that_moves_needs_no_samples(G_GNUC_UNUSED void **state) {
        StallWindow w = new_window();

        assert_false(stall_window_moved(&w, 0)); /* nothing done yet */
        assert_true(stall_window_moved(&w, 10)); /* before the first look at it */
        assert_int_equal(w.n, 0);
        for (unsigned t = 0; t < 3; t++) {
                assert_false(stall_window_moved(&w, 10));
                assert_false(push_at(&w, 1, 1, t));
        }
        /* At the last moment. The scheduler's numbers still stand, as they do for one that runs on and on
         * without a tick of the clock; the counter is believed. */
        assert_true(stall_window_moved(&w, 11));
        for (unsigned t = 4; t < 7; t++) {
                assert_false(stall_window_moved(&w, 11));
                assert_false(push_at(&w, 1, 1, t));
        }
        assert_true(push_at(&w, 1, 1, 7));
        assert_false(push_at(&w, 1, 1, 8));
        /* a second episode */
        assert_true(stall_window_moved(&w, 12));
        for (unsigned t = 10; t < 13; t++)
                assert_false(push_at(&w, 1, 1, t));
        assert_true(push_at(&w, 1, 1, 13));
}

static void a_reused_pid_starts_anew(G_GNUC_UNUSED void **state) {
        StallWindow w = new_window();

        for (unsigned t = 0; t < 3; t++)
                push_at(&w, 1, 1, t);
        assert_true(stall_window_is(&w, 77));
        assert_true(push_at(&w, 1, 1, 3));
        assert_false(stall_window_is(&w, 78));
        assert_true(stall_window_is(&w, 78));
        /* the same numbers by chance, and the report of the other one is not its own */
        for (unsigned t = 4; t < 7; t++)
                assert_false(push_at(&w, 1, 1, t));
        assert_true(push_at(&w, 1, 1, 7));
}

static void ticks_in_a_bunch(G_GNUC_UNUSED void **state) {
        StallWindow w = new_window();
        const StallSample late = { 1, 1, 10 * MS };

        assert_false(push_at(&w, 1, 1, 0));
        for (unsigned i = 0; i < 10; i++)
                assert_false(stall_window_push(&w, late, INTERVAL));
        assert_int_equal(w.n, 1);
        assert_false(push_at(&w, 1, 1, 1));
        assert_false(push_at(&w, 1, 1, 2));
        assert_false(push_at(&w, 1, 1, 1)); /* a clock that goes back */
        assert_true(push_at(&w, 1, 1, 3));
        /* progress counts whenever it is seen */
        assert_false(stall_window_push(&w, (StallSample){ 2, 1, 3 * (uint64_t)INTERVAL + MS }, INTERVAL));
        assert_true(w.armed);
}

static void numbers_that_fall_are_progress_too(G_GNUC_UNUSED void **state) {
        StallWindow w = new_window();

        for (unsigned t = 0; t < 4; t++)
                push_at(&w, 7, 7, t);
        assert_false(w.armed);
        assert_false(push_at(&w, 0, 7, 4));
        assert_true(w.armed);
}

/* ---- /proc/PID/sched ---- */

#define HEAD(name) name " (12, #threads: 1)\n" DASHES
#define DASHES     "-------------------------------------------------------------------\n"

static void texts(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *text;
                bool good;
                uint64_t switches, runtime_ns;
        } cases[] = {
                { HEAD("cat") "se.exec_start                                :      13544411.409143\n"
                              "se.sum_exec_runtime                          :         1234.567890\n"
                              "nr_switches                                  :                   42\n",
                  true, 42, 1234567890 },
                { "nr_switches : 42\nse.sum_exec_runtime : 1234.567890", true, 42, 1234567890 },
                { "nr_switches:0\r\n\tsum_exec_runtime\t:\t0.000001\n", true, 0, 1 },
                { "nr_switches : 18446744073709551615\nse.sum_exec_runtime : 18446744073709.551615\n", true,
                  UINT64_MAX, UINT64_MAX },
                /* exact where a double is not: 2^53 + 1 */
                { "nr_switches : 1\nse.sum_exec_runtime : 9007199254.740993\n", true, 1, 9007199254740993 },
                /* missing, or nearly the key */
                { "", false, 0, 0 },
                { "nr_switches : 42\n", false, 0, 0 },
                { "se.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_voluntary_switches : 1\nnr_switches_x : 2\nse.sum_exec_runtime : 1.000000\n", false, 0,
                  0 },
                { "nr_switches : 1\nse.statistics.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_switches 42\nse.sum_exec_runtime 1.000000\n", false, 0, 0 },
                { "NR_SWITCHES : 1\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                /* values that are none */
                { "nr_switches : -1\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_switches : 1 2\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_switches : 0x1\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_switches : 18446744073709551616\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_switches :\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { "nr_switches : 00000000000000000000000000000000000000001\nse.sum_exec_runtime : 1.000000\n",
                  false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 1\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 1.5\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 1.0000000\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : .000001\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : -1.000001\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 1.-00001\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 1.0e0001\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : nan\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 18446744073709.551616\n", false, 0, 0 },
                { "nr_switches : 1\nse.sum_exec_runtime : 99999999999999999.000000\n", false, 0, 0 },
                /* a second colon belongs to the value */
                { "nr_switches : 1 : 1\nse.sum_exec_runtime : 1.000000\n", false, 0, 0 },
                { ":\n::\n : \nnr_switches : 3\n:nr_switches : 4\nse.sum_exec_runtime:2.000000\n", true, 3,
                  2000000 },
                /* names that look like lines of numbers, or like the dashes */
                { HEAD("\nnr_switches:1") "nr_switches : 7\nse.sum_exec_runtime : 2.000000\n", true, 7,
                  2000000 },
                { HEAD("a\n------------") "nr_switches : 7\nse.sum_exec_runtime : 2.000000\n", true, 7,
                  2000000 },
                { HEAD("\nnr_switches:1") "se.sum_exec_runtime : 2.000000\n", false, 0, 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                StallSample s = { 111, 222, 333 };
                bool good = proc_sched_parse(cases[i].text, &s);
                if (good != cases[i].good)
                        fail_msg("case %zu: %s", i, cases[i].text);
                assert_true(s.switches == (good ? cases[i].switches : 111));
                assert_true(s.runtime_ns == (good ? cases[i].runtime_ns : 222));
                assert_true(s.time_ns == 333);
        }
}

/* Whatever the text is cut off after: no sample, or the whole one. */
static void cut_texts(G_GNUC_UNUSED void **state) {
        static const char whole[] =
                HEAD("cat") "nr_switches : 4\nse.sum_exec_runtime : 1234.567890\npolicy : 0\n";

        for (size_t length = 0; length < sizeof(whole); length++) {
                g_autofree char *text = g_strndup(whole, length);
                StallSample s;
                if (proc_sched_parse(text, &s))
                        assert_true(s.switches == 4 && s.runtime_ns == 1234567890);
        }
}

static void of_live_tasks(G_GNUC_UNUSED void **state) {
        StallSample s = { .time_ns = 5 };

        if (access("/proc/self/sched", R_OK) < 0)
                skip();
        assert_int_equal(proc_sched_read(getpid(), gettid(), &s), 0);
        assert_int_equal(s.time_ns, 5);
        assert_int_equal(proc_sched_read(0, 0, &s), -ENOENT);
        assert_int_equal(proc_sched_read(getpid(), getppid(), &s), -ENOENT); /* no thread of this one */
}

/* As many samples as were asked for, no more and no less. */
static void lengths(G_GNUC_UNUSED void **state) {
        for (unsigned length = STALL_WINDOW_MIN; length <= STALL_WINDOW_MAX; length++) {
                StallWindow w;
                unsigned pushes = 0, extra = 0;
                stall_window_init(&w, 1, length);
                for (bool fired = false; !fired; pushes++)
                        fired = stall_window_push(&w, (StallSample){ 5, 6, (pushes + 1) * 1000 }, 1000);
                assert_int_equal(pushes, length);
                assert_int_equal(stall_window_span(&w), (length - 1) * 1000);
                for (unsigned i = 0; i < 40; i++)
                        extra += stall_window_push(&w, (StallSample){ 5, 6, (pushes + i + 1) * 1000 }, 1000);
                assert_int_equal(extra, 0);
                assert_int_equal(w.n, length);
                assert_false(stall_window_is(&w, 2)); /* another task, the same window */
                assert_int_equal(w.length, length);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lengths),
                cmocka_unit_test(earliest_after_three_intervals),
                cmocka_unit_test(progress_slides_out_of_the_window),
                cmocka_unit_test(a_counter_that_moves_needs_no_samples),
                cmocka_unit_test(a_reused_pid_starts_anew),
                cmocka_unit_test(ticks_in_a_bunch),
                cmocka_unit_test(numbers_that_fall_are_progress_too),
                cmocka_unit_test(texts),
                cmocka_unit_test(cut_texts),
                cmocka_unit_test(of_live_tasks),
        };
        return cmocka_run_group_tests_name("stall-window", tests, NULL, NULL);
}
