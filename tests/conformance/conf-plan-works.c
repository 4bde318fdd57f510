/* SPDX-License-Identifier: GPL-2.0-only */

/* The workers of a definition: how many, where they may run, and what they are before they start. */

#include <linux/mempolicy.h>
#include <linux/sched.h>

#include "plan-fixture.h"

static const PlanGroup *planned_group(const Desk *d, guint index) {
        assert_true(index < d->plan->groups->len);
        return d->plan->groups->pdata[index];
}

/* What the executor is told of a work, and what the books will hold of it. */
static const PlanWork *planned_work(const Desk *d, guint group, guint index) {
        const PlanGroup *g = planned_group(d, group);

        assert_true(index < g->works->len);
        assert_int_equal(g->works->len, g->state->works->len);
        return g->works->pdata[index];
}

static const WorkState *planned_state(const Desk *d, guint group, guint index) {
        planned_work(d, group, index);
        return planned_group(d, group)->state->works->pdata[index];
}

static void plan_one(Desk *d, const char *body) {
        g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", body);

        desk_must_plan(d, SLOT_STEP, list, 0);
}

/* Plans one definition and returns its first work. */
static const PlanWork *first_work(Desk *d, const char *body) {
        plan_one(d, body);
        return planned_work(d, 0, 0);
}

/* ---- how many ---- */

/* ops:H10 ops:H11 ops:H12 ops:H13 ops:H23 ops:J5 res:R63 work:C9 */
static void counts(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body;
                unsigned fallback, expected;
        } cases[] = {
                { "'works':[{'workers_pct':0.5}]", 1, 2 }, /* of 3 usable CPUs */
                { "'cpuset':'llc:0','works':[{'workers_pct':0.34}]", 1, 2 },
                { "'cpuset':'llc:0','works':[{'workers_pct':2.0}]", 1, 8 },
                { "'cpuset':'llc:0','works':[{'workers_pct':0.5}]", 1, 2 },
                { "'cpuset':'llc:0','works':[{'workers_pct':0.6}]", 1, 3 },
                { "'cpuset':'llc:0','works':[{'workers_pct':0.51}]", 1, 3 },
                { "'cpuset':'llc:0','works':[{'workers_pct':0.49}]", 1, 2 },
                { "'cpuset':'llc:0','works':[{'workers_pct':1}]", 1, 4 },
                { "'works':[{}]", 3, 3 },
                { "'works':[{'workers':7}]", 3, 7 },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                d->context.workers_per_cgroup = cases[i].fallback;
                const PlanWork *w = first_work(d, cases[i].body);
                assert_int_equal(w->spec.n_workers, cases[i].expected);
                assert_int_equal(planned_group(d, 0)->state->n_workers, cases[i].expected);
        }
}

/* ops:H22 */
static void no_count_at_all(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        d->context.workers_per_cgroup = 0;
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','works':[{'workers':1},{}]}]",
                           KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].works[1].workers: cgroup 'a': ", "workers_per_cgroup is 0");
}

/* ---- where ---- */

/* Expected: one mask in hexadecimal, or "" for none. */
static const struct {
        const char *machine, *body, *cpus, *mask;
} AFFINITIES[] = {
        { ONE_LLC_4, "'works':[{}]", "0-3", "" },
        { ONE_LLC_4, "'works':[{'affinity':'inherit'}]", "0-3", "" },
        { ONE_LLC_4, "'cpuset':'cpus:1-2','works':[{'affinity':'inherit'}]", "1-2", "" },
        { ONE_LLC_4, "'works':[{'affinity':'single'}]", "0", "1" },
        { ONE_LLC_4, "'cpuset':'cpus:2-3','works':[{'affinity':'single'}]", "2", "4" },
        { TWO_LLCS_8, "'cpuset':'cpus:0','works':[{'affinity':'cross-cgroup'}]", "0-7", "ff" },
        { TWO_LLCS_8, "'cpuset':'cpus:3-7','works':[{'affinity':'llc'}]", "4-7", "f0" },
        { SMT_4, "'cpuset':'cpus:2-3','works':[{'affinity':'smt-pair'}]", "2-3", "c" },
        { ONE_LLC_4, "'works':[{'affinity':'cpus:1,3'}]", "1,3", "a" },
        /* a node narrows what the affinity allows; by itself it is a mask of its own */
        { TWO_LLCS_8, "'numa_node':1", "4-7", "f0" },
        { TWO_LLCS_8, "'numa_node':1,'cpuset':'cpus:2-5'", "4-5", "30" },
        { TWO_LLCS_8, "'numa_node':1,'works':[{'affinity':'cpus:0-5','numa_node':0}]", "0-3", "f" },
};

static void affinities(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(AFFINITIES); i++) {
                g_autoptr(Desk) d = desk_new(AFFINITIES[i].machine);
                const PlanWork *w = first_work(d, AFFINITIES[i].body);
                g_autofree char *mask = w->masks->len ? g_strdup_printf("%" G_GINT64_MODIFIER "x",
                                                                        g_array_index(w->masks, guint64, 0))
                                                      : g_strdup("");
                assert_set(planned_state(d, 0, 0)->cpus, AFFINITIES[i].cpus);
                assert_string_equal(mask, AFFINITIES[i].mask);
                assert_int_equal(w->spec.n_masks, AFFINITIES[i].mask[0] ? 1 : 0);
                assert_int_equal(w->spec.mask_words, 1);
                assert_int_equal(w->masks->len, w->spec.n_masks);
        }
}

/* work:C22 ops:F26: a mask for each worker, of the size asked for, or of the whole pool if that is smaller;
 * drawn when planned, and the same when planned again */
static void random_affinity(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);
        guint64 drawn[20], all = 0;
        const PlanWork *w =
                first_work(d, "'cpuset':'cpus:2-6','works':[{'workers':20,'affinity':'random:2@1-5'}]");

        assert_int_equal(w->spec.n_masks, 20);
        assert_int_equal(w->masks->len, 20);
        for (guint i = 0; i < 20; i++) {
                drawn[i] = g_array_index(w->masks, guint64, i);
                assert_int_equal(__builtin_popcountll(drawn[i]), 2);
                all |= drawn[i];
        }
        assert_int_equal(all, 0x3c); /* 2-5, every one of them drawn by somebody */
        assert_set(planned_state(d, 0, 0)->cpus, "2-5");
        w = first_work(d, "'cpuset':'cpus:2-6','works':[{'workers':20,'affinity':'random:2@1-5'}]");
        assert_memory_equal(w->masks->data, drawn, sizeof(drawn));
        d->context.seed++;
        w = first_work(d, "'cpuset':'cpus:2-6','works':[{'workers':20,'affinity':'random:2@1-5'}]");
        assert_memory_not_equal(w->masks->data, drawn, sizeof(drawn));
        w = first_work(d, "'works':[{'affinity':'random:99@1-3'}]");
        assert_int_equal(g_array_index(w->masks, guint64, 0), 0xe);
}

/* ops:F24: what cannot be satisfied is an error of the definition */
static void impossible_affinities(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body, *path, *fragment;
        } cases[] = {
                { "'works':[{'affinity':'smt-pair'}]", "works[0].affinity", "smt-pair" },
                { "'cpuset':'cpus:0-1','works':[{},{'affinity':'cpus:2-3'}]", "works[1].affinity",
                  "disjoint" },
                { "'works':[{'affinity':'random:0'}]", "works[0].affinity", "random:0" },
                { "'works':[{'affinity':'cpus:'}]", "works[0].affinity", "cpus:" },
                { "'works':[{'affinity':'single','numa_node':1}]", "works[0].numa_node", "numa_node 1" },
                { "'numa_node':9", "works[0].numa_node", "numa_node 9 does not exist" },
        };
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                g_autofree char *place = g_strdup_printf("cgroups[0].%s: cgroup 'a': ", cases[i].path);
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_INVALID_DEFINITION, place, cases[i].fragment);
        }
}

/* ---- memory policy ---- */

/* ops:G11 res:R59 work:C6 work:C11: names the place and the cgroup, and no worker is planned */
static void refused_policies(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body, *path, *fragments[3];
        } cases[] = {
                { "'cpuset':'cpus:0-3','works':[{'mem_policy':'bind:1'}]",
                  "works[0]",
                  { "[1]", "{0}", "static" } },
                { "'cpuset':'cpus:0-3','works':[{},{'mem_policy':'interleave:0-1'}]",
                  "works[1]",
                  { "[1]", "{0}", "widen" } },
                { "'works':[{'mem_policy':'bind:'}]", "works[0]", { "'bind:'", "at least one NUMA node" } },
                { "'works':[{},{'mem_policy':'interleave:'},{'mem_policy':'bind:'}]",
                  "works[1]",
                  { "'interleave:'", "at least one NUMA node" } },
                { "'works':[{'mem_policy':'preferred-many:'}]",
                  "works[0]",
                  { "'preferred-many:'", "at least one NUMA node" } },
                { "'works':[{'mem_policy':'weighted-interleave:'}]",
                  "works[0]",
                  { "'weighted-interleave:'", "at least one NUMA node" } },
                { "'works':[{'mem_policy':'bind:7'}]", "works[0]", { "nodes 7 do not exist" } },
                { "'works':[{'mem_policy':'bind:0','mpol_flags':['static','relative']}]",
                  "works[0]",
                  { "mutually exclusive" } },
                { "'works':[{'mpol_flags':'static relative'}]", "works[0]", { "mutually exclusive" } },
        };
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                g_autofree char *place = g_strdup_printf("cgroups[0].%s.mem_policy: ", cases[i].path);
                const char *const *f = cases[i].fragments;
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_INVALID_DEFINITION, place, f[0], f[1] ?: "",
                                   f[2] ?: "");
        }
}

/* work:C12 work:C13 work:C14: mode and flags in one word; bit N is node N, and the kernel is told one bit
 * more than the highest; `default` makes no call */
static void encoded_policies(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body;
                unsigned set, mode, words, max_node;
                unsigned long first, second;
        } cases[] = {
                { "'mem_policy':'default'", 0, 0, 0, 0, 0, 0 },
                { "'mem_policy':'default','mpol_flags':'static'", 0, 0, 0, 0, 0, 0 },
                { "'mem_policy':'local'", 1, MPOL_LOCAL, 0, 0, 0, 0 },
                { "'mem_policy':'bind:0'", 1, MPOL_BIND, 1, 2, 1, 0 },
                { "'mem_policy':'preferred:2'", 1, MPOL_PREFERRED, 1, 4, 4, 0 },
                { "'mem_policy':'interleave:0,2'", 1, MPOL_INTERLEAVE, 1, 4, 5, 0 },
                { "'mem_policy':'preferred-many:0,2'", 1, 5, 1, 4, 5, 0 },
                { "'mem_policy':'weighted-interleave:2'", 1, 6, 1, 4, 4, 0 },
                { "'mem_policy':'bind:67'", 1, MPOL_BIND, 2, 69, 0, 8 },
                { "'mem_policy':'bind:2','mpol_flags':['static','balancing']", 1,
                  MPOL_BIND | 1 << 15 | 1 << 13, 1, 4, 4, 0 },
                { "'mem_policy':'interleave:0','mpol_flags':'relative'", 1, MPOL_INTERLEAVE | 1 << 14, 1, 2,
                  1, 0 },
        };
        g_autoptr(Desk) d = desk_new("numa:3(indexes=0,2,67) l3:1 core:2 pu:1");

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *body = g_strdup_printf("'works':[{%s}]", cases[i].body);
                const PlanWork *w = first_work(d, body);
                assert_int_equal(w->spec.mempolicy_set, cases[i].set);
                assert_int_equal(w->spec.mempolicy_mode, cases[i].mode);
                assert_int_equal(w->spec.node_words, cases[i].words);
                assert_int_equal(w->spec.max_node, cases[i].max_node);
                assert_int_equal(w->nodes->len, cases[i].words);
                if (cases[i].words > 0)
                        assert_int_equal(g_array_index(w->nodes, unsigned long, 0), cases[i].first);
                if (cases[i].words > 1)
                        assert_int_equal(g_array_index(w->nodes, unsigned long, 1), cases[i].second);
        }
}

/* ---- the rest of the set-up ---- */

static void what_is_unset_is_left_alone(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const PlanWork *w = first_work(d, "'works':[{}]");

        assert_int_equal(w->spec.group_id, 1);
        assert_int_equal(w->spec.policy_set, 0);
        assert_int_equal(w->spec.nice_set, 0);
        assert_int_equal(w->spec.mempolicy_set, 0);
        assert_int_equal(w->spec.uid, WIRE_ID_KEEP);
        assert_int_equal(w->spec.gid, WIRE_ID_KEEP);
        assert_string_equal(w->spec.comm, "");
        assert_int_equal(w->spec.samples, 0);
}

/* ops:I1 ops:I2 ops:I3 ops:I4 ops:I6 ops:I7: merged values reach the worker */
static void set_up(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const PlanWork *first = first_work(
                d,
                "'nice':5,'comm':'fifteen-bytes-a','uid':0,'gid':4294967294,'works':["
                "{'work_type':'Bursty','sched_policy':'deadline:1ms/5ms/10ms','params':{'sleep_duration':7}},"
                "{'nice':0,'comm':'b','uid':1000,'gid':0,'sched_policy':'rr:7'}]");
        const PlanWork *second = planned_work(d, 1, 0);

        assert_int_equal(first->spec.nice_set, 1);
        assert_int_equal(first->spec.nice, 5);
        assert_string_equal(first->spec.comm, "fifteen-bytes-a");
        assert_int_equal(first->spec.uid, 0);
        assert_int_equal(first->spec.gid, 4294967294);
        assert_int_equal(first->spec.work_type, WORK_BURSTY);
        assert_int_equal(first->spec.samples, SAMPLE_WAKE_LATENCY);
        assert_int_equal(first->spec.params[0], 50000000);
        assert_int_equal(first->spec.params[1], 7000);
        assert_int_equal(first->spec.policy_set, 1);
        assert_int_equal(first->spec.policy, SCHED_DEADLINE);
        assert_int_equal(first->spec.runtime_ns, 1000000);
        assert_int_equal(first->spec.deadline_ns, 5000000);
        assert_int_equal(first->spec.period_ns, 10000000);

        assert_int_equal(planned_state(d, 1, 0)->index, 1);
        assert_int_equal(second->spec.nice_set, 1);
        assert_int_equal(second->spec.nice, 0);
        assert_string_equal(second->spec.comm, "b");
        assert_int_equal(second->spec.uid, 1000);
        assert_int_equal(second->spec.gid, 0);
        assert_int_equal(second->spec.policy, SCHED_RR);
        assert_int_equal(second->spec.priority, 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(counts),
                cmocka_unit_test(no_count_at_all),
                cmocka_unit_test(affinities),
                cmocka_unit_test(random_affinity),
                cmocka_unit_test(impossible_affinities),
                cmocka_unit_test(refused_policies),
                cmocka_unit_test(encoded_policies),
                cmocka_unit_test(what_is_unset_is_left_alone),
                cmocka_unit_test(set_up),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
