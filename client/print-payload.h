/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdio.h>

/* Payloads, for people: print.h. */

/* ListPayloads. */
void print_payloads(FILE *out, JsonArray *payloads, bool legend);

/* RunPayload's result. */
void print_payload_start(FILE *out, JsonObject *result, bool legend);

/* `payloads` of GetState; nothing when there are none. */
void print_payload_states(FILE *out, JsonArray *payloads, bool legend);

/* A record by itself, with its metrics. */
void print_record(FILE *out, JsonNode *record, bool legend);

/* The records of a report, a line each; nothing when there are none. Failed checks go to stderr. */
void print_records(FILE *out, JsonArray *records, bool legend);
void print_record_failures(JsonArray *records);
