/* SPDX-License-Identifier: GPL-2.0-only */
#include "bus-scenario.h"

#include <errno.h>
#include <systemd/sd-journal.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/memfd.h"
#include "model/json-text.h"
#include "report/report.h"
#include "bus-argument.h"
#include "bus-error.h"
#include "dbus/bus-json.h"
#include "dbus/json-write.h"
#include "bus-payload.h"
#include "dbus/names.h"

bool bus_read_apply_options(sd_bus_message *call, ApplyOptions *ret, GError **error) {
        g_autoptr(JsonNode) node = bus_argument_read(call, "options", error);

        return node && decode_apply_options(node, ret, error);
}

/* ---- answers ---- */

/* A call that waits for its operation, and what of the operation becomes the body of its answer. */
typedef struct Waiting {
        sd_bus_message *call;
        AppendAnswer append;
} Waiting;

static void waiting_free(void *userdata) {
        Waiting *w = userdata;

        sd_bus_message_unref(w->call);
        g_free(w);
}

int bus_append_first_result(sd_bus_message *reply, const Operation *op) {
        return bus_json_append_object(reply, json_array_get_object_element(op->results, 0));
}

static int append_results(sd_bus_message *reply, const Operation *op) {
        return bus_json_append_objects(reply, op->results);
}

static int append_results_text(sd_bus_message *reply, const Operation *op) {
        g_autoptr(JsonNode) root = NULL;
        g_autoptr(JsonObject) object = json_object_new();
        g_autofree char *text = NULL;

        json_object_set_array_member(object, "cgroups", json_array_ref(op->results));
        root = json_node_init_object(json_node_alloc(), object);
        text = json_write(root, false);
        return sd_bus_message_append(reply, "s", text);
}

static int append_end(sd_bus_message *reply, const Operation *op) {
        g_autofree char *text = json_write(op->report, false);
        g_auto(AutoFd) fd = memfd_new_sealed("ktsetup-report", text, strlen(text));
        int r = fd < 0 ? fd : bus_json_append_object(reply, op->summary);

        return r < 0 ? r : sd_bus_message_append(reply, "h", fd);
}

static void answer(Operation *op, const GError *error, void *userdata) {
        const Waiting *w = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        if (error) {
                sd_journal_print(LOG_NOTICE, "%s refused: %s", sd_bus_message_get_member(w->call),
                                 error->message);
                bus_error_reply(w->call, error);
                return;
        }
        r = sd_bus_message_new_method_return(w->call, &reply);
        if (r >= 0)
                r = w->append(reply, op);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                sd_bus_reply_method_errno(w->call, r, NULL);
}

/* ---- methods ---- */

Operation *bus_operation_new(sd_bus_message *call, OperationKind kind, AppendAnswer append) {
        Waiting *w = g_new0(Waiting, 1);

        w->call = sd_bus_message_ref(call);
        w->append = append;
        return operation_new(kind, answer, w, waiting_free);
}

static int submit_definitions(ScenarioObject *o, sd_bus_message *call, GPtrArray *defs,
                              const ApplyOptions *options, AppendAnswer append) {
        Operation *op = bus_operation_new(call, OPERATION_APPLY, append);

        op->defs = defs;
        op->options = *options;
        runner_submit(o->runner, op);
        return 1;
}

static int add_cgroup_def(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = bus_argument_read(call, "definition", &error);
        ApplyOptions options;
        CgroupDef *def = NULL;
        GPtrArray *defs;

        service_touch(o->service);
        if (node)
                def = decode_definition(node, "", &error);
        if (!def)
                return bus_error_set(ret_error, error);
        defs = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_def_free);
        g_ptr_array_add(defs, def);
        if (!bus_read_apply_options(call, &options, &error)) {
                g_ptr_array_unref(defs);
                return bus_error_set(ret_error, error);
        }
        return submit_definitions(o, call, defs, &options, bus_append_first_result);
}

static int apply_setup(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = bus_argument_read(call, "definitions", &error);
        g_autoptr(GPtrArray) defs = NULL;
        ApplyOptions options;

        service_touch(o->service);
        if (node)
                defs = decode_definitions(node, "definitions", &error);
        if (!defs || !bus_read_apply_options(call, &options, &error))
                return bus_error_set(ret_error, error);
        return submit_definitions(o, call, g_steal_pointer(&defs), &options, append_results);
}

static GPtrArray *read_document(const Service *s, sd_bus_message *call, GError **error) {
        g_autoptr(JsonNode) node = NULL;
        const char *text;
        size_t size;

        if (sd_bus_message_read(call, "s", &text) < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "the document cannot be read from the message");
                return NULL;
        }
        size = strlen(text);
        if (size > s->config->max_document_bytes) {
                g_set_error(error, KT_ERROR, KT_ERROR_LIMIT_EXCEEDED,
                            "the document has %zu bytes; MaxDocumentBytes in the configuration allows "
                            "%" G_GUINT64_FORMAT,
                            size, s->config->max_document_bytes);
                return NULL;
        }
        node = json_text_parse(text, size, error);
        return node ? decode_document(node, error) : NULL;
}

static int apply_json(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) defs = read_document(o->service, call, &error);
        ApplyOptions options;

        service_touch(o->service);
        if (!defs || !bus_read_apply_options(call, &options, &error))
                return bus_error_set(ret_error, error);
        return submit_definitions(o, call, g_steal_pointer(&defs), &options, append_results_text);
}

static int end_step(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) options = bus_argument_read(call, "options", &error);

        service_touch(o->service);
        if (!options || !decode_no_options(options, &error))
                return bus_error_set(ret_error, error);
        runner_submit(o->runner, bus_operation_new(call, OPERATION_END_STEP, append_end));
        return 1;
}

static int teardown(sd_bus_message *call, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;

        service_touch(o->service);
        runner_submit(o->runner, bus_operation_new(call, OPERATION_TEARDOWN, append_end));
        return 1;
}

static void tell_stall_monitor(JsonObject *state, const StallMonitor *m) {
        JsonObject *monitor = json_object_new();

        json_object_set_boolean_member(monitor, "active", stall_monitor_is_active(m));
        if (stall_monitor_is_active(m)) {
                json_object_set_int_member(monitor, "poll_ms", stall_monitor_period_ms(m));
                json_object_set_int_member(monitor, "ticks", (gint64)stall_monitor_ticks(m));
        }
        json_object_set_object_member(state, "stall_monitor", monitor);
}

static int get_state(sd_bus_message *call, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autofree char *root = runner_root(o->runner);
        g_autoptr(JsonNode) state = report_state(o->scenario, root);
        g_autofree char *text = NULL;

        tell_stall_monitor(json_node_get_object(state), runner_stall_monitor(o->runner));
        text = json_write(state, false);
        service_touch(o->service);
        return sd_bus_reply_method_return(call, "s", text);
}

/* ---- properties ---- */

static int get_step_index(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                          G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                          sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        return sd_bus_message_append(reply, "u", ((ScenarioObject *)userdata)->scenario->step_index);
}

static int get_cgroups(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                       G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                       sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        const Scenario *s = ((ScenarioObject *)userdata)->scenario;
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (guint i = 0; r >= 0 && i < s->cgroups->len; i++) {
                const CgroupState *c = s->cgroups->pdata[i];
                if (!c->implicit)
                        r = sd_bus_message_append(reply, "s", c->name);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_workers(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                       G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                       sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        return sd_bus_message_append(reply, "u",
                                     scenario_live_workers(((ScenarioObject *)userdata)->scenario));
}

static int get_stall_monitor_active(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                                    G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                                    sd_bus_message *reply, void *userdata,
                                    G_GNUC_UNUSED sd_bus_error *error) {
        const StallMonitor *m = runner_stall_monitor(((ScenarioObject *)userdata)->runner);

        return sd_bus_message_append(reply, "b", (int)stall_monitor_is_active(m));
}

static int get_payloads(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                        G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                        sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        return sd_bus_message_append(reply, "u",
                                     scenario_live_payloads(((ScenarioObject *)userdata)->scenario));
}

static const sd_bus_vtable scenario_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("AddCgroupDef", SD_BUS_ARGS("a{sv}", definition, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", result), add_cgroup_def, 0),
        SD_BUS_METHOD_WITH_ARGS("ApplySetup", SD_BUS_ARGS("aa{sv}", definitions, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", results), apply_setup, 0),
        SD_BUS_METHOD_WITH_ARGS("ApplyJSON", SD_BUS_ARGS("s", document, "a{sv}", options),
                                SD_BUS_RESULT("s", results), apply_json, 0),
        SD_BUS_METHOD_WITH_ARGS("EndStep", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", summary, "h", report), end_step, 0),
        SD_BUS_METHOD_WITH_ARGS("Teardown", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", summary, "h", report),
                                teardown, 0),
        SD_BUS_METHOD_WITH_ARGS("RunPayload", SD_BUS_ARGS("a{sv}", request, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", result), bus_run_payload, 0),
        SD_BUS_METHOD_WITH_ARGS("WaitPayload", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", record, "h", stdout, "h", stderr), bus_wait_payload,
                                0),
        SD_BUS_METHOD_WITH_ARGS("KillPayload", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", record, "h", stdout, "h", stderr), bus_kill_payload,
                                0),
        SD_BUS_METHOD_WITH_ARGS("GetPayloadOutput", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("h", stdout, "h", stderr, "h", changes), bus_get_payload_output,
                                0),
        SD_BUS_METHOD_WITH_ARGS("GetState", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", state), get_state,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("CgroupAdded", SD_BUS_ARGS("s", name, "s", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("CgroupRemoved", SD_BUS_ARGS("s", name, "s", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("WorkerExited", SD_BUS_ARGS("s", cgroup, "u", pid, "a{sv}", info), 0),
        SD_BUS_SIGNAL_WITH_ARGS("PayloadExited", SD_BUS_ARGS("s", name, "s", cgroup, "u", pid, "a{sv}", info),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("StallDetected",
                                SD_BUS_ARGS("s", cgroup, "u", pid, "s", class, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("StepEnded", SD_BUS_ARGS("u", step_index, "a{sv}", summary), 0),
        SD_BUS_PROPERTY("StepIndex", "u", get_step_index, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Cgroups", "as", get_cgroups, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Workers", "u", get_workers, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Payloads", "u", get_payloads, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StallMonitorActive", "b", get_stall_monitor_active, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

/* ---- signals ---- */

static void on_cgroup_added(void *userdata, const char *name, const char *path) {
        ScenarioObject *o = userdata;

        sd_bus_emit_signal(o->service->bus, o->path, KT_SCENARIO_INTERFACE, "CgroupAdded", "ss", name, path);
}

static void on_cgroup_removed(void *userdata, const char *name, const char *path) {
        ScenarioObject *o = userdata;

        sd_bus_emit_signal(o->service->bus, o->path, KT_SCENARIO_INTERFACE, "CgroupRemoved", "ss", name,
                           path);
}

static void send_signal(ScenarioObject *o, sd_bus_message *m, int r) {
        if (r >= 0)
                r = sd_bus_send(o->service->bus, m, NULL);
        if (r < 0)
                sd_journal_print(LOG_WARNING, "a signal of scenario %s was lost: %s", o->scenario->name,
                                 g_strerror(-r));
}

static void on_worker_exited(void *userdata, const char *cgroup, int pid, JsonObject *info) {
        ScenarioObject *o = userdata;
        g_autoptr(sd_bus_message) m = NULL;
        int r = sd_bus_message_new_signal(o->service->bus, &m, o->path, KT_SCENARIO_INTERFACE,
                                          "WorkerExited");

        if (r >= 0)
                r = sd_bus_message_append(m, "su", cgroup, (uint32_t)pid);
        if (r >= 0)
                r = bus_json_append_object(m, info);
        send_signal(o, m, r);
}

static void on_payload_exited(void *userdata, const PayloadState *p, JsonObject *info) {
        ScenarioObject *o = userdata;
        g_autoptr(sd_bus_message) m = NULL;
        int r = sd_bus_message_new_signal(o->service->bus, &m, o->path, KT_SCENARIO_INTERFACE,
                                          "PayloadExited");

        if (r >= 0)
                r = sd_bus_message_append(m, "ssu", p->def->name, p->cgroup, (uint32_t)p->pid);
        if (r >= 0)
                r = bus_json_append_object(m, info);
        send_signal(o, m, r);
}

static void on_stall_detected(void *userdata, const char *cgroup, int pid, const char *class,
                              JsonObject *record) {
        ScenarioObject *o = userdata;
        g_autoptr(sd_bus_message) m = NULL;
        int r = sd_bus_message_new_signal(o->service->bus, &m, o->path, KT_SCENARIO_INTERFACE,
                                          "StallDetected");

        if (r >= 0)
                r = sd_bus_message_append(m, "sus", cgroup, (uint32_t)pid, class);
        if (r >= 0)
                r = bus_json_append_object(m, record);
        send_signal(o, m, r);
}

static void on_step_ended(void *userdata, unsigned step_index, JsonObject *summary) {
        ScenarioObject *o = userdata;
        g_autoptr(sd_bus_message) m = NULL;
        int r = sd_bus_message_new_signal(o->service->bus, &m, o->path, KT_SCENARIO_INTERFACE, "StepEnded");

        if (r >= 0)
                r = sd_bus_message_append(m, "u", step_index);
        if (r >= 0)
                r = bus_json_append_object(m, summary);
        send_signal(o, m, r);
}

static void on_quirks_found(void *userdata, unsigned quirks) {
        ScenarioObject *o = userdata;

        if (quirks && quirks != o->service->quirks)
                sd_journal_print(LOG_NOTICE, "kernel quirks found: %#x, see org.ktstr.Setup1(5)", quirks);
        manager_set_quirks(o->service, quirks);
}

static int on_announce(G_GNUC_UNUSED sd_event_source *source, void *userdata) {
        ScenarioObject *o = userdata;

        sd_bus_emit_properties_changed(o->service->bus, o->path, KT_SCENARIO_INTERFACE, "StepIndex",
                                       "Cgroups", "Workers", "Payloads", "StallMonitorActive", NULL);
        return 0;
}

static void on_changed(void *userdata) {
        ScenarioObject *o = userdata;

        if (o->announce)
                sd_event_source_set_enabled(o->announce, SD_EVENT_ONESHOT);
        service_touch(o->service);
}

static const RunnerEvents runner_events = {
        .cgroup_added = on_cgroup_added,
        .cgroup_removed = on_cgroup_removed,
        .worker_exited = on_worker_exited,
        .payload_exited = on_payload_exited,
        .stall_detected = on_stall_detected,
        .step_ended = on_step_ended,
        .quirks_found = on_quirks_found,
        .changed = on_changed,
};

/* ---- the object ---- */

const char *scenario_object_name(const ScenarioObject *o) {
        return o->scenario->name;
}

const char *scenario_object_path(const ScenarioObject *o) {
        return o->path;
}

bool scenario_object_is_idle(const ScenarioObject *o) {
        return runner_is_idle(o->runner);
}

bool scenario_object_is_empty(const ScenarioObject *o) {
        return runner_is_idle(o->runner) && scenario_is_empty(o->scenario) && o->scenario->records->len == 0;
}

void scenario_object_shut_down(ScenarioObject *o) {
        runner_shut_down(o->runner);
}

void scenario_object_free(ScenarioObject *o) {
        if (!o)
                return;
        sd_event_source_disable_unref(o->announce);
        runner_free(o->runner);
        scenario_free(o->scenario);
        sd_bus_slot_unref(o->slot);
        g_free(o->path);
        g_free(o);
}

ScenarioObject *scenario_object_new(Service *s, const char *name, GError **error) {
        ScenarioObject *o = g_new0(ScenarioObject, 1);
        int r;

        o->service = s;
        o->scenario = scenario_new(name);
        o->runner = runner_new(&s->runner_config, o->scenario, &runner_events, o);
        r = sd_bus_path_encode(KT_SCENARIO_PREFIX, name, &o->path);
        if (r >= 0)
                r = sd_bus_add_object_vtable(s->bus, &o->slot, o->path, KT_SCENARIO_INTERFACE,
                                             scenario_vtable, o);
        if (r >= 0)
                r = sd_event_add_defer(s->event, &o->announce, on_announce, o);
        if (r >= 0)
                r = sd_event_source_set_enabled(o->announce, SD_EVENT_OFF);
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "cannot put scenario %s on the bus: %s",
                            name, g_strerror(-r));
                g_clear_pointer(&o, scenario_object_free);
        }
        return o;
}
