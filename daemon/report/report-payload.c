/* SPDX-License-Identifier: GPL-2.0-only */
#include "report-payload.h"

#include <signal.h>
#include <string.h>

#include "report-worker.h"

/* ---- lists of text ---- */

static void set_texts(JsonObject *o, const char *key, char *const *texts) {
        JsonArray *array = json_array_new();

        for (size_t i = 0; texts && texts[i]; i++)
                json_array_add_string_element(array, texts[i]);
        json_object_set_array_member(o, key, array);
}

static void set_argv(JsonObject *o, const PayloadState *p) {
        g_auto(GStrv) argv = payload_state_argv(p);

        set_texts(o, "argv", argv);
}

/* ---- one payload ---- */

/* A SIGKILL that nobody here sent, while memory.events counted one, is the kernel's. */
static const char *result_of(const PayloadState *p) {
        if (!p->exit || p->exit->asked)
                return p->timed_out ? "timed-out" : "killed";
        if (p->exit->exit_kind == WORKER_EXIT_CODE)
                return "exited";
        return p->exit->exit_value == SIGKILL && p->exit->oom_kills > 0 ? "oom-killed" : "signaled";
}

static void add_exit(JsonObject *o, const PayloadState *p) {
        bool by_code = p->exit && p->exit->exit_kind == WORKER_EXIT_CODE;

        json_object_set_string_member(o, "result", result_of(p));
        json_object_set_int_member(o, "exit_code", by_code ? p->exit->exit_value : -1);
        if (p->exit && !by_code)
                json_object_set_int_member(o, "signal", p->exit->exit_value);
        report_set_u64(o, "run_us", p->exit ? p->exit->run_ns / 1000 : 0);
        report_set_u64(o, "oom_kills", p->exit ? p->exit->oom_kills : 0);
}

JsonObject *payload_exit_info(const PayloadState *p) {
        JsonObject *o = json_object_new();

        add_exit(o, p);
        return o;
}

static JsonObject *rusage_of(const PayloadState *p) {
        static const WirePayloadExit none;
        const WirePayloadExit *e = p->exit ?: &none;
        JsonObject *o = json_object_new();

        report_set_u64(o, "user_us", e->user_us);
        report_set_u64(o, "system_us", e->system_us);
        report_set_u64(o, "max_rss_kib", e->max_rss_kib);
        report_set_u64(o, "minor_faults", e->minor_faults);
        report_set_u64(o, "major_faults", e->major_faults);
        report_set_u64(o, "in_blocks", e->in_blocks);
        report_set_u64(o, "out_blocks", e->out_blocks);
        report_set_u64(o, "voluntary_switches", e->voluntary_switches);
        report_set_u64(o, "involuntary_switches", e->involuntary_switches);
        return o;
}

static void add_output(JsonObject *o, const PayloadState *p) {
        for (int i = 0; i < PAYLOAD_STREAMS; i++) {
                const PayloadCount *count = &p->output[i];
                JsonObject *stream = json_object_new();
                report_set_u64(stream, "bytes", count->bytes);
                report_set_u64(stream, "kept", count->kept);
                json_object_set_boolean_member(stream, "truncated", count->kept < count->bytes);
                json_object_set_object_member(o, payload_stream_name(i), stream);
        }
}

static JsonObject *payload_head(const PayloadState *p) {
        JsonObject *o = json_object_new();

        json_object_set_string_member(o, "payload", p->def->name);
        json_object_set_string_member(o, "cgroup", p->cgroup);
        json_object_set_string_member(o, "slot", slot_name(p->slot));
        json_object_set_string_member(o, "origin",
                                      p->origin == PAYLOAD_OF_DEFINITION ? "definition" : "call");
        json_object_set_int_member(o, "pid", p->pid);
        set_argv(o, p);
        return o;
}

JsonObject *payload_record(const PayloadState *p, const Metrics *metrics, char *const *failures) {
        JsonObject *o = payload_head(p);

        json_object_set_string_member(o, "placement", p->moved ? "moved" : "born");
        add_exit(o, p);
        json_object_set_object_member(o, "rusage", rusage_of(p));
        json_object_set_array_member(o, "metrics", metrics ? metrics_to_json(metrics) : json_array_new());
        json_object_set_boolean_member(o, "metrics_truncated", metrics && metrics->truncated);
        json_object_set_boolean_member(o, "passed", !failures || !failures[0]);
        set_texts(o, "failures", failures);
        add_output(o, p);
        return o;
}

JsonObject *payload_live(const PayloadState *p) {
        JsonObject *o = payload_head(p);

        json_object_set_string_member(o, "state", p->exit ? "exited" : "running");
        if (p->exit)
                add_exit(o, p);
        add_output(o, p);
        return o;
}

JsonObject *payload_started(const PayloadState *p, const char *root, bool dry_run) {
        JsonObject *o = json_object_new();
        g_autofree char *path = g_build_filename(root, p->directory, NULL);

        json_object_set_string_member(o, "payload", p->def->name);
        json_object_set_string_member(o, "cgroup", p->cgroup);
        json_object_set_string_member(o, "path", path);
        json_object_set_string_member(o, "target", slot_name(p->slot));
        if (!dry_run)
                json_object_set_int_member(o, "pid", p->pid);
        set_argv(o, p);
        return o;
}

void payload_record_failures(JsonObject *record, JsonArray *ret) {
        JsonArray *failures = json_object_get_array_member(record, "failures");
        g_autofree char *where = payload_place_text(json_object_get_string_member(record, "cgroup"));

        for (guint i = 0; i < json_array_get_length(failures); i++) {
                g_autofree char *line = g_strdup_printf("payload '%s' %s: %s",
                                                        json_object_get_string_member(record, "payload"),
                                                        where, json_array_get_string_element(failures, i));
                json_array_add_string_element(ret, line);
        }
}

/* ---- what the files define ---- */

static void set_some_texts(JsonObject *o, const char *key, char *const *texts) {
        if (texts && texts[0])
                set_texts(o, key, texts);
}

static void add_checks(JsonObject *o, const PayloadDef *def) {
        JsonArray *array = json_array_new();

        for (guint i = 0; i < def->checks->len; i++)
                json_array_add_string_element(array, ((const PayloadCheck *)def->checks->pdata[i])->text);
        json_object_set_array_member(o, "checks", array);
}

static void add_hints(JsonObject *o, const PayloadDef *def) {
        JsonArray *array = json_array_new();

        for (guint i = 0; i < def->metrics->len; i++)
                json_array_add_string_element(array, ((const MetricHint *)def->metrics->pdata[i])->text);
        json_object_set_array_member(o, "metrics", array);
}

/* Everybody may ask: the names of the variables will do, their values may be secrets of a file that root
 * alone reads.
 */
static void add_environment(JsonObject *o, char *const *environment) {
        JsonArray *names = json_array_new();

        for (size_t i = 0; environment[i]; i++) {
                g_autofree char *name = g_strndup(environment[i], strcspn(environment[i], "="));
                json_array_add_string_element(names, name);
        }
        json_object_set_array_member(o, "environment", names);
}

static void add_definition(JsonObject *o, const PayloadDef *def) {
        json_object_set_string_member(o, "exec", def->exec);
        set_some_texts(o, "args", def->args);
        json_object_set_string_member(o, "output", def->output == PAYLOAD_OUTPUT_JSON ? "json" : "exit-code");
        if (def->known_flags)
                set_texts(o, "known_flags", def->known_flags);
        if (def->checks->len)
                add_checks(o, def);
        if (def->metrics->len)
                add_hints(o, def);
        json_object_set_string_member(o, "process_group", def->parent_process_group ? "parent" : "own");
        json_object_set_string_member(o, "working_directory", def->working_directory);
        if (def->environment[0])
                add_environment(o, def->environment);
        if (def->user)
                json_object_set_string_member(o, "user", def->user);
}

JsonArray *payload_set_to_json(const PayloadSet *set) {
        JsonArray *array = json_array_new();

        for (guint i = 0; i < set->files->len; i++) {
                const PayloadFile *file = set->files->pdata[i];
                JsonObject *o = json_object_new();
                json_object_set_string_member(o, "name", file->name);
                json_object_set_string_member(o, "file", file->path);
                if (file->def)
                        add_definition(o, file->def);
                else
                        json_object_set_string_member(o, "error", file->error);
                json_array_add_object_element(array, o);
        }
        return array;
}
