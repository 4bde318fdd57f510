/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* What the daemon may not read itself, having no capabilities: where in the kernel a task is, and who runs on
 * its CPUs. */

/* Looks, whose task it may be. */
void inspect_task(const WireInspect *request, WireInspected *ret);
/* Looks if it is a task of this executor, and sends the answer. */
void inspect_answer(Executor *e, const WireInspect *request);

/* Puts a task among those of the answer, where its class says, or counts it only. */
void inspect_add_competitor(WireInspected *answer, const WireCompetitor *competitor);
