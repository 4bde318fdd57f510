/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "common/error.h"
#include "plan/plan.h"

/* For explain_failure(): ACTION_PAYLOAD and ACTION_END_PAYLOAD in a sentence of their own; `path` is the
 * cgroup. */
KtError explain_payload(GString *text, const PlanAction *action, const char *path, const WireFailure *f);
KtError explain_end_payload(GString *text, const PlanAction *action, const char *path, const WireFailure *f);

/* The failure's detail is a file that the sentence names, not the state of the cgroup. */
bool explain_payload_has_file(const PlanAction *action, const WireFailure *f);
