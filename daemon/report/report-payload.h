/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "plan/plan.h"
#include "payload/payload-result.h"

/* Payloads as JSON: org.ktstr.Setup1(5) has the keys. */

/* How the leader ended, as the signal and the state tell it. */
JsonObject *payload_exit_info(const PayloadState *p);
/* Takes nothing over. metrics and failures may be NULL: nothing was read out of it. */
JsonObject *payload_record(const PayloadState *p, const Metrics *metrics, char *const *failures);
/* For the state: where it is. */
JsonObject *payload_live(const PayloadState *p);
/* What a call that starts it answers. */
JsonObject *payload_started(const PayloadState *p, const char *root, bool dry_run);
/* ListPayloads. */
JsonArray *payload_set_to_json(const PayloadSet *set);

/* One line for each failed check of the records, "payload 'x' in cgroup 'a': ..."; for summaries. */
void payload_record_failures(JsonObject *record, JsonArray *ret);
