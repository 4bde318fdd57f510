/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf-topology.h"

#include <linux/mempolicy.h>

#include "topology/mempolicy.h"

static MemPolicy *parsed(const char *text) {
        g_autoptr(GError) error = NULL;
        MemPolicy *policy = mempolicy_parse(text, &error);

        if (!policy)
                fail_msg("%s", error->message);
        return policy;
}

static bool check(const char *shape, const char *text, unsigned flags, const char *cpuset, GError **error) {
        g_autoptr(Topology) t = machine(shape);
        g_autoptr(MemPolicy) policy = parsed(text);
        g_auto(hwloc_bitmap_t) cpus = cpuset ? set_of(cpuset) : NULL;

        return mempolicy_check(policy, flags, cpus, t, "cg_0", error);
}

#define S MPOL_F_STATIC_NODES
#define R MPOL_F_RELATIVE_NODES
#define B MPOL_F_NUMA_BALANCING

static const struct {
        const char *machine, *policy;
        unsigned flags;
        const char *cpuset;
} FINE[] = {
        { TWO_LLCS_8, "default", 0, "0-3" },        /* res:R97 ops:G1 */
        { TWO_LLCS_8, "local", 0, "4-7" },          /* res:R97 ops:G1 */
        { TWO_LLCS_8, "default", 0, "" },           /* res:R97 ops:G1 */
        { TWO_LLCS_8, "local", S, "0-3" },          /* no nodes, nothing more to check */
        { TWO_LLCS_8, "bind:0-1", 0, "0-7" },       /* res:R97 ops:G2 */
        { TWO_LLCS_8, "bind:0-1", 0, "3-4" },       /* ops:G2: one CPU on each is enough */
        { TWO_LLCS_8, "preferred:1", 0, "4-7" },    /* res:R99 ops:G4 */
        { TWO_LLCS_8, "interleave:0-1", S, "0-3" }, /* res:R100 ops:G6 */
        { TWO_LLCS_8, "bind:1", R, "0-3" },         /* res:R100 ops:G10 */
        { TWO_LLCS_8, "bind:0", B, "0-3" },         { TWO_LLCS_8, "bind:1", S | B, "0-3" },
        { MEM_ONLY_8, "bind:1", S, "0-3" }, /* a memory-only node exists */
        { SPARSE_8, "bind:8", 0, "4-7" },           { TWO_LLCS_8, "bind:1", 0, NULL },
};

static void fine(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(FINE); i++) {
                g_autoptr(GError) error = NULL;
                if (!check(FINE[i].machine, FINE[i].policy, FINE[i].flags, FINE[i].cpuset, &error))
                        fail_msg("%s", error->message);
        }
}

static const struct {
        const char *machine, *policy;
        unsigned flags;
        const char *cpuset, *fragments[4];
} REFUSED[] = {
        { TWO_LLCS_8,
          "bind:1",
          0,
          "0-3",
          { "nodes [1]", "covers {0}", "mpol_flags static", "numa:N" } },          /* res:R98 ops:G3 */
        { TWO_LLCS_8, "bind:1", 0, "0-3", { "widen the cpuset", "cpus:LIST" } },   /* res:R98 ops:G3 */
        { TWO_LLCS_8, "preferred:1", 0, "0-3", { "nodes [1]", "covers {0}" } },    /* res:R99 ops:G4 */
        { TWO_LLCS_8, "interleave:0-1", 0, "0-3", { "nodes [1]", "covers {0}" } }, /* res:R99 ops:G5 */
        { TWO_LLCS_8,
          "bind:7",
          S,
          "0-3",
          { "nodes 7 do not exist on this host", "0-1" } },                /* res:R100 ops:G7 */
        { TWO_LLCS_8, "bind:0,7", S, "0-3", { "nodes 7 do not exist" } },  /* ops:G7 */
        { TWO_LLCS_8, "bind:0", S | R, "0-3", { "mutually exclusive" } },  /* res:R101 ops:G8 */
        { TWO_LLCS_8, "default", S | R, "0-3", { "mutually exclusive" } }, /* res:R101 ops:G8 */
        { TWO_LLCS_8,
          "default",
          1 << 10,
          "0-3",
          { "unknown bits 0x400", "static", "relative", "balancing" } },            /* res:R101 ops:G9 */
        { TWO_LLCS_8, "bind:0", 1 << 10 | S | R, "0-3", { "unknown bits 0x400" } }, /* ops:G9: first */
        { TWO_LLCS_8, "bind:1", B, "0-3", { "nodes [1]", "covers {0}" } },          /* res:R102 */
        { MEM_ONLY_8, "bind:1", 0, "0-3", { "nodes [1]", "covers {0}", "a node without CPUs" } },
        { TWO_LLCS_8, "bind:1,7", 0, "0-3", { "nodes 7 do not exist" } },
        { TWO_LLCS_8, "bind:0", 0, "", { "nodes [0]", "covers {}" } },
        /* without a cpuset: flags, and nodes that no machine change can help */
        { TWO_LLCS_8, "default", S | R, NULL, { "mutually exclusive" } },
        { TWO_LLCS_8, "bind:7", 0, NULL, { "nodes 7 do not exist" } },
};

static void refused(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
                g_autoptr(GError) error = NULL;
                const char *const *f = REFUSED[i].fragments;

                if (check(REFUSED[i].machine, REFUSED[i].policy, REFUSED[i].flags, REFUSED[i].cpuset, &error))
                        fail_msg("%s is fine", REFUSED[i].policy);
                assert_invalid(error, "cgroup 'cg_0'", f[0], f[1] ?: f[0], f[2] ?: f[0], f[3] ?: f[0]);
        }
}

/* Only the uncovered nodes are listed: res:R99 ops:G5 */
static void covered_nodes_are_not_blamed(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;

        assert_false(check(TWO_LLCS_8, "interleave:0-1", 0, "0-3", &error));
        assert_null(strstr(error->message, "[0"));
}

/* res:R103 */
static void nodes_are_needed(void **state G_GNUC_UNUSED) {
        static const char *const words[] = { "bind", "interleave", "preferred-many", "weighted-interleave" };
        static const char *const complete[] = { "default",
                                                "local",
                                                "bind:0",
                                                "preferred:0",
                                                "interleave:0",
                                                "preferred-many:1",
                                                "weighted-interleave:0-1" };

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                g_autofree char *text = g_strconcat(words[i], ":", NULL);
                g_autoptr(MemPolicy) policy = parsed(text);
                g_autoptr(GError) error = NULL;
                assert_false(mempolicy_validate(policy, &error));
                assert_invalid(error, words[i], "at least one NUMA node", "'default' or 'local'");
        }
        for (size_t i = 0; i < G_N_ELEMENTS(complete); i++) {
                g_autoptr(MemPolicy) policy = parsed(complete[i]);
                assert_true(mempolicy_validate(policy, NULL));
        }
}

/* res:R104 res:R105; modes as in include/uapi/linux/mempolicy.h */
static void system_call(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *policy, *nodes;
                unsigned flags, mode, n_words, max_node;
                unsigned long words[2];
        } cases[] = {
                { "default", "", 0, 0, 0, 0, { 0 } },
                { "local", "", 0, 4, 0, 0, { 0 } },
                { "bind:0", "0", 0, 2, 1, 2, { 1 } },
                { "bind:0,2", "0,2", 0, 2, 1, 4, { 5 } },
                { "bind:", "", 0, 2, 0, 0, { 0 } },
                { "preferred:3", "3", 0, 1, 1, 5, { 8 } },
                { "interleave:0-1", "0-1", 1 << 15, 3 | 1 << 15, 1, 3, { 3 } },
                { "preferred-many:1", "1", 1 << 14, 5 | 1 << 14, 1, 3, { 2 } },
                { "weighted-interleave:62", "62", 0, 6, 1, 64, { 1UL << 62 } },
                { "bind:63", "63", 1 << 13, 2 | 1 << 13, 2, 65, { 1UL << 63, 0 } },
                { "bind:64", "64", 0, 2, 2, 66, { 0, 1 } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(MemPolicy) policy = parsed(cases[i].policy);
                g_auto(MemPolicyCall) call = { 0 };

                assert_set(policy->nodes, cases[i].nodes);
                mempolicy_encode(policy, cases[i].flags, &call);
                assert_int_equal(call.mode, cases[i].mode);
                assert_int_equal(call.n_words, cases[i].n_words);
                assert_int_equal(call.max_node, cases[i].max_node);
                for (unsigned w = 0; w < call.n_words; w++)
                        assert_int_equal(call.words[w], cases[i].words[w]);
                if (call.n_words == 0)
                        assert_null(call.words);
        }
}

static void flag_words(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *same;
                unsigned flags;
        } cases[] = {
                { "", "", 0 },
                { "static", "static", S },
                { "balancing, relative", "relative balancing", R | B },
                { " static  balancing ", "static balancing", S | B },
        };
        g_autoptr(GError) error = NULL;
        unsigned flags = 77;

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = NULL;
                assert_true(mempolicy_flags_parse(cases[i].text, &flags, NULL));
                assert_int_equal(flags, cases[i].flags);
                text = mempolicy_flags_format(flags);
                assert_string_equal(text, cases[i].same);
        }
        assert_false(mempolicy_flags_parse("relative statik", &flags, &error));
        assert_invalid(error, "unknown flag 'statik'; did you mean 'static'?",
                       "Known flags: static, relative, balancing");
        assert_int_equal(flags, S | B); /* untouched */
}

static void node_lists(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(SPARSE_8);
        g_auto(hwloc_bitmap_t) none = bitmap_new(), known = set_of("0,8"), wrong = set_of("0-1,8,11");
        g_autoptr(GError) error = NULL;

        assert_true(nodelist_validate(known, t, &error));
        assert_false(nodelist_validate(none, t, &error));
        assert_invalid(error, "cpuset_mems is empty", "0,8");
        assert_false(nodelist_validate(wrong, t, &error));
        assert_invalid(error, "nodes 1,11 do not exist", "has 0,8");
}

static void text(void **state G_GNUC_UNUSED) {
        static const char *const texts[] = { "default",
                                             "local",
                                             "bind:0-1,4",
                                             "preferred:3",
                                             "interleave:0",
                                             "preferred-many:0-1",
                                             "weighted-interleave:2",
                                             "bind:" };
        static const struct {
                const char *text, *fragment;
        } wrong[] = {
                { "", "one of default" },
                { "prefered:1", "did you mean 'preferred:N'?" },
                { "local:0", "without an argument" },
                { "bind", "bind:0-1" },
                { "bind:x", "'x' is neither" },
                { "preferred:", "one node" },
                { "preferred:0-1", "one node" },
                { "preferred:70000", "one node" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(MemPolicy) policy = parsed(texts[i]);
                g_autofree char *back = mempolicy_format(policy);
                assert_string_equal(back, texts[i]);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(GError) error = NULL;
                if (mempolicy_parse(wrong[i].text, &error))
                        fail_msg("'%s' was accepted", wrong[i].text);
                assert_invalid(error, wrong[i].fragment);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fine),
                cmocka_unit_test(refused),
                cmocka_unit_test(covered_nodes_are_not_blamed),
                cmocka_unit_test(nodes_are_needed),
                cmocka_unit_test(system_call),
                cmocka_unit_test(flag_words),
                cmocka_unit_test(node_lists),
                cmocka_unit_test(text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
