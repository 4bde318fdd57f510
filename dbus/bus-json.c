/* SPDX-License-Identifier: GPL-2.0-only */
#include "bus-json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

static int read_value(sd_bus_message *m, unsigned depth, JsonNode **ret, char **ret_path);

static JsonNode *node_from_unsigned(uint64_t v) {
        if (v <= INT64_MAX)
                return json_node_init_int(json_node_alloc(), (int64_t)v);
        g_autofree char *text = g_strdup_printf("%" PRIu64, v);
        return json_node_init_string(json_node_alloc(), text);
}

static int read_basic(sd_bus_message *m, char type, JsonNode **ret) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                int b;
                double d;
                const char *s;
        } v;
        int r;

        if (!strchr("ynqiuxtbdsog", type))
                return -EBADMSG;
        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 'y':
                *ret = node_from_unsigned(v.y);
                break;
        case 'q':
                *ret = node_from_unsigned(v.q);
                break;
        case 'u':
                *ret = node_from_unsigned(v.u);
                break;
        case 't':
                *ret = node_from_unsigned(v.t);
                break;
        case 'n':
                *ret = json_node_init_int(json_node_alloc(), v.n);
                break;
        case 'i':
                *ret = json_node_init_int(json_node_alloc(), v.i);
                break;
        case 'x':
                *ret = json_node_init_int(json_node_alloc(), v.x);
                break;
        case 'b':
                *ret = json_node_init_boolean(json_node_alloc(), v.b);
                break;
        case 'd':
                *ret = json_node_init_double(json_node_alloc(), v.d);
                break;
        default:
                *ret = json_node_init_string(json_node_alloc(), v.s);
        }
        return 1;
}

/* Puts "key" or "key." in front of the path of something below it. */
static void path_prepend(char **path, const char *head) {
        char *longer = g_strconcat(head, !*path || (*path)[0] == '[' ? "" : ".", *path, NULL);

        g_free(*path);
        *path = longer;
}

static int read_dictionary(sd_bus_message *m, unsigned depth, JsonNode **ret, char **ret_path) {
        g_autoptr(JsonObject) object = json_object_new();
        int r;

        r = sd_bus_message_enter_container(m, 'a', NULL);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                g_autoptr(JsonNode) value = NULL;
                const char *key;

                r = sd_bus_message_enter_container(m, 'e', NULL);
                if (r < 0)
                        return r;
                r = sd_bus_message_read_basic(m, 's', &key);
                if (r < 0)
                        return r;
                if (json_object_has_member(object, key)) {
                        *ret_path = g_strdup(key);
                        return -ENOTUNIQ;
                }
                r = read_value(m, depth + 1, &value, ret_path);
                if (r < 0) {
                        path_prepend(ret_path, key);
                        return r;
                }
                json_object_set_member(object, key, g_steal_pointer(&value));
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = json_node_init_object(json_node_alloc(), object);
        return sd_bus_message_exit_container(m);
}

static int read_list(sd_bus_message *m, unsigned depth, JsonNode **ret, char **ret_path) {
        g_autoptr(JsonArray) array = json_array_new();
        int r;

        r = sd_bus_message_enter_container(m, 'a', NULL);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                g_autoptr(JsonNode) value = NULL;

                r = read_value(m, depth + 1, &value, ret_path);
                if (r < 0) {
                        g_autofree char *index = g_strdup_printf("[%u]", json_array_get_length(array));
                        path_prepend(ret_path, index);
                        return r;
                }
                json_array_add_element(array, g_steal_pointer(&value));
        }
        if (r < 0)
                return r;
        *ret = json_node_init_array(json_node_alloc(), array);
        return sd_bus_message_exit_container(m);
}

static int read_value(sd_bus_message *m, unsigned depth, JsonNode **ret, char **ret_path) {
        const char *contents;
        char type;
        int r;

        if (depth > DEPTH_MAX)
                return -EBADMSG;
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -ENODATA;
        if (type == 'v') {
                r = sd_bus_message_enter_container(m, 'v', NULL);
                if (r < 0)
                        return r;
                r = read_value(m, depth + 1, ret, ret_path);
                if (r < 0)
                        return r;
                return sd_bus_message_exit_container(m);
        }
        if (type != 'a')
                return read_basic(m, type, ret);
        if (contents[0] != '{')
                return read_list(m, depth, ret, ret_path);
        return contents[1] == 's' ? read_dictionary(m, depth, ret, ret_path) : -EBADMSG;
}

int bus_json_read(sd_bus_message *m, JsonNode **ret, char **ret_path) {
        *ret_path = NULL;
        return read_value(m, 0, ret, ret_path);
}

/* The D-Bus type of a list: as, ax, ad, ab or aa{sv} when all elements agree, else av. */
static const char *element_type(JsonNode *node) {
        GType type;

        if (JSON_NODE_HOLDS_OBJECT(node))
                return "a{sv}";
        if (!JSON_NODE_HOLDS_VALUE(node))
                return "v";
        type = json_node_get_value_type(node);
        return type == G_TYPE_INT64 ? "x" : type == G_TYPE_DOUBLE ? "d" : type == G_TYPE_BOOLEAN ? "b" : "s";
}

static const char *list_type(JsonArray *array) {
        const char *type = NULL;

        for (guint i = 0; i < json_array_get_length(array); i++) {
                const char *t = element_type(json_array_get_element(array, i));
                if (type && !g_str_equal(type, t))
                        return "v";
                type = t;
        }
        return type ?: "s"; /* nothing tells what an empty list would hold; warnings are text */
}

static int append_variant(sd_bus_message *m, JsonNode *node);

static int append_list(sd_bus_message *m, JsonArray *array) {
        const char *type = list_type(array);
        int r;

        r = sd_bus_message_open_container(m, 'a', type);
        for (guint i = 0; r >= 0 && i < json_array_get_length(array); i++) {
                JsonNode *e = json_array_get_element(array, i);
                switch (type[0]) {
                case 'x':
                        r = sd_bus_message_append(m, "x", json_node_get_int(e));
                        break;
                case 'd':
                        r = sd_bus_message_append(m, "d", json_node_get_double(e));
                        break;
                case 'b':
                        r = sd_bus_message_append(m, "b", (int)json_node_get_boolean(e));
                        break;
                case 's':
                        r = sd_bus_message_append(m, "s", json_node_get_string(e));
                        break;
                case 'a':
                        r = bus_json_append_object(m, json_node_get_object(e));
                        break;
                default:
                        r = append_variant(m, e);
                }
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_variant(sd_bus_message *m, JsonNode *node) {
        GType type;
        int r;

        if (JSON_NODE_HOLDS_OBJECT(node)) {
                r = sd_bus_message_open_container(m, 'v', "a{sv}");
                if (r >= 0)
                        r = bus_json_append_object(m, json_node_get_object(node));
                return r < 0 ? r : sd_bus_message_close_container(m);
        }
        if (JSON_NODE_HOLDS_ARRAY(node)) {
                g_autofree char *contents = g_strconcat("a", list_type(json_node_get_array(node)), NULL);
                r = sd_bus_message_open_container(m, 'v', contents);
                if (r >= 0)
                        r = append_list(m, json_node_get_array(node));
                return r < 0 ? r : sd_bus_message_close_container(m);
        }
        if (!JSON_NODE_HOLDS_VALUE(node)) /* D-Bus knows no null */
                return -EBADMSG;
        type = json_node_get_value_type(node);
        if (type == G_TYPE_INT64)
                return sd_bus_message_append(m, "v", "x", json_node_get_int(node));
        if (type == G_TYPE_DOUBLE)
                return sd_bus_message_append(m, "v", "d", json_node_get_double(node));
        if (type == G_TYPE_BOOLEAN)
                return sd_bus_message_append(m, "v", "b", (int)json_node_get_boolean(node));
        return sd_bus_message_append(m, "v", "s", json_node_get_string(node));
}

int bus_json_append_object(sd_bus_message *m, JsonObject *object) {
        JsonObjectIter iter;
        const char *key;
        JsonNode *value;
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        json_object_iter_init_ordered(&iter, object);
        while (r >= 0 && json_object_iter_next_ordered(&iter, &key, &value)) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(m, 's', key);
                if (r >= 0)
                        r = append_variant(m, value);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_json_append_objects(sd_bus_message *m, JsonArray *objects) {
        int r = sd_bus_message_open_container(m, 'a', "a{sv}");

        for (guint i = 0; r >= 0 && i < json_array_get_length(objects); i++)
                r = bus_json_append_object(m, json_array_get_object_element(objects, i));
        return r < 0 ? r : sd_bus_message_close_container(m);
}
