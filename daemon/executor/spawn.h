/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* Carries out ACTION_SPAWN; ends when all workers wait at the gate and the daemon has been given their arena.
 * On failure nothing of the group is left, and *failure names the worker. */
int spawn_group(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure);

/* A child in the cgroup behind the descriptor: 0 in the child, the pid, or a negative errno. */
pid_t spawn_into(int cgroup_fd);
/* The kernel, or a filter before it, does not do that; fork and move instead. */
bool spawn_into_refused(int error);
