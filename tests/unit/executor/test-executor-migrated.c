/* SPDX-License-Identifier: GPL-2.0-only */

/* When the machine's count of migrated pages is read, and who is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "executor/phase.h"
#include "wire/proc.h"

static unsigned reads;
static bool there;

/* In the place of the one that reads /proc: the figure is the number of times it was asked. */
bool vmstat_read_numa_migrated(uint64_t *ret) {
        reads++;
        if (there)
                *ret = reads;
        return there;
}

static ArenaHead arenas[2];
static Group groups[2];

/* At the beginning of a plan. */
static Executor begin(bool has_line) {
        for (unsigned i = 0; i < 2; i++) {
                arenas[i] = (ArenaHead){ 0 };
                groups[i] = (Group){ .arena = &arenas[i], .next = i == 0 ? &groups[1] : NULL };
        }
        reads = 0;
        there = has_line;
        return (Executor){ .children.groups = groups };
}

static void assert_told(unsigned group, uint64_t figure) {
        assert_int_equal(atomic_load(&arenas[group].numa_migrated_valid), 1);
        assert_int_equal(atomic_load(&arenas[group].numa_migrated), figure);
}

static void test_once_for_each_moment_of_a_plan(void **state) {
        Executor e = begin(true);
        (void)state;

        migrated_tell(&e, &groups[0], MOMENT_RELEASE);
        migrated_tell(&e, &groups[1], MOMENT_RELEASE);
        assert_told(0, 1);
        assert_told(1, 1);
        phase_tell(&e, 3);
        assert_told(0, 2);
        assert_told(1, 2);
        migrated_tell(&e, &groups[0], MOMENT_STOP);
        assert_told(0, 3);
        assert_told(1, 2);
        migrated_tell(&e, &groups[1], MOMENT_RELEASE); /* it never goes back */
        assert_told(1, 3);
        assert_int_equal(reads, 3);

        e.moments = 0; /* the next plan */
        migrated_tell(&e, &groups[1], MOMENT_STOP);
        assert_told(1, 4);
        assert_told(0, 3);
}

static void test_phase_comes_with_it(void **state) {
        Executor e = begin(true);
        (void)state;

        phase_tell(&e, 7);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(atomic_load(&arenas[i].phase), 7);
                assert_told(i, 1);
        }
        assert_int_equal(e.phase, 7);
}

static void test_no_such_line(void **state) {
        Executor e = begin(false);
        (void)state;

        migrated_tell(&e, &groups[0], MOMENT_RELEASE);
        phase_tell(&e, 1);
        assert_int_equal(atomic_load(&arenas[0].numa_migrated_valid), 0);
        assert_int_equal(atomic_load(&arenas[1].numa_migrated_valid), 0);
        assert_int_equal(atomic_load(&arenas[1].phase), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_once_for_each_moment_of_a_plan),
                cmocka_unit_test(test_phase_comes_with_it),
                cmocka_unit_test(test_no_such_line),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
