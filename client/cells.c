/* SPDX-License-Identifier: GPL-2.0-only */
#include "dbus/json-write.h"
#include "cells.h"

#include "colour.h"
#include "members.h"

#include <inttypes.h>

char *cell_text(JsonNode *node) {
        if (!node || !JSON_NODE_HOLDS_VALUE(node))
                return NULL;
        if (json_node_get_value_type(node) == G_TYPE_STRING)
                return g_strdup(json_node_get_string(node));
        return json_write(node, false);
}

char *cell_count(JsonNode *node) {
        return cell_text(node);
}

/* A value and the unit one step up from the largest it does not fill, with three significant digits. */
static char *scaled(double value, double step, const char *const *units) {
        while (value >= step && units[1]) {
                value /= step;
                units++;
        }
        if (value == (uint64_t)value)
                return g_strdup_printf("%" PRIu64 "%s", (uint64_t)value, *units);
        return g_strdup_printf(value < 10 ? "%.2f%s" : value < 100 ? "%.1f%s" : "%.0f%s", value, *units);
}

static const char *const time_units[] = { "ns", "us", "ms", "s", NULL };

char *cell_duration(JsonNode *node) {
        return node && JSON_NODE_HOLDS_VALUE(node) ? scaled(node_count(node), 1000, time_units) : NULL;
}

char *cell_us(JsonNode *node) {
        return node && JSON_NODE_HOLDS_VALUE(node) ? scaled(node_count(node), 1000, time_units + 1) : NULL;
}

char *cell_kib(JsonNode *node) {
        static const char *const units[] = { "K", "M", "G", "T", NULL };

        return node && JSON_NODE_HOLDS_VALUE(node) ? scaled(node_count(node), 1024, units) : NULL;
}

char *cell_list(JsonNode *node) {
        g_autoptr(GString) text = g_string_new(NULL);

        if (!node || !JSON_NODE_HOLDS_ARRAY(node))
                return NULL;
        for (guint i = 0; i < array_length(json_node_get_array(node)); i++) {
                g_autofree char *cell = cell_text(json_array_get_element(json_node_get_array(node), i));
                g_string_append_printf(text, "%s%s", i ? " " : "", cell ?: "-");
        }
        return g_strdup(text->str);
}

char *cell_length(JsonNode *node) {
        guint n = node && JSON_NODE_HOLDS_ARRAY(node) ? array_length(json_node_get_array(node)) : 0;

        return n > 0 ? g_strdup_printf("%u", n) : NULL;
}

char *cell_ranges(JsonNode *node) {
        g_autoptr(GString) text = g_string_new(NULL);
        guint i = 0, n;

        if (!node || !JSON_NODE_HOLDS_ARRAY(node))
                return NULL;
        n = array_length(json_node_get_array(node));
        while (i < n) {
                uint64_t first = node_count(json_array_get_element(json_node_get_array(node), i)),
                         last = first;

                while (++i < n &&
                       node_count(json_array_get_element(json_node_get_array(node), i)) == last + 1)
                        last++;
                g_string_append_printf(text, "%s%" PRIu64, text->len ? "," : "", first);
                if (last > first)
                        g_string_append_printf(text, "-%" PRIu64, last);
        }
        return g_strdup(text->str);
}

bool worker_completed(JsonObject *worker) {
        if (json_object_has_member(worker, "completed"))
                return member_true(worker, "completed");
        return !member_object(worker, "exit_info");
}

bool exit_is_bad(JsonObject *info) {
        const char *kind = member_text(info, "kind");

        return kind && !(g_str_equal(kind, "exited") && !member_count(info, "value"));
}

char *cell_result(JsonNode *node) {
        static const struct {
                const char *kind;
                const char *word;
        } exits[] = { { "signaled", "signal" }, { "exited", "exit" } };
        JsonObject *worker = node_object(node), *info = member_object(worker, "exit_info");
        const char *kind = member_text(info, "kind");

        if (!worker)
                return NULL;
        if (!exit_is_bad(info))
                return g_strdup(worker_completed(worker) ? "ok" : "incomplete");
        if (g_str_equal(kind, "deadline")) /* did not stop in time, so it was stopped */
                return g_strdup("killed");
        for (size_t i = 0; i < G_N_ELEMENTS(exits); i++)
                if (g_str_equal(kind, exits[i].kind))
                        return g_strdup_printf("%s %" PRId64, exits[i].word,
                                               (int64_t)member_count(info, "value"));
        return g_strdup(kind);
}

const char *colour_result(JsonObject *worker) {
        bool bad = !worker_completed(worker) || exit_is_bad(member_object(worker, "exit_info"));

        return bad ? COLOUR_BAD : NULL;
}

const char *colour_state(JsonObject *worker) {
        static const char *const bad[] = { "killed", "refused", NULL };
        const char *state = member_text(worker, "state");

        return state && g_strv_contains(bad, state) ? COLOUR_BAD : NULL;
}
