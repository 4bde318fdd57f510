/* SPDX-License-Identifier: GPL-2.0-only */

/* What workers get on machines of all shapes: affinity, memory policy, number, and whole plans; against sets
 * that are counted out here. */

#include <math.h>

#include "topology/affinity.h"
#include "topology/cpuset-spec.h"
#include "topology/mempolicy.h"
#include "plan-fixture.h"
#include "shapes.h"
#include "topology/worker-count.h"

/* ---- cpusets to work in ---- */

enum { CPUSETS = 8 };

/* Of the online CPUs: all, one, two ends, every second, the second half, two thirds, an LLC and one more,
 * none. */
static Set some_cpuset(const Machine *m, unsigned kind) {
        Set online = machine_online(m), s = { 0 }, last_llc = machine_llc(m, machine_llcs(m) - 1);
        unsigned n = set_size(&online), at = 0;

        for (unsigned i = 0; i < m->n_cpus; i++) {
                const bool takes[CPUSETS] = {
                        true,        at == n / 2, at == 0 || at == n - 1,     at % 2 == 1,
                        at >= n / 2, at % 3 != 0, last_llc.has[i] || at == 0, false
                };
                s.has[i] = online.has[i] && takes[kind];
                at += online.has[i];
        }
        return s;
}

typedef struct Case {
        const Machine *m;
        const Set *cpuset;           /* NULL: none is recorded */
        hwloc_const_bitmap_t bitmap; /* the same */
        Set pool;                    /* the cpuset, or what is online */
        Set online;
} Case;

/* The check in every cpuset, and without one. */
static void for_each_case(const Machine *m, void (*check)(const Case *c)) {
        Case c = { .m = m, .pool = machine_online(m), .online = machine_online(m) };

        check(&c);
        for (unsigned kind = 0; kind < CPUSETS; kind++) {
                Set cpuset = some_cpuset(m, kind);
                g_auto(hwloc_bitmap_t) bitmap = set_to_bitmap(&cpuset);
                c.cpuset = &cpuset;
                c.bitmap = bitmap;
                c.pool = cpuset;
                check(&c);
        }
}

/* ---- affinity ---- */

static ResolvedAffinity *resolve(const Case *c, const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(AffinitySpec) spec = affinity_spec_parse(text, NULL);
        ResolvedAffinity *resolved;

        assert_non_null(spec);
        resolved = affinity_resolve(spec, c->bitmap, c->m->topology, &error);
        assert_on(c->m, !resolved == !!error, text);
        if (error)
                assert_on(c->m, strstr(error->message, "inherit"), error->message); /* the remedy */
        return resolved;
}

/* An empty set is a refusal. */
static void check_fixed(const Case *c, const char *text, const Set *expected) {
        g_autoptr(ResolvedAffinity) resolved = resolve(c, text);

        assert_on(c->m, !resolved == (set_size(expected) == 0), text);
        if (!resolved)
                return;
        assert_on(c->m, resolved->outcome == AFFINITY_OUTCOME_FIXED, text);
        check_same_set(c->m, resolved->cpus, expected, text, __LINE__);
}

/* Most CPUs in common; of equal ones the first. */
static Set best_llc(const Case *c) {
        Set best = { 0 };

        for (unsigned i = 0; i < machine_llcs(c->m); i++) {
                Set llc = machine_llc(c->m, i), common = set_common(&llc, &c->pool);
                if (set_size(&common) > set_size(&best))
                        best = common;
        }
        return best;
}

/* The two lowest of the first core that has two, core by core as LLCs, and in them cores, are numbered. */
static Set best_pair(const Case *c) {
        const Set none = { 0 };

        for (unsigned l = 0; l < machine_llcs(c->m); l++) {
                Set llc = machine_llc(c->m, l);
                for (unsigned i = 0; i < c->m->n_cpus; i++) {
                        Set core = { 0 };
                        bool lowest = true;
                        for (unsigned j = 0; llc.has[i] && j < c->m->n_cpus; j++) {
                                bool sibling = llc.has[j] && c->m->cpus[j].core == c->m->cpus[i].core;
                                core.has[j] = sibling && c->pool.has[j];
                                lowest = lowest && !(sibling && j < i);
                        }
                        if (lowest && set_size(&core) >= 2)
                                return set_slice(&core, 0, 2);
                }
        }
        return none;
}

static void check_intents(const Case *c) {
        Set llc = best_llc(c), pair = best_pair(c), single = set_slice(&c->pool, 0, 1);
        g_autoptr(ResolvedAffinity) inherit = resolve(c, "inherit");

        assert_on(c->m, inherit->outcome == AFFINITY_OUTCOME_NONE && !inherit->cpus, "inherit");
        check_fixed(c, "llc", &llc);
        check_fixed(c, "single", &single);
        check_fixed(c, "smt-pair", &pair);
        check_fixed(c, "cross-cgroup", &c->online);
}

static void check_lists(const Case *c) {
        for (unsigned i = 0; i < c->m->n_cpus; i += 1 + c->m->n_cpus / 16) {
                Set wanted = { 0 }, got;
                g_autofree char *text = g_strdup_printf("cpus:%u,%u", i, c->m->n_cpus - 1);
                wanted.has[i] = wanted.has[c->m->n_cpus - 1] = true;
                got = set_common(&wanted, &c->pool);
                if (!c->cpuset && set_size(&got) > 0)
                        got = wanted; /* the kernel leaves out what is offline */
                check_fixed(c, text, &got);
        }
}

static void check_draws(const Case *c, unsigned count) {
        g_autofree char *text = g_strdup_printf("random:%u", count);
        g_autoptr(ResolvedAffinity) resolved = resolve(c, text);
        g_autoptr(GRand) rng = g_rand_new_with_seed(count);
        Set seen = { 0 };

        assert_on(c->m, !resolved == (count == 0 || set_size(&c->pool) == 0), text);
        if (!resolved)
                return;
        assert_on(c->m, resolved->outcome == AFFINITY_OUTCOME_RANDOM, text);
        assert_same_set(c->m, resolved->cpus, c->pool);
        for (unsigned i = 0; i < 20; i++) {
                g_auto(hwloc_bitmap_t) mask = affinity_draw(resolved, rng);
                Set drawn = set_from(mask);
                assert_on(c->m, set_size(&drawn) == MIN(count, set_size(&c->pool)), text);
                assert_on(c->m, set_within(&drawn, &c->pool), text);
                for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
                        seen.has[cpu] = seen.has[cpu] || drawn.has[cpu];
        }
        /* Twenty draws of one from many are not all the same. */
        assert_on(c->m, set_size(&seen) > count || count >= set_size(&c->pool), text);
}

static void check_affinity(const Case *c) {
        static const unsigned counts[] = { 0, 1, 2, 5, 1000 };

        check_intents(c);
        check_lists(c);
        for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
                check_draws(c, counts[i]);
}

/* `numa_node` keeps the CPUs of the node, or refuses. */
static void check_narrowing(const Case *c) {
        for (unsigned i = 0; i < c->m->n_nodes; i++) {
                g_autoptr(ResolvedAffinity) resolved = resolve(c, "inherit");
                Set node = machine_node(c->m, i), kept = set_common(&node, &c->pool);
                g_autoptr(GError) error = NULL;
                bool good = affinity_narrow_to_node(resolved, c->m->nodes[i].id, c->bitmap, c->m->topology,
                                                    &error);
                assert_on(c->m, good == (set_size(&kept) > 0) && good == !error, "numa_node");
                if (good)
                        assert_same_set(c->m, resolved->cpus, kept);
                else
                        assert_on(c->m, resolved->outcome == AFFINITY_OUTCOME_NONE, "untouched");
        }
}

static void affinity_of(const Machine *m) {
        for_each_case(m, check_affinity);
        for_each_case(m, check_narrowing);
}

static void affinities(void **state G_GNUC_UNUSED) {
        for_each_machine(affinity_of);
}

/* ---- memory policies ---- */

static bool allows(const Case *c, const char *text, unsigned flags, char **ret_message) {
        g_autoptr(MemPolicy) policy = mempolicy_parse(text, NULL);
        g_autoptr(GError) error = NULL;
        bool good;

        assert_non_null(policy);
        good = mempolicy_check(policy, flags, c->bitmap, c->m->topology, "c", &error);
        assert_on(c->m, good == !error, text);
        *ret_message = g_strdup(error ? error->message : NULL);
        return good;
}

/* "[1,3]" as the message lists them. */
static char *list_of(const Set *s) {
        g_auto(hwloc_bitmap_t) bitmap = set_to_bitmap(s);
        g_autofree char *list = cpulist_format(bitmap);

        return g_strdup_printf("[%s]", list);
}

/* All nodes at once, static and not: what the cpuset does not cover is named, and nothing else. */
static void check_coverage(const Case *c) {
        Set ids = machine_node_ids(c->m), covered = machine_nodes_of(c->m, &c->pool), uncovered = { 0 };
        g_autofree char *list = set_format(&ids), *text = g_strconcat("bind:", list, NULL);
        g_autofree char *message = NULL, *named = NULL, *none = NULL;
        unsigned flags;
        bool good = allows(c, text, 0, &message);

        for (unsigned i = 0; i < CPUS_MAX; i++)
                uncovered.has[i] = c->cpuset && ids.has[i] && !covered.has[i];
        named = list_of(&uncovered);
        assert_on(c->m, good == (set_size(&uncovered) == 0), text);
        assert_on(c->m, good || strstr(message, named), message);
        assert_true(mempolicy_flags_parse("static", &flags, NULL));
        assert_on(c->m, allows(c, text, flags, &none), text);
}

static void check_each_node(const Case *c) {
        Set covered = machine_nodes_of(c->m, &c->pool);
        unsigned highest = c->m->nodes[c->m->n_nodes - 1].id, fixed, relative;

        assert_true(mempolicy_flags_parse("static", &fixed, NULL));
        assert_true(mempolicy_flags_parse("relative", &relative, NULL));
        for (unsigned id = 0; id <= highest + 1; id++) {
                g_autofree char *text = g_strdup_printf("preferred:%u", id), *a = NULL, *b = NULL, *r = NULL;
                bool exists = machine_find_node(c->m, id) >= 0;
                assert_on(c->m, allows(c, text, 0, &a) == (c->cpuset ? covered.has[id] : exists), text);
                assert_on(c->m, allows(c, text, fixed, &b) == exists, text);
                assert_on(c->m, allows(c, text, relative, &r), text);
        }
}

static void check_mempolicy(const Case *c) {
        check_coverage(c);
        check_each_node(c);
}

static void mempolicy_of(const Machine *m) {
        for_each_case(m, check_mempolicy);
}

static void mempolicies(void **state G_GNUC_UNUSED) {
        for_each_machine(mempolicy_of);
}

static void check_short(GError *error, int line) {
        if (!error)
                fail_msg("line %d: not refused", line);
        if (strlen(error->message) > 1000)
                fail_msg("line %d: %zu bytes", line, strlen(error->message));
        g_error_free(error);
}
#define assert_short_refusal(call)                                                                           \
        do {                                                                                                 \
                GError *error = NULL;                                                                        \
                assert_false(call);                                                                          \
                check_short(error, __LINE__);                                                                \
        } while (0)

/* A caller's list can be as long as a message; what is said about it cannot. */
static void long_lists_are_cut(void **state G_GNUC_UNUSED) {
        g_autoptr(GString) list = g_string_new("10");
        g_autoptr(Topology) t = machine(TWO_LLCS_8);
        g_auto(hwloc_bitmap_t) cpuset = set_of("0-3"), many = NULL;
        g_autofree char *cpus = NULL, *bind = NULL, *pool = NULL;
        g_autoptr(CpusetSpec) spec = NULL;
        g_autoptr(AffinitySpec) affinity = NULL;
        g_autoptr(MemPolicy) policy = NULL;

        for (unsigned i = 12; i < CPULIST_MAX; i += 2)
                g_string_append_printf(list, ",%u", i);
        many = set_of(list->str);
        cpus = g_strconcat("cpus:", list->str, NULL);
        pool = g_strconcat("random:1@", list->str, NULL);
        bind = g_strconcat("bind:", list->str, NULL);
        spec = cpuset_spec_parse(cpus, NULL);
        affinity = affinity_spec_parse(pool, NULL);
        policy = mempolicy_parse(bind, NULL);
        assert_short_refusal(cpuset_spec_validate(spec, t, &error));
        assert_short_refusal(affinity_resolve(affinity, cpuset, t, &error));
        assert_short_refusal(mempolicy_check(policy, 0, NULL, t, "c", &error));
        assert_short_refusal(mempolicy_check(policy, 0, cpuset, t, "c", &error));
        assert_short_refusal(nodelist_validate(many, t, &error));
}

/* ---- numbers of workers ---- */

/* Fractions that doubles hold exactly, so that rounding up is a matter of integers. */
static void check_count(const Case *c) {
        unsigned cpus = set_size(&c->pool);

        for (unsigned eighths = 1; eighths <= 40; eighths++) {
                WorkerCountRequest request = {
                        .has_pct = true, .pct = eighths / 8.0, .cpus = cpus, .fallback = 1, .ceiling = 300
                };
                unsigned expected = (cpus * eighths + 7) / 8;
                g_autoptr(GError) error = NULL;
                guint64 n = 0;
                bool good = worker_count_resolve(&request, "g", &n, &error);
                assert_on(c->m, good == (expected > 0 && expected <= 300), "workers_pct");
                assert_on(c->m, !good || n == expected, "workers_pct");
                assert_on(c->m,
                          good || error->code == (expected ? KT_ERROR_LIMIT_EXCEEDED : KT_ERROR_EMPTY_CPUSET),
                          "workers_pct");
        }
}

static void count_of(const Machine *m) {
        for_each_case(m, check_count);
}

static void counts(void **state G_GNUC_UNUSED) {
        static const double huge[] = { 1e6, 1e18, 1e19, 1e20, 1e100, 1.7e308 };

        for_each_machine(count_of);
        for (size_t i = 0; i < G_N_ELEMENTS(huge); i++) {
                WorkerCountRequest request = {
                        .has_pct = true, .pct = huge[i], .cpus = 256, .ceiling = 1000000
                };
                g_autoptr(GError) error = NULL;
                guint64 n = 7;
                assert_false(worker_count_resolve(&request, "g", &n, &error));
                assert_refused(error, KT_ERROR_LIMIT_EXCEEDED, "limit is 1000000");
                assert_int_equal(n, 7);
        }
}

/* ---- plans ---- */

/* Every mask of the work is within `within`, and has a CPU that is there. */
static void check_masks(const Machine *m, const PlanWork *w, const Set *within, const char *what) {
        Set online = machine_online(m);

        assert_on(m, w->spec.n_masks <= 1 || w->spec.n_masks == w->spec.n_workers, what);
        for (unsigned i = 0; i < w->spec.n_masks; i++) {
                const guint64 *words = &g_array_index(w->masks, guint64, i * w->spec.mask_words);
                Set mask = { 0 }, there;
                for (unsigned cpu = 0; cpu < w->spec.mask_words * 64; cpu++)
                        mask.has[cpu] = words[cpu / 64] >> cpu % 64 & 1;
                there = set_common(&mask, &online);
                assert_on(m, set_size(&there) > 0 && set_within(&mask, within), what);
        }
}

static void check_plan(Desk *d, const Machine *m, const char *cpuset, const char *affinity) {
        g_autofree char *list = g_strdup_printf("[{'name':'c','cpuset':'%s','works':[{'affinity':'%s',"
                                                "'workers':3}]}]",
                                                cpuset, affinity);
        Set within = machine_online(m);

        if (!desk_plans(d, SLOT_STEP, list)) {
                assert_on(m, g_str_has_prefix(d->error->message, "cgroups[0]."), d->error->message);
                return;
        }
        const CgroupState *cgroup = d->plan->cgroups->pdata[0];
        const PlanWork *work = ((PlanGroup *)d->plan->groups->pdata[0])->works->pdata[0];
        if (strcmp(affinity, "cross-cgroup") != 0)
                within = set_from(cgroup->cpuset);
        assert_on(m, set_size(&within) > 0, list);
        check_masks(m, work, &within, list);
        assert_on(m, !(strcmp(affinity, "inherit") == 0) || work->spec.n_masks == 0, list);
}

/* What is refused anywhere is refused with its place; what is planned stays in its cpuset. */
static void plan_on(const Machine *m) {
        static const char *const cpusets[] = { "llc:0",         "llc:1",        "numa:0",
                                               "numa:1",        "range:0.25-1", "range:0-0.25",
                                               "disjoint:1/2",  "disjoint:2/3", "overlap:0/2@0.5",
                                               "overlap:1/3@1", "cpus:0",       "cpus:1,3" };
        static const char *const intents[] = { "inherit",      "llc",      "single",   "smt-pair",
                                               "cross-cgroup", "cpus:0-1", "random:2", "random:1@1-200" };
        g_autoptr(Desk) d = desk_new("pu:1");

        d->context.topology = m->topology;
        for (size_t i = 0; i < G_N_ELEMENTS(cpusets); i++)
                for (size_t j = 0; j < G_N_ELEMENTS(intents); j++)
                        check_plan(d, m, cpusets[i], intents[j]);
}

static void plans(void **state G_GNUC_UNUSED) {
        for_each_machine(plan_on);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(affinities),
                cmocka_unit_test(mempolicies),
                cmocka_unit_test(long_lists_are_cut),
                cmocka_unit_test(counts),
                cmocka_unit_test(plans),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
