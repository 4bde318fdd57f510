/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "topology.h"

/* The `affinity` strings. All but cross-cgroup stay inside the cgroup's recorded cpuset. */
typedef enum AffinityKind {
        AFFINITY_INHERIT,      /* no mask of its own */
        AFFINITY_LLC,          /* the LLC that has most CPUs of the cpuset, within the cpuset */
        AFFINITY_SINGLE,       /* the lowest CPU, for all workers */
        AFFINITY_SMT_PAIR,     /* two hardware threads of one core */
        AFFINITY_CROSS_CGROUP, /* every CPU of the machine; the kernel clips it to the cpuset */
        AFFINITY_CPUS,         /* cpus:LIST */
        AFFINITY_RANDOM,       /* random:COUNT[@LIST]: drawn anew for each worker */
} AffinityKind;

typedef struct AffinitySpec {
        AffinityKind kind;
        guint64 count;       /* AFFINITY_RANDOM */
        hwloc_bitmap_t cpus; /* AFFINITY_CPUS; AFFINITY_RANDOM: the pool, NULL = every CPU */
} AffinitySpec;

AffinitySpec *affinity_spec_parse(const char *text, GError **error);
void affinity_spec_free(AffinitySpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AffinitySpec, affinity_spec_free)

char *affinity_spec_format(const AffinitySpec *spec);

typedef enum AffinityOutcome {
        AFFINITY_OUTCOME_NONE,
        AFFINITY_OUTCOME_FIXED,
        AFFINITY_OUTCOME_RANDOM,
} AffinityOutcome;

typedef struct ResolvedAffinity {
        AffinityOutcome outcome;
        hwloc_bitmap_t cpus; /* the set or the pool, never empty; NULL with AFFINITY_OUTCOME_NONE */
        guint64 count;       /* AFFINITY_OUTCOME_RANDOM: > 0; more than the pool has means all of it */
} ResolvedAffinity;

/* `cpuset` NULL = none is recorded for the cgroup. */
ResolvedAffinity *affinity_resolve(const AffinitySpec *spec, hwloc_const_bitmap_t cpuset, const Topology *t,
                                   GError **error);
void resolved_affinity_free(ResolvedAffinity *resolved);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ResolvedAffinity, resolved_affinity_free)

/* A work's `numa_node`: keeps the CPUs of that node only. `cpuset` as above. On failure nothing changes. */
bool affinity_narrow_to_node(ResolvedAffinity *resolved, unsigned node, hwloc_const_bitmap_t cpuset,
                             const Topology *t, GError **error);

/* The mask of one worker; NULL = none. Independent of all draws before. */
hwloc_bitmap_t affinity_draw(const ResolvedAffinity *resolved, GRand *rng);
