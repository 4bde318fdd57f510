/* SPDX-License-Identifier: GPL-2.0-only */
#include "print.h"

#include "cells.h"
#include "members.h"
#include "print-payload.h"
#include "print-stall.h"
#include "table.h"

#include <inttypes.h>

static const Column report_columns[] = {
        { "CGROUP", 0, "name", cell_text, 0, false, NULL },
        { "WORK", 1, "work_type", cell_text, 0, false, NULL },
        { "PCOMM", 1, "pcomm", cell_text, 0, true, NULL },
        { "LEADER", 1, "leader_pid", cell_count, SCOLS_FL_RIGHT, true, NULL },
        { "PID", 2, "tid", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "RESULT", 2, "", cell_result, 0, false, colour_result },
        { "ITERATIONS", 2, "iterations", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "WORK-UNITS", 2, "work_units", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "WALL", 2, "wall_time_ns", cell_duration, SCOLS_FL_RIGHT, false, NULL },
        { "CPU", 2, "cpu_time_ns", cell_duration, SCOLS_FL_RIGHT, false, NULL },
        { "RUN-DELAY", 2, "schedstat_run_delay_ns", cell_duration, SCOLS_FL_RIGHT, false, NULL },
        { "MIGRATIONS", 2, "migration_count", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "CPUS", 2, "cpus_used", cell_text, SCOLS_FL_TRUNC, false, NULL },
        { "WAKE-P50", 2, "wake_latency_ns.p50", cell_duration, SCOLS_FL_RIGHT, true, NULL },
        { "WAKE-P99", 2, "wake_latency_ns.p99", cell_duration, SCOLS_FL_RIGHT, true, NULL },
        { "PHASES", 2, "phase_slices", cell_length, SCOLS_FL_RIGHT, true, NULL },
};

static void print_summary(FILE *out, JsonObject *summary) {
        uint64_t cgroups = member_count(summary, "cgroups"), workers = member_count(summary, "workers");
        uint64_t iterations = member_count(summary, "iterations");
        uint64_t work_units = member_count(summary, "work_units");
        uint64_t payloads = member_count(summary, "payloads"), stalls = member_count(summary, "stalls");

        fprintf(out, "Step %" PRIu64 ": %" PRIu64 " cgroup%s, %" PRIu64 " worker%s",
                member_count(summary, "step_index"), cgroups, plural(cgroups), workers, plural(workers));
        if (workers > 0)
                fprintf(out,
                        ": %" PRIu64 " completed, %" PRIu64 " killed; %" PRIu64 " iteration%s, %" PRIu64
                        " work unit%s",
                        member_count(summary, "completed"), member_count(summary, "killed"), iterations,
                        plural(iterations), work_units, plural(work_units));
        if (payloads > 0)
                fprintf(out, "; %" PRIu64 " payload%s, %" PRIu64 " failed", payloads, plural(payloads),
                        member_count(summary, "payloads_failed"));
        if (stalls > 0)
                fprintf(out, "; %" PRIu64 " stall%s, %" PRIu64 " failed", stalls, plural(stalls),
                        member_count(summary, "stalls_failed"));
        fputs(".\n", out);
}

static void print_warnings(JsonArray *warnings) {
        for (guint i = 0; i < array_length(warnings); i++) {
                g_autofree char *text = cell_text(json_array_get_element(warnings, i));
                if (text)
                        fprintf(stderr, "ktctl: warning: %s\n", text);
        }
}

void print_report(FILE *out, JsonObject *report, JsonObject *summary, bool legend) {
        const Table table = {
                report_columns, G_N_ELEMENTS(report_columns), { "cgroups", "works", "workers" }, legend
        };
        JsonArray *cgroups = member_array(report, "cgroups"), *payloads = member_array(report, "payloads"),
                  *stalls = member_array(report, "stalls");
        guint above = array_length(cgroups);

        table_print(out, &table, cgroups);
        if (above > 0 && array_length(payloads) > 0)
                fputc('\n', out);
        print_records(out, payloads, legend);
        above += array_length(payloads);
        if (above > 0 && array_length(stalls) > 0)
                fputc('\n', out);
        print_stalls(out, stalls, legend);
        if (legend) {
                if (above + array_length(stalls) > 0)
                        fputc('\n', out);
                print_summary(out, summary);
        }
        fflush(out); /* a terminal shows what follows below */
        print_record_failures(payloads);
        print_stall_failures(stalls);
        print_warnings(member_array(report, "warnings"));
}

static guint work_failures(JsonObject *work) {
        JsonArray *workers = member_array(work, "workers");
        guint failures = 0;

        for (guint i = 0; i < array_length(workers); i++) {
                JsonObject *worker = node_object(json_array_get_element(workers, i));
                failures += worker && !worker_completed(worker);
        }
        return failures;
}

static guint count_failed(JsonArray *payloads) {
        guint failed = 0;

        for (guint i = 0; i < array_length(payloads); i++)
                failed += payload_failed(node_object(json_array_get_element(payloads, i)));
        return failed;
}

guint report_failures(JsonObject *report) {
        JsonArray *cgroups = member_array(report, "cgroups");
        guint failures = count_failed(member_array(report, "payloads")) +
                         count_stall_failures(member_array(report, "stalls"));

        for (guint i = 0; i < array_length(cgroups); i++) {
                JsonArray *works = member_array(node_object(json_array_get_element(cgroups, i)), "works");
                for (guint j = 0; j < array_length(works); j++)
                        failures += work_failures(node_object(json_array_get_element(works, j)));
        }
        return failures;
}
