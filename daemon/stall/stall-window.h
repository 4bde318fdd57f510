/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/stall.h"

/* Whether one task has stopped making progress: pure, on what others read, at times that others tell.
 *
 * Two sources serve one window. A worker's shared counter costs a load: stall_window_moved() says whether it
 * moved since the last tick, and then nothing else is asked. Only of a task whose counter stands, or that has
 * none, the scheduler's own numbers are read and pushed. */

typedef struct StallSample {
        uint64_t switches, runtime_ns; /* nr_switches and sum_exec_runtime of /proc/PID/sched */
        uint64_t time_ns;              /* when they were read */
} StallSample;

typedef struct StallWindow {
        StallSample samples[STALL_WINDOW_MAX]; /* the newest, oldest first */
        unsigned n;
        unsigned length;  /* so many samples without a difference are a stall: 2 to STALL_WINDOW_MAX */
        bool armed;       /* progress since the last report, or no report yet */
        uint64_t start;   /* TaskStat.start: which task this is */
        uint64_t counter; /* as it stood at the last tick */
} StallWindow;

void stall_window_init(StallWindow *w, uint64_t start, unsigned length);

/* True, and the window starts over, armed, when `counter` is not what it was at the last tick. A task begins
 * at 0, so one that did something before the first tick has moved. */
bool stall_window_moved(StallWindow *w, uint64_t counter);
/* Progress that is known otherwise: the window starts over, armed. */
void stall_window_progress(StallWindow *w);

/* True when the stall is to be reported: once for each episode, at the earliest length - 1 intervals after
 * the first of its samples. Of ticks that come in a bunch, because whoever calls was held up, those nearer
 * than half an interval to the one before show progress, but no standstill. */
bool stall_window_push(StallWindow *w, StallSample sample, uint64_t interval_ns);
/* The numbers could not be read: the window starts over, armed as it was. */
void stall_window_miss(StallWindow *w);

/* False when the pid stands for another task by now: the window is that one's, from its beginning. The
 * counter is no matter of the pid: that it stood at the last tick is still known. */
bool stall_window_is(StallWindow *w, uint64_t start);

/* Between the oldest and the newest sample. */
uint64_t stall_window_span(const StallWindow *w);
