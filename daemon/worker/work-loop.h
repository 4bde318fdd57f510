/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "telemetry.h"
#include "wire/work-type.h"

/* A loop runs until work_stopped(), ends each pass with work_pass_end(), and never waits without watching the
 * arena's stop word, or for longer than WORK_WAIT_MS. Only async-signal-safe functions: it runs in a process
 * forked without exec. */
typedef void (*WorkLoop)(WorkRun *run);

enum { WORK_WAIT_MS = 100 };

extern const WorkLoop work_loops[WORK_TYPE_COUNT];

/* work-cpu.c */
void work_spin_wait(WorkRun *run);
void work_yield_heavy(WorkRun *run);
void work_mixed(WorkRun *run);
void work_bursty(WorkRun *run);
void work_idle_churn(WorkRun *run);
/* work-pair.c */
void work_pipe_io(WorkRun *run);
void work_futex_ping_pong(WorkRun *run);

/* ---- what loops are made of ---- */

/* So many units in one go: keep it to well under a millisecond. */
void work_spin(WorkRun *run, unsigned n);
/* Any number; ends early at a stop. */
void work_spin_units(WorkRun *run, uint64_t n);
/* In pieces of `chunk` units, one at least: the shortest burst is still work. */
void work_spin_for(WorkRun *run, uint64_t ns, unsigned chunk);
/* Until that CLOCK_MONOTONIC time; a stop ends it. */
void work_sleep_until(const WorkRun *run, uint64_t until_ns);
