/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "topology/spec-text.h"
#include "definition.h"
#include "quantity.h"

/* The decoder's machine: an object's fields are rows of a table, and errors collect the path of the place on
 * their way up. */

typedef struct Field Field;

/* Reads `node` into `target`; the error's message says what is wrong, the path is put in front by the caller.
 */
typedef bool (*FieldReader)(JsonNode *node, const Field *field, void *target, GError **error);

struct Field {
        const char *key;
        FieldReader read;
        size_t offset;
        int64_t min, max;    /* numbers */
        const char *rule;    /* numbers: whose rule the range is, and the remedy */
        const Field *fields; /* of an object or of a list's elements, ended by a NULL key */
};

/* Every key of the object by its row; an unknown one is an error that tells the nearest known. */
bool fields_read(JsonNode *node, const Field *fields, void *base, GError **error);

/* ---- errors: each returns false ---- */

bool field_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool field_wrong_type(JsonNode *node, const char *wanted, GError **error);
/* The error came from below this key or index; `path_finish` makes "PATH: text" of it at the top, where
 * `root` is the path of the top itself. */
void path_at_key(GError **error, const char *key);
void path_at_index(GError **error, guint i);
/* Puts something between path and text. */
void path_prefix_text(GError *error, const char *prefix);
void path_finish(GError **error, const char *root);

/* ---- readers for rows of tables ---- */

bool node_holds(JsonNode *node, GType type);
bool field_read_number(JsonNode *node, const Field *field, void *target, GError **error); /* OptionalNumber */
bool field_read_boolean(JsonNode *node, const Field *field, void *target, GError **error); /* bool */
bool field_read_object(JsonNode *node, const Field *field, void *target,
                       GError **error); /* begins with `present` */

/* A number of anything, or text with a unit, or "max". `field` may set a least value. */
bool field_read_quantity(JsonNode *node, const Field *field, const Quantity *quantity, Limit *ret,
                         GError **error);
bool field_read_text(JsonNode *node, char **ret, GError **error);

/* Defines the reader of a field whose text has a grammar of its own. */
#define FIELD_SPEC_READER(function, type, parser)                                                            \
        static bool function(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target,                 \
                             GError **error) {                                                               \
                type *spec;                                                                                  \
                if (!node_holds(node, G_TYPE_STRING))                                                        \
                        return field_wrong_type(node, "text", error);                                        \
                spec = parser(json_node_get_string(node), error);                                            \
                if (!spec)                                                                                   \
                        return false;                                                                        \
                *(type **)target = spec;                                                                     \
                return true;                                                                                 \
        }
