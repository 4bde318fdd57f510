/* SPDX-License-Identifier: GPL-2.0-only */
#include "members.h"

#include <string.h>

JsonNode *member_at(JsonObject *object, const char *path) {
        for (const char *dot; object && (dot = strchr(path, '.')); path = dot + 1) {
                g_autofree char *key = g_strndup(path, dot - path);
                object = member_object(object, key);
        }
        return object ? json_object_get_member(object, path) : NULL;
}

JsonArray *member_array(JsonObject *object, const char *key) {
        JsonNode *node = object ? json_object_get_member(object, key) : NULL;

        return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *node_object(JsonNode *node) {
        return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonObject *member_object(JsonObject *object, const char *key) {
        return object ? node_object(json_object_get_member(object, key)) : NULL;
}

const char *member_text(JsonObject *object, const char *key) {
        JsonNode *node = object ? json_object_get_member(object, key) : NULL;

        return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

bool member_true(JsonObject *object, const char *key) {
        JsonNode *node = object ? json_object_get_member(object, key) : NULL;

        return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_boolean(node);
}

uint64_t node_count(JsonNode *node) {
        if (!node || !JSON_NODE_HOLDS_VALUE(node))
                return 0;
        if (json_node_get_value_type(node) == G_TYPE_STRING)
                return g_ascii_strtoull(json_node_get_string(node), NULL, 10);
        return (uint64_t)json_node_get_int(node);
}

uint64_t member_count(JsonObject *object, const char *key) {
        return object ? node_count(json_object_get_member(object, key)) : 0;
}

guint array_length(JsonArray *array) {
        return array ? json_array_get_length(array) : 0;
}
