/* SPDX-License-Identifier: GPL-2.0-only */
#include "topology.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "spec-text.h"

typedef struct hwloc_topology HwlocTopology;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HwlocTopology, hwloc_topology_destroy)

enum { DISTANCE_LOCAL = 10, DISTANCE_REMOTE = 20, MASK_BITS = 64 };

/* ---- NUMA nodes ---- */

static int by_id(const void *a, const void *b) {
        unsigned x = ((const NumaNode *)a)->id, y = ((const NumaNode *)b)->id;
        return (x > y) - (x < y);
}

/* hwloc also places a node without CPUs (CXL, HBM) near the CPUs that reach it best, so several nodes may
 * claim one CPU. The kernel's own answer is the tightest node; of equal ones the lowest id, as CPU nodes come
 * first. */
static hwloc_obj_t owner_of(HwlocTopology *source, unsigned cpu) {
        hwloc_obj_t best = NULL, node = NULL;
        int best_size = 0;

        while ((node = hwloc_get_next_obj_by_type(source, HWLOC_OBJ_NUMANODE, node))) {
                int size = hwloc_bitmap_weight(node->complete_cpuset);
                if (!hwloc_bitmap_isset(node->complete_cpuset, cpu))
                        continue;
                if (!best || size < best_size || (size == best_size && node->os_index < best->os_index)) {
                        best = node;
                        best_size = size;
                }
        }
        return best;
}

static void share_out_cpus(Topology *t, HwlocTopology *source) {
        hwloc_const_bitmap_t all = hwloc_topology_get_complete_cpuset(source);
        int cpu;

        hwloc_bitmap_foreach_begin(cpu, all) {
                hwloc_obj_t owner = owner_of(source, cpu);
                NumaNode *node = (NumaNode *)topology_node(t, owner ? owner->os_index : t->nodes[0].id);
                node->memory_only = false;
                if (hwloc_bitmap_isset(t->cpus, cpu))
                        hwloc_bitmap_set(node->cpus, cpu);
        }
        hwloc_bitmap_foreach_end();
}

static void add_nodes(Topology *t, HwlocTopology *source) {
        g_autoptr(GArray) nodes = g_array_new(FALSE, TRUE, sizeof(NumaNode));
        hwloc_obj_t obj = NULL;
        gsize n;

        t->node_ids = bitmap_new();
        while ((obj = hwloc_get_next_obj_by_type(source, HWLOC_OBJ_NUMANODE, obj))) {
                NumaNode node = { .id = obj->os_index,
                                  .cpus = bitmap_new(),
                                  .memory_only = true,
                                  .total_kib = obj->attr->numanode.local_memory / 1024 };
                hwloc_bitmap_set(t->node_ids, node.id);
                g_array_append_val(nodes, node);
        }
        g_assert(nodes->len > 0); /* hwloc 2 makes one up where the system has none */
        g_array_sort(nodes, by_id);
        t->nodes = g_array_steal(nodes, &n);
        t->n_nodes = n;
        share_out_cpus(t, source);
}

/* ---- distances ---- */

static void assume_distances(Topology *t) {
        for (unsigned i = 0; i < t->n_nodes * t->n_nodes; i++)
                t->distances[i] = i / t->n_nodes == i % t->n_nodes ? DISTANCE_LOCAL : DISTANCE_REMOTE;
        t->distances_assumed = true;
}

static bool copy_distances(Topology *t, const struct hwloc_distances_s *from) {
        unsigned n = from->nbobjs;

        if (n != t->n_nodes)
                return false;
        for (unsigned i = 0; i < n; i++)
                if (!topology_node(t, from->objs[i]->os_index))
                        return false;
        for (unsigned i = 0; i < n * n; i++) {
                const NumaNode *row = topology_node(t, from->objs[i / n]->os_index);
                const NumaNode *column = topology_node(t, from->objs[i % n]->os_index);
                t->distances[(row - t->nodes) * n + (column - t->nodes)] =
                        MIN(from->values[i], TOPOLOGY_DISTANCE_UNKNOWN);
        }
        return true;
}

static void add_distances(Topology *t, HwlocTopology *source) {
        struct hwloc_distances_s *found = NULL;
        unsigned n = 1;

        t->distances = g_new0(unsigned, t->n_nodes * t->n_nodes);
        if (hwloc_distances_get_by_type(source, HWLOC_OBJ_NUMANODE, &n, &found,
                                        HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0 ||
            n == 0 || !found) {
                assume_distances(t);
                return;
        }
        if (!copy_distances(t, found))
                assume_distances(t);
        hwloc_distances_release(source, found);
}

/* ---- last-level caches and cores ---- */

static hwloc_obj_t last_level_cache(HwlocTopology *source, unsigned cpu) {
        hwloc_obj_t obj = hwloc_get_pu_obj_by_os_index(source, cpu), found = NULL;

        for (; obj; obj = obj->parent)
                if (hwloc_obj_type_is_dcache(obj->type))
                        found = obj;
        return found;
}

static hwloc_obj_t core_of(HwlocTopology *source, unsigned cpu) {
        hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(source, cpu);
        return pu ? hwloc_get_ancestor_obj_by_type(source, HWLOC_OBJ_CORE, pu) : NULL;
}

/* Takes the core of the lowest remaining CPU out of `remaining`; a CPU without one is a core by itself. */
static hwloc_bitmap_t take_core(HwlocTopology *source, hwloc_bitmap_t remaining) {
        unsigned cpu = hwloc_bitmap_first(remaining);
        hwloc_obj_t core = core_of(source, cpu);
        hwloc_bitmap_t siblings = bitmap_new();

        if (core)
                hwloc_bitmap_and(siblings, core->cpuset, remaining);
        else
                hwloc_bitmap_only(siblings, cpu);
        hwloc_bitmap_andnot(remaining, remaining, siblings);
        return siblings;
}

static void add_cores(Llc *llc, HwlocTopology *source) {
        g_auto(hwloc_bitmap_t) remaining = bitmap_copy(llc->cpus);

        llc->cores = g_new0(hwloc_bitmap_t, bitmap_size(llc->cpus));
        while (!hwloc_bitmap_iszero(remaining))
                llc->cores[llc->n_cores++] = take_core(source, remaining);
}

/* Takes the CPUs below `cache` out of `remaining`; below NULL are those that have no cache. */
static hwloc_bitmap_t take_cache(HwlocTopology *source, hwloc_obj_t cache, hwloc_bitmap_t remaining) {
        hwloc_bitmap_t cpus = bitmap_new();
        int cpu;

        if (cache) {
                hwloc_bitmap_and(cpus, cache->cpuset, remaining);
        } else {
                hwloc_bitmap_foreach_begin(cpu, remaining) {
                        if (!last_level_cache(source, cpu))
                                hwloc_bitmap_set(cpus, cpu);
                }
                hwloc_bitmap_foreach_end();
        }
        hwloc_bitmap_andnot(remaining, remaining, cpus);
        return cpus;
}

static unsigned node_of_cpu(const Topology *t, unsigned cpu) {
        for (unsigned i = 0; i < t->n_nodes; i++)
                if (hwloc_bitmap_isset(t->nodes[i].cpus, cpu))
                        return t->nodes[i].id;
        return t->nodes[0].id;
}

static void add_llcs(Topology *t, HwlocTopology *source) {
        g_autoptr(GArray) llcs = g_array_new(FALSE, TRUE, sizeof(Llc));
        g_auto(hwloc_bitmap_t) remaining = bitmap_copy(t->cpus);
        gsize n;

        while (!hwloc_bitmap_iszero(remaining)) {
                unsigned cpu = hwloc_bitmap_first(remaining);
                hwloc_obj_t cache = last_level_cache(source, cpu);
                Llc llc = { .index = llcs->len, .numa_node = node_of_cpu(t, cpu) };

                if (cache) {
                        llc.level = cache->attr->cache.depth;
                        llc.size_kib = cache->attr->cache.size / 1024 + (cache->attr->cache.size % 1024 != 0);
                }
                llc.cpus = take_cache(source, cache, remaining);
                add_cores(&llc, source);
                g_array_append_val(llcs, llc);
        }
        t->llcs = g_array_steal(llcs, &n);
        t->n_llcs = n;
}

/* ---- the whole ---- */

static Topology *build(HwlocTopology *source, hwloc_const_bitmap_t cpus) {
        hwloc_const_bitmap_t online = hwloc_topology_get_topology_cpuset(source);
        int highest = hwloc_bitmap_last(hwloc_topology_get_complete_cpuset(source));
        Topology *t = g_new0(Topology, 1);

        t->cpus = bitmap_copy(cpus);
        t->usable = bitmap_copy(cpus);
        if (bitmap_size(cpus) > 2)
                hwloc_bitmap_clr(t->usable, hwloc_bitmap_last(cpus));
        t->withheld = bitmap_new();
        hwloc_bitmap_andnot(t->withheld, online, cpus);
        t->mask_words = MAX(highest, hwloc_bitmap_last(cpus)) / MASK_BITS + 1;
        add_nodes(t, source);
        add_distances(t, source);
        add_llcs(t, source);
        return t;
}

bool topology_effective_cpus(hwloc_const_bitmap_t online, hwloc_const_bitmap_t own, hwloc_bitmap_t ret,
                             GError **error) {
        g_autofree char *online_text = cpulist_format(online), *own_text = own ? cpulist_format(own) : NULL;

        if (hwloc_bitmap_iszero(online)) {
                g_set_error(
                        error, KT_ERROR, KT_ERROR_KERNEL_REFUSED,
                        "the system reports no online CPU; there is always one; check that /sys is mounted");
                return false;
        }
        if (own && !hwloc_bitmap_intersects(online, own)) {
                g_set_error(error, KT_ERROR, KT_ERROR_KERNEL_REFUSED,
                            "this process's own affinity (%s) is disjoint from the online CPUs (%s); change "
                            "CPUAffinity= of its unit or start it without taskset",
                            own_text, online_text);
                return false;
        }
        hwloc_bitmap_copy(ret, online);
        if (own)
                hwloc_bitmap_and(ret, ret, own);
        return true;
}

/* Discovery must not bind us to one CPU after the other, as hwloc's cpuid backend likes to: on a CPU that a
 * SCHED_FIFO hog owns it would never come back. Sysfs tells enough. */
static HwlocTopology *open_source(GError **error) {
        HwlocTopology *source;

        if (hwloc_topology_init(&source) < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_KERNEL_REFUSED, "hwloc cannot start: %s",
                            g_strerror(errno));
                return NULL;
        }
        hwloc_topology_set_flags(source, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING);
        return source;
}

Topology *topology_new_live(GError **error) {
        g_autoptr(HwlocTopology) source = open_source(error);
        g_auto(hwloc_bitmap_t) own = bitmap_new(), cpus = bitmap_new();
        bool known;

        if (!source)
                return NULL;
        if (hwloc_topology_load(source) < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_KERNEL_REFUSED,
                            "the machine's topology cannot be read: %s; check /sys, and HWLOC_XMLFILE or "
                            "HWLOC_SYNTHETIC where they are set",
                            g_strerror(errno));
                return NULL;
        }
        known = hwloc_topology_is_thissystem(source) &&
                hwloc_get_cpubind(source, own, HWLOC_CPUBIND_THREAD) == 0;
        if (!topology_effective_cpus(hwloc_topology_get_topology_cpuset(source), known ? own : NULL, cpus,
                                     error))
                return NULL;
        return build(source, cpus);
}

Topology *topology_new_synthetic(const char *description, GError **error) {
        g_autoptr(HwlocTopology) source = open_source(error);

        if (!source)
                return NULL;
        if (hwloc_topology_set_synthetic(source, description) < 0 || hwloc_topology_load(source) < 0) {
                g_autofree char *shown = spec_excerpt(description);
                g_set_error(
                        error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                        "'%s' is not a topology in hwloc's synthetic notation; write it like 'numa:2 l3:2 "
                        "core:4 pu:2'",
                        shown);
                return NULL;
        }
        return build(source, hwloc_topology_get_topology_cpuset(source));
}

static void llc_clear(Llc *llc) {
        for (unsigned i = 0; i < llc->n_cores; i++)
                hwloc_bitmap_free(llc->cores[i]);
        g_free(llc->cores);
        hwloc_bitmap_free(llc->cpus);
}

void topology_free(Topology *t) {
        if (!t)
                return;
        for (unsigned i = 0; i < t->n_llcs; i++)
                llc_clear(&t->llcs[i]);
        for (unsigned i = 0; i < t->n_nodes; i++)
                hwloc_bitmap_free(t->nodes[i].cpus);
        hwloc_bitmap_free(t->cpus);
        hwloc_bitmap_free(t->usable);
        hwloc_bitmap_free(t->withheld);
        hwloc_bitmap_free(t->node_ids);
        g_free(t->llcs);
        g_free(t->nodes);
        g_free(t->distances);
        g_free(t);
}

/* ---- queries ---- */

const Llc *topology_llc(const Topology *t, guint64 index) {
        return index < t->n_llcs ? &t->llcs[index] : NULL;
}

const NumaNode *topology_node(const Topology *t, guint64 id) {
        for (unsigned i = 0; i < t->n_nodes; i++)
                if (t->nodes[i].id == id)
                        return &t->nodes[i];
        return NULL;
}

hwloc_bitmap_t topology_nodes_of(const Topology *t, hwloc_const_bitmap_t cpus) {
        hwloc_bitmap_t ids = bitmap_new();

        for (unsigned i = 0; i < t->n_nodes; i++)
                if (hwloc_bitmap_intersects(t->nodes[i].cpus, cpus))
                        hwloc_bitmap_set(ids, t->nodes[i].id);
        return ids;
}

unsigned topology_distance(const Topology *t, unsigned from, unsigned to) {
        const NumaNode *row = topology_node(t, from), *column = topology_node(t, to);

        if (!row || !column)
                return TOPOLOGY_DISTANCE_UNKNOWN;
        return t->distances[(row - t->nodes) * t->n_nodes + (column - t->nodes)];
}

unsigned topology_mask_words(const Topology *t) {
        return t->mask_words;
}

void topology_mask_fill(const Topology *t, hwloc_const_bitmap_t cpus, guint64 *ret_words) {
        int cpu;

        memset(ret_words, 0, t->mask_words * sizeof(guint64));
        hwloc_bitmap_foreach_begin(cpu, cpus) {
                if ((unsigned)cpu / MASK_BITS < t->mask_words)
                        ret_words[cpu / MASK_BITS] |= G_GUINT64_CONSTANT(1) << cpu % MASK_BITS;
        }
        hwloc_bitmap_foreach_end();
}
