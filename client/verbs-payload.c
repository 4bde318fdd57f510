/* SPDX-License-Identifier: GPL-2.0-only */
#include "verbs.h"

#include "dbus/bus-json.h"
#include "call.h"
#include "cells.h"
#include "document.h"
#include "follow.h"
#include "members.h"
#include "payload.h"
#include "print-payload.h"
#include "print.h"
#include "stream.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static bool legend(const Invocation *i) {
        return !invocation_has(i, OPTION_NO_LEGEND);
}

static KtctlExit usage(const Invocation *i, const char *message) {
        return call_failure(i, KTCTL_USAGE, "Usage", "%s", message);
}

/* ---- what the files define ---- */

static KtctlExit list_payloads(const Invocation *i, const char *method) {
        g_auto(Call) call = { 0 };
        g_autoptr(JsonNode) payloads = NULL;
        KtctlExit code = call_begin_manager(&call, i, method);

        if (code == KTCTL_OK)
                code = call_send(&call, 0);
        if (code == KTCTL_OK)
                code = call_read_value(&call, &payloads);
        if (code != KTCTL_OK)
                return code;
        if (invocation_has(i, OPTION_JSON))
                print_json(stdout, payloads);
        else if (JSON_NODE_HOLDS_ARRAY(payloads))
                print_payloads(stdout, json_node_get_array(payloads), legend(i));
        return KTCTL_OK;
}

int verb_payloads(const Invocation *i) {
        return list_payloads(i, "ListPayloads");
}

int verb_reload_payloads(const Invocation *i) {
        return list_payloads(i, "ReloadPayloads");
}

/* ---- starting ---- */

static int append_request(sd_bus_message *m, const Invocation *i, JsonObject *request) {
        g_autoptr(JsonObject) call = invocation_setup_options(i);
        int r = bus_json_append_object(m, request);

        return r < 0 ? r : bus_json_append_object(m, call);
}

static void print_started(const Invocation *i, JsonNode *answer) {
        g_autoptr(JsonArray) plans = json_array_new();

        json_array_add_element(plans, json_node_ref(answer));
        if (invocation_has(i, OPTION_JSON))
                print_json(stdout, answer);
        else if (invocation_has(i, OPTION_DRY_RUN))
                print_plan(stdout, plans);
        else
                print_payload_start(stdout, node_object(answer), legend(i));
}

int verb_run_payload(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonObject) request = payload_request(i, &error);
        g_autoptr(JsonNode) answer = NULL;
        KtctlExit code;

        if (!request)
                return usage(i, error->message);
        code = call_begin_scenario(&call, i, "RunPayload");
        if (code == KTCTL_OK)
                code = call_send(&call, append_request(call.request, i, request));
        if (code == KTCTL_OK)
                code = call_read_value(&call, &answer);
        if (code == KTCTL_OK)
                print_started(i, answer);
        return code;
}

/* ---- asking for one ---- */

/* A call that speaks of the payload that the first argument names. */
static KtctlExit begin(Call *call, const Invocation *i, const char *method) {
        const char *name = g_ptr_array_index(i->arguments, 0);

        if (!g_utf8_validate(name, -1, NULL))
                return usage(i, "the payload's name is not UTF-8");
        return call_begin_scenario(call, i, method);
}

static KtctlExit send_address(Call *call) {
        g_autoptr(JsonObject) which = payload_options(call->invocation);
        int r = sd_bus_message_append(call->request, "s",
                                      (const char *)g_ptr_array_index(call->invocation->arguments, 0));

        return call_send(call, r < 0 ? r : bus_json_append_object(call->request, which));
}

/* ---- results ---- */

typedef struct Files {
        AutoFd output, errors; /* -1: not asked for */
} Files;

static void files_clear(Files *files) {
        auto_fd_close(&files->output);
        auto_fd_close(&files->errors);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Files, files_clear)

static KtctlExit files_open(Files *files, const Invocation *i) {
        KtctlExit code = output_file_open(i, OPTION_STDOUT_FILE, &files->output);

        return code == KTCTL_OK ? output_file_open(i, OPTION_STDERR_FILE, &files->errors) : code;
}

static KtctlExit save_streams(Call *call, const Files *files) {
        const Invocation *i = call->invocation;
        KtctlExit code, second;
        int output, errors;

        code = call_read_fd(call, &output);
        if (code == KTCTL_OK)
                code = call_read_fd(call, &errors);
        if (code != KTCTL_OK)
                return code;
        code = output_file_copy(i, OPTION_STDOUT_FILE, files->output, output);
        second = output_file_copy(i, OPTION_STDERR_FILE, files->errors, errors);
        return code != KTCTL_OK ? code : second;
}

/* Standard output is the payload's alone where it is wanted there. */
static void show_record(const Invocation *i, JsonNode *record) {
        FILE *out = g_strcmp0(i->values[OPTION_STDOUT_FILE], "-") == 0 ? stderr : stdout;

        if (invocation_has(i, OPTION_JSON))
                print_json(out, record);
        else
                print_record(out, record, legend(i));
}

/* The record is shown although a stream could not be saved: it exists only once. */
static KtctlExit receive_record(Call *call, const Files *files, JsonNode **ret) {
        KtctlExit code, saved;

        code = send_address(call);
        if (code == KTCTL_OK)
                code = call_read_value(call, ret);
        if (code != KTCTL_OK)
                return code;
        saved = save_streams(call, files);
        show_record(call->invocation, *ret);
        return saved;
}

static KtctlExit ask_for_result(const Invocation *i, const char *method, JsonNode **ret) {
        g_auto(Call) call = { 0 };
        g_auto(Files) files = { -1, -1 };
        KtctlExit code = files_open(&files, i);

        if (code == KTCTL_OK)
                code = begin(&call, i, method);
        return code == KTCTL_OK ? receive_record(&call, &files, ret) : code;
}

int verb_wait_payload(const Invocation *i) {
        g_autoptr(JsonNode) record = NULL;
        KtctlExit code = ask_for_result(i, "WaitPayload", &record);

        if (code != KTCTL_OK)
                return code;
        return payload_failed(node_object(record)) || payload_was_cut_short(node_object(record))
                       ? KTCTL_INCOMPLETE
                       : KTCTL_OK;
}

/* That it was killed is what was asked for. */
int verb_kill_payload(const Invocation *i) {
        g_autoptr(JsonNode) record = NULL;
        KtctlExit code = ask_for_result(i, "KillPayload", &record);

        if (code != KTCTL_OK)
                return code;
        return payload_failed(node_object(record)) ? KTCTL_INCOMPLETE : KTCTL_OK;
}

/* ---- what it prints ---- */

static KtctlExit copy_once(const Invocation *i, int from) {
        off_t offset = 0;
        int r = stream_copy(from, &offset, STDOUT_FILENO);

        if (r >= 0 || r == -EPIPE) /* whoever reads has had enough */
                return KTCTL_OK;
        return call_failure(i, KTCTL_FAILED, "File", "cannot copy the payload's output: %s", g_strerror(-r));
}

static KtctlExit read_output(Call *call, int *ret_from, int *ret_changes) {
        KtctlExit code;
        int fds[2];

        code = call_read_fd(call, &fds[0]);
        if (code == KTCTL_OK)
                code = call_read_fd(call, &fds[1]);
        if (code == KTCTL_OK)
                code = call_read_fd(call, ret_changes);
        if (code == KTCTL_OK)
                *ret_from = fds[invocation_has(call->invocation, OPTION_STDERR)];
        return code;
}

int verb_payload_output(const Invocation *i) {
        g_autoptr(Follow) follow = NULL;
        g_auto(Call) call = { 0 };
        KtctlExit code = begin(&call, i, "GetPayloadOutput");
        int from, changes;

        signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an end like another */
        if (code == KTCTL_OK && invocation_has(i, OPTION_FOLLOW))
                code = follow_begin(&call, &follow);
        if (code == KTCTL_OK)
                code = send_address(&call);
        if (code == KTCTL_OK)
                code = read_output(&call, &from, &changes);
        if (code != KTCTL_OK)
                return code;
        return follow ? follow_run(follow, from, changes) : copy_once(i, from);
}
