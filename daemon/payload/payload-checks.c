/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-result.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/suggest.h"
#include "topology/spec-text.h"

enum { STDERR_SHOWN = 1024 /* bytes */ };

/* ---- the exit code ---- */

static bool is_continuation(char c) {
        return ((unsigned char)c & 0xc0) == 0x80;
}

/* Only whole characters, of which UTF-8 has none with more than three bytes behind the first. */
static PayloadBytes last_bytes(PayloadBytes text, size_t n) {
        PayloadBytes tail = { text.data + text.size - n, n };

        for (unsigned i = 0; i < 3 && is_continuation(tail.data[0]); i++) {
                tail.data++;
                tail.size--;
        }
        return tail;
}

static void append_stderr(GString *to, PayloadBytes err) {
        PayloadBytes shown = payload_trim_end(err);

        if (shown.size == 0)
                return;
        g_string_append(to, "; stderr: ");
        if (shown.size > STDERR_SHOWN) {
                g_string_append(to, "...");
                shown = last_bytes(shown, STDERR_SHOWN);
        }
        while (shown.size > 0)
                g_string_append_unichar(to, payload_next_character(&shown));
}

/* NULL when it is the one that the check needs. */
static char *judge_exit_code(const PayloadCheck *check, int exit_code, PayloadBytes err) {
        g_autofree char *shown = spec_excerpt(check->text);
        GString *failure;

        if (check->exit_code == exit_code)
                return NULL;
        failure = g_string_new(NULL);
        g_string_printf(failure, "exit code %d%s; the check '%s' needs %" PRId64 "%s", exit_code,
                        exit_code == -1 ? " (ended by a signal)" : "", shown, check->exit_code,
                        check->exit_code == -1 ? " (an end by a signal)" : "");
        append_stderr(failure, err);
        return g_string_free(failure, FALSE);
}

/* ---- values ---- */

static int compare_doubles(double a, double b) {
        return (a > b) - (a < b);
}

/* Exact: no integer becomes a double, which has 53 bits. Conditions are written for a bound that is NaN, too,
 * which no integer type holds. */
static int compare_int(int64_t i, double bound) {
        int64_t whole;

        if (!(bound < 0x1p63))
                return -1;
        if (bound < -0x1p63)
                return 1;
        whole = (int64_t)bound;
        return i != whole ? (i > whole) - (i < whole) : compare_doubles((double)whole, bound);
}

/* Of one above INT64_MAX: no double there has a fraction. */
static int compare_uint(uint64_t u, double bound) {
        if (!(bound < 0x1p64))
                return -1;
        if (bound < 0x1p63)
                return 1;
        return (u > (uint64_t)bound) - (u < (uint64_t)bound);
}

static int compare_value(const MetricValue *value, double bound) {
        switch (value->kind) {
        case METRIC_INT:
                return compare_int(value->i, bound);
        case METRIC_UINT:
                return compare_uint(value->u, bound);
        default:
                return compare_doubles(value->d, bound);
        }
}

/* The shortest form that reads back as the same double. */
static char *format_real(double d) {
        static const char *const formats[] = { "%.15g", "%.16g", "%.17g" };
        char text[G_ASCII_DTOSTR_BUF_SIZE];

        for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
                g_ascii_formatd(text, sizeof(text), formats[i], d);
                if (g_ascii_strtod(text, NULL) == d)
                        break;
        }
        return g_strdup(text);
}

static char *format_value(const MetricValue *value) {
        switch (value->kind) {
        case METRIC_INT:
                return g_strdup_printf("%" PRId64, value->i);
        case METRIC_UINT:
                return g_strdup_printf("%" PRIu64, value->u);
        default:
                return format_real(value->d);
        }
}

/* ---- metrics ---- */

/* The first of that name counts. */
static const Metric *find_metric(const Metrics *metrics, const char *name) {
        for (guint i = 0; i < metrics->list->len; i++) {
                const Metric *metric = &g_array_index(metrics->list, Metric, i);
                if (g_str_equal(metric->name, name))
                        return metric;
        }
        return NULL;
}

/* suggest_name() compares letter by letter, and there may be ten thousand long names: those that are more
 * than twice as long as what is looked for are never near. */
static const char *suggest_metric(const Metrics *metrics, const char *name) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (guint i = 0; i < metrics->list->len; i++) {
                const Metric *metric = &g_array_index(metrics->list, Metric, i);
                if (strlen(metric->name) <= 2 * strlen(name))
                        g_ptr_array_add(names, metric->name);
        }
        g_ptr_array_add(names, NULL);
        return suggest_from(name, (const char *const *)names->pdata);
}

/* "" when there is nothing to say but that it is missing. */
static char *explain_missing(const PayloadDef *def, const Metrics *metrics, const char *name) {
        const char *near = suggest_metric(metrics, name);
        g_autofree char *shown = near ? spec_excerpt(near) : NULL;

        if (def->output != PAYLOAD_OUTPUT_JSON)
                return g_strdup("; with output 'exit-code' there are none, 'json' reads them");
        if (near)
                return g_strdup_printf("; did you mean '%s'?", shown);
        if (metrics->truncated)
                return g_strdup("; not all numbers of the output became metrics");
        return g_strdup(metrics->list->len == 0 ? "; there is no JSON with numbers in the output" : "");
}

static char *judge_missing(const PayloadDef *def, const PayloadCheck *check, const Metrics *metrics) {
        g_autofree char *text = spec_excerpt(check->text), *name = spec_excerpt(check->metric);
        g_autofree char *why = explain_missing(def, metrics, check->metric);

        return g_strdup_printf("no metric '%s', which the check '%s' needs%s", name, text, why);
}

/* What is wrong with the value; NULL when nothing is. */
static const char *find_fault(const PayloadCheck *check, const MetricValue *value) {
        bool low, high;

        if (check->kind == CHECK_EXISTS)
                return NULL;
        if (value->kind == METRIC_REAL && isnan(value->d))
                return "which is no number for";
        low = check->kind != CHECK_MAX && compare_value(value, check->low) < 0;
        high = check->kind != CHECK_MIN && compare_value(value, check->high) > 0;
        if (!low && !high)
                return NULL;
        if (check->kind == CHECK_RANGE)
                return "which is outside the range of";
        return low ? "which is below the bound of" : "which is above the bound of";
}

static char *judge_metric(const PayloadDef *def, const PayloadCheck *check, const Metrics *metrics) {
        const Metric *metric = find_metric(metrics, check->metric);
        const char *fault = metric ? find_fault(check, &metric->value) : NULL;
        g_autofree char *name = NULL, *value = NULL, *text = NULL;

        if (!metric)
                return judge_missing(def, check, metrics);
        if (!fault)
                return NULL;
        name = spec_excerpt(metric->name);
        value = format_value(&metric->value);
        text = spec_excerpt(check->text);
        return g_strdup_printf("the metric '%s' is %s, %s the check '%s'", name, value, fault, text);
}

/* ---- all of them ---- */

static void add_failure(GStrvBuilder *failures, char *failure) {
        g_autofree char *owned = failure;

        if (owned)
                g_strv_builder_add(failures, owned);
}

char **payload_judge(const PayloadDef *def, int exit_code, const Metrics *metrics, PayloadBytes err) {
        g_autoptr(GStrvBuilder) failures = g_strv_builder_new();
        PayloadCheck **checks = (PayloadCheck **)def->checks->pdata;
        char *wrong_code = NULL;

        for (guint i = 0; i < def->checks->len && !wrong_code; i++)
                if (checks[i]->kind == CHECK_EXIT_CODE)
                        wrong_code = judge_exit_code(checks[i], exit_code, err);
        add_failure(failures, wrong_code);
        for (guint i = 0; i < def->checks->len && !wrong_code; i++)
                if (checks[i]->kind != CHECK_EXIT_CODE)
                        add_failure(failures, judge_metric(def, checks[i], metrics));
        return g_strv_builder_end(failures);
}
