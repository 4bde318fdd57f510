/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "clock.h"
#include "proc.h"
#include "work-type.h"

/* What a running worker knows of itself. The arena holds what others may see; what only the loop needs, and
 * the counters it adds to, are kept here and stored into the arena. */
typedef struct WorkRun {
        ArenaHead *arena;
        ArenaSlot *slot;
        _Atomic uint64_t *cpus;
        Histogram *wake_latency; /* NULL: not kept */
        const uint64_t *params;  /* as work_type_get() orders them */

        uint64_t iterations, work_units;
        uint64_t started_ns, gap_mark_ns, max_gap_ns;
        uint64_t migrations;
        uint32_t cpu;
        SchedStat sched_at_start;
        bool sched_valid;
} WorkRun;

/* Checkpoints fall on the passes after which the number of work units is a multiple of this. */
enum { CHECKPOINT_UNITS = 1024 };

void work_run_begin(WorkRun *run, ArenaHead *arena, ArenaSlot *slot, const uint64_t *params);
/* Times, then /proc, then state WORKER_FINISHED. */
void work_run_end(WorkRun *run);

/* Gap and migration since the last checkpoint. */
void work_checkpoint(WorkRun *run);

static inline bool work_stopped(const WorkRun *run) {
        return atomic_load_explicit(&run->arena->stop, memory_order_relaxed) != 0;
}

/* Lets others see the counters. Two stores to a line that nobody else writes cost less than the clock read
 * that would tell whether a millisecond has passed, so this is called on every pass and in inner loops. */
static inline void work_publish(WorkRun *run) {
        atomic_store_explicit(&run->slot->work_units, run->work_units, memory_order_relaxed);
        atomic_store_explicit(&run->slot->iterations, run->iterations, memory_order_relaxed);
}

/* Ends one pass of a work loop. */
static inline void work_pass_end(WorkRun *run) {
        run->iterations++;
        work_publish(run);
        if (run->work_units % CHECKPOINT_UNITS == 0)
                work_checkpoint(run);
}
