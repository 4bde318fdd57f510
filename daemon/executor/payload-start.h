/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* Carries out ACTION_PAYLOAD; ends when the program runs and the daemon has been given its output. On failure
 * nothing of it is left, and *failure tells the step. */
int payload_start(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure);
