/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "model/payload.h"
#include "payload-json.h"

/* What a payload that has ended comes to, read out of what it printed: pure functions over bytes. */

typedef enum PayloadStream { PAYLOAD_STDOUT, PAYLOAD_STDERR, PAYLOAD_STREAMS } PayloadStream;
const char *payload_stream_name(PayloadStream stream);

typedef struct Metric {
        char *name; /* as payload_walk_json() tells it */
        MetricValue value;
        const MetricHint *hint; /* NULL: unknown polarity, no unit; borrowed from the definition */
        PayloadStream stream;
} Metric;

enum { METRICS_MAX = 10000 };
typedef struct Metrics {
        GArray *list;   /* of Metric, in order of the document */
        bool truncated; /* numbers were left out: those behind the METRICS_MAX-th, those whose name is longer
                         * than METRIC_NAME_MAX, those that no double holds ("1e999") */
} Metrics;

/* Of stdout, or when that has none of stderr: never of both. Empty for PAYLOAD_OUTPUT_EXIT_CODE. */
Metrics *payload_metrics(const PayloadDef *def, PayloadBytes out, PayloadBytes err);
void metrics_free(Metrics *metrics);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Metrics, metrics_free)

/* [{"name", "value", "polarity", "target"?, "unit", "stream"}]. "value" is always a number, an integer or a
 * double as it stood there. Neither json-glib nor a JSON reader with 64-bit integers has one above INT64_MAX:
 * its "value" is the nearest double, and "value_text" has its digits. */
JsonArray *metrics_to_json(const Metrics *metrics);

/* Of PayloadCheck; each failure is a sentence that names the metric or the exit code and the check, not the
 * payload. exit_code is -1 for a death by signal. NULL-terminated, empty when all pass. A wrong exit code is
 * the only failure: what the payload printed then says little. */
char **payload_judge(const PayloadDef *def, int exit_code, const Metrics *metrics, PayloadBytes err);
