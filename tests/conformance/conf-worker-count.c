/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf-topology.h"

#include <math.h>

#include "topology/cpuset-spec.h"
#include "topology/worker-count.h"

static WorkerCountRequest pct_of(double pct, unsigned cpus) {
        return (WorkerCountRequest){
                .has_pct = true, .pct = pct, .cpus = cpus, .fallback = 1, .ceiling = 10000
        };
}

static WorkerCountRequest workers(guint64 n) {
        return (WorkerCountRequest){
                .has_workers = true, .workers = n, .cpus = 4, .fallback = 3, .ceiling = 10000
        };
}

static unsigned cpus_of(const char *text) {
        g_autoptr(Topology) t = machine(ONE_LLC_4);
        g_autoptr(CpusetSpec) spec = cpuset_spec_parse(text, NULL);
        return cpuset_spec_count(spec, t);
}

/* ops:H1 ops:H2 ops:H3 ops:H4 ops:H5 ops:H6 ops:H7 ops:H8: a definition's and a group's percentage end up
 * here */
static void bad_percentages(void **state G_GNUC_UNUSED) {
        static const struct {
                double pct;
                const char *shown;
        } cases[] = { { NAN, "nan" },
                      { INFINITY, "inf" },
                      { -INFINITY, "-inf" },
                      { 0, "workers_pct 0 " },
                      { -0.5, "-0.5" } };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                WorkerCountRequest request = pct_of(cases[i].pct, 4);
                g_autoptr(GError) error = NULL;
                guint64 n = 77;
                assert_false(worker_count_resolve(&request, "cg_0", &n, &error));
                assert_invalid(error, "cg_0: workers_pct", cases[i].shown, "finite and > 0");
                assert_int_equal(n, 77);
        }
}

static void percentages(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(ONE_LLC_4);
        const struct {
                double pct;
                unsigned cpus;
                guint64 n;
        } cases[] = {
                { 0.5, bitmap_size(t->usable), 2 }, /* ops:H10: 3 usable, 1.5 up */
                { 0.34, cpus_of("llc:0"), 2 },      /* ops:H11: 1.36 up */
                { 2.0, cpus_of("cpus:0-3"), 8 },    /* ops:H12 */
                { 0.5, 4, 2 },                      /* ops:H13 */
                { 0.6, 4, 3 },                      /* ops:H13 */
                { 0.51, 4, 3 },                     /* ops:H13 */
                { 0.49, 4, 2 },                     /* ops:H13 */
                { 1e-9, 4, 1 },
                { 1, 1, 1 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                WorkerCountRequest request = pct_of(cases[i].pct, cases[i].cpus);
                g_autoptr(GError) error = NULL;
                guint64 n = 0;
                if (!worker_count_resolve(&request, "cg_0", &n, &error))
                        fail_msg("%s", error->message);
                assert_int_equal(n, cases[i].n);
        }
}

/* decision 25, in place of case H14 */
static void ceiling(void **state G_GNUC_UNUSED) {
        WorkerCountRequest absurd = pct_of(1e100, 4), highest = pct_of(1e300, 65536), edge = pct_of(2500, 4),
                           over = pct_of(2500.1, 4), many = workers(10001), most = workers(10000),
                           open = absurd;
        g_autoptr(GError) error = NULL;
        guint64 n = 0;

        assert_false(worker_count_resolve(&absurd, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "cg_0", "workers_pct 1e+100 of 4 CPUs", "10000");
        assert_false(worker_count_resolve(&highest, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "10000");
        open.ceiling = G_MAXUINT64; /* no limit is no overflow either */
        assert_false(worker_count_resolve(&open, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "1e+100");
        open.pct = 0x1p62;
        assert_false(worker_count_resolve(&open, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "cg_0");
        assert_false(worker_count_resolve(&over, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "10001 workers", "10000");
        assert_false(worker_count_resolve(&many, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "workers 10001", "10000");
        assert_true(worker_count_resolve(&edge, "cg_0", &n, &error));
        assert_int_equal(n, 10000);
        assert_true(worker_count_resolve(&most, "cg_0", &n, &error));
        assert_int_equal(n, 10000);
}

/* ops:H15 */
static void both_are_set(void **state G_GNUC_UNUSED) {
        WorkerCountRequest request = pct_of(0.5, 4);
        g_autoptr(GError) error = NULL;
        guint64 n = 0;

        request.has_workers = true;
        request.workers = 2;
        assert_false(worker_count_resolve(&request, "cg_0", &n, &error));
        assert_invalid(error, "cg_0: workers 2 and workers_pct 0.5 are both set", "keep one");
}

/* ops:H16 */
static void percentage_of_nothing(void **state G_GNUC_UNUSED) {
        WorkerCountRequest request = pct_of(0.9, cpus_of("range:0-0.1"));
        g_autoptr(GError) error = NULL;
        guint64 n = 0;

        worker_count_empty_cpuset("cg_0", "range:0-0.1", &request, 1, &error);
        assert_refused(error, KT_ERROR_EMPTY_CPUSET, "cg_0", "size 0", "workers_pct 0.9");
        assert_false(worker_count_resolve(&request, "cg_0", &n, &error));
        assert_refused(error, KT_ERROR_EMPTY_CPUSET, "cg_0", "size 0", "workers_pct 0.9");
}

/* ops:H17 */
static void every_percentage_is_listed(void **state G_GNUC_UNUSED) {
        WorkerCountRequest groups[] = { pct_of(0.3, 0), pct_of(0.7, 0), pct_of(0.5, 0) };
        WorkerCountRequest mixed[] = { workers(1), pct_of(0.25, 0) };
        g_autoptr(GError) error = NULL;

        worker_count_empty_cpuset("cg_0", "cpus:", groups, 3, &error);
        assert_refused(error, KT_ERROR_EMPTY_CPUSET, "works[0] workers_pct 0.3", "works[1] workers_pct 0.7",
                       "works[2] workers_pct 0.5");
        worker_count_empty_cpuset("cg_0", "cpus:", mixed, 2, &error);
        assert_null(strstr(error->message, "works[0]"));
        assert_refused(error, KT_ERROR_EMPTY_CPUSET, "works[1] workers_pct 0.25");
}

/* ops:H18 */
static void both_set_beats_empty(void **state G_GNUC_UNUSED) {
        WorkerCountRequest groups[] = { pct_of(0.3, 0), pct_of(0.5, 0) };
        g_autoptr(GError) error = NULL;

        groups[1].has_workers = true;
        groups[1].workers = 2;
        worker_count_empty_cpuset("cg_0", "range:0-0.1", groups, 2, &error);
        assert_null(strstr(error->message, "size 0"));
        assert_invalid(error, "cg_0: works[1]: workers 2 and workers_pct 0.5 are both set",
                       "empty cpuset would have masked this");
}

/* ops:H19 */
static void empty_without_percentage(void **state G_GNUC_UNUSED) {
        WorkerCountRequest groups[] = { workers(1) };
        g_autoptr(GError) error = NULL;

        assert_int_equal(cpus_of("range:0-0.1"), 0);
        worker_count_empty_cpuset("cg_0", "range:0-0.1", groups, 1, &error);
        assert_null(strstr(error->message, "pct"));
        assert_null(strstr(error->message, "percentage"));
        assert_refused(error, KT_ERROR_EMPTY_CPUSET, "cg_0", "'range:0-0.1'", "resolved to 0 CPUs");
}

/* ops:H21 ops:H22 */
static void zero_workers(void **state G_GNUC_UNUSED) {
        WorkerCountRequest explicit = workers(0), implicit = { .cpus = 4, .fallback = 0, .ceiling = 9 };
        g_autoptr(GError) error = NULL;
        guint64 n = 77;

        assert_false(worker_count_resolve(&explicit, "cg_0", &n, &error));
        assert_invalid(error, "cg_0: workers is 0", "0 workers is not allowed");
        assert_false(worker_count_resolve(&implicit, "cg_0", &n, &error));
        assert_invalid(error, "cg_0: workers_per_cgroup is 0", "0 workers is not allowed");
        assert_false(worker_count_resolve(&explicit, NULL, &n, &error));
        assert_int_equal(strncmp(error->message, "workers is 0", 12), 0);
        assert_int_equal(n, 77);
}

/* ops:H23 */
static void fallback(void **state G_GNUC_UNUSED) {
        WorkerCountRequest unset = { .cpus = 4, .fallback = 3, .ceiling = 9 }, set = workers(5);
        guint64 n = 0;

        assert_true(worker_count_resolve(&unset, "cg_0", &n, NULL));
        assert_int_equal(n, 3);
        assert_true(worker_count_resolve(&set, "cg_0", &n, NULL));
        assert_int_equal(n, 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bad_percentages),
                cmocka_unit_test(percentages),
                cmocka_unit_test(ceiling),
                cmocka_unit_test(both_are_set),
                cmocka_unit_test(percentage_of_nothing),
                cmocka_unit_test(every_percentage_is_listed),
                cmocka_unit_test(both_set_beats_empty),
                cmocka_unit_test(empty_without_percentage),
                cmocka_unit_test(zero_workers),
                cmocka_unit_test(fallback),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
