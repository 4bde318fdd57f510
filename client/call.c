/* SPDX-License-Identifier: GPL-2.0-only */
#include "call.h"

#include "dbus/bus-json.h"
#include "dbus/names.h"

#include <errno.h>
#include <inttypes.h>

void call_clear(Call *call) {
        sd_bus_message_unref(call->request);
        sd_bus_message_unref(call->reply);
        sd_bus_flush_close_unref(call->bus);
}

/* ---- connection ---- */

static int open_address(const char *address, sd_bus **ret) {
        g_autoptr(sd_bus) bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                *ret = g_steal_pointer(&bus);
        return r;
}

KtctlExit call_open_bus(const Invocation *i, sd_bus **ret) {
        const char *address = i->values[OPTION_ADDRESS], *which = "the system bus";
        int r;

        if (address) {
                which = address;
                r = open_address(address, ret);
        } else if (invocation_has(i, OPTION_SESSION)) {
                which = "the session bus";
                r = sd_bus_open_user(ret);
        } else
                r = sd_bus_open_system(ret);
        if (r < 0)
                return call_failure(i, KTCTL_UNREACHABLE, "Unreachable", "cannot connect to %s: %s", which,
                                    r == -ENOMEDIUM
                                            ? "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"
                                            : g_strerror(-r));
        return KTCTL_OK;
}

/* ---- request ---- */

static KtctlExit begin(Call *call, const Invocation *i, const char *path, const char *interface,
                       const char *method) {
        KtctlExit code = call_open_bus(i, &call->bus);
        int r;

        if (code != KTCTL_OK)
                return code;
        call->invocation = i;
        r = sd_bus_message_new_method_call(call->bus, &call->request, KT_BUS_NAME, path, interface, method);
        if (r < 0)
                return call_failure(i, KTCTL_FAILED, "Failed", "cannot make a call of %s: %s", method,
                                    g_strerror(-r));
        return KTCTL_OK;
}

KtctlExit call_scenario_path(const Invocation *i, char **ret) {
        int r = sd_bus_path_encode(KT_SCENARIO_PREFIX, invocation_scenario(i), ret);

        return r < 0 ? call_failure(i, KTCTL_USAGE, "Usage", "--scenario '%s': %s", invocation_scenario(i),
                                    g_strerror(-r))
                     : KTCTL_OK;
}

KtctlExit call_begin_scenario(Call *call, const Invocation *i, const char *method) {
        g_autofree char *path = NULL;
        KtctlExit code = call_scenario_path(i, &path);

        return code == KTCTL_OK ? begin(call, i, path, KT_SCENARIO_INTERFACE, method) : code;
}

KtctlExit call_begin_manager(Call *call, const Invocation *i, const char *method) {
        return begin(call, i, KT_BUS_PATH, KT_MANAGER_INTERFACE, method);
}

KtctlExit call_begin_properties(Call *call, const Invocation *i) {
        KtctlExit code = begin(call, i, KT_BUS_PATH, "org.freedesktop.DBus.Properties", "GetAll");
        int r;

        if (code != KTCTL_OK)
                return code;
        r = sd_bus_message_append(call->request, "s", KT_MANAGER_INTERFACE);
        return r < 0 ? call_failure(i, KTCTL_FAILED, "Failed", "cannot make a call: %s", g_strerror(-r))
                     : KTCTL_OK;
}

/* ---- answer ---- */

/* Errors of the bus itself: nobody has the name, and nobody could be started to have it. */
static bool is_unreachable(const char *name) {
        static const char *const names[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                SD_BUS_ERROR_NO_SERVER,
                SD_BUS_ERROR_DISCONNECTED,
                "org.freedesktop.DBus.Error.TimedOut", /* its start took too long */
                NULL,
        };

        return g_strv_contains(names, name) || g_str_has_prefix(name, "org.freedesktop.DBus.Error.Spawn.") ||
               g_str_has_prefix(name, "org.freedesktop.systemd1.");
}

static KtctlExit refused(const Invocation *i, int r, const sd_bus_error *error) {
        const char *name = error->name ?: "Failed", *message = error->message ?: g_strerror(-r);

        if (g_str_equal(name, SD_BUS_ERROR_TIMEOUT))
                return call_failure(i, KTCTL_FAILED, name,
                                    "no answer within %" PRIu64 " s; the daemon may still be at it "
                                    "(--timeout SECONDS waits longer)",
                                    i->timeout_us / G_USEC_PER_SEC);
        if (g_str_equal(name, SD_BUS_ERROR_UNKNOWN_OBJECT))
                return call_failure(i, KTCTL_FAILED, name, "no scenario '%s': %s", invocation_scenario(i),
                                    message);
        if (is_unreachable(name))
                return call_failure(i, KTCTL_UNREACHABLE, name, "cannot reach the daemon: %s", message);
        return call_failure(i, KTCTL_FAILED, name, "%s", message);
}

KtctlExit call_send(Call *call, int built) {
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const Invocation *i = call->invocation;
        int r;

        if (built < 0)
                return call_failure(i, KTCTL_FAILED, "Failed", "cannot build the request: %s",
                                    g_strerror(-built));
        r = sd_bus_call(call->bus, call->request, i->timeout_us, &error, &call->reply);
        return r < 0 ? refused(i, r, &error) : KTCTL_OK;
}

static KtctlExit unreadable(const Invocation *i, const char *reason) {
        return call_failure(i, KTCTL_FAILED, "BadAnswer", "cannot read the daemon's answer: %s", reason);
}

KtctlExit call_read_value(Call *call, JsonNode **ret) {
        g_autofree char *path = NULL;
        int r = bus_json_read(call->reply, ret, &path);

        return r < 0 ? unreadable(call->invocation, g_strerror(-r)) : KTCTL_OK;
}

KtctlExit call_read_json(Call *call, JsonNode **ret) {
        g_autoptr(GError) error = NULL;
        const char *text;
        int r;

        r = sd_bus_message_read_basic(call->reply, 's', &text);
        if (r < 0)
                return unreadable(call->invocation, g_strerror(-r));
        *ret = json_from_string(text, &error);
        return *ret ? KTCTL_OK : unreadable(call->invocation, error ? error->message : "no JSON");
}

KtctlExit call_read_fd(Call *call, int *ret) {
        int r = sd_bus_message_read_basic(call->reply, 'h', ret);

        return r < 0 ? unreadable(call->invocation, g_strerror(-r)) : KTCTL_OK;
}

bool call_get_flag(const Call *call, const char *interface, const char *property, bool *ret) {
        int value, r = sd_bus_get_property_trivial(call->bus, KT_BUS_NAME,
                                                   sd_bus_message_get_path(call->request), interface,
                                                   property, NULL, 'b', &value);

        *ret = r >= 0 && value;
        return r >= 0;
}
