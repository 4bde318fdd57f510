/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

/* One shared memory arena for each worker group: the executor makes it as a memfd before the first fork, the
 * workers inherit the mapping, the daemon maps it read-only and reads counters and reports at any time. The
 * workers of a group are processes of their own, or the threads of one leader (a pcomm container), and a
 * container may hold several works: they share the arena, one range of slots each.
 *
 * Who writes what: `gate`, `stop`, `phase` and `numa_migrated` the executor; `leader_*` the leader; a slot's
 * `pid`, `exit_*` and `placement` the executor; everything else in a slot its own worker; regions, the
 * workers that share them. A worker's part is complete once `state` says WORKER_FINISHED; what a killed
 * worker had published until then stays and is what its report shows.
 *
 * Layout: ArenaHead, `n_regions` regions of `region_size` bytes (a multiple of ARENA_LINE), then `n_workers`
 * slots of `slot_size` bytes. A slot is an ArenaSlot and its record; then come `n_phases` times a PhaseSlice
 * and its record. A record is `cpu_words` words of the set of CPUs used, `n_nodes` page counts, and
 * `n_histograms` histograms. Pages that nobody wrote to cost nothing, so slices are there for many phases. */
enum {
        ARENA_MAGIC = 0x6b744131, /* "ktA1" */
        ARENA_LINE = 128,         /* two cache lines: the adjacent-line prefetcher pairs them */
        ARENA_MIGRATIONS = 256,
        ARENA_CGROUP_PATH = 512,
        ARENA_PHASES = 64, /* slices kept for a worker that may outlive a step */
};

/* Phases: 0 before the first step, the step's number from 1 on, PHASE_BETWEEN from a step's end to the next
 * one's begin. */
#define PHASE_BETWEEN UINT32_MAX

typedef enum WorkerState {
        WORKER_UNBORN,   /* zero-filled memory */
        WORKER_BORN,     /* first instruction reached */
        WORKER_READY,    /* set up, waiting at the gate */
        WORKER_REFUSED,  /* set-up failed: setup_step and setup_errno say where and why; the worker exits */
        WORKER_RUNNING,  /* past the gate */
        WORKER_FINISHED, /* report complete, about to exit */
} WorkerState;

/* Steps of a worker's set-up, in the order in which they are carried out. */
typedef enum SetupStep {
        SETUP_NONE,
        SETUP_PARENT,    /* parent-death signal; the parent was gone already */
        SETUP_PIPES,     /* pipe2: the pipes that a work type's workers share */
        SETUP_THREAD,    /* pthread_create, in a leader */
        SETUP_AFFINITY,  /* sched_setaffinity */
        SETUP_POLICY,    /* sched_setattr: policy, priority or deadline, nice */
        SETUP_MEMPOLICY, /* set_mempolicy */
        SETUP_COMM,      /* prctl PR_SET_NAME */
        SETUP_GID,       /* setresgid */
        SETUP_UID,       /* setresuid */
        SETUP_STEP_COUNT,
} SetupStep;

typedef enum WorkerExit {
        WORKER_EXIT_NONE,     /* still there */
        WORKER_EXIT_CODE,     /* exited; exit_value is the code */
        WORKER_EXIT_SIGNAL,   /* killed; exit_value is the signal */
        WORKER_EXIT_DEADLINE, /* did not answer the stop in time and was killed by the executor */
} WorkerExit;

typedef enum WorkerPlacement {
        PLACEMENT_BORN,  /* clone3(CLONE_INTO_CGROUP) */
        PLACEMENT_MOVED, /* clone3 refused: forked, then written to cgroup.procs while held */
} WorkerPlacement;

typedef struct ArenaHead {
        uint32_t magic;
        uint32_t n_workers;
        uint32_t slot_size;
        uint32_t cpu_words;
        uint32_t n_histograms;
        uint32_t samples; /* WorkSample bits, lowest bit = first histogram; of a container, those of all its
                             works */
        uint32_t n_phases;
        uint32_t n_nodes; /* highest possible NUMA node + 1 */
        uint32_t n_regions, region_size;
        uint32_t n_parties;                           /* who must settle: the workers, and the leader */
        alignas(ARENA_LINE) _Atomic uint32_t gate;    /* futex: 0 closed, 1 open */
        alignas(ARENA_LINE) _Atomic uint32_t stop;    /* futex: 0 run, 1 stop; sleeps wait on it */
        alignas(ARENA_LINE) _Atomic uint32_t settled; /* parties that are ready or refused */

        /* numa_pages_migrated of /proc/vmstat, which is the machine's, as the executor last read it: it is
         * read afresh before the gate opens, before the phase changes and before the stop. */
        alignas(ARENA_LINE) _Atomic uint32_t phase;
        _Atomic uint32_t numa_migrated_valid;
        _Atomic uint64_t numa_migrated;

        /* of a container */
        _Atomic uint32_t leader_state; /* WorkerState, up to WORKER_READY or WORKER_REFUSED */
        _Atomic uint32_t leader_step;  /* SetupStep, when refused */
        _Atomic int32_t leader_errno;
} ArenaHead;

typedef struct Migration {
        uint64_t at_ns; /* since the worker's start */
        uint32_t from_cpu, to_cpu;
} Migration;

typedef struct ArenaSlot {
        /* live, published at least every millisecond of running */
        alignas(ARENA_LINE) _Atomic uint64_t iterations;
        _Atomic uint64_t work_units;
        _Atomic uint32_t state; /* WorkerState */
        _Atomic int32_t pid;    /* as the executor sees it; of a thread, its leader's */
        _Atomic int32_t tid;    /* its own, from the first instruction on */
        _Atomic uint32_t placement;
        _Atomic uint32_t exit_kind; /* WorkerExit, written after exit_value */
        _Atomic int32_t exit_value;
        _Atomic uint32_t setup_step; /* SetupStep, when refused */
        _Atomic int32_t setup_errno;

        /* kept at checkpoints */
        _Atomic uint64_t started_ns; /* CLOCK_MONOTONIC when the gate let it through */
        _Atomic uint64_t migrations;
        _Atomic uint64_t max_gap_ns; /* most CPU time between two checkpoints: computing without progress */
        _Atomic uint64_t max_gap_at_ns;
        _Atomic uint64_t max_gap_wall_ns; /* longest wall time between two: being kept from the CPU, too */
        _Atomic uint32_t max_gap_cpu;
        _Atomic uint32_t last_cpu;
        _Atomic uint32_t phases; /* closed; the first n_phases have a slice, which is complete when counted */

        /* complete at the end */
        _Atomic uint64_t wall_ns;
        _Atomic uint64_t cpu_ns;
        _Atomic uint64_t run_delay_ns; /* /proc/thread-self/schedstat: end minus start */
        _Atomic uint64_t run_count;
        _Atomic uint64_t sched_cpu_ns;
        _Atomic uint32_t schedstat_valid;
        _Atomic uint32_t numa_pages_valid;
        _Atomic uint32_t numa_migrated_valid;
        _Atomic uint64_t numa_migrated; /* pages that the machine migrated meanwhile */

        Migration migration_log[ARENA_MIGRATIONS]; /* the first ones; `migrations` counts all */
        char cgroup[ARENA_CGROUP_PATH];            /* /proc/self/cgroup as the first instruction saw it */
} ArenaSlot;

/* What a worker did in one phase. Written by the worker alone. A wall time of 0: it never ran in it. */
typedef struct PhaseSlice {
        alignas(ARENA_LINE) uint32_t phase;
        uint32_t max_gap_cpu;
        uint64_t wall_ns, cpu_ns;
        uint64_t iterations, work_units, migrations;
        uint64_t max_gap_ns, max_gap_wall_ns;
        uint64_t run_delay_ns, sched_cpu_ns;
        uint64_t numa_migrated;
        uint32_t schedstat_valid, numa_pages_valid, numa_migrated_valid;
} PhaseSlice;

typedef struct ArenaShape {
        uint32_t n_workers;
        uint32_t cpu_words; /* 64-bit words that hold every possible CPU of the machine */
        uint32_t samples;
        uint32_t n_phases; /* 0: the group does not outlive a step */
        uint32_t n_nodes;
        uint32_t n_regions, region_size; /* bytes as asked for; rounded up to whole lines */
        bool leader;
} ArenaShape;

/* 0 when no arena can be that large. */
size_t arena_size(const ArenaShape *shape);
/* Writes the head into zero-filled memory of arena_size() bytes. */
void arena_init(ArenaHead *head, const ArenaShape *shape);
/* For a reader that was handed an arena of `size` bytes: 0, or -EBADMSG when head and size do not agree. */
int arena_check(const ArenaHead *head, size_t size);

void *arena_region(const ArenaHead *head, uint32_t index);
ArenaSlot *arena_slot(const ArenaHead *head, uint32_t index);
/* `n` < n_phases. */
PhaseSlice *arena_slice(const ArenaHead *head, ArenaSlot *slot, uint32_t n);

/* A record: a slot's when `slice` is NULL, else the slice's. */
_Atomic uint64_t *arena_cpus(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice);
_Atomic uint64_t *arena_numa_pages(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice);
/* NULL when the group does not keep this sample. */
Histogram *arena_histogram(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice, uint32_t sample);
