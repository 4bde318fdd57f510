/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as a JSON document: parsed, decoded, planned. What a{sv} can say, too, comes back from there as the
 * same document. */

#include "common/error.h"
#include "definitions.h"
#include "message.h"
#include "model/json-text.h"

/* NULL when a{sv} cannot say it: null, and what nests deeper than a message may. */
static JsonNode *through_a_message(JsonNode *node) {
        g_autoptr(sd_bus_message) m = message_new();
        g_autofree char *path = NULL;
        JsonNode *back = NULL;

        if (!JSON_NODE_HOLDS_OBJECT(node) || bus_json_append_object(m, json_node_get_object(node)) < 0)
                return NULL;
        message_seal(m);
        if (bus_json_read(m, &back, &path) < 0)
                return NULL;
        return back;
}

/* Errors of the document's own object have no path. */
static const char *place_of_faults(JsonNode *node) {
        JsonObject *o = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;

        return o && json_object_get_size(o) == 1 && json_object_has_member(o, "cgroups") ? "cgroups" : "";
}

static void check_other_door(JsonNode *node, const GError *error) {
        g_autoptr(JsonNode) other = through_a_message(node);
        g_autoptr(GError) same = NULL;
        g_autoptr(GPtrArray) defs = NULL;

        if (!other)
                return;
        require(json_node_equal(node, other));
        defs = decode_document(other, &same);
        require(!error == !same);
        require(!error || g_str_equal(error->message, same->message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_text_parse((const char *)data, size, &error);
        g_autoptr(GPtrArray) defs = NULL;

        check_outcome(node, &error, SENTENCE_MAX);
        if (!node)
                return 0;
        defs = decode_document(node, &error);
        check_other_door(node, error);
        check_decoded(defs, place_of_faults(node), &error);
        if (defs)
                check_definitions(defs, machine_at(size % MACHINES));
        return 0;
}
