/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* How one JSON value reads in a table: CellFormat of table.h. */

char *cell_text(JsonNode *node);
char *cell_count(JsonNode *node);
char *cell_duration(JsonNode *node); /* of nanoseconds */
char *cell_us(JsonNode *node);
char *cell_kib(JsonNode *node);
char *cell_list(JsonNode *node);   /* elements with blanks between */
char *cell_length(JsonNode *node); /* of a list that is not empty */
char *cell_ranges(JsonNode *node); /* of ascending numbers: 4-7,9 */
char *cell_result(JsonNode *node); /* of a worker in a report: ok, killed, signal 9, exit 1 */

char *cell_name(JsonNode *node);           /* - for an empty one */
char *cell_number(JsonNode *node);         /* a metric's value */
char *cell_command(JsonNode *node);        /* an argv */
char *cell_plain(JsonNode *node);          /* quoted as in JSON where it would be taken apart */
char *cell_payload_result(JsonNode *node); /* of a record or a state: running, exit 0, signal 9, killed */
char *cell_checks(JsonNode *node);         /* of a record */
char *cell_polarity(JsonNode *node);       /* of a metric; nothing for one that has none */

/* Text of more than one line, as it may stand on a terminal: `indent` begins each line but the first. */
char *text_printable(JsonNode *node, const char *indent);

/* The plural's letter. */
static inline const char *plural(guint64 n) {
        return n == 1 ? "" : "s";
}

bool worker_completed(JsonObject *worker);

/* Of exit_info: it did not end by itself with success. */
bool exit_is_bad(JsonObject *info);

/* Of a payload's record: a check failed; it ended otherwise than by itself. */
bool payload_failed(JsonObject *record);
bool payload_was_cut_short(JsonObject *record);

/* Colours of cells, by the element of their row: NULL, or a sequence of colour.h. */
const char *colour_result(JsonObject *worker); /* of a report */
const char *colour_state(JsonObject *worker);  /* of GetState */
const char *colour_payload(JsonObject *record);
const char *colour_checks(JsonObject *record);
