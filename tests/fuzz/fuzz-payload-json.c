/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as what a payload printed: the first one says how much of the others is stdout, the rest is stderr,
 * and how the payload ended. */

#include <math.h>
#include <string.h>

#include "dbus/json-write.h"
#include "outcome.h"
#include "payload/payload-result.h"

/* What may come of any output: checks of every kind, hints of every kind. */
static void add_check(PayloadDef *def, CheckKind kind, const char *metric, double low, double high) {
        PayloadCheck *check = g_new0(PayloadCheck, 1);

        *check = (PayloadCheck){ .kind = kind, .low = low, .high = high };
        check->metric = g_strdup(metric);
        check->text = g_strdup("check");
        g_ptr_array_add(def->checks, check);
}

static void add_hint(PayloadDef *def, const char *metric, MetricPolarity polarity) {
        MetricHint *hint = g_new0(MetricHint, 1);

        *hint = (MetricHint){ .polarity = polarity, .target = 1.5 };
        hint->metric = g_strdup(metric);
        hint->unit = g_strdup("unit");
        g_ptr_array_add(def->metrics, hint);
}

enum { METRIC_CHECKS = 6 };

static PayloadDef *some_def(uint8_t mode) {
        PayloadDef *def = payload_def_new("p", "p");

        def->output = mode & 0x80 ? PAYLOAD_OUTPUT_EXIT_CODE : PAYLOAD_OUTPUT_JSON;
        add_check(def, CHECK_EXIT_CODE, NULL, 0, 0);
        add_check(def, CHECK_MIN, "iops", 100, 0);
        add_check(def, CHECK_MAX, "jobs.0.lat", 0, 0x1p53);
        add_check(def, CHECK_RANGE, "0", -0x1p63, 0x1p64);
        add_check(def, CHECK_RANGE, "", 0.5, 0.5);
        add_check(def, CHECK_EXISTS, "a", 0, 0);
        add_check(def, CHECK_EXISTS, METRIC_TOO_DEEP, 0, 0);
        add_hint(def, "iops", METRIC_HIGHER_BETTER);
        add_hint(def, "0", METRIC_TARGET);
        return def;
}

/* ---- where it is ---- */

static void check_region(PayloadBytes text) {
        g_autoptr(JsonParser) parser = json_parser_new();
        PayloadBytes region;

        if (!payload_find_json(text, &region))
                return;
        require(region.size > 0 && region.data >= text.data);
        require(region.data + region.size <= text.data + text.size);
        require(payload_walk_json(region, NULL, NULL));
        /* json-glib, which takes more than JSON, takes it as well. */
        if (g_utf8_validate(region.data, (gssize)region.size, NULL))
                require(json_parser_load_from_data(parser, region.data, (gssize)region.size, NULL));
}

/* ---- what it says ---- */

static void check_metric(const Metric *metric) {
        require(strlen(metric->name) <= METRIC_NAME_MAX);
        require(is_bus_text(metric->name));
        require(metric->value.kind != METRIC_UINT || metric->value.u > INT64_MAX);
        require(metric->value.kind != METRIC_REAL || isfinite(metric->value.d));
        require(!metric->hint || g_str_equal(metric->hint->metric, metric->name));
}

static void check_same(const Metric *metric, JsonObject *o) {
        JsonNode *value = json_object_get_member(o, "value");

        require(g_str_equal(json_object_get_string_member(o, "name"), metric->name));
        require(json_object_has_member(o, "value_text") == (metric->value.kind == METRIC_UINT));
        switch (metric->value.kind) {
        case METRIC_INT:
                require(json_node_get_value_type(value) == G_TYPE_INT64);
                require(json_node_get_int(value) == metric->value.i);
                break;
        case METRIC_UINT:
                require(g_ascii_strtoull(json_object_get_string_member(o, "value_text"), NULL, 10) ==
                        metric->value.u);
                break;
        case METRIC_REAL:
                require(json_node_get_value_type(value) == G_TYPE_DOUBLE);
                require(json_node_get_double(value) == metric->value.d);
                break;
        }
}

/* The record as it is written down reads back as the same numbers. */
static void check_record(const Metrics *metrics) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY), again = NULL;
        g_autofree char *text = NULL;
        JsonArray *array;

        json_node_take_array(node, metrics_to_json(metrics));
        text = json_write(node, false);
        require(payload_walk_json((PayloadBytes){ text, strlen(text) }, NULL, NULL));
        again = json_from_string(text, NULL);
        require(again);
        array = json_node_get_array(again);
        require(json_array_get_length(array) == metrics->list->len);
        for (guint i = 0; i < metrics->list->len; i++)
                check_same(&g_array_index(metrics->list, Metric, i), json_array_get_object_element(array, i));
}

/* ---- what it comes to ---- */

static void check_verdict(const PayloadDef *def, int exit_code, const Metrics *metrics, PayloadBytes err) {
        g_auto(GStrv) failures = payload_judge(def, exit_code, metrics, err);
        guint n = g_strv_length(failures);

        require(exit_code == 0 ? n <= METRIC_CHECKS : n == 1);
        require(exit_code != 0 || metrics->list->len > 0 || n == METRIC_CHECKS);
        for (guint i = 0; i < n; i++)
                require(is_bus_text(failures[i]) && strlen(failures[i]) < MESSAGE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t mode = size > 0 ? data[0] : 0;
        PayloadBytes text = { size > 0 ? (const char *)data + 1 : "", size - (size > 0) };
        size_t cut = mode & 0x40 ? text.size * (mode & 0x3f) / 0x40 : text.size;
        const PayloadBytes out = { text.data, cut }, err = { text.data + cut, text.size - cut };
        g_autoptr(PayloadDef) def = some_def(mode);
        g_autoptr(Metrics) metrics = payload_metrics(def, out, err);

        check_region(text);
        check_region(err);
        require(metrics->list->len <= METRICS_MAX);
        require(def->output == PAYLOAD_OUTPUT_JSON || metrics->list->len == 0);
        for (guint i = 0; i < metrics->list->len; i++)
                check_metric(&g_array_index(metrics->list, Metric, i));
        check_record(metrics);
        check_verdict(def, (int)(mode % 3) - 1, metrics, err);
        return 0;
}
