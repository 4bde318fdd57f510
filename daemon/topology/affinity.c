/* SPDX-License-Identifier: GPL-2.0-only */
#include "affinity.h"

#include <stdarg.h>
#include <string.h>

#include "common/error.h"
#include "spec-text.h"

#define GRAMMAR                                                                                              \
        "an affinity is one of inherit, llc, single, smt-pair, cross-cgroup, cpus:LIST, random:COUNT and "   \
        "random:COUNT@LIST"

/* ---- parsing ---- */

static bool parse_cpus(const char *argument, AffinitySpec *spec, GError **error) {
        spec->cpus = bitmap_new();
        return cpulist_parse(argument, spec->cpus, error);
}

static bool parse_random(const char *argument, AffinitySpec *spec, GError **error) {
        const char *at = strchr(argument, '@');

        if (!spec_parse_number(argument, at ? (size_t)(at - argument) : strlen(argument), &spec->count))
                return false;
        return !at || parse_cpus(at + 1, spec, error);
}

/* ---- resolution ---- */

typedef struct Request {
        const AffinitySpec *spec;
        hwloc_const_bitmap_t cpuset; /* or NULL */
        hwloc_const_bitmap_t pool;   /* the cpuset, or every CPU */
        const Topology *topology;
} Request;

static bool refuse(const Request *r, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool refuse(const Request *r, GError **error, const char *format, ...) {
        g_autofree char *text = affinity_spec_format(r->spec), *shown = spec_excerpt(text), *reason = NULL;
        va_list args;

        va_start(args, format);
        reason = g_strdup_vprintf(format, args);
        va_end(args);
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "affinity '%s' cannot be satisfied: %s",
                    shown, reason);
        return false;
}

/* How messages speak of the cpuset: none, empty and a set must not look alike. */
static char *show_cpuset(hwloc_const_bitmap_t cpuset) {
        g_autofree char *list = cpuset ? cpulist_format(cpuset) : NULL;

        if (!cpuset)
                return g_strdup("no cpuset");
        return *list ? g_strdup_printf("cpuset %s", list) : g_strdup("empty cpuset");
}

static bool resolve_inherit(const Request *r G_GNUC_UNUSED, ResolvedAffinity *ret G_GNUC_UNUSED,
                            GError **error G_GNUC_UNUSED) {
        return true;
}

static bool resolve_llc(const Request *r, ResolvedAffinity *ret, GError **error) {
        g_auto(hwloc_bitmap_t) shared = bitmap_new();
        unsigned most = 0;

        ret->cpus = bitmap_new();
        for (unsigned i = 0; i < r->topology->n_llcs; i++) {
                hwloc_bitmap_and(shared, r->topology->llcs[i].cpus, r->pool);
                if (bitmap_size(shared) > most) {
                        most = bitmap_size(shared);
                        hwloc_bitmap_copy(ret->cpus, shared);
                }
        }
        if (most == 0) {
                g_autofree char *cpuset = show_cpuset(r->cpuset);
                return refuse(r, error,
                              "no LLC of this machine shares a CPU with the cgroup's cpuset (%s); widen the "
                              "cpuset or use 'inherit'",
                              cpuset);
        }
        return true;
}

static bool resolve_single(const Request *r, ResolvedAffinity *ret, GError **error) {
        if (hwloc_bitmap_iszero(r->pool))
                return refuse(
                        r, error,
                        "there is no CPU to pick from in the cgroup's empty cpuset; widen the cpuset or "
                        "use 'inherit'");
        ret->cpus = bitmap_new();
        hwloc_bitmap_only(ret->cpus, hwloc_bitmap_first(r->pool));
        return true;
}

static bool keep_pair(hwloc_const_bitmap_t core, hwloc_const_bitmap_t pool, hwloc_bitmap_t ret) {
        g_auto(hwloc_bitmap_t) siblings = bitmap_new();
        int first;

        hwloc_bitmap_and(siblings, core, pool);
        if (bitmap_size(siblings) < 2)
                return false;
        first = hwloc_bitmap_first(siblings);
        hwloc_bitmap_only(ret, first);
        hwloc_bitmap_set(ret, hwloc_bitmap_next(siblings, first));
        return true;
}

static bool resolve_smt_pair(const Request *r, ResolvedAffinity *ret, GError **error) {
        g_autofree char *where = NULL, *cpuset = show_cpuset(r->cpuset);

        ret->cpus = bitmap_new();
        for (unsigned i = 0; i < r->topology->n_llcs; i++)
                for (unsigned j = 0; j < r->topology->llcs[i].n_cores; j++)
                        if (keep_pair(r->topology->llcs[i].cores[j], r->pool, ret->cpus))
                                return true;

        where = r->cpuset ? g_strdup_printf("the effective cpuset (%s)", cpuset)
                          : g_strdup("the full topology");
        return refuse(r, error,
                      "no core has two siblings (hardware threads) in %s; use 'single' or 'inherit', or a "
                      "cpuset that holds a whole core with SMT",
                      where);
}

static bool resolve_cross_cgroup(const Request *r, ResolvedAffinity *ret, GError **error G_GNUC_UNUSED) {
        ret->cpus = bitmap_copy(r->topology->cpus);
        return true;
}

/* Without a cpuset nothing has compared the set with the machine yet. The kernel drops missing CPUs from a
 * mask silently, and fails a worker only when nothing is left. */
static bool check_against_machine(const Request *r, hwloc_const_bitmap_t set, GError **error) {
        int width = topology_mask_words(r->topology) * 64, last = hwloc_bitmap_last(set);
        g_autofree char *known = cpulist_format(r->topology->cpus);

        if (last >= width)
                return refuse(
                        r, error,
                        "CPU %d is beyond this machine's affinity masks of %d CPUs; its CPUs are %s; name "
                        "some of these or use 'inherit'",
                        last, width, known);
        if (!hwloc_bitmap_intersects(set, r->topology->cpus))
                return refuse(r, error,
                              "none of its CPUs exists here, the machine has %s; name some of these or use "
                              "'inherit'",
                              known);
        return true;
}

static bool resolve_cpus(const Request *r, ResolvedAffinity *ret, GError **error) {
        g_autofree char *cpuset = show_cpuset(r->cpuset);

        if (hwloc_bitmap_iszero(r->spec->cpus))
                return refuse(r, error, "the set is empty; name at least one CPU or use 'inherit'");
        ret->cpus = bitmap_copy(r->spec->cpus);
        if (!r->cpuset)
                return check_against_machine(r, ret->cpus, error);
        hwloc_bitmap_and(ret->cpus, ret->cpus, r->cpuset);
        if (hwloc_bitmap_iszero(ret->cpus))
                return refuse(r, error,
                              "it is disjoint from the cgroup's cpuset (%s); name CPUs of the cpuset or use "
                              "'inherit'",
                              cpuset);
        return true;
}

/* A worker that drew nothing but missing CPUs would fail, and only sometimes: all of the pool must exist. */
static bool check_pool(const Request *r, hwloc_const_bitmap_t pool, GError **error) {
        g_auto(hwloc_bitmap_t) missing = bitmap_new();
        g_autofree char *text = NULL;

        if (!check_against_machine(r, pool, error))
                return false;
        hwloc_bitmap_andnot(missing, pool, r->topology->cpus);
        if (hwloc_bitmap_iszero(missing))
                return true;
        text = cpulist_excerpt(missing);
        return refuse(
                r, error,
                "CPUs %s of its pool do not exist here, so some workers could not run; leave them out or "
                "use 'inherit'",
                text);
}

static bool resolve_random(const Request *r, ResolvedAffinity *ret, GError **error) {
        hwloc_const_bitmap_t from = r->spec->cpus ?: r->topology->cpus;
        g_autofree char *cpuset = show_cpuset(r->cpuset), *list = cpulist_excerpt(from);

        if (r->spec->count == 0)
                return refuse(r, error, "the count is 0; draw at least one CPU or use 'inherit'");
        ret->outcome = AFFINITY_OUTCOME_RANDOM;
        ret->count = r->spec->count;
        ret->cpus = bitmap_copy(from);
        if (r->cpuset)
                hwloc_bitmap_and(ret->cpus, from, r->cpuset);
        if (!hwloc_bitmap_iszero(ret->cpus))
                return r->cpuset || check_pool(r, ret->cpus, error);
        if (!r->cpuset)
                return refuse(r, error,
                              "the pool to draw from is empty; name at least one CPU after '@', leave "
                              "'@' out, or use 'inherit'");
        return refuse(
                r, error,
                "the intersection of its pool (%s) with the cgroup's cpuset (%s) is empty; name CPUs of "
                "the cpuset or use 'inherit'",
                *list ? list : "no CPU", cpuset);
}

/* ---- the forms ---- */

static const struct {
        const char *word, *form, *grammar, *example;
        bool (*parse)(const char *argument, AffinitySpec *spec, GError **error); /* NULL: no argument */
        AffinityOutcome outcome;
        bool (*resolve)(const Request *r, ResolvedAffinity *ret, GError **error);
} FORMS[] = {
        [AFFINITY_INHERIT] = { "inherit", "inherit", "without an argument", "inherit", NULL,
                               AFFINITY_OUTCOME_NONE, resolve_inherit },
        [AFFINITY_LLC] = { "llc", "llc", "without an argument", "llc", NULL, AFFINITY_OUTCOME_FIXED,
                           resolve_llc },
        [AFFINITY_SINGLE] = { "single", "single", "without an argument", "single", NULL,
                              AFFINITY_OUTCOME_FIXED, resolve_single },
        [AFFINITY_SMT_PAIR] = { "smt-pair", "smt-pair", "without an argument", "smt-pair", NULL,
                                AFFINITY_OUTCOME_FIXED, resolve_smt_pair },
        [AFFINITY_CROSS_CGROUP] = { "cross-cgroup", "cross-cgroup", "without an argument", "cross-cgroup",
                                    NULL, AFFINITY_OUTCOME_FIXED, resolve_cross_cgroup },
        [AFFINITY_CPUS] = { "cpus", "cpus:LIST", "cpus:LIST", "cpus:0-3,5", parse_cpus,
                            AFFINITY_OUTCOME_FIXED, resolve_cpus },
        [AFFINITY_RANDOM] = { "random", "random:COUNT", "random:COUNT or random:COUNT@LIST", "random:2@0-7",
                              parse_random, AFFINITY_OUTCOME_RANDOM, resolve_random },
};

static const char *nth_word(size_t i, const void *context G_GNUC_UNUSED) {
        return FORMS[i].word;
}

static const char *nth_form(size_t i, const void *context G_GNUC_UNUSED) {
        return FORMS[i].form;
}

static const SpecWords WORDS = { nth_word, nth_form, G_N_ELEMENTS(FORMS), NULL };

static bool find_form(const char *word, AffinityKind *ret) {
        for (size_t i = 0; i < G_N_ELEMENTS(FORMS); i++)
                if (strcmp(word, FORMS[i].word) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

static bool parse_argument(const char *argument, AffinitySpec *spec, GError **error) {
        if (!FORMS[spec->kind].parse)
                return !argument;
        return argument && FORMS[spec->kind].parse(argument, spec, error);
}

AffinitySpec *affinity_spec_parse(const char *text, GError **error) {
        g_autoptr(AffinitySpec) spec = g_new0(AffinitySpec, 1);
        g_autoptr(GError) detail = NULL;
        const char *argument;
        g_autofree char *word = spec_split(text, &argument);

        if (!find_form(word, &spec->kind)) {
                spec_unknown_word(error, "affinity", text, &WORDS, GRAMMAR);
                return NULL;
        }
        if (!parse_argument(argument, spec, &detail)) {
                spec_malformed(error, "affinity", text, FORMS[spec->kind].grammar, FORMS[spec->kind].example,
                               detail);
                return NULL;
        }
        return g_steal_pointer(&spec);
}

void affinity_spec_free(AffinitySpec *spec) {
        if (!spec)
                return;
        hwloc_bitmap_free(spec->cpus);
        g_free(spec);
}

char *affinity_spec_format(const AffinitySpec *spec) {
        g_autofree char *list = spec->cpus ? cpulist_format(spec->cpus) : NULL;

        if (spec->kind == AFFINITY_CPUS)
                return g_strdup_printf("cpus:%s", list);
        if (spec->kind == AFFINITY_RANDOM)
                return g_strdup_printf("random:%" G_GUINT64_FORMAT "%s%s", spec->count, list ? "@" : "",
                                       list ?: "");
        return g_strdup(FORMS[spec->kind].word);
}

ResolvedAffinity *affinity_resolve(const AffinitySpec *spec, hwloc_const_bitmap_t cpuset, const Topology *t,
                                   GError **error) {
        g_autoptr(ResolvedAffinity) resolved = g_new0(ResolvedAffinity, 1);
        Request request = { .spec = spec, .cpuset = cpuset, .pool = cpuset ?: t->cpus, .topology = t };

        resolved->outcome = FORMS[spec->kind].outcome;
        if (!FORMS[spec->kind].resolve(&request, resolved, error))
                return NULL;
        return g_steal_pointer(&resolved);
}

void resolved_affinity_free(ResolvedAffinity *resolved) {
        if (!resolved)
                return;
        hwloc_bitmap_free(resolved->cpus);
        g_free(resolved);
}

bool affinity_narrow_to_node(ResolvedAffinity *resolved, unsigned node, hwloc_const_bitmap_t cpuset,
                             const Topology *t, GError **error) {
        const NumaNode *found = topology_node(t, node);
        g_auto(hwloc_bitmap_t) kept = bitmap_copy(resolved->cpus ?: (cpuset ?: t->cpus));

        if (!found) {
                g_autofree char *known = cpulist_format(t->node_ids);
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "numa_node %u does not exist here; the nodes are %s; use one of these", node,
                            known);
                return false;
        }
        hwloc_bitmap_and(kept, kept, found->cpus);
        if (hwloc_bitmap_iszero(kept)) {
                g_autofree char *theirs = cpulist_format(found->cpus);
                g_autofree char *ours = cpulist_format(resolved->cpus ?: (cpuset ?: t->cpus));
                g_set_error(
                        error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                        "numa_node %u leaves the worker no CPU; the node has %s, affinity and cpuset allow "
                        "%s; choose a node they reach, or widen them",
                        node, *theirs ? theirs : "none", *ours ? ours : "none");
                return false;
        }
        if (resolved->outcome == AFFINITY_OUTCOME_NONE)
                resolved->outcome = AFFINITY_OUTCOME_FIXED;
        hwloc_bitmap_free(resolved->cpus);
        resolved->cpus = g_steal_pointer(&kept);
        return true;
}

/* Selection sampling: each CPU is taken with the chance that as many as are still needed come out of as many
 * as are left, which makes every subset of that size equally likely. */
static hwloc_bitmap_t draw_from(hwloc_const_bitmap_t pool, guint64 count, GRand *rng) {
        hwloc_bitmap_t drawn = bitmap_new();
        unsigned left = bitmap_size(pool), needed = MIN(count, left);
        int cpu;

        hwloc_bitmap_foreach_begin(cpu, pool) {
                if ((unsigned)g_rand_int_range(rng, 0, left--) < needed) {
                        hwloc_bitmap_set(drawn, cpu);
                        needed--;
                }
        }
        hwloc_bitmap_foreach_end();
        return drawn;
}

hwloc_bitmap_t affinity_draw(const ResolvedAffinity *resolved, GRand *rng) {
        if (resolved->outcome == AFFINITY_OUTCOME_NONE)
                return NULL;
        g_assert(resolved->cpus && !hwloc_bitmap_iszero(resolved->cpus));
        if (resolved->outcome == AFFINITY_OUTCOME_FIXED)
                return bitmap_copy(resolved->cpus);
        g_assert(resolved->count > 0);
        return draw_from(resolved->cpus, resolved->count, rng);
}
