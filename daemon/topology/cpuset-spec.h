/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "topology.h"

/* The `cpuset` strings. LLC, NUMA and explicit sets speak of all CPUs, the three others of the usable ones.
 */
typedef enum CpusetKind {
        CPUSET_LLC,      /* llc:N          the CPUs of one LLC */
        CPUSET_NUMA,     /* numa:ID        the CPUs of one NUMA node */
        CPUSET_RANGE,    /* range:A-B      from fraction A up to fraction B of the usable CPUs */
        CPUSET_DISJOINT, /* disjoint:I/N   part I of N equal ones; the last takes the remainder */
        CPUSET_OVERLAP,  /* overlap:I/N@F  the same, widened on both sides by fraction F of a part */
        CPUSET_CPUS,     /* cpus:LIST */
} CpusetKind;

typedef struct CpusetSpec {
        CpusetKind kind;
        guint64 index, of;
        double start, end, fraction;
        hwloc_bitmap_t cpus; /* CPUSET_CPUS, else NULL */
} CpusetSpec;

/* Grammar only; numbers that make no sense (range:0.8-0.2, disjoint:3/3, cpus:) parse, and are refused by
 * cpuset_spec_validate() with their own reason. */
CpusetSpec *cpuset_spec_parse(const char *text, GError **error);
void cpuset_spec_free(CpusetSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CpusetSpec, cpuset_spec_free)

char *cpuset_spec_format(const CpusetSpec *spec);

/* Total: any spec gives a set, if only the empty one; out-of-range llc and numa give the last one there is.
 */
hwloc_bitmap_t cpuset_spec_resolve(const CpusetSpec *spec, const Topology *t);
unsigned cpuset_spec_count(const CpusetSpec *spec, const Topology *t);

/* A valid spec may still resolve to no CPU, like range:0-0.1 of four: callers check that too. */
bool cpuset_spec_validate(const CpusetSpec *spec, const Topology *t, GError **error);
