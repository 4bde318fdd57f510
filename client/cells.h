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
char *cell_ranges(JsonNode *node); /* of ascending numbers: 4-7,9 */
char *cell_result(JsonNode *node); /* of a worker in a report: ok, killed, signal 9, exit 1 */

/* The plural's letter. */
static inline const char *plural(guint64 n) {
        return n == 1 ? "" : "s";
}

bool worker_completed(JsonObject *worker);
