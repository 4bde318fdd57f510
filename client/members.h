/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Reading JSON of another version of the daemon: a key that is absent or of another type reads as nothing. */

/* `path` is a key, or keys with dots between them. */
JsonNode *member_at(JsonObject *object, const char *path);

/* NULL where there is none. */
JsonArray *member_array(JsonObject *object, const char *key);
JsonObject *member_object(JsonObject *object, const char *key);
const char *member_text(JsonObject *object, const char *key);
bool member_true(JsonObject *object, const char *key);
uint64_t member_count(JsonObject *object, const char *key);

/* NULL node and non-numbers are 0. Decimal text is a number too: see bus-json.h. */
uint64_t node_count(JsonNode *node);
JsonObject *node_object(JsonNode *node);
guint array_length(JsonArray *array);
