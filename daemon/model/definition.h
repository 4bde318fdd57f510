/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <hwloc.h>
#include <stdbool.h>
#include <stdint.h>

#include "topology/affinity.h"
#include "topology/cpuset-spec.h"
#include "topology/mempolicy.h"
#include "wire/work-type.h"
#include "payload.h"
#include "sched-policy.h"

/* What a caller asks for, decoded and checked as far as that goes without knowing the machine. Plain values:
 * nothing here was resolved against a topology yet. */

typedef struct OptionalNumber {
        bool set;
        int64_t value;
} OptionalNumber;

/* A limit that knows "max". */
typedef struct Limit {
        bool set;
        bool unlimited;
        uint64_t value;
} Limit;

typedef struct CpuLimits {
        bool present; /* the block stands in the definition: cpu.max is written, if only to record the period
                       */
        OptionalNumber weight;
        Limit quota_us;
        uint64_t period_us;
} CpuLimits;

typedef struct MemoryLimits {
        bool present; /* max, high and low are written, unset ones with the kernel's defaults */
        Limit max, high, low;
        Limit swap_max; /* written only when set: the file is absent on a kernel without swap accounting */
} MemoryLimits;

typedef struct IoLimits {
        bool present;
        OptionalNumber weight;
} IoLimits;

typedef struct PidsLimits {
        bool present;
        Limit max;
} PidsLimits;

/* Worker attributes that a definition may give for all its works; a work's own value wins. */
typedef struct WorkerAttributes {
        OptionalNumber nice, uid, gid, numa_node;
        char *comm;
} WorkerAttributes;

typedef struct WorkSpec {
        WorkTypeId work_type;
        uint64_t params[WORK_PARAMS_MAX];
        OptionalNumber workers;
        bool has_workers_pct;
        double workers_pct; /* fraction of the cgroup's CPUs */
        bool has_sched_policy;
        SchedPolicy sched_policy;
        AffinitySpec *affinity; /* NULL: inherit */
        MemPolicy *mem_policy;  /* NULL: default, no system call */
        unsigned mpol_flags;    /* MPOL_F_* mode flags */
        char *pcomm;            /* name of the leader whose threads the workers are; NULL: processes */
        WorkerAttributes own;
} WorkSpec;

typedef struct CgroupDef {
        char *origin; /* where it stands: "cgroups[1]", or "" for a single definition */
        char *name;
        CpusetSpec *cpuset;         /* NULL: inherit */
        hwloc_bitmap_t cpuset_mems; /* NULL: inherit */
        CpuLimits cpu;
        MemoryLimits memory;
        IoLimits io;
        PidsLimits pids;
        WorkerAttributes defaults;
        bool swappable;         /* a work type override of the call may replace its works' types */
        PayloadChoice *payload; /* NULL: none */
        GPtrArray *works; /* of WorkSpec; never empty: a definition without works has one default group */
} CgroupDef;

void work_spec_free(WorkSpec *spec);
void cgroup_def_free(CgroupDef *def);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WorkSpec, work_spec_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupDef, cgroup_def_free)

/* A group with the type's default parameters and nothing else set. */
WorkSpec *work_spec_new(WorkTypeId type);

/* The attributes that count for a work: its own, else the definition's. Points into both. */
WorkerAttributes worker_attributes_merge(const WorkerAttributes *own, const WorkerAttributes *defaults);
