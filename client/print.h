/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdio.h>

/* What the daemon answers, for people. `legend`: column headings and summary lines too. */

void print_json(FILE *out, JsonNode *node);

/* GetState, with the scenario's property StallMonitorActive added as "stall_monitor_active". `limits`: a
 * second table with the knobs of each cgroup. */
void print_state(FILE *out, JsonObject *state, bool limits, bool legend);

void print_topology(FILE *out, JsonObject *topology, bool legend);

/* Cgroups made by AddCgroupDef or ApplyJSON. */
void print_results(FILE *out, JsonArray *cgroups, bool legend);

/* The same, of a dry run: one line for each action. */
void print_plan(FILE *out, JsonArray *cgroups);

/* Report and summary of EndStep and Teardown; the report's warnings, and the checks and the stalls that fail
 * the step, go to stderr. */
void print_report(FILE *out, JsonObject *report, JsonObject *summary, bool legend);

/* Number of workers in a report that did not complete, of payloads with a check that failed, and of stalls
 * that fail the step. */
guint report_failures(JsonObject *report);

/* Properties of the Manager, with our own version added as "ktctl". */
void print_version(FILE *out, JsonObject *properties);
