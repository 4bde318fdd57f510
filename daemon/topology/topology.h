/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <hwloc.h>
#include <stdbool.h>

#include "cpulist.h"

/* The machine as scheduler tests see it. A value: it does not change once made, and everything else in this
 * room computes on it. There is always at least one CPU, one LLC and one NUMA node. */

/* CPUs that share their last-level cache: the largest data or unified cache above them. CPUs without any
 * cache share one Llc. */
typedef struct Llc {
        unsigned index; /* `llc:N`; ascending with the lowest CPU */
        unsigned level; /* of the cache, 3 for L3; 0 = no cache is known */
        hwloc_bitmap_t cpus;
        unsigned numa_node;    /* that of the lowest CPU */
        guint64 size_kib;      /* rounded up; 0 = unknown */
        hwloc_bitmap_t *cores; /* hardware threads of each core, ascending with the lowest CPU */
        unsigned n_cores;
} Llc;

typedef struct NumaNode {
        unsigned id;
        hwloc_bitmap_t cpus; /* each CPU belongs to exactly one node */
        bool memory_only;    /* has no CPU, not even one that is offline or withheld */
        guint64 total_kib;   /* 0 = unknown */
} NumaNode;

typedef struct Topology {
        hwloc_bitmap_t cpus;     /* online and ours to use */
        hwloc_bitmap_t usable;   /* of more than 2 CPUs all but the highest, which is the root cgroup's */
        hwloc_bitmap_t withheld; /* online, but outside this process's own affinity */
        hwloc_bitmap_t node_ids;
        Llc *llcs;
        unsigned n_llcs;
        NumaNode *nodes; /* ascending id; ids may have gaps */
        unsigned n_nodes;
        unsigned *distances;    /* n_nodes rows of n_nodes, in the order of `nodes` */
        bool distances_assumed; /* the machine told none: 10 to itself, 20 to others */
        unsigned mask_words;    /* 64-bit words that hold the highest CPU the machine may ever have */
} Topology;

/* The running machine, narrowed to this process's own affinity. HWLOC_SYNTHETIC and HWLOC_XMLFILE replace it
 * by a machine of another shape, as in any hwloc program. */
Topology *topology_new_live(GError **error);

/* A shape in hwloc's synthetic notation, "numa:2 l3:2 core:4 pu:2". */
Topology *topology_new_synthetic(const char *description, GError **error);

void topology_free(Topology *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Topology, topology_free)

/* What is left of the online CPUs under an affinity of our own; `own` NULL = it could not be read. */
bool topology_effective_cpus(hwloc_const_bitmap_t online, hwloc_const_bitmap_t own, hwloc_bitmap_t ret,
                             GError **error);

const Llc *topology_llc(const Topology *t, guint64 index);    /* NULL when there is none */
const NumaNode *topology_node(const Topology *t, guint64 id); /* NULL when there is none */

/* Ids of the nodes that own at least one CPU of the set; never a memory-only one. */
hwloc_bitmap_t topology_nodes_of(const Topology *t, hwloc_const_bitmap_t cpus);

enum { TOPOLOGY_DISTANCE_UNKNOWN = 255 /* "unreachable" in an ACPI SLIT */ };
unsigned topology_distance(const Topology *t, unsigned from, unsigned to);

unsigned topology_mask_words(const Topology *t);
/* The set as topology_mask_words() words; CPUs beyond them are left out. */
void topology_mask_fill(const Topology *t, hwloc_const_bitmap_t cpus, guint64 *ret_words);
