/* SPDX-License-Identifier: GPL-2.0-only */
#include "verbs.h"

#include "build-config.h"

#include "dbus/bus-json.h"
#include "call.h"
#include "document.h"
#include "members.h"
#include "dbus/names.h"
#include "payload.h"
#include "print.h"

static const char *first_argument(const Invocation *i) {
        return g_ptr_array_index(i->arguments, 0);
}

static bool legend(const Invocation *i) {
        return !invocation_has(i, OPTION_NO_LEGEND);
}

/* ---- making cgroups ---- */

static int append_setup_options(sd_bus_message *m, const Invocation *i) {
        g_autoptr(JsonObject) call = invocation_setup_options(i);

        return bus_json_append_object(m, call);
}

static KtctlExit print_made(const Invocation *i, JsonNode *answer, JsonArray *cgroups) {
        if (invocation_has(i, OPTION_JSON))
                print_json(stdout, answer);
        else if (invocation_has(i, OPTION_DRY_RUN))
                print_plan(stdout, cgroups);
        else
                print_results(stdout, cgroups, legend(i));
        return KTCTL_OK;
}

static bool set_payload(const Invocation *i, GError **error) {
        JsonObject *payload = payload_of_command(i, error);

        return payload && definition_set_payload(i->definition, payload, error);
}

int verb_add_cgroup(const Invocation *i) {
        const char *name = first_argument(i);
        g_auto(Call) call = { 0 };
        g_autoptr(JsonNode) answer = NULL;
        g_autoptr(JsonArray) cgroups = json_array_new();
        g_autoptr(GError) error = NULL;
        KtctlExit code;
        int r;

        if (!g_utf8_validate(name, -1, NULL))
                return call_failure(i, KTCTL_USAGE, "Usage", "the cgroup's name is not UTF-8");
        if (i->command && !set_payload(i, &error))
                return call_failure(i, KTCTL_USAGE, "Usage", "%s", error->message);
        code = call_begin_scenario(&call, i, "AddCgroupDef");
        if (code != KTCTL_OK)
                return code;
        r = bus_json_append_object(call.request, definition_finish(i->definition, name));
        if (r >= 0)
                r = append_setup_options(call.request, i);
        code = call_send(&call, r);
        if (code == KTCTL_OK)
                code = call_read_value(&call, &answer);
        if (code != KTCTL_OK)
                return code;
        json_array_add_element(cgroups, json_node_ref(answer));
        return print_made(i, answer, cgroups);
}

int verb_apply(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_autoptr(GString) document = NULL;
        g_autoptr(JsonNode) answer = NULL;
        KtctlExit code;
        int r;

        code = document_read(i, first_argument(i), &document);
        if (code == KTCTL_OK)
                code = call_begin_scenario(&call, i, "ApplyJSON");
        if (code != KTCTL_OK)
                return code;
        r = sd_bus_message_append(call.request, "s", document->str);
        if (r >= 0)
                r = append_setup_options(call.request, i);
        code = call_send(&call, r);
        if (code == KTCTL_OK)
                code = call_read_json(&call, &answer);
        if (code != KTCTL_OK)
                return code;
        return print_made(i, answer, member_array(node_object(answer), "cgroups"));
}

/* ---- looking ---- */

/* Sends a request without arguments whose answer is JSON. */
static KtctlExit ask(Call *call, KtctlExit begun, JsonNode **ret) {
        KtctlExit code = begun;

        if (code == KTCTL_OK)
                code = call_send(call, 0);
        return code == KTCTL_OK ? call_read_json(call, ret) : code;
}

/* The state tells what stalled, but not whether somebody looks. */
static void add_monitor(const Call *call, JsonObject *state) {
        bool active;

        if (state && call_get_flag(call, KT_SCENARIO_INTERFACE, "StallMonitorActive", &active))
                json_object_set_boolean_member(state, "stall_monitor_active", active);
}

int verb_status(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_autoptr(JsonNode) state = NULL;
        KtctlExit code = ask(&call, call_begin_scenario(&call, i, "GetState"), &state);

        if (code != KTCTL_OK)
                return code;
        if (invocation_has(i, OPTION_JSON)) {
                print_json(stdout, state);
                return KTCTL_OK;
        }
        add_monitor(&call, node_object(state));
        print_state(stdout, node_object(state), invocation_has(i, OPTION_LIMITS), legend(i));
        return KTCTL_OK;
}

int verb_topology(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_autoptr(JsonNode) topology = NULL;
        KtctlExit code = ask(&call, call_begin_manager(&call, i, "GetTopology"), &topology);

        if (code != KTCTL_OK)
                return code;
        if (invocation_has(i, OPTION_JSON))
                print_json(stdout, topology);
        else
                print_topology(stdout, node_object(topology), legend(i));
        return KTCTL_OK;
}

int verb_version(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_autoptr(JsonNode) properties = NULL;
        KtctlExit code = call_begin_properties(&call, i);

        if (code == KTCTL_OK)
                code = call_send(&call, 0);
        if (code == KTCTL_OK)
                code = call_read_value(&call, &properties);
        if (code != KTCTL_OK)
                return code;
        if (node_object(properties))
                json_object_set_string_member(node_object(properties), "ktctl", KT_VERSION);
        if (invocation_has(i, OPTION_JSON))
                print_json(stdout, properties);
        else
                print_version(stdout, node_object(properties));
        return KTCTL_OK;
}

/* ---- ending ---- */

/* EndStep and Teardown answer with a summary and a report. */
static KtctlExit receive_report(Call *call, JsonNode **ret_summary, GString **ret_report) {
        KtctlExit code;
        int fd;

        code = call_send(call, 0);
        if (code == KTCTL_OK)
                code = call_read_value(call, ret_summary);
        if (code == KTCTL_OK)
                code = call_read_fd(call, &fd);
        return code == KTCTL_OK ? report_read(call->invocation, fd, ret_report) : code;
}

static KtctlExit show_report(const Invocation *i, JsonNode *summary, const GString *report) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = NULL;

        if (invocation_has(i, OPTION_JSON)) /* as it is, even where we cannot read it */
                printf("%s%s", report->str, g_str_has_suffix(report->str, "\n") ? "" : "\n");
        node = json_from_string(report->str, &error);
        if (!node_object(node))
                return call_failure(i, KTCTL_FAILED, "BadAnswer", "cannot read the report: %s",
                                    error ? error->message : "not a JSON object");
        if (!invocation_has(i, OPTION_JSON))
                print_report(stdout, node_object(node), node_object(summary), legend(i));
        return report_failures(node_object(node)) > 0 ? KTCTL_INCOMPLETE : KTCTL_OK;
}

/* The report is shown although it could not be saved: it exists only once. */
static KtctlExit finish(Call *call, const Invocation *i, int file) {
        g_autoptr(JsonNode) summary = NULL;
        g_autoptr(GString) report = NULL;
        KtctlExit code, saved = KTCTL_OK;

        code = receive_report(call, &summary, &report);
        if (code != KTCTL_OK)
                return code;
        if (file >= 0)
                saved = output_file_write(i, OPTION_REPORT, file, report);
        code = show_report(i, summary, report);
        return saved != KTCTL_OK ? saved : code;
}

int verb_end_step(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_auto(AutoFd) file = -1;
        KtctlExit code = output_file_open(i, OPTION_REPORT, &file);
        int r;

        if (code == KTCTL_OK)
                code = call_begin_scenario(&call, i, "EndStep");
        if (code != KTCTL_OK)
                return code;
        r = sd_bus_message_append(call.request, "a{sv}", 0);
        return r < 0 ? call_send(&call, r) : finish(&call, i, file);
}

int verb_teardown(const Invocation *i) {
        g_auto(Call) call = { 0 };
        g_auto(AutoFd) file = -1;
        KtctlExit code = output_file_open(i, OPTION_REPORT, &file);

        if (code == KTCTL_OK)
                code = call_begin_scenario(&call, i, "Teardown");
        return code == KTCTL_OK ? finish(&call, i, file) : code;
}
