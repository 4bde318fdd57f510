/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* How one JSON value reads in a table: CellFormat of table.h. */

char *cell_text(JsonNode *node);
char *cell_count(JsonNode *node);
char *cell_duration(JsonNode *node); /* of nanoseconds */
char *cell_kib(JsonNode *node);
char *cell_list(JsonNode *node);   /* elements with blanks between */
char *cell_length(JsonNode *node); /* of a list that is not empty */
char *cell_ranges(JsonNode *node); /* of ascending numbers: 4-7,9 */
char *cell_result(JsonNode *node); /* of a worker in a report: ok, killed, signal 9, exit 1 */

/* The plural's letter. */
static inline const char *plural(guint64 n) {
        return n == 1 ? "" : "s";
}

bool worker_completed(JsonObject *worker);

/* Of exit_info: it did not end by itself with success. */
bool exit_is_bad(JsonObject *info);

/* Colours of cells, by the element of their row: NULL, or a sequence of colour.h. */
const char *colour_result(JsonObject *worker); /* of a report */
const char *colour_state(JsonObject *worker);  /* of GetState */
