/* SPDX-License-Identifier: GPL-2.0-only */
#include "dbus/json-write.h"
#include "cells.h"

#include "colour.h"
#include "members.h"

#include <inttypes.h>
#include <string.h>

bool payload_failed(JsonObject *record) {
        if (array_length(member_array(record, "failures")) > 0)
                return true;
        return record && json_object_has_member(record, "passed") && !member_true(record, "passed");
}

bool payload_was_cut_short(JsonObject *record) {
        const char *result = member_text(record, "result");

        return result && !g_str_equal(result, "exited");
}

char *cell_payload_result(JsonNode *node) {
        static const struct {
                const char *result, *word, *key;
        } ends[] = { { "exited", "exit", "exit_code" }, { "signaled", "signal", "signal" } };
        JsonObject *record = node_object(node);
        const char *result = member_text(record, "result");

        if (!result)
                return g_strdup(member_text(record, "state"));
        for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
                if (g_str_equal(result, ends[i].result))
                        return g_strdup_printf("%s %" PRId64, ends[i].word,
                                               (int64_t)member_count(record, ends[i].key));
        return g_strdup(result);
}

char *cell_checks(JsonNode *node) {
        JsonObject *record = node_object(node);
        guint failures = array_length(member_array(record, "failures"));

        if (!record)
                return NULL;
        return failures > 0 ? g_strdup_printf("%u failed", failures)
                            : g_strdup(payload_failed(record) ? "failed" : "ok");
}

char *cell_polarity(JsonNode *node) {
        const char *polarity = member_text(node_object(node), "polarity");
        g_autofree char *target = cell_number(member_at(node_object(node), "target"));

        if (!polarity || g_str_equal(polarity, "unknown"))
                return NULL;
        return target ? g_strdup_printf("%s %s", polarity, target) : g_strdup(polarity);
}

const char *colour_payload(JsonObject *record) {
        return payload_was_cut_short(record) ? COLOUR_BAD : NULL;
}

const char *colour_checks(JsonObject *record) {
        return payload_failed(record) ? COLOUR_BAD : NULL;
}

/* ---- values ---- */

char *cell_name(JsonNode *node) {
        g_autofree char *text = cell_text(node);

        return text && !*text ? g_strdup("-") : g_steal_pointer(&text);
}

/* The fewest digits that are the same number: JSON-GLib writes all 17. */
char *cell_number(JsonNode *node) {
        char text[G_ASCII_DTOSTR_BUF_SIZE];
        double value;

        if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_DOUBLE)
                return cell_text(node);
        value = json_node_get_double(node);
        for (int digits = 15; digits <= 17; digits++) {
                char format[8];
                g_snprintf(format, sizeof(format), "%%.%dg", digits);
                g_ascii_formatd(text, sizeof(text), format, value);
                if (g_ascii_strtod(text, NULL) == value)
                        break;
        }
        return g_strdup(text);
}

char *cell_command(JsonNode *node) {
        g_autoptr(GString) text = g_string_new(NULL);
        JsonArray *argv = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

        if (!argv)
                return NULL;
        for (guint i = 0; i < array_length(argv); i++) {
                g_autofree char *word = cell_plain(json_array_get_element(argv, i));
                g_string_append_printf(text, "%s%s", i ? " " : "", word ?: "?");
        }
        return g_strdup(text->str);
}

/* ---- text of others, which must not move a terminal's cursor ---- */

static bool is_plain(const char *text) {
        for (; *text; text = g_utf8_next_char(text))
                if ((unsigned char)*text <= ' ' || *text == '"' || g_unichar_iscntrl(g_utf8_get_char(text)))
                        return false;
        return true;
}

static char *escape(const char *text, const char *indent) {
        g_autoptr(GString) escaped = g_string_new(NULL);

        for (const char *at = text; *at; at = g_utf8_next_char(at)) {
                gunichar c = g_utf8_get_char(at);

                if (c == '\n')
                        g_string_append_printf(escaped, "\n%s", indent);
                else if (c != '\t' && g_unichar_iscntrl(c))
                        g_string_append_printf(escaped, "\\u%04x", c);
                else
                        g_string_append_unichar(escaped, c);
        }
        return g_strdup(escaped->str);
}

/* JSON itself leaves some control characters as they are: those above U+007E. */
char *cell_plain(JsonNode *node) {
        g_autofree char *text = cell_text(node), *json = NULL;

        if (!text || (*text && is_plain(text)))
                return g_steal_pointer(&text);
        json = json_write(node, false);
        return escape(json, "");
}

char *text_printable(JsonNode *node, const char *indent) {
        g_autofree char *text = cell_text(node);

        return escape(text ?: "?", indent);
}
