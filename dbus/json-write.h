/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* json_to_string(), but always JSON: json-glib (1.6) puts ".0" behind every double whose digits have no
 * point, and so writes 1e22 as "1e+22.0", which nobody reads, itself included. */
char *json_write(JsonNode *node, bool pretty);
