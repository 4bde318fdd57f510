/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "numa-maps.h"
#include "context.h"

/* What every worker does, be it a process or a thread. */

/* First of all: says that it is there, and where. */
void life_begin(const WorkerContext *w);
/* Set-up; `parent` as for worker_set_up(). False when it failed; its slot says why. */
bool life_get_ready(const WorkerContext *w, pid_t parent);
void life_refuse(const WorkerContext *w, SetupStep step, int error);
/* From the gate to the report. */
void life_work(const WorkerContext *w, int read_fd, int write_fd, NumaGauge *gauge);
