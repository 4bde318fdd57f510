/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "plan.h"

/* The definition that is meant, borrowed. */
PayloadDef *plan_payload_def(const PlanContext *context, const PayloadChoice *choice, GError **error);

/* One more payload into plan->payloads; `cgroup` "" gives it one of its own. Refuses a name that is taken
 * there, one too many, and a user that is not there; the caller adds its start. */
PlanPayload *plan_payload_new(Plan *plan, const PlanContext *context, PayloadDef *def, const char *cgroup,
                              Slot slot, PayloadOrigin origin, GError **error);
PlanAction *plan_payload_start(Plan *plan, PlanPayload *payload);

/* Whatever is left of it goes, and the cgroup that it had to itself. */
void plan_payload_end(Plan *plan, const PayloadState *payload);
