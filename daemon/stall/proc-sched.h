/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>

#include "stall-window.h"

/* /proc/PID/sched: what the scheduler counts of a task, for everybody to read. Kernels before 6.15 have the
 * file only with CONFIG_SCHED_DEBUG. */

/* Sets switches and runtime_ns; false, and nothing is set, unless both are there. */
bool proc_sched_parse(const char *text, StallSample *ret);

/* The same of a task: 0 or a negative errno; -EBADMSG for a file that says something else. The time is the
 * caller's to set: one for all that are read in a tick. */
int proc_sched_read(int pid, int tid, StallSample *ret);
