/* SPDX-License-Identifier: GPL-2.0-only */
#include "bus-payload.h"

#include "common/cleanup.h"
#include "common/error.h"
#include "common/memfd.h"
#include "model/decode-payload.h"
#include "bus-argument.h"
#include "bus-error.h"
#include "dbus/bus-json.h"
#include "bus-scenario.h"

/* ---- arguments ---- */

typedef bool (*OptionsDecoder)(JsonNode *node, PayloadOptions *ret, GError **error);

/* name and options: which one is meant, and what with it. */
static bool read_address(sd_bus_message *call, OptionsDecoder decode, PayloadAddress *ret,
                         PayloadOptions *ret_options, GError **error) {
        g_autoptr(JsonNode) options = NULL;
        const char *name;

        if (sd_bus_message_read(call, "s", &name) < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "the name cannot be read from the message");
                return false;
        }
        options = bus_argument_read(call, "options", error);
        if (!options || !decode(options, ret_options, error))
                return false;
        *ret = (PayloadAddress){ g_strdup(name), g_strdup(ret_options->cgroup) };
        return true;
}

/* ---- answers ---- */

/* What was lost, or cannot be opened, is an empty stream to the caller; the record tells what there was. */
static int append_stream(sd_bus_message *reply, int fd) {
        g_auto(AutoFd) empty = fd >= 0 ? -1 : memfd_new_sealed("ktsetup-output", "", 0);

        return fd < 0 && empty < 0 ? empty : sd_bus_message_append(reply, "h", fd >= 0 ? fd : empty);
}

static int append_capture(sd_bus_message *reply, const Capture *capture) {
        int r = 0;

        for (int i = 0; r >= 0 && i < PAYLOAD_STREAMS; i++) {
                g_auto(AutoFd) fd = capture ? capture_open(capture, i) : -1;
                r = append_stream(reply, fd);
        }
        return r;
}

static int append_end(sd_bus_message *reply, const Operation *op) {
        int r = bus_json_append_object(reply, op->record);

        for (int i = 0; r >= 0 && i < PAYLOAD_STREAMS; i++)
                r = append_stream(reply, op->output[i]);
        return r;
}

/* ---- starting and ending ---- */

int bus_run_payload(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = bus_argument_read(call, "request", &error);
        g_autoptr(PayloadRequest) request = NULL;
        ApplyOptions options;
        Operation *op;

        service_touch(o->service);
        if (node)
                request = decode_payload_request(node, &error);
        if (!request || !bus_read_apply_options(call, &options, &error))
                return bus_error_set(ret_error, error);
        op = bus_operation_new(call, OPERATION_RUN_PAYLOAD, bus_append_first_result);
        op->request = g_steal_pointer(&request);
        op->options = options;
        runner_submit(o->runner, op);
        return 1;
}

int bus_kill_payload(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_auto(PayloadOptions) options = { 0 };
        PayloadAddress address;
        Operation *op;

        service_touch(o->service);
        if (!read_address(call, decode_address_options, &address, &options, &error))
                return bus_error_set(ret_error, error);
        op = bus_operation_new(call, OPERATION_END_PAYLOAD, append_end);
        op->address = address;
        runner_submit(o->runner, op);
        return 1;
}

/* ---- waiting ---- */

/* A call that waits. Its caller may leave the bus before there is an answer. */
typedef struct Waiter {
        sd_bus_message *call;
        sd_bus_track *caller;
        PayloadWait *wait;
} Waiter;

static void waiter_free(Waiter *w) {
        sd_bus_track_unref(w->caller);
        sd_bus_message_unref(w->call);
        g_free(w);
}

static void on_waited(const PayloadResult *result, const GError *error, void *userdata) {
        Waiter *w = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        if (error) {
                bus_error_reply(w->call, error);
                waiter_free(w);
                return;
        }
        r = sd_bus_message_new_method_return(w->call, &reply);
        if (r >= 0)
                r = bus_json_append_object(reply, result->record);
        if (r >= 0)
                r = append_capture(reply, result->capture);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                sd_bus_reply_method_errno(w->call, r, NULL);
        waiter_free(w);
}

static int on_caller_gone(G_GNUC_UNUSED sd_bus_track *track, void *userdata) {
        Waiter *w = userdata;

        payload_wait_cancel(w->wait);
        waiter_free(w);
        return 0;
}

static int track_caller(Waiter *w) {
        int r = sd_bus_track_new(sd_bus_message_get_bus(w->call), &w->caller, on_caller_gone, w);

        return r < 0 ? r : sd_bus_track_add_sender(w->caller, w->call);
}

int bus_wait_payload(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_auto(PayloadOptions) options = { 0 };
        PayloadAddress address = { NULL, NULL };
        PayloadState *payload = NULL;
        Waiter *w;
        int r;

        service_touch(o->service);
        if (read_address(call, decode_wait_options, &address, &options, &error))
                payload = scenario_address_payload(o->scenario, &address, "WaitPayload", &error);
        payload_address_clear(&address);
        if (!payload)
                return bus_error_set(ret_error, error);
        w = g_new0(Waiter, 1);
        w->call = sd_bus_message_ref(call);
        r = track_caller(w);
        if (r < 0) {
                waiter_free(w);
                return r;
        }
        w->wait = payload_runs_wait(runner_payloads(o->runner), payload,
                                    options.has_timeout ? options.timeout_us : UINT64_MAX, options.kill,
                                    on_waited, w);
        return 1;
}

/* ---- looking ---- */

int bus_get_payload_output(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        ScenarioObject *o = userdata;
        g_autoptr(GError) error = NULL;
        g_auto(PayloadOptions) options = { 0 };
        PayloadAddress address = { NULL, NULL };
        const PayloadState *payload = NULL;
        const Capture *capture;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        service_touch(o->service);
        if (read_address(call, decode_address_options, &address, &options, &error))
                payload = scenario_address_payload(o->scenario, &address, "GetPayloadOutput", &error);
        payload_address_clear(&address);
        if (!payload)
                return bus_error_set(ret_error, error);
        capture = payload_runs_capture(runner_payloads(o->runner), payload);
        if (!capture)
                return sd_bus_error_setf(ret_error, SD_BUS_ERROR_FAILED,
                                         "GetPayloadOutput: the output of payload '%s' could not be kept",
                                         payload->def->name);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append_capture(reply, capture);
        if (r >= 0)
                r = sd_bus_message_append(reply, "h", capture_changes(capture));
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
