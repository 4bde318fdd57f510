/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdio.h>

/* Stalls, for people: print.h. Long texts, as the stack, are for --json. */

/* `stalls` of GetState and of a report; nothing when there are none. */
void print_stalls(FILE *out, JsonArray *stalls, bool legend);

/* Those that fail the step: a line each to stderr; their number. */
void print_stall_failures(JsonArray *stalls);
guint count_stall_failures(JsonArray *stalls);
