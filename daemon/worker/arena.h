/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

/* One shared memory arena for each worker group: the executor makes it as a memfd before the first fork, the
 * workers inherit the mapping, the daemon maps it read-only and reads counters and reports at any time.
 *
 * Who writes what: `gate` and `stop` the executor; a slot's `pid`, `exit_*` and `placement` the executor;
 * everything else in a slot its own worker. A worker's part is complete once `state` says WORKER_FINISHED;
 * what a killed worker had published until then stays and is what its report shows.
 *
 * Layout: ArenaHead, then `n_workers` slots of `slot_size` bytes. A slot is an ArenaSlot followed by
 * `cpu_words` words of the set of CPUs used, followed by `n_histograms` histograms. */
enum {
        ARENA_MAGIC = 0x6b744131, /* "ktA1" */
        ARENA_LINE = 128,         /* two cache lines: the adjacent-line prefetcher pairs them */
        ARENA_MIGRATIONS = 256,
        ARENA_CGROUP_PATH = 512,
};

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
        uint32_t samples;                             /* WorkSample bits, lowest bit = first histogram */
        alignas(ARENA_LINE) _Atomic uint32_t gate;    /* futex: 0 closed, 1 open */
        alignas(ARENA_LINE) _Atomic uint32_t stop;    /* futex: 0 run, 1 stop; sleeps wait on it */
        alignas(ARENA_LINE) _Atomic uint32_t settled; /* workers that are ready or refused */
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
        _Atomic int32_t pid;    /* as the executor sees it */
        _Atomic uint32_t placement;
        _Atomic uint32_t exit_kind; /* WorkerExit, written after exit_value */
        _Atomic int32_t exit_value;
        _Atomic uint32_t setup_step; /* SetupStep, when refused */
        _Atomic int32_t setup_errno;

        /* kept at checkpoints */
        _Atomic uint64_t started_ns; /* CLOCK_MONOTONIC when the gate let it through */
        _Atomic uint64_t migrations;
        _Atomic uint64_t max_gap_ns; /* longest wall time between two checkpoints */
        _Atomic uint64_t max_gap_at_ns;
        _Atomic uint32_t max_gap_cpu;
        _Atomic uint32_t last_cpu;

        /* complete at the end */
        _Atomic uint64_t wall_ns;
        _Atomic uint64_t cpu_ns;
        _Atomic uint64_t run_delay_ns; /* /proc/thread-self/schedstat: end minus start */
        _Atomic uint64_t run_count;
        _Atomic uint64_t sched_cpu_ns;
        _Atomic uint32_t schedstat_valid;

        Migration migration_log[ARENA_MIGRATIONS]; /* the first ones; `migrations` counts all */
        char cgroup[ARENA_CGROUP_PATH];            /* /proc/self/cgroup as the first instruction saw it */
} ArenaSlot;

typedef struct ArenaShape {
        uint32_t n_workers;
        uint32_t cpu_words; /* 64-bit words that hold every possible CPU of the machine */
        uint32_t samples;
} ArenaShape;

size_t arena_size(const ArenaShape *shape);
/* Writes the head into zero-filled memory of arena_size() bytes. */
void arena_init(ArenaHead *head, const ArenaShape *shape);
/* For a reader that was handed a mapping of `size` bytes: 0, or -EBADMSG when head and size do not agree. */
int arena_check(const ArenaHead *head, size_t size);

ArenaSlot *arena_slot(const ArenaHead *head, uint32_t index);
_Atomic uint64_t *arena_slot_cpus(const ArenaHead *head, ArenaSlot *slot);
/* NULL when the group does not keep this sample. */
Histogram *arena_slot_histogram(const ArenaHead *head, ArenaSlot *slot, uint32_t sample);
