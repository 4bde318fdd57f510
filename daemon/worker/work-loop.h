/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "telemetry.h"
#include "work-type.h"

/* A loop runs until work_stopped(), ends each pass with work_pass_end(), and never sleeps without watching
 * the arena's stop word. Only async-signal-safe functions: it runs in a process forked without exec. */
typedef void (*WorkLoop)(WorkRun *run);

extern const WorkLoop work_loops[WORK_TYPE_COUNT];

void work_spin_wait(WorkRun *run);
void work_yield_heavy(WorkRun *run);
void work_bursty(WorkRun *run);
