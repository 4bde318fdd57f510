/* SPDX-License-Identifier: GPL-2.0-only */
#include "fields.h"

#include "dbus/json-write.h"

#include <string.h>

#include "common/error.h"
#include "common/suggest.h"

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

void path_finish(GError **error, const char *root) {
        if (!error || !*error)
                return;
        if (!has_path(*error))
                path_at_key(error, root);
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
        g_autofree char *value = NULL, *shown = NULL;

        if (JSON_NODE_HOLDS_NULL(node))
                return field_fail(error, "null is no value here; leave the key out, or give %s", wanted);
        if (!JSON_NODE_HOLDS_VALUE(node))
                return field_fail(error, "expected %s, got %s", wanted, type_name(node));
        value = json_write(node, false);
        shown = spec_excerpt(value);
        return field_fail(error, "expected %s, got %s: %s", wanted, type_name(node), shown);
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

static bool unknown_key(const char *key, const Field *fields, GError **error) {
        const SpecWords known = { nth_key, NULL, count_fields(fields), fields };

        return spec_unknown_word(error, "key", key, &known, NULL);
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
                error, "%" G_GINT64_FORMAT " is out of range %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT "; %s",
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

static const char *nth_max(G_GNUC_UNUSED size_t i, G_GNUC_UNUSED const void *context) {
        return "max";
}

static bool malformed(const char *text, const Quantity *q, GError **error) {
        g_autofree char *shown = spec_excerpt(text), *near = quantity_suggest(text, q->parse);
        g_autofree char *given = g_strdup_printf("'%s' is not %s", shown, q->noun);
        g_autofree char *rule = g_strdup_printf("%s is %s", q->noun, q->forms);

        if (!near && q->takes_max)
                near = g_strdup(suggest_name(text, nth_max, 1, NULL));
        return spec_refuse(error, given, near, rule);
}

static bool read_quantity_text(const char *text, const Quantity *q, Limit *ret, GError **error) {
        ret->unlimited = q->takes_max && g_str_equal(text, "max");
        return ret->unlimited || q->parse(text, &ret->value) || malformed(text, q, error);
}

bool field_read_quantity(JsonNode *node, const Field *field, const Quantity *q, Limit *ret, GError **error) {
        Limit limit = { .set = true };

        if (node_holds(node, G_TYPE_INT64)) {
                if (json_node_get_int(node) < 0)
                        return field_fail(error, "%" G_GINT64_FORMAT " is negative; %s is %s",
                                          json_node_get_int(node), q->noun, q->forms);
                limit.value = (uint64_t)json_node_get_int(node);
                if (!g_uint64_checked_mul(&limit.value, limit.value, q->integer_factor))
                        limit.value = G_MAXUINT64;
        } else if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, q->forms, error);
        else if (!read_quantity_text(json_node_get_string(node), q, &limit, error))
                return false;
        if (!limit.unlimited && limit.value < (uint64_t)field->min)
                return field_fail(error, "%" G_GUINT64_FORMAT " is too small; %s", limit.value, field->rule);
        *ret = limit;
        return true;
}

bool field_read_text(JsonNode *node, char **ret, GError **error) {
        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text", error);
        *ret = g_strdup(json_node_get_string(node));
        return true;
}
