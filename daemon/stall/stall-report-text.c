/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "report/report-worker.h"
#include "stall-report.h"

/* ---- JSON ---- */

static void set_subject(JsonObject *o, const StallReport *r) {
        json_object_set_int_member(o, "pid", r->pid);
        json_object_set_int_member(o, "tid", r->tid);
        json_object_set_string_member(o, "cgroup", r->cgroup);
        if (r->payload) {
                json_object_set_string_member(o, "payload", r->payload);
                return;
        }
        json_object_set_string_member(o, "work_type", r->work_type);
        json_object_set_int_member(o, "work_index", r->work_index);
        json_object_set_int_member(o, "worker", r->worker);
}

static JsonArray *samples_to_json(const StallWindow *w) {
        JsonArray *samples = json_array_new();

        for (unsigned i = 0; i < w->n; i++) {
                JsonObject *o = json_object_new();
                report_set_u64(o, "nr_switches", w->samples[i].switches);
                report_set_u64(o, "sum_exec_runtime_ns", w->samples[i].runtime_ns);
                json_array_add_object_element(samples, o);
        }
        return samples;
}

static JsonArray *throttling_to_json(const GArray *levels) {
        JsonArray *throttling = json_array_new();

        for (guint i = 0; i < levels->len; i++) {
                const StallLevel *level = &g_array_index(levels, StallLevel, i);
                JsonObject *o = json_object_new();
                CpuStat growth = stall_level_growth(level);
                json_object_set_string_member(o, "cgroup", level->cgroup);
                if (level->missing)
                        json_object_set_string_member(o, "cpu_stat", level->missing);
                else {
                        report_set_u64(o, "nr_periods", growth.periods);
                        report_set_u64(o, "nr_throttled", growth.throttled);
                        report_set_u64(o, "throttled_usec", growth.throttled_usec);
                }
                json_array_add_object_element(throttling, o);
        }
        return throttling;
}

static JsonObject *competitor_to_json(const WireCompetitor *t) {
        g_autofree char *comm = g_utf8_make_valid(t->comm, -1);
        JsonObject *o = json_object_new();

        json_object_set_int_member(o, "pid", t->pid);
        json_object_set_int_member(o, "tid", t->tid);
        json_object_set_string_member(o, "comm", comm);
        json_object_set_int_member(o, "cpu", t->cpu);
        json_object_set_string_member(o, "policy", stall_policy_name(t->policy));
        json_object_set_int_member(o, "priority", t->priority);
        json_object_set_int_member(o, "nice", t->nice);
        return o;
}

static JsonObject *rivals_to_json(const StallReport *r) {
        JsonObject *o = json_object_new();
        JsonArray *competitors = json_array_new();

        for (unsigned i = 0; i < r->n_competitors; i++)
                json_array_add_object_element(competitors, competitor_to_json(&r->competitors[i]));
        json_object_set_int_member(o, "count", r->n_rivals);
        json_object_set_array_member(o, "first", competitors);
        if (r->scan)
                json_object_set_string_member(o, "incomplete", r->scan);
        return o;
}

static void set_texts(JsonObject *o, const StallReport *r) {
        static const char *const keys[STALL_TEXT_COUNT] = {
                [STALL_COMM] = "comm",
                [STALL_STATUS] = "status",
                [STALL_KERNEL_CGROUP] = "kernel_cgroup",
                [STALL_LOADAVG] = "loadavg",
                [STALL_PRESSURE] = "cpu_pressure",
                [STALL_WCHAN] = "wchan",
                [STALL_SYSCALL] = "syscall",
                [STALL_STACK] = "stack",
        };

        for (StallText t = 0; t < STALL_TEXT_COUNT; t++)
                if (r->texts[t])
                        json_object_set_string_member(o, keys[t], r->texts[t]);
}

JsonObject *stall_report_to_json(const StallReport *r) {
        JsonObject *o = json_object_new();
        const char state[] = { r->state, '\0' };

        set_subject(o, r);
        json_object_set_string_member(o, "class", stall_class_name(r->class));
        json_object_set_string_member(o, "cause", r->cause);
        report_set_u64(o, "window_ms", stall_window_span(&r->window) / 1000000);
        json_object_set_array_member(o, "samples", samples_to_json(&r->window));
        json_object_set_string_member(o, "state", state);
        set_texts(o, r);
        json_object_set_array_member(o, "throttling", throttling_to_json(r->levels));
        json_object_set_object_member(o, "runnable_on_its_cpus", rivals_to_json(r));
        return o;
}

/* ---- text ---- */

static void add_who(GString *text, const StallReport *r) {
        if (r->payload)
                g_string_append_printf(text, "payload %s", r->payload);
        else
                g_string_append_printf(text, "worker %u (%s, work %u)", r->worker, r->work_type,
                                       r->work_index);
        if (*r->cgroup)
                g_string_append_printf(text, " in cgroup '%s'", r->cgroup);
        else
                g_string_append(text, " in the scenario's root");
}

char *stall_report_line(const StallReport *r) {
        GString *text = g_string_new(NULL);

        add_who(text, r);
        g_string_append_printf(text, " (pid %d) made no progress: %s: %s", r->pid, stall_class_name(r->class),
                               r->cause);
        return g_string_free(text, FALSE);
}

static void add_head(GString *text, const StallReport *r) {
        g_autofree char *comm = g_strescape(r->texts[STALL_COMM], NULL);

        add_who(text, r);
        g_string_append_printf(text, " made no progress: %s\n  pid %d", stall_class_name(r->class), r->pid);
        if (r->tid != r->pid)
                g_string_append_printf(text, ", thread %d", r->tid);
        g_string_append_printf(text, " \"%s\"\n  cause: %s\n", comm, r->cause);
}

static void add_counter(GString *text, const char *name, guint64 first, guint64 last) {
        g_string_append_printf(text,
                               ", %s %" G_GUINT64_FORMAT " -> %" G_GUINT64_FORMAT " (+%" G_GUINT64_FORMAT ")",
                               name, first, last, last - MIN(first, last));
}

static void add_samples(GString *text, const StallWindow *w) {
        const StallSample *first = &w->samples[0], *last = &w->samples[w->n ? w->n - 1 : 0];

        g_string_append_printf(text, "  samples: %u in %.1f s", w->n, (double)stall_window_span(w) / 1e9);
        add_counter(text, "nr_switches", first->switches, last->switches);
        add_counter(text, "sum_exec_runtime_ns", first->runtime_ns, last->runtime_ns);
        g_string_append_c(text, '\n');
}

/* One line as "  label: text"; several below the label, further in. */
static void add_text(GString *text, const char *label, const char *value) {
        g_auto(GStrv) lines = g_strsplit(value ?: "", "\n", -1);
        bool single = g_strv_length(lines) < 2;

        if (!value)
                return;
        g_string_append_printf(text, "  %s:%s", label, single ? " " : "\n");
        for (char **line = lines; *line; line++)
                g_string_append_printf(text, "%s%s\n", single ? "" : "    ", *line);
        if (!*lines)
                g_string_append_c(text, '\n');
}

static void add_throttling(GString *text, const GArray *levels) {
        for (guint i = 0; i < levels->len; i++) {
                const StallLevel *level = &g_array_index(levels, StallLevel, i);
                CpuStat growth = stall_level_growth(level);
                if (!level->missing && growth.throttled)
                        g_string_append_printf(
                                text,
                                "  cpu.stat of '%s': throttled in %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                                " periods, %" G_GUINT64_FORMAT " us\n",
                                level->cgroup, growth.throttled, growth.periods, growth.throttled_usec);
        }
}

static void add_rivals(GString *text, const StallReport *r) {
        for (unsigned i = 0; i < r->n_competitors; i++) {
                g_autofree char *competitor = stall_competitor_text(&r->competitors[i]);
                g_string_append_printf(text, "  runnable on CPU %u: %s\n", r->competitors[i].cpu, competitor);
        }
        if (r->n_rivals > r->n_competitors)
                g_string_append_printf(text, "  runnable on its CPUs: %u more\n",
                                       r->n_rivals - r->n_competitors);
        if (r->scan)
                g_string_append_printf(text, "  runnable on its CPUs, incomplete: %s\n", r->scan);
}

char *stall_report_text(const StallReport *r) {
        GString *text = g_string_new(NULL);
        const char state[] = { r->state, '\0' };

        add_head(text, r);
        add_samples(text, &r->window);
        add_text(text, "state", state);
        add_text(text, "wchan", r->texts[STALL_WCHAN]);
        add_text(text, "syscall", r->texts[STALL_SYSCALL]);
        add_text(text, "kernel's cgroup", r->texts[STALL_KERNEL_CGROUP]);
        add_text(text, "loadavg", r->texts[STALL_LOADAVG]);
        add_text(text, "cpu.pressure", r->texts[STALL_PRESSURE]);
        add_throttling(text, r->levels);
        add_rivals(text, r);
        add_text(text, "stack", r->texts[STALL_STACK]);
        return g_string_free(text, FALSE);
}
