/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "work-type.h"

/* work:N1 */
static void test_every_type_is_found_by_its_name(void **state) {
        (void)state;

        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++) {
                const WorkType *type = work_type_get((WorkTypeId)i);
                WorkTypeId id = WORK_TYPE_COUNT;

                assert_true(work_type_find(type->name, &id));
                assert_int_equal(id, i);
                assert_true(type->summary && *type->summary);
                assert_true(type->group_size >= 1);
                assert_in_range(type->n_params, 0, WORK_PARAMS_MAX);
        }
        assert_null(work_type_get(WORK_TYPE_COUNT));
}

/* work:N2 work:N3 work:N5 */
static void test_lookup_is_exact(void **state) {
        static const char *const names[] = { "Sequence",  "Custom",     "",          "spinwait", "SPINWAIT",
                                             " SpinWait", "SpinWait\n", "SpinWait ", "Spin",     "cpu" };
        (void)state;

        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                WorkTypeId id = WORK_BURSTY;
                assert_false(work_type_find(names[i], &id));
                assert_int_equal(id, WORK_BURSTY); /* untouched */
        }
}

/* work:N6, and every default lies within its own bounds */
static void test_parameters(void **state) {
        const WorkType *bursty = work_type_get(WORK_BURSTY);
        (void)state;

        assert_int_equal(bursty->n_params, 2);
        assert_string_equal(bursty->params[0].key, "burst_duration");
        assert_int_equal(bursty->params[0].fallback, 50000000);
        assert_string_equal(bursty->params[1].key, "sleep_duration");
        assert_int_equal(bursty->params[1].fallback, 100000000);
        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++) {
                const WorkType *type = work_type_get((WorkTypeId)i);
                for (unsigned n = 0; n < type->n_params; n++)
                        assert_in_range(type->params[n].fallback, type->params[n].min, type->params[n].max);
        }
}

/* work:N8 */
static void test_group_sizes(void **state) {
        (void)state;
        for (unsigned i = WORK_SPIN_WAIT; i <= WORK_BURSTY; i++)
                assert_int_equal(work_type_get((WorkTypeId)i)->group_size, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_type_is_found_by_its_name),
                cmocka_unit_test(test_lookup_is_exact),
                cmocka_unit_test(test_parameters),
                cmocka_unit_test(test_group_sizes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
