/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "wire/histogram.h"

static Histogram h;

static int reset(void **state) {
        (void)state;
        memset((void *)&h, 0, sizeof(h));
        return 0;
}

static void check_value(uint64_t value) {
        unsigned bucket = histogram_bucket(value);
        uint64_t top = histogram_bucket_top(bucket);

        assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
        assert_true(top >= value);
        if (bucket)
                assert_true(histogram_bucket_top(bucket - 1) < value);
        if (bucket < HISTOGRAM_BUCKETS - 1)
                assert_true((top - value) * 64 <= value);
}

static void test_bucket_error_is_at_most_a_64th(void **state) {
        (void)state;

        for (uint64_t v = 0; v < 100000; v++)
                check_value(v);
        for (unsigned bit = 6; bit < 64; bit++)
                for (int64_t d = -130; d <= 130; d++) {
                        uint64_t v = (UINT64_C(1) << bit) + (uint64_t)d;
                        if (v >> 63 == 0)
                                check_value(v);
                }
        check_value(UINT64_MAX);
        for (uint64_t v = 1; v < UINT64_C(1) << 41; v += v / 777 + 1)
                check_value(v);
}

static void test_buckets_are_contiguous(void **state) {
        (void)state;

        for (unsigned b = 0; b < HISTOGRAM_BUCKETS - 1; b++) {
                assert_int_equal(histogram_bucket(histogram_bucket_top(b)), b);
                assert_int_equal(histogram_bucket(histogram_bucket_top(b) + 1), b + 1);
        }
        assert_int_equal(histogram_bucket(UINT64_C(1) << HISTOGRAM_MAX_BITS), HISTOGRAM_BUCKETS - 1);
        assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void test_empty(void **state) {
        (void)state;
        assert_int_equal(histogram_percentile(&h, 0.5), 0);
        assert_int_equal(histogram_percentile(&h, 1), 0);
}

/* Values below 64 have a bucket each, so the nearest rank is exact. */
static void test_nearest_rank_of_small_values(void **state) {
        static const struct {
                double p;
                uint64_t expected;
        } cases[] = { { -1, 1 },   { 0, 1 },      { 0.01, 1 },  { 0.02, 1 },  { 0.021, 2 },
                      { 0.5, 25 }, { 0.501, 26 }, { 0.98, 49 }, { 0.99, 50 }, { 1, 50 },
                      { 2, 50 },   { 0.14, 7 },   { 0.06, 3 },  { 0.58, 29 } };
        (void)state;

        for (uint64_t v = 50; v >= 1; v--)
                histogram_record(&h, v);
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                assert_int_equal(histogram_percentile(&h, cases[i].p), cases[i].expected);
}

static void test_percentile_never_exceeds_the_maximum(void **state) {
        (void)state;

        histogram_record(&h, 1000003);
        assert_int_equal(histogram_percentile(&h, 0.5), 1000003);
        histogram_record(&h, UINT64_C(1) << 50); /* beyond the last bucket, but the maximum is exact */
        assert_int_equal(histogram_percentile(&h, 1), UINT64_C(1) << 50);
        assert_in_range(histogram_percentile(&h, 0.5), 1000003, 1000003 + 1000003 / 64);
        assert_int_equal(atomic_load(&h.count), 2);
        assert_int_equal(atomic_load(&h.sum), 1000003 + (UINT64_C(1) << 50));
}

static int ascending(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
        return (x > y) - (x < y);
}

static void test_percentiles_against_sorted_values(void **state) {
        enum { N = 10000 };
        static uint64_t values[N];
        (void)state;

        srandom(7);
        for (unsigned i = 0; i < N; i++) {
                values[i] = (uint64_t)random() << (random() % 9);
                histogram_record(&h, values[i]);
        }
        qsort(values, N, sizeof(*values), ascending);
        for (unsigned percent = 1; percent <= 100; percent++) {
                uint64_t exact = values[percent * N / 100 - 1],
                         got = histogram_percentile(&h, percent / 100.0);
                assert_in_range(got, exact, exact + exact / 64);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bucket_error_is_at_most_a_64th),
                cmocka_unit_test(test_buckets_are_contiguous),
                cmocka_unit_test_setup(test_empty, reset),
                cmocka_unit_test_setup(test_nearest_rank_of_small_values, reset),
                cmocka_unit_test_setup(test_percentile_never_exceeds_the_maximum, reset),
                cmocka_unit_test_setup(test_percentiles_against_sorted_values, reset),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
