/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-result.h"

#include <inttypes.h>

#include "model/payload-text.h"

const char *payload_stream_name(PayloadStream stream) {
        static const char *const names[] = { [PAYLOAD_STDOUT] = "stdout", [PAYLOAD_STDERR] = "stderr" };

        return names[stream];
}

/* ---- metrics ---- */

static void metric_clear(void *p) {
        g_free(((Metric *)p)->name);
}

static Metrics *metrics_new(void) {
        Metrics *metrics = g_new0(Metrics, 1);

        metrics->list = g_array_new(FALSE, FALSE, sizeof(Metric));
        g_array_set_clear_func(metrics->list, metric_clear);
        return metrics;
}

void metrics_free(Metrics *metrics) {
        if (!metrics)
                return;
        g_array_unref(metrics->list);
        g_free(metrics);
}

/* The last hint for a name wins. */
static GHashTable *index_hints(const PayloadDef *def) {
        GHashTable *hints = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint i = 0; i < def->metrics->len; i++) {
                MetricHint *hint = def->metrics->pdata[i];
                g_hash_table_insert(hints, hint->metric, hint);
        }
        return hints;
}

typedef struct Collector {
        Metrics *metrics;
        GHashTable *hints;
        PayloadStream stream;
} Collector;

static void collect(void *userdata, const char *name, const MetricValue *value) {
        const Collector *c = userdata;
        Metric metric = { .stream = c->stream };

        if (!value || c->metrics->list->len == METRICS_MAX) {
                c->metrics->truncated = true;
                return;
        }
        metric.name = g_strdup(name);
        metric.value = *value;
        metric.hint = g_hash_table_lookup(c->hints, name);
        g_array_append_val(c->metrics->list, metric);
}

Metrics *payload_metrics(const PayloadDef *def, PayloadBytes out, PayloadBytes err) {
        const PayloadBytes streams[] = { [PAYLOAD_STDOUT] = out, [PAYLOAD_STDERR] = err };
        g_autoptr(GHashTable) hints = index_hints(def);
        Collector c = { .metrics = metrics_new(), .hints = hints };
        PayloadBytes region;

        if (def->output != PAYLOAD_OUTPUT_JSON)
                return c.metrics;
        for (; c.stream < PAYLOAD_STREAMS && c.metrics->list->len == 0; c.stream++)
                if (payload_find_json(streams[c.stream], &region))
                        payload_walk_json(region, collect, &c);
        return c.metrics;
}

/* ---- for the record ---- */

static void set_value(JsonObject *o, const MetricValue *value) {
        g_autofree char *text = NULL;

        switch (value->kind) {
        case METRIC_INT:
                json_object_set_int_member(o, "value", value->i);
                break;
        case METRIC_UINT:
                text = g_strdup_printf("%" PRIu64, value->u);
                json_object_set_double_member(o, "value", (double)value->u);
                json_object_set_string_member(o, "value_text", text);
                break;
        case METRIC_REAL:
                json_object_set_double_member(o, "value", value->d);
                break;
        }
}

static JsonObject *metric_to_json(const Metric *metric) {
        const MetricHint *hint = metric->hint;
        JsonObject *o = json_object_new();

        json_object_set_string_member(o, "name", metric->name);
        set_value(o, &metric->value);
        json_object_set_string_member(o, "polarity",
                                      metric_polarity_name(hint ? hint->polarity : METRIC_UNKNOWN));
        if (hint && hint->polarity == METRIC_TARGET)
                json_object_set_double_member(o, "target", hint->target);
        json_object_set_string_member(o, "unit", hint ? hint->unit : "");
        json_object_set_string_member(o, "stream", payload_stream_name(metric->stream));
        return o;
}

JsonArray *metrics_to_json(const Metrics *metrics) {
        JsonArray *array = json_array_sized_new(metrics->list->len);

        for (guint i = 0; i < metrics->list->len; i++)
                json_array_add_object_element(array,
                                              metric_to_json(&g_array_index(metrics->list, Metric, i)));
        return array;
}
