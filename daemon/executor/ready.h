/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* Until all workers of a group wait at the gate. Else a negative errno, with *failure saying whose it is:
 * that of a worker or leader that refused, -ECHILD for one that died, -ETIMEDOUT; or -ECANCELED. */
int await_ready(Executor *e, Group *group, uint64_t deadline_ns, WireFailure *failure);
