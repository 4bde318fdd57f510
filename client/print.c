/* SPDX-License-Identifier: GPL-2.0-only */
#include "dbus/json-write.h"
#include "print.h"

#include "cells.h"
#include "members.h"
#include "print-payload.h"
#include "print-stall.h"
#include "table.h"

#include <inttypes.h>

void print_json(FILE *out, JsonNode *node) {
        g_autofree char *text = json_write(node, true);

        fprintf(out, "%s\n", text);
}

/* ---- status ---- */

static const Column state_columns[] = {
        { "CGROUP", 0, "name", cell_text, 0, false, NULL },
        { "SLOT", 0, "slot", cell_text, 0, false, NULL },
        { "CPUSET", 0, "cpuset", cell_text, SCOLS_FL_TRUNC, false, NULL },
        { "WORK", 1, "work_type", cell_text, 0, false, NULL },
        { "PCOMM", 1, "pcomm", cell_text, 0, true, NULL },
        { "LEADER", 1, "leader_pid", cell_count, SCOLS_FL_RIGHT, true, NULL },
        { "PID", 2, "pid", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "TID", 2, "tid", cell_count, SCOLS_FL_RIGHT, true, NULL },
        { "STATE", 2, "state", cell_text, 0, false, colour_state },
        { "ITERATIONS", 2, "iterations", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "WORK-UNITS", 2, "work_units", cell_count, SCOLS_FL_RIGHT, false, NULL },
};

static const Column limit_columns[] = {
        { "CGROUP", 0, "name", cell_text, 0, false, NULL },
        { "KNOB", 1, "knob", cell_text, 0, false, NULL },
        { "VALUE", 1, "value", cell_text, SCOLS_FL_TRUNC, false, NULL },
};

static guint count_workers(JsonArray *cgroups) {
        guint workers = 0;

        for (guint i = 0; i < array_length(cgroups); i++) {
                JsonArray *works = member_array(node_object(json_array_get_element(cgroups, i)), "works");
                for (guint j = 0; j < array_length(works); j++)
                        workers += array_length(
                                member_array(node_object(json_array_get_element(works, j)), "workers"));
        }
        return workers;
}

/* limits:{KNOB: VALUE} as the list of objects that a table is made from. */
static JsonArray *knobs_of(JsonObject *cgroup) {
        JsonObject *limits = member_object(cgroup, "limits");
        JsonArray *knobs = json_array_new();
        JsonObjectIter iter;
        const char *knob;
        JsonNode *value;

        if (!limits)
                return knobs;
        json_object_iter_init_ordered(&iter, limits);
        while (json_object_iter_next_ordered(&iter, &knob, &value)) {
                JsonObject *row = json_object_new();
                json_object_set_string_member(row, "knob", knob);
                json_object_set_member(row, "value", json_object_dup_member(limits, knob));
                json_array_add_object_element(knobs, row);
        }
        return knobs;
}

static void print_limits(FILE *out, JsonArray *cgroups, bool legend) {
        const Table table = { limit_columns, G_N_ELEMENTS(limit_columns), { "cgroups", "knobs" }, legend };
        g_autoptr(JsonArray) rows = json_array_new();

        for (guint i = 0; i < array_length(cgroups); i++) {
                JsonObject *cgroup = node_object(json_array_get_element(cgroups, i));
                g_autoptr(JsonArray) knobs = knobs_of(cgroup);
                JsonObject *row;

                if (array_length(knobs) == 0)
                        continue;
                row = json_object_new();
                json_object_set_string_member(row, "name", member_text(cgroup, "name") ?: "");
                json_object_set_array_member(row, "knobs", g_steal_pointer(&knobs));
                json_array_add_object_element(rows, row);
        }
        if (array_length(rows) == 0)
                return;
        fputc('\n', out);
        table_print(out, &table, rows);
}

static void print_state_summary(FILE *out, JsonObject *state) {
        JsonArray *cgroups = member_array(state, "cgroups");
        guint n = array_length(cgroups), workers = count_workers(cgroups);
        guint payloads = array_length(member_array(state, "payloads"));
        guint stalls = array_length(member_array(state, "stalls"));

        fprintf(out, "%sScenario %s, step %" PRIu64 ": ", n || payloads || stalls ? "\n" : "",
                member_text(state, "scenario") ?: "", member_count(state, "step_index"));
        if (n > 0)
                fprintf(out, "%u cgroup%s, %u worker%s", n, plural(n), workers, plural(workers));
        else
                fputs("no cgroups", out);
        if (payloads > 0)
                fprintf(out, ", %u payload%s", payloads, plural(payloads));
        if (stalls > 0)
                fprintf(out, ", %u stall%s", stalls, plural(stalls));
        if (member_at(state, "stall_monitor_active"))
                fprintf(out, "; stall monitor %s", member_true(state, "stall_monitor_active") ? "on" : "off");
        fputs(".\n", out);
}

void print_state(FILE *out, JsonObject *state, bool limits, bool legend) {
        const Table table = {
                state_columns, G_N_ELEMENTS(state_columns), { "cgroups", "works", "workers" }, legend
        };
        JsonArray *cgroups = member_array(state, "cgroups"), *payloads = member_array(state, "payloads"),
                  *stalls = member_array(state, "stalls");

        table_print(out, &table, cgroups);
        if (limits)
                print_limits(out, cgroups, legend);
        if (array_length(cgroups) > 0 && array_length(payloads) > 0)
                fputc('\n', out);
        print_payload_states(out, payloads, legend);
        if (array_length(stalls) > 0 && (array_length(cgroups) > 0 || array_length(payloads) > 0))
                fputc('\n', out);
        print_stalls(out, stalls, legend);
        if (legend)
                print_state_summary(out, state);
}

/* ---- topology ---- */

static const Column llc_columns[] = {
        { "LLC", 0, "index", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "CPUS", 0, "cpus", cell_text, SCOLS_FL_TRUNC, false, NULL },
        { "NODE", 0, "numa_node", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "SIZE", 0, "size_kib", cell_kib, SCOLS_FL_RIGHT, true, NULL },
};

static const Column node_columns[] = {
        { "NODE", 0, "id", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "CPUS", 0, "cpus", cell_text, SCOLS_FL_TRUNC, false, NULL },
        { "MEMORY", 0, "total_kib", cell_kib, SCOLS_FL_RIGHT, true, NULL },
        { "DISTANCES", 0, "distances", cell_list, 0, true, NULL },
};

/* Copies of the nodes, each with its row of the distance matrix. */
static JsonArray *nodes_with_distances(JsonArray *nodes, JsonArray *distances) {
        JsonArray *rows = json_array_new();

        for (guint i = 0; i < array_length(nodes); i++) {
                JsonObject *node = node_object(json_array_get_element(nodes, i)), *row = json_object_new();
                g_autoptr(GList) keys = node ? json_object_get_members(node) : NULL;

                for (GList *k = keys; k; k = k->next)
                        json_object_set_member(row, k->data, json_object_dup_member(node, k->data));
                if (i < array_length(distances))
                        json_object_set_member(row, "distances", json_array_dup_element(distances, i));
                json_array_add_object_element(rows, row);
        }
        return rows;
}

void print_topology(FILE *out, JsonObject *topology, bool legend) {
        const Table llcs = { llc_columns, G_N_ELEMENTS(llc_columns), { "llcs" }, legend };
        const Table nodes = { node_columns, G_N_ELEMENTS(node_columns), { "numa_nodes" }, legend };
        g_autoptr(JsonArray) rows = nodes_with_distances(member_array(topology, "numa_nodes"),
                                                         member_array(topology, "distances"));

        fprintf(out, "CPUs %s, usable %s\n\n", member_text(topology, "cpus") ?: "unknown",
                member_text(topology, "usable") ?: "unknown");
        table_print(out, &llcs, member_array(topology, "llcs"));
        fputc('\n', out);
        table_print(out, &nodes, rows);
}

/* ---- what was made, or would be ---- */

static const Column result_columns[] = {
        { "CGROUP", 0, "name", cell_text, 0, false, NULL },
        { "CPUSET", 0, "cpuset", cell_text, SCOLS_FL_TRUNC, false, NULL },
        { "WORK", 1, "work_type", cell_text, 0, false, NULL },
        { "WORKERS", 1, "workers", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "PCOMM", 1, "pcomm", cell_text, 0, true, NULL },
        { "PIDS", 1, "pids", cell_ranges, SCOLS_FL_TRUNC, true, NULL },
        { "TIDS", 1, "tids", cell_ranges, SCOLS_FL_TRUNC, true, NULL },
        { "CPUS", 1, "cpus", cell_text, SCOLS_FL_TRUNC, true, NULL },
        { "PLACEMENT", 1, "placement", cell_text, 0, true, NULL },
        { "PAYLOAD", 0, "payload.payload", cell_text, 0, true, NULL },
        { "PAYLOAD-PID", 0, "payload.pid", cell_count, SCOLS_FL_RIGHT, true, NULL },
        { "PATH", 0, "path", cell_text, SCOLS_FL_TRUNC, true, NULL },
};

void print_results(FILE *out, JsonArray *cgroups, bool legend) {
        const Table table = { result_columns, G_N_ELEMENTS(result_columns), { "cgroups", "works" }, legend };

        table_print(out, &table, cgroups);
}

/* "2 x PipeIo on CPUs 0-3, 1 x Bursty" */
static char *works_text(JsonArray *works) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < array_length(works); i++) {
                JsonObject *work = node_object(json_array_get_element(works, i));
                const char *type = member_text(work, "work_type"), *cpus = member_text(work, "cpus");

                g_string_append_printf(text, "%s%" PRIu64 " x %s", i ? ", " : "",
                                       member_count(work, "workers"), type ?: "?");
                if (cpus && *cpus)
                        g_string_append_printf(text, " on CPUs %s", cpus);
        }
        return g_strdup(text->str);
}

/* Of a whole action: what it does to the path, or to all workers; or what it starts or ends there. */
static char *cell_effect(JsonNode *node) {
        JsonObject *action = node_object(node);
        JsonArray *works = member_array(action, "works");
        const char *value = member_text(action, "value"), *pcomm = member_text(action, "pcomm");
        const char *payload = member_text(action, "payload");
        g_autofree char *text = works_text(works);

        if (works && pcomm)
                return g_strdup_printf("threads of %s: %s", pcomm, text);
        if (works)
                return g_steal_pointer(&text);
        if (member_at(action, "argv"))
                return cell_command(member_at(action, "argv"));
        if (value && !*value)
                return g_strdup("\"\"");
        return cell_text(member_at(action, value ? "value" : payload ? "payload" : "phase"));
}

static const Column action_columns[] = {
        { "ACTION", 0, "action", cell_text, 0, false, NULL },
        { "PATH", 0, "path", cell_text, 0, false, NULL },
        { "EFFECT", 0, "", cell_effect, 0, true, NULL },
};

void print_plan(FILE *out, JsonArray *cgroups) {
        const Table table = { action_columns, G_N_ELEMENTS(action_columns), { "actions" }, false };
        g_autoptr(JsonArray) all = json_array_new();

        for (guint i = 0; i < array_length(cgroups); i++) {
                JsonArray *actions = member_array(node_object(json_array_get_element(cgroups, i)), "actions");
                for (guint j = 0; j < array_length(actions); j++)
                        json_array_add_element(all, json_array_dup_element(actions, j));
        }
        table_print(out, &table, all);
}

/* ---- version ---- */

void print_version(FILE *out, JsonObject *properties) {
        static const struct {
                const char *label;
                const char *key;
        } rows[] = {
                { "ktctl", "ktctl" },
                { "ktsetupd", "Version" },
                { "cgroup root", "CgroupRoot" },
                { "controllers", "Controllers" },
                { "kernel quirks", "KernelQuirks" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                JsonNode *node = member_at(properties, rows[i].key);
                g_autofree char *text =
                        node && JSON_NODE_HOLDS_ARRAY(node) ? cell_list(node) : cell_text(node);
                fprintf(out, "%-14s %s\n", rows[i].label, text && *text ? text : "-");
        }
}
