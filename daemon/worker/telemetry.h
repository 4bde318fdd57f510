/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/arena.h"
#include "wire/clock.h"
#include "numa-maps.h"
#include "wire/proc.h"
#include "wire/work-type.h"

/* What is read at one moment; a report or a slice tells the difference between two. */
typedef struct WorkMark {
        uint64_t wall_ns, cpu_ns; /* CLOCK_MONOTONIC, the thread's CPU clock */
        uint64_t iterations, work_units, migrations;
        SchedStat sched;
        uint64_t numa_migrated;
        bool sched_valid, numa_migrated_valid;
} WorkMark;

/* What a running worker knows of itself. The arena holds what others may see; what only the loop needs, and
 * the counters it adds to, are kept here and stored into the arena. */
typedef struct WorkRun {
        /* filled in before work_run_begin() */
        ArenaHead *arena;
        ArenaSlot *slot;
        const uint64_t *params; /* as work_type_get() orders them */
        uint32_t position;      /* in its communication group */
        void *region;
        int read_fd, write_fd;
        NumaGauge *gauge; /* of the process */

        uint64_t iterations, work_units, migrations;
        uint32_t cpu, phase;
        uint64_t gap_wall_ns, gap_cpu_ns; /* when the gap that is open began, on both clocks */
        Histogram *wake_latency;          /* NULL: not kept */
        WorkMark start;

        /* the open phase; all NULL when it gets no slice */
        PhaseSlice *slice;
        _Atomic uint64_t *slice_cpus;
        Histogram *slice_wake_latency;
        WorkMark slice_start;
} WorkRun;

/* Checkpoints fall on the passes after which the number of work units is a multiple of this. */
enum { CHECKPOINT_UNITS = 1024 };

void work_run_begin(WorkRun *run);
/* Clocks, then /proc, then state WORKER_FINISHED. */
void work_run_end(WorkRun *run);

/* Gap and migration since the last checkpoint. */
void work_checkpoint(WorkRun *run);

/* For loops that wait on purpose: what the worker did until now is no gap. */
void work_gap_reset(WorkRun *run);

/* Closes the slice of the phase that was, opens one for the phase that is. */
void work_phase_change(WorkRun *run);

void work_record_wake(WorkRun *run, uint64_t ns);

/* The times and counts of `ret`; what is not known at both ends is not valid, and nothing is below 0. */
void work_mark_difference(const WorkMark *from, const WorkMark *to, PhaseSlice *ret);

static inline bool work_stopped(const WorkRun *run) {
        return atomic_load_explicit(&run->arena->stop, memory_order_relaxed) != 0;
}

/* Lets others see the counters. Two stores to a line that nobody else writes cost less than the clock read
 * that would tell whether a millisecond has passed, so this is called on every pass and in inner loops. */
static inline void work_publish(WorkRun *run) {
        atomic_store_explicit(&run->slot->work_units, run->work_units, memory_order_relaxed);
        atomic_store_explicit(&run->slot->iterations, run->iterations, memory_order_relaxed);
}

/* Ends one pass of a work loop. The load is of a line that is written once a phase. */
static inline void work_pass_end(WorkRun *run) {
        run->iterations++;
        work_publish(run);
        if (__builtin_expect(atomic_load_explicit(&run->arena->phase, memory_order_relaxed) != run->phase, 0))
                work_phase_change(run);
        else if (run->work_units % CHECKPOINT_UNITS == 0)
                work_checkpoint(run);
}
