/* SPDX-License-Identifier: GPL-2.0-only */
#include "fields.h"

#include <string.h>

#include "../common/error.h"
#include "../common/suggest.h"
#include "../topology/spec-text.h"

bool field_fail(GError **error, const char *format, ...) {
        va_list args;

        va_start(args, format);
        g_propagate_error(error, g_error_new_valist(KT_ERROR, KT_ERROR_INVALID_DEFINITION, format, args));
        va_end(args);
        return false;
}

/* While an error climbs to the top its message is PATH_START path PATH_END text. The caller's own words stand
 * in the text only, behind the first PATH_END, so that whatever they contain is never taken for a path. */
#define PATH_START "\x1e"
#define PATH_END   "\x1f"

static bool has_path(const GError *error) {
        return error->message[0] == PATH_START[0];
}

static void set_message(GError *error, char *message) {
        g_free(error->message);
        error->message = message;
}

void path_at_key(GError **error, const char *key) {
        const char *deeper;

        if (!error || !*error)
                return;
        deeper = (*error)->message + 1;
        if (!has_path(*error))
                set_message(*error, g_strconcat(PATH_START, key, PATH_END, (*error)->message, NULL));
        else
                set_message(*error, g_strconcat(PATH_START, key, deeper[0] == '[' ? "" : ".", deeper, NULL));
}

void path_prefix_text(GError *error, const char *prefix) {
        g_auto(GStrv) parts = g_strsplit(error->message, PATH_END, has_path(error) ? 2 : 1);

        set_message(error, parts[1] ? g_strconcat(parts[0], PATH_END, prefix, parts[1], NULL)
                                    : g_strconcat(prefix, parts[0], NULL));
}

void path_finish(GError **error) {
        if (!error || !*error || !has_path(*error))
                return;
        g_auto(GStrv) parts = g_strsplit((*error)->message + 1, PATH_END, 2);
        set_message(*error, g_strconcat(parts[0], ": ", parts[1], NULL));
}

static const char *type_name(JsonNode *node) {
        GType type;

        if (JSON_NODE_HOLDS_OBJECT(node))
                return "an object";
        if (JSON_NODE_HOLDS_ARRAY(node))
                return "a list";
        if (JSON_NODE_HOLDS_NULL(node))
                return "null";
        type = json_node_get_value_type(node);
        return type == G_TYPE_STRING    ? "text"
               : type == G_TYPE_BOOLEAN ? "a boolean"
               : type == G_TYPE_INT64   ? "an integer"
                                        : "a real number";
}

bool field_wrong_type(JsonNode *node, const char *wanted, GError **error) {
        if (JSON_NODE_HOLDS_NULL(node))
                return field_fail(error, "null is no value here; leave the key out, or give %s", wanted);
        return field_fail(error, "expected %s, got %s", wanted, type_name(node));
}

bool node_holds(JsonNode *node, GType type) {
        return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

static const char *nth_key(size_t i, const void *fields) {
        return ((const Field *)fields)[i].key;
}

static size_t count_fields(const Field *fields) {
        size_t n = 0;

        while (fields[n].key)
                n++;
        return n;
}

bool field_unknown_word(GError **error, const char *what, const char *word, const char *known,
                        const char *(*nth)(size_t i, const void *context), size_t n, const void *context) {
        const char *near = suggest_name(word, nth, n, context);
        g_autofree char *shown = spec_excerpt(word);
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_printf(text, "%s '%s'; ", what, shown);
        if (near)
                g_string_append_printf(text, "did you mean '%s'? %c%s: ", near, g_ascii_toupper(known[0]),
                                       known + 1);
        else
                g_string_append_printf(text, "%s: ", known);
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%s", i ? ", " : "", nth(i, context));
        return field_fail(error, "%s", text->str);
}

static bool unknown_key(const char *key, const Field *fields, GError **error) {
        /* Words of the vocabulary whose meaning is not built yet. Taking them and doing nothing would be a
         * lie. */
        static const char *const reserved[] = { "payload", "pcomm", "swappable", NULL };

        if (g_strv_contains(reserved, key))
                return field_fail(
                        error, "the key '%s' is not acted on by this version, so it is refused; leave it out",
                        key);
        return field_unknown_word(error, "unknown key", key, "known keys", nth_key, count_fields(fields),
                                  fields);
}

bool fields_read(JsonNode *node, const Field *fields, void *base, GError **error) {
        JsonObjectIter iter;
        const char *key;
        JsonNode *value;

        if (!JSON_NODE_HOLDS_OBJECT(node))
                return field_wrong_type(node, "an object", error);
        json_object_iter_init_ordered(&iter, json_node_get_object(node));
        while (json_object_iter_next_ordered(&iter, &key, &value)) {
                const Field *f = fields;
                while (f->key && !g_str_equal(f->key, key))
                        f++;
                if (!f->key)
                        return unknown_key(key, fields, error);
                if (!f->read(value, f, (char *)base + f->offset, error)) {
                        path_at_key(error, key);
                        return false;
                }
        }
        return true;
}

void path_at_index(GError **error, guint i) {
        g_autofree char *index = g_strdup_printf("[%u]", i);

        path_at_key(error, index);
}

/* ---- readers ---- */

static bool in_range(int64_t value, const Field *field, GError **error) {
        if (value >= field->min && value <= field->max)
                return true;
        return field_fail(
                error, "%" G_GINT64_FORMAT " is out of range %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " (%s)",
                value, field->min, field->max, field->rule);
}

bool field_read_number(JsonNode *node, const Field *field, void *target, GError **error) {
        OptionalNumber *number = target;
        int64_t value;

        if (!node_holds(node, G_TYPE_INT64))
                return field_wrong_type(node, "an integer", error);
        value = json_node_get_int(node);
        if (!in_range(value, field, error))
                return false;
        *number = (OptionalNumber){ .set = true, .value = value };
        return true;
}

bool field_read_boolean(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        if (!node_holds(node, G_TYPE_BOOLEAN))
                return field_wrong_type(node, "a boolean", error);
        *(bool *)target = json_node_get_boolean(node);
        return true;
}

bool field_read_object(JsonNode *node, const Field *field, void *target, GError **error) {
        *(bool *)target = true; /* every block begins with `present` */
        return fields_read(node, field->fields, target, error);
}

bool field_read_quantity(JsonNode *node, const Field *field, uint64_t *value, bool *unlimited,
                         bool (*parse)(const char *text, uint64_t *ret), const char *wanted, GError **error) {
        *unlimited = false;
        if (node_holds(node, G_TYPE_INT64)) {
                if (json_node_get_int(node) < 0)
                        return field_fail(error, "%" G_GINT64_FORMAT " is negative; give %s",
                                          json_node_get_int(node), wanted);
                *value = (uint64_t)json_node_get_int(node);
        } else if (node_holds(node, G_TYPE_STRING)) {
                const char *text = json_node_get_string(node);
                if (g_str_equal(text, "max")) {
                        *unlimited = true;
                        return true;
                }
                if (!parse(text, value)) {
                        g_autofree char *shown = spec_excerpt(text);
                        return field_fail(error, "'%s' is not %s", shown, wanted);
                }
        } else
                return field_wrong_type(node, wanted, error);
        if (field->min > 0 && *value < (uint64_t)field->min)
                return field_fail(error, "%" G_GUINT64_FORMAT " is too small: %s", *value, field->rule);
        return true;
}

bool field_read_text(JsonNode *node, char **ret, GError **error) {
        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text", error);
        *ret = g_strdup(json_node_get_string(node));
        return true;
}
