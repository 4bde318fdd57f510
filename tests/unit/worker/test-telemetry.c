/* SPDX-License-Identifier: GPL-2.0-only */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "crew.h"
#include "worker/telemetry.h"

enum { PHASES = 8 };

static Crew crew;
static NumaGauge gauge;

/* ---- a run in this process ---- */

static ArenaHead *private_arena(uint32_t n_phases) {
        ArenaShape shape = { .n_workers = 1,
                             .cpu_words = 16,
                             .samples = SAMPLE_WAKE_LATENCY,
                             .n_phases = n_phases,
                             .n_nodes = 2 };
        ArenaHead *head = aligned_alloc(ARENA_LINE, arena_size(&shape));

        assert_non_null(head);
        memset((void *)head, 0, arena_size(&shape));
        arena_init(head, &shape);
        return head;
}

static WorkRun run_begun(ArenaHead *head) {
        gauge = (NumaGauge)NUMA_GAUGE_INIT;
        WorkRun run = { .arena = head, .slot = arena_slot(head, 0), .gauge = &gauge };

        work_run_begin(&run);
        return run;
}

static bool go_to(unsigned cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static cpu_set_t mask_before;

static int keep_mask(void **state) {
        (void)state;
        return sched_getaffinity(0, sizeof(mask_before), &mask_before);
}

static int restore_mask(void **state) {
        (void)state;
        return sched_setaffinity(0, sizeof(mask_before), &mask_before);
}

static void need_two_cpus(void) {
        if (!go_to(0) || !go_to(1) || !go_to(0)) {
                print_message("skipped: needs CPUs 0 and 1\n");
                skip();
        }
}

/* ---- checkpoints ---- */

static void sleep_ms(long ms) {
        nanosleep(&(struct timespec){ .tv_nsec = ms * NS_PER_MS }, NULL);
}

static void compute_ms(uint64_t ms) {
        uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ms * NS_PER_MS;
        while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
                ;
}

static void test_checkpoints_see_migrations(void **state) {
        (void)state;

        need_two_cpus();
        compute_ms(60);
        ArenaHead *head = private_arena(0);
        ArenaSlot *slot = arena_slot(head, 0);
        WorkRun run = run_begun(head);
        assert_int_equal(atomic_load(&slot->state), WORKER_RUNNING);
        work_checkpoint(&run);
        assert_int_equal(atomic_load(&slot->migrations), 0);

        run.gap_wall_ns -= NS_PER_S; /* a second passed on CPU 0, of which it computed for 50 ms */
        run.gap_cpu_ns -= 50 * NS_PER_MS;
        go_to(1);
        work_checkpoint(&run);
        assert_int_equal(atomic_load(&slot->migrations), 1);
        assert_int_equal(slot->migration_log[0].from_cpu, 0);
        assert_int_equal(slot->migration_log[0].to_cpu, 1);
        assert_int_equal(atomic_load(&slot->max_gap_cpu), 0);
        assert_in_range(atomic_load(&slot->max_gap_ns), 50 * NS_PER_MS, NS_PER_S - 1);
        assert_true(atomic_load(&slot->max_gap_wall_ns) >= NS_PER_S);
        assert_int_equal(atomic_load(&arena_cpus(head, slot, NULL)[0]), 3);
        assert_int_equal(atomic_load(&slot->last_cpu), 1);

        for (unsigned i = 0; i < ARENA_MIGRATIONS + 10; i++) { /* the log is full, the count goes on */
                go_to(i % 2);
                work_checkpoint(&run);
        }
        assert_int_equal(atomic_load(&slot->migrations), ARENA_MIGRATIONS + 11);
        work_run_end(&run);
        assert_int_equal(atomic_load(&slot->state), WORKER_FINISHED);
        assert_true(atomic_load(&slot->cpu_ns) > 0);
        assert_int_equal(atomic_load(&slot->phases), 0);
        free(head);
}

/* work:H1 */
static void test_clocks(void **state) {
        uint64_t last = 0;
        (void)state;

        for (unsigned i = 0; i < 1000; i++) {
                uint64_t now = monotonic_ns();
                assert_true(now > 0 && now >= last);
                last = now;
        }
        compute_ms(1);
        assert_true(clock_ns(CLOCK_THREAD_CPUTIME_ID) > 0);
}

/* Sleeping fills the gap of wall time alone, computing both; a reset forgets what is open. */
static void test_gaps_on_two_clocks(void **state) {
        ArenaHead *head = private_arena(0);
        ArenaSlot *slot = arena_slot(head, 0);
        WorkRun run = run_begun(head);
        (void)state;

        sleep_ms(60);
        compute_ms(60);
        work_gap_reset(&run);
        work_checkpoint(&run);
        assert_true(atomic_load(&slot->max_gap_ns) < 50 * NS_PER_MS);

        work_gap_reset(&run);
        sleep_ms(100);
        work_checkpoint(&run);
        assert_true(atomic_load(&slot->max_gap_wall_ns) >= 100 * NS_PER_MS);
        assert_true(atomic_load(&slot->max_gap_ns) < 50 * NS_PER_MS);

        compute_ms(50);
        work_checkpoint(&run);
        assert_true(atomic_load(&slot->max_gap_ns) >= 50 * NS_PER_MS);
        assert_true(atomic_load(&slot->max_gap_at_ns) >= 150 * NS_PER_MS);
        work_run_end(&run);
        free(head);
}

/* ---- differences ---- */

static void test_difference_of_marks(void **state) {
        const WorkMark from = { .wall_ns = 1000000,
                                .cpu_ns = 500000,
                                .iterations = 7,
                                .work_units = 70,
                                .migrations = 2,
                                .sched = { 10000, 2000, 5 },
                                .sched_valid = true,
                                .numa_migrated = 40,
                                .numa_migrated_valid = true },
                       to = { .wall_ns = 2000000,
                              .cpu_ns = 900000,
                              .iterations = 9,
                              .work_units = 90,
                              .migrations = 2,
                              .sched = { 13000, 5000, 9 },
                              .sched_valid = true,
                              .numa_migrated = 70,
                              .numa_migrated_valid = true };
        PhaseSlice s = { 0 };
        (void)state;

        work_mark_difference(&from, &to, &s);
        assert_int_equal(s.wall_ns, 1000000);
        assert_int_equal(s.cpu_ns, 400000);
        assert_int_equal(s.iterations, 2);
        assert_int_equal(s.work_units, 20);
        assert_int_equal(s.migrations, 0);
        assert_int_equal(s.sched_cpu_ns, 3000);
        assert_int_equal(s.run_delay_ns, 3000);
        assert_int_equal(s.numa_migrated, 30);
        assert_true(s.schedstat_valid && s.numa_migrated_valid);

        memset((void *)&s, 0, sizeof(s));
        work_mark_difference(&to, &from, &s); /* the end before the start */
        assert_int_equal(s.wall_ns | s.cpu_ns | s.iterations | s.work_units | s.migrations, 0);
        assert_int_equal(s.sched_cpu_ns | s.run_delay_ns | s.numa_migrated, 0);
}

static void test_half_a_reading_is_none(void **state) {
        const WorkMark none = { 0 }, both = {
                .sched = { 5, 5, 5 }, .sched_valid = true, .numa_migrated = 5, .numa_migrated_valid = true
        };
        (void)state;

        for (unsigned n = 0; n < 3; n++) {
                PhaseSlice s = { 0 };
                work_mark_difference(n == 0 ? &both : &none, n == 1 ? &both : &none, &s);
                assert_false(s.schedstat_valid || s.numa_migrated_valid);
                assert_int_equal(s.sched_cpu_ns | s.run_delay_ns | s.numa_migrated, 0);
        }
}

/* ---- phases ---- */

static void pass(WorkRun *run) {
        run->work_units++;
        work_pass_end(run);
}

static void enter_phase(WorkRun *run, uint32_t phase) {
        atomic_store(&run->arena->phase, phase);
        pass(run); /* the last one of the phase before */
}

static Histogram *slice_wakes(ArenaHead *head, uint32_t n) {
        ArenaSlot *slot = arena_slot(head, 0);
        return arena_histogram(head, slot, arena_slice(head, slot, n), SAMPLE_WAKE_LATENCY);
}

/* work:H5: an observation is of the whole life and of the open phase; the next phase begins with none, and a
 * phase without any has none; the whole life keeps all */
static void test_twin_histograms(void **state) {
        ArenaHead *head = private_arena(PHASES);
        WorkRun run = run_begun(head);
        Histogram *life = arena_histogram(head, run.slot, NULL, SAMPLE_WAKE_LATENCY);
        (void)state;

        work_record_wake(&run, 10);
        work_record_wake(&run, 20);
        work_record_wake(&run, 30);
        enter_phase(&run, 1);
        enter_phase(&run, 2);
        work_record_wake(&run, 40);
        work_run_end(&run);
        assert_int_equal(atomic_load(&slice_wakes(head, 0)->count), 3);
        assert_int_equal(atomic_load(&slice_wakes(head, 0)->sum), 60);
        assert_int_equal(atomic_load(&slice_wakes(head, 0)->max), 30);
        assert_int_equal(atomic_load(&slice_wakes(head, 1)->count), 0);
        assert_int_equal(atomic_load(&slice_wakes(head, 2)->count), 1);
        assert_int_equal(atomic_load(&slice_wakes(head, 2)->max), 40);
        assert_int_equal(atomic_load(&life->count), 4);
        assert_int_equal(atomic_load(&life->sum), 100);
        free(head);
}

/* The CPU at the boundary is used by both phases, the other one by the first alone; gaps and migrations stay
 * where they were. */
static void test_phases_keep_cpus_gaps_and_migrations_apart(void **state) {
        (void)state;

        need_two_cpus();
        ArenaHead *head = private_arena(PHASES);
        WorkRun run = run_begun(head);
        compute_ms(40);
        work_checkpoint(&run);
        go_to(1);
        work_checkpoint(&run);
        enter_phase(&run, 1);
        pass(&run);
        work_checkpoint(&run);
        work_run_end(&run);

        PhaseSlice *first = arena_slice(head, run.slot, 0), *second = arena_slice(head, run.slot, 1);
        assert_int_equal(atomic_load(arena_cpus(head, run.slot, first)), 3);
        assert_int_equal(atomic_load(arena_cpus(head, run.slot, second)), 2);
        assert_int_equal(first->migrations, 1);
        assert_int_equal(second->migrations, 0);
        assert_true(first->max_gap_ns >= 40 * NS_PER_MS && first->max_gap_wall_ns >= 40 * NS_PER_MS);
        assert_int_equal(first->max_gap_cpu, 0);
        assert_true(second->max_gap_ns < 40 * NS_PER_MS);
        assert_int_equal(second->max_gap_cpu, 1);
        free(head);
}

/* What the executor last read, at the begin and at the end. */
static void test_migrated_pages(void **state) {
        ArenaHead *head = private_arena(PHASES);
        (void)state;

        atomic_store(&head->numa_migrated, 40);
        atomic_store(&head->numa_migrated_valid, 1);
        WorkRun run = run_begun(head);
        atomic_store(&head->numa_migrated, 45);
        enter_phase(&run, 1);
        atomic_store(&head->numa_migrated, 70);
        work_run_end(&run);
        assert_int_equal(arena_slice(head, run.slot, 0)->numa_migrated, 5);
        assert_int_equal(arena_slice(head, run.slot, 1)->numa_migrated, 25);
        assert_int_equal(atomic_load(&run.slot->numa_migrated), 30);
        assert_int_equal(atomic_load(&run.slot->numa_migrated_valid), 1);
        free(head);
}

static void test_resident_pages(void **state) {
        ArenaHead *head = private_arena(PHASES);
        (void)state;

        WorkRun run = run_begun(head);
        work_run_end(&run);
        bool numa = access("/proc/self/numa_maps", R_OK) == 0;
        assert_int_equal(atomic_load(&run.slot->numa_pages_valid), numa);
        for (unsigned n = 0; n < 2; n++) {
                PhaseSlice *slice = n ? arena_slice(head, run.slot, 0) : NULL;
                _Atomic uint64_t *pages = arena_numa_pages(head, run.slot, slice);
                uint64_t all = atomic_load(&pages[0]) + atomic_load(&pages[1]);
                assert_int_equal(all > 100, numa); /* a process with a C library has some */
        }
        free(head);
}

/* As many slices as there is room for, and a count of all phases. */
static void test_more_phases_than_slices(void **state) {
        ArenaHead *head = private_arena(2);
        WorkRun run = run_begun(head);
        (void)state;

        for (uint32_t phase = 1; phase <= 4; phase++) {
                work_record_wake(&run, phase);
                enter_phase(&run, phase);
        }
        work_run_end(&run);
        assert_int_equal(atomic_load(&run.slot->phases), 5);
        assert_int_equal(arena_slice(head, run.slot, 0)->phase, 0);
        assert_int_equal(arena_slice(head, run.slot, 1)->phase, 1);
        assert_int_equal(atomic_load(&slice_wakes(head, 1)->count), 1); /* and none of the later ones */
        assert_int_equal(atomic_load(&run.slot->iterations), 4);
        assert_int_equal(atomic_load(&run.wake_latency->count), 4);
        free(head);
}

/* Without slices a new phase is nothing to a worker. */
static void test_groups_that_keep_no_phases(void **state) {
        ArenaHead *head = private_arena(0);
        WorkRun run = run_begun(head);
        (void)state;

        enter_phase(&run, 1);
        assert_int_equal(run.phase, 1);
        work_run_end(&run);
        assert_int_equal(atomic_load(&run.slot->phases), 0);
        free(head);
}

/* ---- phases of running workers ---- */

static uint64_t passes(unsigned worker) {
        return atomic_load(&crew_slot(&crew, worker)->iterations);
}

/* Four phases of two workers, each long enough for passes in it. */
static void test_slices_add_up(void **state) {
        static const uint32_t phases[] = { 0, 1, 2, PHASE_BETWEEN };
        (void)state;

        crew_begin(&crew);
        crew.shape.n_phases = PHASES;
        crew.shape.n_nodes = 1;
        crew_add(&crew, WORK_SPIN_WAIT, 2);
        crew_run(&crew);
        for (unsigned n = 0; n < 4; n++) {
                atomic_store(&crew.arena->phase, phases[n]);
                for (unsigned w = 0; w < 2; w++) {
                        await(atomic_load(&crew_slot(&crew, w)->phases) == n);
                        uint64_t before = passes(w);
                        await(passes(w) > before + 100);
                }
        }
        crew_stop(&crew);
        for (unsigned w = 0; w < 2; w++) {
                ArenaSlot *slot = crew_slot(&crew, w);
                uint64_t iterations = 0, units = 0;
                assert_int_equal(atomic_load(&slot->phases), 4);
                for (unsigned n = 0; n < 4; n++) {
                        const PhaseSlice *s = arena_slice(crew.arena, slot, n);
                        assert_int_equal(s->phase, phases[n]);
                        assert_true(s->iterations >= 100);
                        assert_true(s->wall_ns > 0 && s->cpu_ns > 0 && s->cpu_ns <= s->wall_ns);
                        iterations += s->iterations;
                        units += s->work_units;
                }
                assert_int_equal(iterations, atomic_load(&slot->iterations));
                assert_int_equal(units, atomic_load(&slot->work_units));
        }
        crew_end(&crew);
}

/* A worker that starts within a phase and sees no change has that one slice, with all it did. */
static void test_one_phase_from_begin_to_end(void **state) {
        (void)state;

        crew_begin(&crew);
        crew.shape.n_phases = PHASES;
        crew_set_params(&crew, crew_add(&crew, WORK_IDLE_CHURN, 1), 1, NS_PER_MS, 0);
        crew_start(&crew);
        atomic_store(&crew.arena->phase, 1);
        crew_await_settled(&crew);
        crew_release(&crew);
        await(passes(0) > 10);
        crew_stop(&crew);

        ArenaSlot *slot = crew_slot(&crew, 0);
        PhaseSlice *s = arena_slice(crew.arena, slot, 0);
        assert_int_equal(atomic_load(&slot->phases), 1);
        assert_int_equal(s->phase, 1);
        assert_int_equal(s->iterations, passes(0));
        assert_int_equal(s->work_units, atomic_load(&slot->work_units));
        assert_int_equal(s->wall_ns, atomic_load(&slot->wall_ns));
        Histogram *wakes = arena_histogram(crew.arena, slot, s, SAMPLE_WAKE_LATENCY);
        assert_true(atomic_load(&wakes->count) >= 10);
        assert_int_equal(memcmp((void *)wakes, (void *)crew_wakes(&crew, 0), sizeof(*wakes)), 0);
        crew_end(&crew);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_checkpoints_see_migrations, keep_mask, restore_mask),
                cmocka_unit_test(test_clocks),
                cmocka_unit_test(test_gaps_on_two_clocks),
                cmocka_unit_test(test_difference_of_marks),
                cmocka_unit_test(test_half_a_reading_is_none),
                cmocka_unit_test(test_twin_histograms),
                cmocka_unit_test_setup_teardown(test_phases_keep_cpus_gaps_and_migrations_apart, keep_mask,
                                                restore_mask),
                cmocka_unit_test(test_migrated_pages),
                cmocka_unit_test(test_resident_pages),
                cmocka_unit_test(test_more_phases_than_slices),
                cmocka_unit_test(test_groups_that_keep_no_phases),
                cmocka_unit_test(test_slices_add_up),
                cmocka_unit_test(test_one_phase_from_begin_to_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
