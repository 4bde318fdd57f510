/* SPDX-License-Identifier: GPL-2.0-only */
#include "dbus/json-write.h"
#include "signal-line.h"

#include "cells.h"
#include "members.h"

#include <inttypes.h>
#include <string.h>

enum { SIGNAL_WIDTH = 17 }; /* PropertiesChanged */

/* ---- names ---- */

static const struct {
        const char *signal;
        const char *arguments[4];
} known[] = {
        { "CgroupAdded", { "name", "path" } },
        { "CgroupRemoved", { "name", "path" } },
        { "WorkerExited", { "cgroup", "pid", "info" } },
        { "PayloadExited", { "name", "cgroup", "pid", "info" } },
        { "StallDetected", { "cgroup", "pid", "class", "details" } },
        { "StepEnded", { "step_index", "summary" } },
        /* of the bus and of every object on it: D-Bus specification */
        { "PropertiesChanged", { "interface_name", "changed_properties", "invalidated_properties" } },
        { "NameOwnerChanged", { "name", "old_owner", "new_owner" } },
};

const char *signal_argument(const char *signal, guint n) {
        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
                if (g_str_equal(known[i].signal, signal))
                        return n < G_N_ELEMENTS(known[i].arguments) ? known[i].arguments[n] : NULL;
        return NULL;
}

static JsonNode *argument_of(const SignalLine *l, const char *name) {
        for (guint i = 0; i < json_array_get_length(l->arguments); i++)
                if (!g_strcmp0(signal_argument(l->signal, i), name))
                        return json_array_get_element(l->arguments, i);
        return NULL;
}

/* ---- JSON ---- */

/* RFC 3339, in UTC. */
static char *time_json(gint64 time_us) {
        g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(time_us / G_USEC_PER_SEC);
        g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");

        return g_strdup_printf("%s.%06" PRId64 "Z", text, (int64_t)(time_us % G_USEC_PER_SEC));
}

char *signal_line_json(const SignalLine *l) {
        g_autoptr(JsonObject) object = json_object_new();
        g_autoptr(JsonNode) node = json_node_alloc();
        g_autofree char *time = time_json(l->time_us);

        json_object_set_string_member(object, "time", time);
        json_object_set_string_member(object, "signal", l->signal);
        json_object_set_string_member(object, "scenario", l->scenario);
        for (guint i = 0; i < json_array_get_length(l->arguments); i++) {
                g_autofree char *number = g_strdup_printf("arg%u", i);
                const char *name = signal_argument(l->signal, i);

                json_object_set_member(object, name ?: number, json_array_dup_element(l->arguments, i));
        }
        json_node_init_object(node, object);
        return json_write(node, false);
}

/* ---- text ---- */

static char *time_text(gint64 time_us) {
        g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_local(time_us / G_USEC_PER_SEC);
        g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%d %H:%M:%S");

        return g_strdup_printf("%s.%06" PRId64, text, (int64_t)(time_us % G_USEC_PER_SEC));
}

static char *value_text(JsonNode *node) {
        g_autofree char *text = NULL;

        if (JSON_NODE_HOLDS_ARRAY(node)) {
                g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
                for (guint i = 0; i < array_length(json_node_get_array(node)); i++)
                        g_ptr_array_add(parts,
                                        value_text(json_array_get_element(json_node_get_array(node), i)));
                g_ptr_array_add(parts, NULL);
                return parts->len > 1 ? g_strjoinv(",", (char **)parts->pdata) : g_strdup("-");
        }
        text = cell_text(node);
        if (text && !*text)
                return g_strdup("-");
        return cell_plain(node) ?: json_write(node, false);
}

/* What an object holds stands beside the other arguments: its own name would tell nothing more. */
static void append_value(GString *text, const char *key, JsonNode *node) {
        g_autofree char *value = NULL;
        JsonObjectIter iter;
        const char *inner;
        JsonNode *member;

        if (JSON_NODE_HOLDS_OBJECT(node)) {
                json_object_iter_init_ordered(&iter, json_node_get_object(node));
                while (json_object_iter_next_ordered(&iter, &inner, &member))
                        append_value(text, inner, member);
                return;
        }
        value = value_text(node);
        g_string_append_printf(text, " %s=%s", key, value);
}

/* What fits a line: the rest has many. */
static void append_stall(GString *text, JsonObject *details) {
        static const char *const keys[] = { "tid",    "payload", "work_type", "work_index",
                                            "worker", "fails",   "cause" };

        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
                if (json_object_has_member(details, keys[i]))
                        append_value(text, keys[i], json_object_get_member(details, keys[i]));
}

static void append_argument(GString *text, const SignalLine *l, guint n) {
        JsonNode *node = json_array_get_element(l->arguments, n);
        g_autofree char *number = g_strdup_printf("arg%u", n);

        if (g_str_equal(l->signal, "StallDetected") && JSON_NODE_HOLDS_OBJECT(node))
                append_stall(text, json_node_get_object(node));
        else
                append_value(text, signal_argument(l->signal, n) ?: number, node);
}

/* The owners are unique names of connections, :1.5, which tell a reader nothing. */
static bool append_owner(GString *text, const SignalLine *l) {
        JsonNode *node = argument_of(l, "new_owner");

        if (!g_str_equal(l->signal, "NameOwnerChanged") || !node || !JSON_NODE_HOLDS_VALUE(node))
                return false;
        g_string_append(text, *json_node_get_string(node) ? " the daemon is there" : " the daemon is gone");
        return true;
}

/* Of PropertiesChanged only the properties: their interface is always the same. */
static bool is_noise(const SignalLine *l, const char *name) {
        return g_str_equal(l->signal, "PropertiesChanged") && g_strcmp0(name, "changed_properties") != 0;
}

char *signal_line_text(const SignalLine *l) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *time = time_text(l->time_us);

        g_string_append_printf(text, "%s  %-*s ", time, SIGNAL_WIDTH, l->signal);
        if (append_owner(text, l))
                return g_strdup(text->str);
        for (guint i = 0; i < json_array_get_length(l->arguments); i++)
                if (!is_noise(l, signal_argument(l->signal, i)))
                        append_argument(text, l, i);
        return g_strchomp(g_strdup(text->str));
}

bool signal_line_is_bad(const SignalLine *l) {
        JsonObject *info = node_object(argument_of(l, "info"));

        if (g_str_equal(l->signal, "StallDetected"))
                return member_true(node_object(argument_of(l, "details")), "fails");
        if (g_str_equal(l->signal, "PayloadExited"))
                return payload_was_cut_short(info) || member_count(info, "exit_code") != 0;
        return g_str_equal(l->signal, "WorkerExited") && exit_is_bad(info);
}
