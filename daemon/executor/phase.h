/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* What running workers are told in passing: the phase, and how many pages the machine has migrated. */

/* When /proc/vmstat is read afresh: each time once in a plan, which may open and stop hundreds of groups. */
typedef enum Moment {
        MOMENT_RELEASE,
        MOMENT_PHASE,
        MOMENT_STOP,
} Moment;

void migrated_tell(Executor *e, Group *group, Moment moment);
/* All groups, and those that are still to come. */
void phase_tell(Executor *e, uint32_t phase);
