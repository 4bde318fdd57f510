/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "crew.h"
#include "wire/futex.h"
#include "worker/work-loop.h"

static const uint64_t hour = UINT64_C(3600) * NS_PER_S, many = 1000000000;

static Crew crew;

static uint64_t passes(unsigned worker) {
        return atomic_load(&crew_slot(&crew, worker)->iterations);
}

static uint64_t units(unsigned worker) {
        return atomic_load(&crew_slot(&crew, worker)->work_units);
}

static uint64_t samples(unsigned worker) {
        return atomic_load(&crew_wakes(&crew, worker)->count);
}

/* All have done at least n passes. */
static bool did(uint64_t n) {
        for (unsigned i = 0; i < crew.shape.n_workers; i++)
                if (passes(i) < n)
                        return false;
        return true;
}

static void run_until(uint64_t n) {
        crew_run(&crew);
        await(did(n));
        crew_stop(&crew);
        for (unsigned i = 0; i < crew.shape.n_workers; i++)
                assert_int_equal(atomic_load(&crew_slot(&crew, i)->state), WORKER_FINISHED);
}

/* ---- what a pass adds ---- */

static void test_units_of_a_pass(void **state) {
        static const struct {
                WorkTypeId type;
                unsigned workers;
                uint64_t units;
                bool exact; /* else a multiple */
        } cases[] = {
                { WORK_SPIN_WAIT, 1, 1024, true },       { WORK_YIELD_HEAVY, 1, 1, true },
                { WORK_MIXED, 2, 1024, true },           { WORK_PIPE_IO, 2, 1024, true },
                { WORK_FUTEX_PING_PONG, 2, 1024, true }, { WORK_IDLE_CHURN, 1, 256, false },
                { WORK_PIPE_IO, 4, 1024, true },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                crew_begin(&crew);
                crew_add(&crew, cases[i].type, cases[i].workers);
                run_until(20);
                for (unsigned n = 0; n < cases[i].workers; n++) {
                        assert_int_equal(units(n) % cases[i].units, 0);
                        if (cases[i].exact)
                                assert_int_equal(units(n), passes(n) * cases[i].units);
                        else
                                assert_true(units(n) >= passes(n) * cases[i].units);
                }
                crew_end(&crew);
        }
}

/* More units than are spun in one go; the last pass may have been cut short. */
static void test_long_passes_have_all_their_units(void **state) {
        static const WorkTypeId types[] = { WORK_PIPE_IO, WORK_FUTEX_PING_PONG };
        (void)state;

        for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
                crew_begin(&crew);
                crew_set_params(&crew, crew_add(&crew, types[i], 2), 3000, 0, 0);
                run_until(20);
                for (unsigned n = 0; n < 2; n++)
                        assert_in_range(units(n), (passes(n) - 1) * 3000 + 1, passes(n) * 3000);
                crew_end(&crew);
        }
}

static void test_types_without_waits_keep_no_samples(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_add(&crew, WORK_MIXED, 1);
        run_until(2);
        assert_null(crew_wakes(&crew, 0));
        crew_end(&crew);
}

/* ---- IdleChurn ---- */

/* What is kept is how late a sleep ends; a sleep that the stop cuts short is not. */
static void test_idle_churn_keeps_the_excess(void **state) {
        enum { SLEEP_NS = 50 * NS_PER_MS };
        (void)state;

        crew_begin(&crew);
        crew_set_params(&crew, crew_add(&crew, WORK_IDLE_CHURN, 1), NS_PER_MS, SLEEP_NS, 0);
        run_until(8);
        assert_in_range(samples(0), passes(0) - 1, passes(0));
        assert_true(histogram_percentile(crew_wakes(&crew, 0), 0) < SLEEP_NS);
        assert_true(atomic_load(&crew_slot(&crew, 0)->wall_ns) >= 7 * (uint64_t)SLEEP_NS);
        crew_end(&crew);
}

/* Sleeping on purpose is no gap; for Bursty it is one. */
static void test_sleeps_and_gaps(void **state) {
        enum { SLEEP_NS = 200 * NS_PER_MS };
        static const WorkTypeId types[] = { WORK_IDLE_CHURN, WORK_BURSTY };
        (void)state;

        for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
                crew_begin(&crew);
                crew_set_params(&crew, crew_add(&crew, types[i], 1), 1, SLEEP_NS, 0);
                run_until(6); /* at least one pass ends on a checkpoint, whatever the burst's length */
                ArenaSlot *slot = crew_slot(&crew, 0);
                if (types[i] == WORK_BURSTY)
                        assert_true(atomic_load(&slot->max_gap_wall_ns) >= SLEEP_NS);
                else
                        assert_true(atomic_load(&slot->max_gap_wall_ns) < SLEEP_NS);
                assert_true(atomic_load(&slot->max_gap_ns) < SLEEP_NS); /* CPU time */
                crew_end(&crew);
        }
}

static void test_precise_timing_is_timer_slack(void **state) {
        char text[32];
        (void)state;

        if (geteuid() != 0) {
                print_message("skipped: the timer slack of another process is root's to read\n");
                skip();
        }
        for (unsigned precise = 0; precise < 2; precise++) {
                crew_begin(&crew);
                crew_set_params(&crew, crew_add(&crew, WORK_IDLE_CHURN, 1), 1, NS_PER_MS, precise);
                crew_run(&crew);
                await(did(1));
                crew_proc_text(text, sizeof(text), "%d/timerslack_ns", crew.pids[0]);
                assert_int_equal(strcmp(text, "1\n") == 0, precise);
                crew_stop(&crew);
                crew_end(&crew);
        }
}

/* work:C15 (that 1 ns each is enough; conf-definition has the refusals) */
static void test_shortest_times_are_work(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_set_params(&crew, crew_add(&crew, WORK_IDLE_CHURN, 1), 1, 1, 0);
        run_until(10);
        assert_true(units(0) >= 10 * 256);
        crew_end(&crew);
}

/* ---- pairs ---- */

/* Neither gets more than a pass ahead, and each waits in each. The counters of a running pair are read one
 * after the other, so only at the end are they compared. */
static void test_pairs_take_turns(void **state) {
        static const WorkTypeId types[] = { WORK_PIPE_IO, WORK_FUTEX_PING_PONG };
        (void)state;

        for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
                crew_begin(&crew);
                crew_set_params(&crew, crew_add(&crew, types[i], 4), 16, 0, 0);
                run_until(500);
                for (unsigned pair = 0; pair < 4; pair += 2) {
                        int64_t ahead = (int64_t)(passes(pair) - passes(pair + 1));
                        assert_in_range(ahead + 2, 0, 4);
                }
                for (unsigned n = 0; n < 4; n++)
                        assert_in_range(samples(n), passes(n) - 1, passes(n));
                crew_end(&crew);
        }
}

static uint64_t cpu_ns(pid_t pid) {
        clockid_t clock;

        assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
        return clock_ns(clock);
}

static void kill_partner(unsigned n) {
        kill(crew.pids[n], SIGKILL);
        assert_true(WIFSIGNALED(crew_reap(&crew, n)));
}

/* It reads the end of the pipe, ends well, and has a report; the other pair goes on. */
static void test_pipe_partner_killed_while_waited_for(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_add(&crew, WORK_PIPE_IO, 4);
        crew_run(&crew);
        await(did(10));
        kill_partner(1);
        assert_int_equal(crew_reap(&crew, 0), 0);
        assert_int_equal(atomic_load(&crew_slot(&crew, 0)->state), WORKER_FINISHED);
        uint64_t before = passes(2);
        await(passes(2) > before + 10);
        crew_stop(&crew);
        crew_end(&crew);
}

/* Killed in the first pass, which takes a while: the write meets a pipe that nobody reads. */
static void test_pipe_partner_killed_before_the_write(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_set_params(&crew, crew_add(&crew, WORK_PIPE_IO, 2), 30000000, 0, 0);
        crew_run(&crew);
        await(units(0) > 0);
        kill_partner(1);
        assert_int_equal(passes(0), 0); /* still on its first */
        assert_int_equal(crew_reap(&crew, 0), 0);
        assert_int_equal(passes(0), 1);
        assert_int_equal(samples(0), 0);
        assert_int_equal(atomic_load(&crew_slot(&crew, 0)->state), WORKER_FINISHED);
        crew_end(&crew);
}

/* Waits without using the CPU, and sees the stop. */
static void test_ping_pong_partner_killed(void **state) {
        const struct timespec half = { .tv_nsec = 500 * NS_PER_MS };
        (void)state;

        for (unsigned victim = 0; victim < 2; victim++) {
                crew_begin(&crew);
                crew_add(&crew, WORK_FUTEX_PING_PONG, 2);
                crew_run(&crew);
                await(did(10));
                kill_partner(victim);
                uint64_t before = cpu_ns(crew.pids[!victim]);
                nanosleep(&half, NULL);
                assert_true(cpu_ns(crew.pids[!victim]) - before < 100 * NS_PER_MS);
                assert_true(crew_stop(&crew) < 300 * NS_PER_MS);
                assert_int_equal(atomic_load(&crew_slot(&crew, !victim)->state), WORKER_FINISHED);
                crew_end(&crew);
        }
}

/* ---- stop ---- */

/* work:H17: the sleep that loops use lasts until its deadline, or until the stop, whichever comes first */
static void test_sleep_ends_at_its_deadline_or_at_the_stop(void **state) {
        const uint64_t second = NS_PER_S;
        (void)state;

        crew_begin(&crew);
        crew_add(&crew, WORK_SPIN_WAIT, 1);
        crew_start(&crew); /* its worker stays at the gate: it is about the arena */
        crew_await_settled(&crew);
        WorkRun run = { .arena = crew.arena };
        uint64_t start = monotonic_ns();
        work_sleep_until(&run, start + second);
        assert_in_range(monotonic_ns() - start, second, 2 * second);

        start = monotonic_ns();
        pid_t stopper = fork();
        if (stopper == 0) {
                nanosleep(&(struct timespec){ .tv_nsec = 50 * NS_PER_MS }, NULL);
                atomic_store(&crew.arena->stop, 1);
                futex_wake_all(&crew.arena->stop);
                _exit(0);
        }
        work_sleep_until(&run, start + 10 * second);
        assert_in_range(monotonic_ns() - start, 50 * NS_PER_MS, second);
        assert_int_equal(waitpid(stopper, NULL, 0), stopper);
        crew_end(&crew);
}

/* Also in the middle of a pass that would take an hour, which shows its progress. */
static void test_stop_ends_every_type(void **state) {
        static const struct {
                WorkTypeId type;
                uint64_t a, b;
        } cases[] = {
                { WORK_SPIN_WAIT, 0, 0 },       { WORK_YIELD_HEAVY, 0, 0 },
                { WORK_MIXED, 0, 0 },           { WORK_BURSTY, 1, hour },
                { WORK_BURSTY, hour, 1 },       { WORK_PIPE_IO, many, 0 },
                { WORK_PIPE_IO, 1, 0 },         { WORK_FUTEX_PING_PONG, many, 0 },
                { WORK_FUTEX_PING_PONG, 1, 0 }, { WORK_IDLE_CHURN, 1, hour },
                { WORK_IDLE_CHURN, hour, 1 },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                for (unsigned led = 0; led < 2; led++) {
                        crew_begin(&crew);
                        unsigned n = work_type_get(cases[i].type)->group_size;
                        crew_set_params(&crew, crew_add(&crew, cases[i].type, n), cases[i].a, cases[i].b, 0);
                        if (led)
                                crew_run_led(&crew, "leader");
                        else
                                crew_run(&crew);
                        for (unsigned w = 0; w < n; w++)
                                await(units(w) > 0);
                        uint64_t took = crew_stop(&crew);
                        if (took >= 300 * NS_PER_MS)
                                fail_msg("case %zu, led %u: %llu ns", i, led, (unsigned long long)took);
                        for (unsigned w = 0; w < n; w++)
                                assert_int_equal(atomic_load(&crew_slot(&crew, w)->state), WORKER_FINISHED);
                        if (cases[i].b == hour) /* cut short: not a wake-up */
                                assert_int_equal(samples(0), 0);
                        crew_end(&crew);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_units_of_a_pass),
                cmocka_unit_test(test_long_passes_have_all_their_units),
                cmocka_unit_test(test_types_without_waits_keep_no_samples),
                cmocka_unit_test(test_idle_churn_keeps_the_excess),
                cmocka_unit_test(test_sleeps_and_gaps),
                cmocka_unit_test(test_precise_timing_is_timer_slack),
                cmocka_unit_test(test_shortest_times_are_work),
                cmocka_unit_test(test_pairs_take_turns),
                cmocka_unit_test(test_pipe_partner_killed_while_waited_for),
                cmocka_unit_test(test_pipe_partner_killed_before_the_write),
                cmocka_unit_test(test_ping_pong_partner_killed),
                cmocka_unit_test(test_sleep_ends_at_its_deadline_or_at_the_stop),
                cmocka_unit_test(test_stop_ends_every_type),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
