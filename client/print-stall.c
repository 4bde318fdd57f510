/* SPDX-License-Identifier: GPL-2.0-only */
#include "print-stall.h"

#include "cells.h"
#include "colour.h"
#include "members.h"
#include "table.h"

#include <inttypes.h>

static bool fails(JsonNode *stall) {
        return member_true(node_object(stall), "fails");
}

static char *cell_who(JsonNode *node) {
        JsonObject *stall = node_object(node);
        const char *type = member_text(stall, "work_type");
        g_autofree char *payload = cell_plain(member_at(stall, "payload"));

        if (payload)
                return g_strdup_printf("payload %s", payload);
        if (!type)
                return NULL;
        return g_strdup_printf("worker %" PRIu64 " (%s, work %" PRIu64 ")", member_count(stall, "worker"),
                               type, member_count(stall, "work_index"));
}

/* Of a thread; the thread id of a process says nothing new. */
static char *cell_thread(JsonNode *node) {
        JsonObject *stall = node_object(node);

        if (member_count(stall, "tid") == member_count(stall, "pid"))
                return NULL;
        return cell_count(member_at(stall, "tid"));
}

static char *cell_fails(JsonNode *node) {
        return g_strdup(fails(node) ? "yes" : "no");
}

static char *cell_cause(JsonNode *node) {
        return node && JSON_NODE_HOLDS_VALUE(node) ? text_printable(node, "") : NULL;
}

static const char *colour_stall(JsonObject *stall) {
        return member_true(stall, "fails") ? COLOUR_BAD : NULL;
}

static const Column stall_columns[] = {
        { "CGROUP", 0, "cgroup", cell_name, 0, false, NULL },
        { "PID", 0, "pid", cell_count, SCOLS_FL_RIGHT, false, NULL },
        { "TID", 0, "", cell_thread, SCOLS_FL_RIGHT, true, NULL },
        { "WHO", 0, "", cell_who, 0, false, NULL },
        { "CLASS", 0, "class", cell_text, 0, false, colour_stall },
        { "FAILS", 0, "", cell_fails, 0, false, NULL },
        { "CAUSE", 0, "cause", cell_cause, SCOLS_FL_TRUNC, false, NULL },
};

void print_stalls(FILE *out, JsonArray *stalls, bool legend) {
        const Table table = { stall_columns, G_N_ELEMENTS(stall_columns), { "stalls" }, legend };

        table_print(out, &table, stalls);
}

void print_stall_failures(JsonArray *stalls) {
        for (guint i = 0; i < array_length(stalls); i++) {
                JsonNode *node = json_array_get_element(stalls, i);
                JsonObject *stall = node_object(node);
                g_autofree char *who = cell_who(node), *cgroup = cell_name(member_at(stall, "cgroup"));
                g_autofree char *pid = cell_count(member_at(stall, "pid")), *tid = cell_thread(node);
                g_autofree char *cause = cell_cause(member_at(stall, "cause"));

                if (fails(node))
                        fprintf(stderr, "ktctl: %s, cgroup %s, pid %s%s%s stalled: %s: %s\n", who ?: "?",
                                cgroup ?: "?", pid ?: "?", tid ? ", thread " : "", tid ?: "",
                                member_text(stall, "class") ?: "?", cause ?: "?");
        }
}

guint count_stall_failures(JsonArray *stalls) {
        guint failures = 0;

        for (guint i = 0; i < array_length(stalls); i++)
                failures += fails(json_array_get_element(stalls, i));
        return failures;
}
