/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "wire/work-type.h"

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

/* work:N2 work:N3 (the suggestion: conf-definition) */
static void test_lookup_is_exact(void **state) {
        static const char *const names[] = { "Sequence",  "Custom",     "",          "spinwait", "SPINWAIT",
                                             " SpinWait", "SpinWait\n", "SpinWait ", "Spin",     "cpu" };
        (void)state;

        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
                WorkTypeId id = WORK_BURSTY;
                assert_false(work_type_find(names[i], &id));
                assert_int_equal(id, WORK_BURSTY); /* untouched */
        }
}

typedef struct Expected {
        WorkTypeId type;
        const char *key;
        WorkParamKind kind;
        uint64_t fallback, min;
} Expected;

/* Every key, its kind and its default. */
static void test_parameters(void **state) {
        static const Expected expected[] = {
                { WORK_BURSTY, "burst_duration", PARAM_DURATION, 50000000, 1 },
                { WORK_BURSTY, "sleep_duration", PARAM_DURATION, 100000000, 0 },
                { WORK_PIPE_IO, "burst_iters", PARAM_COUNT, 1024, 1 },
                { WORK_FUTEX_PING_PONG, "spin_iters", PARAM_COUNT, 1024, 1 },
                { WORK_IDLE_CHURN, "burst_duration", PARAM_DURATION, 1000000, 1 },
                { WORK_IDLE_CHURN, "sleep_duration", PARAM_DURATION, 5000000, 1 },
                { WORK_IDLE_CHURN, "precise_timing", PARAM_BOOLEAN, 0, 0 },
        };
        const Expected *e = expected;
        (void)state;

        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++) {
                const WorkType *type = work_type_get((WorkTypeId)i);
                for (unsigned n = 0; n < type->n_params; n++, e++) {
                        const WorkParam *p = &type->params[n];
                        assert_ptr_not_equal(e, expected + sizeof(expected) / sizeof(*expected));
                        assert_int_equal(e->type, i);
                        assert_string_equal(p->key, e->key);
                        assert_int_equal(p->kind, e->kind);
                        assert_int_equal(p->fallback, e->fallback);
                        assert_int_equal(p->min, e->min);
                        assert_in_range(p->fallback, p->min, p->max);
                }
        }
        assert_ptr_equal(e, expected + sizeof(expected) / sizeof(*expected));
}

/* What a definition is told when a time of IdleChurn is 0. */
static void test_rules_name_the_remedy(void **state) {
        const WorkType *churn = work_type_get(WORK_IDLE_CHURN);
        (void)state;

        assert_non_null(strstr(churn->params[0].rule, "no runtime"));
        assert_non_null(strstr(churn->params[0].rule, "pure sleep"));
        assert_non_null(strstr(churn->params[1].rule, "SpinWait"));
        assert_non_null(strstr(churn->params[1].rule, "YieldHeavy"));
}

static void test_groups_and_links(void **state) {
        static const struct {
                unsigned group_size;
                WorkLink link;
                unsigned region_size;
        } expected[WORK_TYPE_COUNT] = {
                [WORK_SPIN_WAIT] = { 1, LINK_NONE, 0 },  [WORK_YIELD_HEAVY] = { 1, LINK_NONE, 0 },
                [WORK_MIXED] = { 1, LINK_NONE, 0 },      [WORK_BURSTY] = { 1, LINK_NONE, 0 },
                [WORK_PIPE_IO] = { 2, LINK_PIPES, 0 },   [WORK_FUTEX_PING_PONG] = { 2, LINK_REGION, 4 },
                [WORK_IDLE_CHURN] = { 1, LINK_NONE, 0 },
        };
        (void)state;

        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++) {
                const WorkType *type = work_type_get((WorkTypeId)i);
                assert_int_equal(type->group_size, expected[i].group_size);
                assert_int_equal(type->link, expected[i].link);
                assert_int_equal(type->region_size, expected[i].region_size);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_type_is_found_by_its_name),
                cmocka_unit_test(test_lookup_is_exact),
                cmocka_unit_test(test_parameters),
                cmocka_unit_test(test_rules_name_the_remedy),
                cmocka_unit_test(test_groups_and_links),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
