/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "runner.h"

/* What an operation that was carried out changes in the scenario's books, and who hears of it. */

/* What its plan made is there from now on. */
void registry_enter(Scenario *s, const Operation *op, const RunnerEvents *events, void *userdata);
/* What its plan ended is not, but for cgroups that stayed; neither are the records that its report told. */
void registry_end(Scenario *s, const Operation *op, const RunnerEvents *events, void *userdata);
/* A cgroup that the undo could not remove is the scenario's, so that its name is known to be taken and the
 * next end tries again. */
void registry_keep_remains(Scenario *s, const Operation *op, const RunnerEvents *events, void *userdata);
/* All of it is gone. */
void registry_clear(Scenario *s, const char *root, const RunnerEvents *events, void *userdata);

/* What an operation of that kind ends. */
Slot registry_slot(const Operation *op);
