/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "model/scenario.h"
#include "plan/plan.h"

/* What callers get to see of a scenario, as JSON: read from the books and, live, from the arenas. */

/* The end of a worker, as its signal tells it; NULL for one that there is not, or that did not end. */
JsonObject *report_exit(const GroupState *g, const WireExit *e);
/* GetState. */
JsonNode *report_state(const Scenario *s, const char *root);
/* GetTopology. */
JsonNode *report_topology(const Topology *t);
/* The report of the slot that is about to end: each worker with all it measured. */
JsonNode *report_slot(const Scenario *s, Slot slot, const GPtrArray *warnings);
/* Totals of such a report, for the reply and the StepEnded signal. */
JsonObject *report_summary(const Scenario *s, Slot slot, const GPtrArray *warnings);
/* What became of definition `index` of a plan that was carried out, or, in a dry run, would become of it. */
JsonObject *report_definition(const Plan *plan, const PlanContext *context, const CgroupDef *def, int index,
                              bool dry_run);
