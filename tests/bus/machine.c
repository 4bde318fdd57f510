/* SPDX-License-Identifier: GPL-2.0-only */
#include "machine.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- processes ---- */

static void add_children(pid_t pid, GString *text) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid), *list = NULL;

        if (!g_file_get_contents(path, &list, NULL, NULL))
                return;
        g_auto(GStrv) pids = g_strsplit(list, " ", -1);
        for (size_t i = 0; pids[i]; i++) {
                if (!pids[i][0])
                        continue;
                g_string_append_printf(text, "%s\n", pids[i]);
                add_children((pid_t)atoi(pids[i]), text);
        }
}

char *processes_below(pid_t pid) {
        GString *text = g_string_new(NULL);

        add_children(pid, text);
        return g_string_free(text, FALSE);
}

/* The daemon's loop takes a child that ended off the list after it has told everybody of the end. */
static void await_no_zombie(Fixture *f) {
        uint64_t until = fixture_deadline();
        bool zombie = true;

        while (zombie) {
                g_autofree char *text = processes_below(f->daemon.pid);
                g_auto(GStrv) pids = g_strsplit(text, "\n", -1);
                zombie = false;
                for (size_t i = 0; pids[i]; i++)
                        zombie = zombie || (pids[i][0] && process_gone((pid_t)atoi(pids[i])));
                if ((uint64_t)g_get_monotonic_time() > until)
                        fail_msg("a zombie stays");
                sched_yield();
        }
}

/* ---- books ---- */

/* Of a worker only who it is: its counters and its state move. */
static void still(JsonNode *node) {
        static const char *const lasting[] = { "pid", NULL };

        if (JSON_NODE_HOLDS_ARRAY(node)) {
                g_autoptr(GList) elements = json_array_get_elements(json_node_get_array(node));
                for (GList *e = elements; e; e = e->next)
                        still(e->data);
        }
        if (!JSON_NODE_HOLDS_OBJECT(node))
                return;
        JsonObject *object = json_node_get_object(node);
        g_autoptr(GList) names = json_object_get_members(object);
        for (GList *n = names; n; n = n->next) {
                if (json_object_has_member(object, "pid") && !g_strv_contains(lasting, n->data))
                        json_object_remove_member(object, n->data);
                else
                        still(json_object_get_member(object, n->data));
        }
}

static char *books(Fixture *f, int64_t *ret_step) {
        g_autoptr(JsonNode) state = json_from_string(text_at(call(f, "GetState", "[]"), "0"), NULL);

        *ret_step = number_at(state, "step_index");
        json_object_remove_member(json_node_get_object(state), "step_index");
        json_object_remove_member(json_node_get_object(at(state, "stall_monitor")), "ticks");
        still(state);
        return json_to_string(state, TRUE);
}

/* ---- both, and directories ---- */

Machine machine_look(Fixture *f) {
        Machine m = { 0 };

        await_no_zombie(f);
        m.directories = directories_below(f->root);
        m.processes = processes_below(f->daemon.pid);
        m.books = books(f, &m.step);
        return m;
}

void machine_clear(Machine *m) {
        g_free(m->directories);
        g_free(m->processes);
        g_free(m->books);
        *m = (Machine){ 0 };
}

char *machine_difference(const Machine *before, const Machine *after) {
        const struct {
                const char *what, *was, *is;
        } parts[] = { { "directories", before->directories, after->directories },
                      { "processes", before->processes, after->processes },
                      { "books", before->books, after->books } };
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
                if (!g_str_equal(parts[i].was, parts[i].is))
                        g_string_append_printf(text, "%s were:\n%s\nand are:\n%s\n", parts[i].what,
                                               parts[i].was, parts[i].is);
        if (before->step != after->step)
                g_string_append_printf(text,
                                       "step_index was %" G_GINT64_FORMAT " and is %" G_GINT64_FORMAT "\n",
                                       before->step, after->step);
        return g_string_free(text, text->len == 0);
}

void machine_assert_same(Fixture *f, const Machine *before, const char *what) {
        g_auto(Machine) after = machine_look(f);
        g_autofree char *difference = machine_difference(before, &after);

        if (difference)
                fail_msg("%s: %s", what, difference);
}
