/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "context.h"

/* From a fork of the executor to a process of its own: what a worker and a leader have in common. */

enum {
        SETTLE_FD = 3, /* where the descriptors are that a new process keeps */
        READ_FD,
        WRITE_FD,
        FIRST_STRAY_FD,
        EXIT_REFUSED = 1,
};

/* When held, waits until the parent has moved the process to its cgroup and says so by filling in the pid of
 * w's slot. */
void process_hold(const WorkerContext *w);

/* Sheds what is the parent's own: signal handlers, process group, and all descriptors but null_fd (as
 * standard input), output, error, settle_fd, read_fd and write_fd. A negative errno when there is no room for
 * the latter two. Exits when the parent is gone. */
int process_begin(const WorkerContext *w);

/* Counts one party as ready or refused. The parent sleeps until the last is ready or the first is refused. */
void process_settle(ArenaHead *arena, bool refused);

void process_wait_at_gate(const ArenaHead *arena);
