/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* Carries out action `index` of a plan and notes in the ledger what must be taken back. 0, or a negative
 * errno with the rest of *failure filled in; a failed action has left nothing behind. -ECANCELED: leave. */
int action_run(Executor *e, const Plan *plan, uint32_t index, WireFailure *failure);

/* Removes a cgroup; when it is busy, waits up to settle_ms until its last process is really gone. */
int remove_cgroup(Executor *e, const char *path, uint64_t settle_ms);
