/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf-topology.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topology/affinity.h"

static AffinitySpec *parsed(const char *text) {
        g_autoptr(GError) error = NULL;
        AffinitySpec *spec = affinity_spec_parse(text, &error);

        if (!spec)
                fail_msg("%s", error->message);
        return spec;
}

static ResolvedAffinity *resolve(const char *shape, const char *text, const char *cpuset, GError **error) {
        g_autoptr(Topology) t = machine(shape);
        g_autoptr(AffinitySpec) spec = parsed(text);
        g_auto(hwloc_bitmap_t) cpus = cpuset ? set_of(cpuset) : NULL;

        return affinity_resolve(spec, cpus, t, error);
}

#define FLAT_8 TWO_LLCS_8

static const struct {
        const char *machine, *affinity, *cpuset;
        AffinityOutcome outcome;
        const char *cpus;
        guint64 count;
} SATISFIED[] = {
        /* inherit stays nothing: res:R106 res:R111 ops:F1 ops:F23 */
        { FLAT_8, "inherit", NULL, AFFINITY_OUTCOME_NONE, NULL, 0 },
        { FLAT_8, "inherit", "2-3", AFFINITY_OUTCOME_NONE, NULL, 0 },
        { FLAT_8, "inherit", "", AFFINITY_OUTCOME_NONE, NULL, 0 },
        { FLAT_8, "single", NULL, AFFINITY_OUTCOME_FIXED, "0", 0 },          /* res:R106 ops:F2 ops:F23 */
        { FLAT_8, "single", "2-3", AFFINITY_OUTCOME_FIXED, "2", 0 },         /* res:R106 ops:F3 */
        { FLAT_8, "single", "7", AFFINITY_OUTCOME_FIXED, "7", 0 },           /* res:R111 */
        { FLAT_8, "cross-cgroup", NULL, AFFINITY_OUTCOME_FIXED, "0-7", 0 },  /* res:R106 ops:F5 ops:F23 */
        { FLAT_8, "cross-cgroup", "2-3", AFFINITY_OUTCOME_FIXED, "0-7", 0 }, /* res:R106 ops:F5 */
        { FLAT_8, "llc", NULL, AFFINITY_OUTCOME_FIXED, "0-3", 0 },           /* res:R107 ops:F6 ops:F23 */
        { FLAT_8, "llc", "4-7", AFFINITY_OUTCOME_FIXED, "4-7", 0 },          /* res:R107 ops:F7 */
        { FLAT_8, "llc", "3-7", AFFINITY_OUTCOME_FIXED, "4-7", 0 },          /* res:R107 ops:F8 */
        { FLAT_8, "llc", "2-5", AFFINITY_OUTCOME_FIXED, "2-3", 0 },          /* a tie: the lower LLC */
        { FLAT_8, "random:2@0-7", "0-3", AFFINITY_OUTCOME_RANDOM, "0-3",
          2 }, /* res:R108 res:R111 ops:F10 ops:F23 */
        { FLAT_8, "random:2@0-7", NULL, AFFINITY_OUTCOME_RANDOM, "0-7", 2 }, /* res:R108 ops:F11 */
        { FLAT_8, "random:3@1,5", NULL, AFFINITY_OUTCOME_RANDOM, "1,5",
          3 }, /* ops:F11: count kept as it is */
        { FLAT_8, "random:2", NULL, AFFINITY_OUTCOME_RANDOM, "0-7", 2 },
        { FLAT_8, "random:2", "3-4", AFFINITY_OUTCOME_RANDOM, "3-4", 2 },
        { FLAT_8, "cpus:0,5", "0-1", AFFINITY_OUTCOME_FIXED, "0", 0 },    /* res:R109 */
        { FLAT_8, "cpus:0,5", NULL, AFFINITY_OUTCOME_FIXED, "0,5", 0 },   /* res:R111 ops:F23 */
        { FLAT_8, "cpus:7,12", NULL, AFFINITY_OUTCOME_FIXED, "7,12", 0 }, /* CPU 12 may be offline today */
        { SMT_4, "smt-pair", NULL, AFFINITY_OUTCOME_FIXED, "0-1", 0 },    /* res:R110 ops:F18 ops:F23 */
        { SMT_4, "smt-pair", "2-3", AFFINITY_OUTCOME_FIXED, "2-3", 0 },   /* res:R110 ops:F19 */
        { SMT_4, "smt-pair", "1-3", AFFINITY_OUTCOME_FIXED, "2-3", 0 },
        { "l3:1 core:1 pu:4", "smt-pair", "1-3", AFFINITY_OUTCOME_FIXED, "1-2",
          0 }, /* the two lowest of a core */
};

static void satisfied(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(SATISFIED); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(ResolvedAffinity) got =
                        resolve(SATISFIED[i].machine, SATISFIED[i].affinity, SATISFIED[i].cpuset, &error);

                if (!got)
                        fail_msg("%s", error->message);
                assert_int_equal(got->outcome, SATISFIED[i].outcome);
                assert_int_equal(got->count, SATISFIED[i].count);
                if (SATISFIED[i].cpus)
                        check_set(got->cpus, SATISFIED[i].cpus, SATISFIED[i].affinity, __LINE__);
                else
                        assert_null(got->cpus);
        }
}

static const struct {
        const char *machine, *affinity, *cpuset, *fragments[3];
} UNSATISFIABLE[] = {
        /* each of them reaches whoever starts workers, and each names the remedy: ops:F24 */
        { FLAT_8, "single", "", { "'single'", "empty cpuset" } },                      /* res:R106 ops:F4 */
        { FLAT_8, "llc", "", { "no LLC", "(empty cpuset)" } },                         /* res:R107 ops:F9 */
        { FLAT_8, "llc", "99", { "no LLC", "(cpuset 99)" } },                          /* ops:F9 */
        { FLAT_8, "random:2@0-3", "4-7", { "intersection", "(cpuset 4-7)" } },         /* res:R108 ops:F12 */
        { FLAT_8, "random:2@0-3", "", { "intersection", "(0-3)", "(empty cpuset)" } }, /* res:R108 ops:F12 */
        { FLAT_8, "random:2@", NULL, { "the pool to draw from is empty" } },           /* res:R108 ops:F13 */
        { FLAT_8, "random:0", NULL, { "'random:0'", "count is 0" } }, /* res:R108 res:R112 ops:F14 */
        { FLAT_8, "random:0@0-3", "4-7", { "count is 0" } },          /* res:R108 ops:F14: first */
        { FLAT_8, "random:0@", NULL, { "count is 0" } },              /* res:R108 ops:F14 */
        { FLAT_8, "random:1@6-9", NULL, { "CPUs 8-9 of its pool" } },
        { FLAT_8, "cpus:2-3", "0-1", { "disjoint", "(cpuset 0-1)" } }, /* res:R109 ops:F15 */
        { FLAT_8, "cpus:", NULL, { "'cpus:'", "the set is empty" } },  /* res:R109 ops:F16 */
        { FLAT_8, "cpus:", "0-1", { "'cpus:'", "the set is empty" } }, /* res:R109 ops:F16 */
        { FLAT_8, "cpus:2", "", { "disjoint", "(empty cpuset)" } },    /* ops:F17 */
        { FLAT_8, "cpus:9", NULL, { "none of its CPUs exists", "0-7" } },
        { FLAT_8, "cpus:0,64", NULL, { "CPU 64 is beyond", "64 CPUs", "0-7" } },
        { FLAT_8, "random:1@0,2000", NULL, { "CPU 2000 is beyond", "64 CPUs" } },
        { ONE_LLC_4, "smt-pair", NULL, { "two siblings", "full topology" } }, /* res:R110 ops:F20 */
        { "pu:8", "smt-pair", NULL, { "two siblings", "full topology" } },    /* res:R110 ops:F20 */
        { SMT_4, "smt-pair", "0,2", { "effective cpuset (cpuset 0,2)" } },    /* res:R110 ops:F21 */
        { SMT_4, "smt-pair", "", { "effective cpuset (empty cpuset)" } },     /* res:R110 ops:F22 */
};

static void unsatisfiable(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(UNSATISFIABLE); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(ResolvedAffinity) got = resolve(UNSATISFIABLE[i].machine, UNSATISFIABLE[i].affinity,
                                                          UNSATISFIABLE[i].cpuset, &error);
                const char *const *f = UNSATISFIABLE[i].fragments;

                if (got)
                        fail_msg("%s is satisfied", UNSATISFIABLE[i].affinity);
                assert_invalid(error, UNSATISFIABLE[i].affinity, "'inherit'", f[0], f[1] ?: f[0],
                               f[2] ?: f[0]);
        }
}

/* The two reasons for an empty pool, and none / empty / some cpuset, read differently: res:R108 ops:F13 */
static void empty_pools_differ(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) without = NULL, with = NULL;

        assert_null(resolve(FLAT_8, "random:1@", NULL, &without));
        assert_null(resolve(FLAT_8, "random:1@", "0-3", &with));
        assert_null(strstr(without->message, "intersection"));
        assert_non_null(strstr(with->message, "intersection"));
}

/* res:R112 ops:F26 */
static void draws(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *pool;
                unsigned count, size;
        } cases[] = {
                { "0-7", 3, 3 }, { "2,5", 10, 2 }, { "7", 1, 1 }, { "0-7", 8, 8 }, { "1,3,64-70", 4, 4 }
        };
        g_autoptr(GRand) rng = g_rand_new_with_seed(112);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(hwloc_bitmap_t) pool = set_of(cases[i].pool);
                ResolvedAffinity from = { AFFINITY_OUTCOME_RANDOM, pool, cases[i].count };
                for (unsigned round = 0; round < 50; round++) {
                        g_auto(hwloc_bitmap_t) drawn = affinity_draw(&from, rng);
                        assert_int_equal(bitmap_size(drawn), cases[i].size);
                        assert_true(hwloc_bitmap_isincluded(drawn, pool));
                }
        }
}

/* Each CPU of 8 comes up in 3/8 of the draws, 3000 of 8000; the bounds are 6 standard deviations (43) away.
 */
static void draws_are_fair(void **state G_GNUC_UNUSED) {
        g_auto(hwloc_bitmap_t) pool = set_of("0-7");
        ResolvedAffinity from = { AFFINITY_OUTCOME_RANDOM, pool, 3 };
        g_autoptr(GRand) rng = g_rand_new_with_seed(26);
        unsigned seen[8] = { 0 };

        for (unsigned round = 0; round < 8000; round++) {
                g_auto(hwloc_bitmap_t) drawn = affinity_draw(&from, rng);
                for (unsigned cpu = 0; cpu < 8; cpu++)
                        seen[cpu] += hwloc_bitmap_isset(drawn, cpu);
        }
        for (unsigned cpu = 0; cpu < 8; cpu++)
                assert_in_range(seen[cpu], 2740, 3260);
}

/* ops:F23 */
static void fixed_sets_are_not_drawn(void **state G_GNUC_UNUSED) {
        g_autoptr(GRand) rng = g_rand_new_with_seed(1);
        g_auto(hwloc_bitmap_t) set = set_of("1,4"), drawn = NULL;
        ResolvedAffinity fixed = { AFFINITY_OUTCOME_FIXED, set, 0 },
                         none = { AFFINITY_OUTCOME_NONE, NULL, 0 };

        drawn = affinity_draw(&fixed, rng);
        assert_set(drawn, "1,4");
        assert_null(affinity_draw(&none, rng));
}

static bool aborts(const ResolvedAffinity *resolved) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
                g_autoptr(GRand) rng = g_rand_new_with_seed(1);
                signal(SIGABRT, SIG_DFL);
                close(STDOUT_FILENO);
                close(STDERR_FILENO);
                hwloc_bitmap_free(affinity_draw(resolved, rng));
                _exit(0);
        }
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* res:R111 res:R112 ops:F25: what affinity_resolve() never returns is a programming error */
static void impossible_results_abort(void **state G_GNUC_UNUSED) {
        g_auto(hwloc_bitmap_t) empty = bitmap_new(), some = set_of("0-3");
        const ResolvedAffinity fixed = { AFFINITY_OUTCOME_FIXED, empty, 0 },
                               pool = { AFFINITY_OUTCOME_RANDOM, empty, 2 },
                               zero = { AFFINITY_OUTCOME_RANDOM, some, 0 },
                               fine = { AFFINITY_OUTCOME_RANDOM, some, 2 };

        assert_true(aborts(&fixed));
        assert_true(aborts(&pool));
        assert_true(aborts(&zero));
        assert_false(aborts(&fine));
}

static void narrowed_to_node(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *affinity, *cpuset;
                unsigned node;
                const char *cpus;
        } cases[] = {
                { "inherit", NULL, 1, "4-7" }, { "inherit", "2-5", 1, "4-5" },
                { "cpus:0,6", NULL, 0, "0" },  { "random:2@2-5", NULL, 0, "2-3" },
                { "llc", "4-7", 1, "4-7" },
        };
        g_autoptr(Topology) t = machine(TWO_LLCS_8);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(AffinitySpec) spec = parsed(cases[i].affinity);
                g_auto(hwloc_bitmap_t) cpuset = cases[i].cpuset ? set_of(cases[i].cpuset) : NULL;
                g_autoptr(ResolvedAffinity) got = affinity_resolve(spec, cpuset, t, NULL);
                assert_true(affinity_narrow_to_node(got, cases[i].node, cpuset, t, NULL));
                assert_set(got->cpus, cases[i].cpus);
                assert_int_equal(got->outcome == AFFINITY_OUTCOME_RANDOM, spec->kind == AFFINITY_RANDOM);
        }
}

static void node_out_of_reach(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(MEM_ONLY_8);
        g_autoptr(AffinitySpec) spec = parsed("cpus:0-1");
        g_autoptr(ResolvedAffinity) got = affinity_resolve(spec, NULL, t, NULL);
        g_autoptr(GError) error = NULL;

        assert_false(affinity_narrow_to_node(got, 2, NULL, t, &error));
        assert_invalid(error, "numa_node 2", "the node has 4-7", "allow 0-1");
        assert_false(affinity_narrow_to_node(got, 1, NULL, t, &error));
        assert_invalid(error, "numa_node 1", "the node has none");
        assert_false(affinity_narrow_to_node(got, 9, NULL, t, &error));
        assert_invalid(error, "numa_node 9 does not exist", "0-3");
        assert_set(got->cpus, "0-1");
}

static void text_round_trip(void **state G_GNUC_UNUSED) {
        static const char *const texts[] = { "inherit",      "llc",      "single",   "smt-pair",
                                             "cross-cgroup", "cpus:0-3", "random:2", "random:4@0-7,9",
                                             "random:1@",    "cpus:" };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(AffinitySpec) spec = parsed(texts[i]);
                g_autofree char *text = affinity_spec_format(spec);
                assert_string_equal(text, texts[i]);
        }
}

static void malformed_text(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *fragment;
        } cases[] = {
                { "", "one of inherit" },
                { "smt_pair", "did you mean 'smt-pair'?" },
                { "singel", "did you mean 'single'?" },
                { "inherit:", "without an argument" },
                { "llc:0", "without an argument" },
                { "cpus", "cpus:0-3,5" },
                { "cpus:a", "'a' is neither" },
                { "random", "random:COUNT" },
                { "random:", "random:COUNT" },
                { "random:-1", "random:COUNT" },
                { "random:x@0-3", "random:COUNT" },
                { "random:1@0-", "'0-' is neither" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                if (affinity_spec_parse(cases[i].text, &error))
                        fail_msg("'%s' was accepted", cases[i].text);
                assert_invalid(error, cases[i].fragment);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(satisfied),
                cmocka_unit_test(unsatisfiable),
                cmocka_unit_test(empty_pools_differ),
                cmocka_unit_test(draws),
                cmocka_unit_test(draws_are_fair),
                cmocka_unit_test(fixed_sets_are_not_drawn),
                cmocka_unit_test(impossible_results_abort),
                cmocka_unit_test(narrowed_to_node),
                cmocka_unit_test(node_out_of_reach),
                cmocka_unit_test(text_round_trip),
                cmocka_unit_test(malformed_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
