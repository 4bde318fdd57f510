/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "../model/payload.h"

/* What a payload that has ended comes to, read out of what it printed: pure functions over bytes. */

typedef enum PayloadStream { PAYLOAD_STDOUT, PAYLOAD_STDERR, PAYLOAD_STREAMS } PayloadStream;
const char *payload_stream_name(PayloadStream stream);

/* A number as it stood there: integers of 64 bits are exact. */
typedef struct MetricValue {
        enum { METRIC_INT, METRIC_UINT, METRIC_REAL } kind; /* METRIC_UINT: above INT64_MAX only */
        union {
                int64_t i;
                uint64_t u;
                double d;
        };
} MetricValue;

typedef struct Metric {
        char *name; /* keys and indices joined by '.'; "" for a number that is the whole document */
        MetricValue value;
        const MetricHint *hint; /* NULL: unknown polarity, no unit; borrowed from the definition */
        PayloadStream stream;
} Metric;

typedef struct Metrics {
        GArray *list;   /* of Metric, in order of the document */
        bool truncated; /* there were more than METRICS_MAX */
} Metrics;
enum { METRICS_MAX = 10000, METRICS_DEPTH_MAX = 64, JSON_DEPTH_MAX = 128 };

typedef struct PayloadBytes {
        const char *data;
        size_t size;
} PayloadBytes;

/* The first JSON region: all of the trimmed text, or the first '{' or '[' to its closer. False: none. */
bool payload_find_json(PayloadBytes text, PayloadBytes *ret_region);
/* Of stdout, or when that has none of stderr; facts/resources.md 5.6 in the project's own rules: payload(7)
 * of the man pages tells them. Empty for PAYLOAD_OUTPUT_EXIT_CODE. */
Metrics *payload_metrics(const PayloadDef *def, PayloadBytes out, PayloadBytes err);
void metrics_free(Metrics *metrics);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Metrics, metrics_free)

/* Of PayloadCheck; each failure is a sentence. exit_code is -1 for a death by signal. NULL-terminated, empty
 * when all pass. */
char **payload_judge(const PayloadDef *def, int exit_code, const Metrics *metrics, PayloadBytes err);

JsonArray *metrics_to_json(const Metrics *metrics);
