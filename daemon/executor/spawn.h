/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* Carries out ACTION_SPAWN; ends when all workers wait at the gate and the daemon has been given their arena.
 * On failure nothing of the group is left, and *failure names the worker. */
int spawn_group(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure);
