/* SPDX-License-Identifier: GPL-2.0-only */
#include "print-payload.h"

#include "cells.h"
#include "colour.h"
#include "members.h"
#include "table.h"

#include <inttypes.h>

enum { FIELD_WIDTH = 11 };

/* ---- what the files define ---- */

static const char *colour_error(G_GNUC_UNUSED JsonObject *payload) {
        return COLOUR_BAD;
}

static const Column payload_columns[] = {
        { "NAME", 0, "name", cell_text, 0, false, NULL },
        { "EXEC", 0, "exec", cell_text, 0, false, NULL },
        { "OUTPUT", 0, "output", cell_text, 0, false, NULL },
        { "USER", 0, "user", cell_text, 0, true, NULL },
        { "FILE", 0, "file", cell_text, 0, false, NULL },
        { "ERROR", 0, "error", cell_text, 0, true, colour_error },
};

void print_payloads(FILE *out, JsonArray *payloads, bool legend) {
        const Table table = { payload_columns, G_N_ELEMENTS(payload_columns), { "payloads" }, legend };

        table_print(out, &table, payloads);
        if (legend && array_length(payloads) == 0)
                fputs("No payload is defined by a file.\n", out);
}

/* ---- one that was started ---- */

static const Column start_columns[] = {
        { "PAYLOAD", 0, "payload", cell_text, 0, false, NULL },
        { "CGROUP", 0, "cgroup", cell_name, 0, false, NULL },
        { "SLOT", 0, "target", cell_text, 0, false, NULL },
        { "PID", 0, "pid", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "COMMAND", 0, "argv", cell_command, SCOLS_FL_TRUNC, false, NULL },
        { "PATH", 0, "path", cell_text, SCOLS_FL_TRUNC, true, NULL },
};

void print_payload_start(FILE *out, JsonObject *result, bool legend) {
        const Table table = { start_columns, G_N_ELEMENTS(start_columns), { "payloads" }, legend };
        g_autoptr(JsonArray) rows = json_array_new();

        if (result)
                json_array_add_object_element(rows, json_object_ref(result));
        table_print(out, &table, rows);
}

/* ---- status ---- */

static const Column state_columns[] = {
        { "PAYLOAD", 0, "payload", cell_text, 0, false, NULL },
        { "CGROUP", 0, "cgroup", cell_name, 0, false, NULL },
        { "SLOT", 0, "slot", cell_text, 0, false, NULL },
        { "PID", 0, "pid", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "STATE", 0, "", cell_payload_result, 0, false, colour_payload },
        { "RUN", 0, "run_us", cell_us, SCOLS_FL_RIGHT, true, NULL },
        { "STDOUT", 0, "stdout.bytes", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "STDERR", 0, "stderr.bytes", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "COMMAND", 0, "argv", cell_command, SCOLS_FL_TRUNC, false, NULL },
};

void print_payload_states(FILE *out, JsonArray *payloads, bool legend) {
        const Table table = { state_columns, G_N_ELEMENTS(state_columns), { "payloads" }, legend };

        table_print(out, &table, payloads);
}

/* ---- a record ---- */

static const Column metric_columns[] = {
        { "NAME", 0, "name", cell_name, 0, false, NULL },
        { "VALUE", 0, "value", cell_number, SCOLS_FL_RIGHT, false, NULL },
        { "UNIT", 0, "unit", cell_text, 0, true, NULL },
        { "POLARITY", 0, "", cell_polarity, 0, true, NULL },
        { "STREAM", 0, "stream", cell_text, 0, false, NULL },
};

/* Nothing for a value that the daemon did not tell. */
static void print_field(FILE *out, const char *label, char *value) {
        if (value)
                fprintf(out, "%-*s %s\n", FIELD_WIDTH, label, value);
        g_free(value);
}

static char *process_text(JsonObject *record) {
        const char *placement = member_text(record, "placement");
        g_autofree char *pid = cell_count(member_at(record, "pid"));

        if (!pid || !placement)
                return g_steal_pointer(&pid);
        return g_strdup_printf("%s (%s)", pid, placement);
}

static char *result_text(JsonNode *node) {
        uint64_t kills = member_count(node_object(node), "oom_kills");
        g_autofree char *result = cell_payload_result(node);

        if (kills == 0)
                return g_steal_pointer(&result);
        return g_strdup_printf("%s (%" PRIu64 " oom kill%s in its cgroup)", result, kills, plural(kills));
}

static char *cpu_text(JsonObject *record) {
        g_autofree char *user = cell_us(member_at(record, "rusage.user_us")),
                        *system = cell_us(member_at(record, "rusage.system_us"));

        return user && system ? g_strdup_printf("%s user, %s system", user, system) : NULL;
}

static char *stream_text(JsonObject *record, const char *name) {
        JsonObject *stream = member_object(record, name);
        uint64_t bytes = member_count(stream, "bytes");

        if (!stream)
                return NULL;
        if (!member_true(stream, "truncated"))
                return g_strdup_printf("%" PRIu64 " byte%s", bytes, plural(bytes));
        return g_strdup_printf("%" PRIu64 " bytes, of which the first %" PRIu64 " are kept", bytes,
                               member_count(stream, "kept"));
}

/* A failure may end with what the payload said last: any number of lines, and whatever bytes. */
static void print_checks(FILE *out, JsonObject *record) {
        JsonArray *failures = member_array(record, "failures");
        bool coloured = payload_failed(record) && colour_wanted(out);

        if (!payload_failed(record)) {
                print_field(out, "checks", g_strdup("passed"));
                return;
        }
        fprintf(out, "%-*s %sfailed%s\n", FIELD_WIDTH, "checks", coloured ? COLOUR_BAD : "",
                coloured ? COLOUR_NONE : "");
        for (guint i = 0; i < array_length(failures); i++) {
                g_autofree char *text = text_printable(json_array_get_element(failures, i), "    ");
                fprintf(out, "  - %s\n", text);
        }
}

static void print_metrics(FILE *out, JsonObject *record, bool legend) {
        const Table table = { metric_columns, G_N_ELEMENTS(metric_columns), { "metrics" }, legend };
        JsonArray *metrics = member_array(record, "metrics");

        if (array_length(metrics) == 0)
                return;
        fputc('\n', out);
        table_print(out, &table, metrics);
        if (legend && member_true(record, "metrics_truncated"))
                fputs("There were more; they are left out.\n", out);
}

void print_record(FILE *out, JsonNode *node, bool legend) {
        JsonObject *record = node_object(node);

        print_field(out, "payload", cell_plain(member_at(record, "payload")));
        print_field(out, "cgroup", cell_name(member_at(record, "cgroup")));
        print_field(out, "pid", process_text(record));
        print_field(out, "command", cell_command(member_at(record, "argv")));
        print_field(out, "result", result_text(node));
        print_field(out, "run time", cell_us(member_at(record, "run_us")));
        print_field(out, "CPU time", cpu_text(record));
        print_field(out, "max RSS", cell_kib(member_at(record, "rusage.max_rss_kib")));
        print_field(out, "stdout", stream_text(record, "stdout"));
        print_field(out, "stderr", stream_text(record, "stderr"));
        print_checks(out, record);
        print_metrics(out, record, legend);
}

/* ---- records of a report ---- */

static const Column record_columns[] = {
        { "PAYLOAD", 0, "payload", cell_text, 0, false, NULL },
        { "CGROUP", 0, "cgroup", cell_name, 0, false, NULL },
        { "PID", 0, "pid", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "RESULT", 0, "", cell_payload_result, 0, false, colour_payload },
        { "CHECKS", 0, "", cell_checks, 0, false, colour_checks },
        { "RUN", 0, "run_us", cell_us, SCOLS_FL_RIGHT, false, NULL },
        { "USER", 0, "rusage.user_us", cell_us, SCOLS_FL_RIGHT, false, NULL },
        { "SYSTEM", 0, "rusage.system_us", cell_us, SCOLS_FL_RIGHT, false, NULL },
        { "MAX-RSS", 0, "rusage.max_rss_kib", cell_kib, SCOLS_FL_RIGHT, false, NULL },
        { "METRICS", 0, "metrics", cell_length, SCOLS_FL_RIGHT, true, NULL },
};

void print_records(FILE *out, JsonArray *records, bool legend) {
        const Table table = { record_columns, G_N_ELEMENTS(record_columns), { "payloads" }, legend };

        table_print(out, &table, records);
}

void print_record_failures(JsonArray *records) {
        for (guint i = 0; i < array_length(records); i++) {
                JsonObject *record = node_object(json_array_get_element(records, i));
                JsonArray *failures = member_array(record, "failures");
                g_autofree char *name = cell_plain(member_at(record, "payload"));
                g_autofree char *cgroup = cell_name(member_at(record, "cgroup"));

                for (guint j = 0; j < array_length(failures); j++) {
                        g_autofree char *text = text_printable(json_array_get_element(failures, j), "  ");
                        fprintf(stderr, "ktctl: payload %s, cgroup %s: %s\n", name ?: "?", cgroup ?: "-",
                                text);
                }
        }
}
