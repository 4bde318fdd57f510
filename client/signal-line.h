/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* A signal of the bus as one line of `ktctl monitor`, without the newline. */
typedef struct SignalLine {
        gint64 time_us; /* since the epoch */
        const char *scenario;
        const char *signal;
        JsonArray *arguments; /* in their order; null for one that has no JSON form */
} SignalLine;

/* The name that the contract gives argument `n` of a signal; NULL for one that it does not know. A unit test
 * holds this to dbus/org.ktstr.Setup1.xml. */
const char *signal_argument(const char *signal, guint n);

/* {"time":..., "signal":..., "scenario":..., and the arguments by name}; a nameless one is "arg0" and so on.
 */
char *signal_line_json(const SignalLine *line);
/* The time, the signal, and key=value for whatever it carries; of a stall only what fits a line. */
char *signal_line_text(const SignalLine *line);

/* It tells of a worker or a payload that did not end well, or of a stall that fails the step. */
bool signal_line_is_bad(const SignalLine *line);
