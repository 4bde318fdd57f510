/* SPDX-License-Identifier: GPL-2.0-only */

/* What running workers are told in passing: the phase, and the machine's count of migrated pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "executor-fixture.h"
#include "wire/proc.h"

static PlanBuilder b;

static Fixture *start(char root[PATH_MAX]) {
        fixture_plain_path(root);
        return fixture_start(root, NULL);
}

static void stop(Fixture *f, const char *root) {
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

static uint32_t phase_of(const Fixture *f, uint32_t group) {
        return atomic_load(&fixture_arena(f, group)->phase);
}

static void enter_phase(Fixture *f, uint32_t phase) {
        plan_begin(&b);
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = phase;
        fixture_must(f, &b);
}

static const PhaseSlice *slice(const Fixture *f, uint32_t group, uint32_t worker, uint32_t n) {
        return arena_slice(fixture_arena(f, group), fixture_slot(f, group, worker), n);
}

/* Works that may outlive a step keep a slice for each phase; the others do not, but all hear of it. */
static void test_all_groups_hear_of_it(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 2)->lasting = 1;
        plan_add_container(&b, "", 2, "leader", 1)->lasting = 1;
        plan_add_work(&b, 1);
        plan_add_spawn(&b, "", 3, 1);
        for (uint32_t group = 1; group <= 3; group++)
                plan_add_for_group(&b, ACTION_RELEASE, group);
        fixture_must(f, &b);
        for (uint32_t group = 1; group <= 3; group++) {
                assert_int_equal(phase_of(f, group), 0);
                assert_int_equal(fixture_arena(f, group)->n_phases, group == 3 ? 0 : ARENA_PHASES);
                /* Each of them: one that begins later has nothing to close. */
                for (uint32_t i = 0; i < fixture_arena(f, group)->n_workers; i++)
                        wait_until(atomic_load(&fixture_slot(f, group, i)->iterations) > 0);
        }

        enter_phase(f, 1);
        for (uint32_t group = 1; group <= 3; group++)
                assert_int_equal(phase_of(f, group), 1);
        for (uint32_t group = 1; group <= 2; group++)
                for (uint32_t i = 0; i < 2; i++)
                        wait_until(atomic_load(&fixture_slot(f, group, i)->phases) == 1);

        enter_phase(f, PHASE_BETWEEN);
        for (uint32_t group = 1; group <= 2; group++)
                for (uint32_t i = 0; i < 2; i++) {
                        wait_until(atomic_load(&fixture_slot(f, group, i)->phases) == 2);
                        assert_int_equal(slice(f, group, i, 0)->phase, 0);
                        assert_int_equal(slice(f, group, i, 1)->phase, 1);
                        assert_true(slice(f, group, i, 1)->wall_ns > 0);
                }
        stop(f, root);
}

static void test_groups_to_come_hear_of_it(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        enter_phase(f, 7);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1);
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = 8;
        plan_add_container(&b, "", 2, "leader", 1);
        fixture_must(f, &b);
        assert_int_equal(phase_of(f, 1), 8);
        assert_int_equal(phase_of(f, 2), 8);
        stop(f, root);
}

static void test_failed_plan_restores_it(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1)->lasting = 1;
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = 3;
        fixture_must(f, &b);

        plan_begin(&b);
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = 4;
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = 5;
        plan_add_spawn(&b, "", 2, 1);
        plan_add(&b, ACTION_MKDIR, "no/parent", NULL);
        assert_int_equal(fixture_run(f, &b).failure.error, ENOENT);
        assert_int_equal(phase_of(f, 1), 3);

        plan_begin(&b);
        plan_add_spawn(&b, "", 4, 1);
        fixture_must(f, &b);
        assert_int_equal(phase_of(f, 4), 3);

        /* what a plan tolerates is no reason to go back */
        plan_begin(&b);
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = 6;
        plan_add(&b, ACTION_MKDIR, "no/parent", NULL)->flags = ACTION_TOLERATE;
        fixture_must(f, &b);
        assert_int_equal(phase_of(f, 1), 6);
        assert_int_equal(phase_of(f, 4), 6);
        stop(f, root);
}

/* The figure is the machine's: between two looks of the test it may grow, and never shrinks. */
static void assert_told(const Fixture *f, uint32_t group, bool there, uint64_t low) {
        const ArenaHead *arena = fixture_arena(f, group);
        uint64_t high = 0;

        assert_int_equal(vmstat_read_numa_migrated(&high), there);
        assert_int_equal(atomic_load(&arena->numa_migrated_valid), there);
        if (there)
                assert_in_range(atomic_load(&arena->numa_migrated), low, high);
}

static void test_migrated_pages_are_told(void **state) {
        static const ActionKind moments[] = { ACTION_RELEASE, ACTION_PHASE, ACTION_STOP };
        char root[PATH_MAX];
        uint64_t low = 0;
        (void)state;

        Fixture *f = start(root);
        bool there = vmstat_read_numa_migrated(&low);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1);
        plan_add_spawn(&b, "", 2, 1);
        fixture_must(f, &b);
        assert_int_equal(atomic_load(&fixture_arena(f, 1)->numa_migrated_valid), 0);

        for (unsigned i = 0; i < sizeof(moments) / sizeof(*moments); i++) {
                vmstat_read_numa_migrated(&low);
                plan_begin(&b);
                plan_add_for_group(&b, moments[i], 1)->phase = i;
                if (moments[i] != ACTION_PHASE)
                        plan_add_for_group(&b, moments[i], 2);
                fixture_must(f, &b);
                assert_told(f, 1, there, low);
                assert_told(f, 2, there, low);
        }
        stop(f, root);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_groups_hear_of_it),
                cmocka_unit_test(test_groups_to_come_hear_of_it),
                cmocka_unit_test(test_failed_plan_restores_it),
                cmocka_unit_test(test_migrated_pages_are_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
