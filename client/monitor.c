/* SPDX-License-Identifier: GPL-2.0-only */
#include "verbs.h"

#include "dbus/bus-json.h"
#include "call.h"
#include "colour.h"
#include "dbus/names.h"
#include "signal-line.h"

#include <errno.h>
#include <signal.h>
#include <systemd/sd-event.h>

typedef struct Monitor {
        const Invocation *invocation;
        sd_event *event;
        uint64_t left; /* lines until the end */
} Monitor;

/* Null stands for an argument without a JSON form; what comes after it cannot be found any more. */
static JsonArray *read_arguments(sd_bus_message *m) {
        JsonArray *arguments = json_array_new();

        while (sd_bus_message_at_end(m, true) == 0) {
                g_autofree char *path = NULL;
                JsonNode *node = NULL;

                if (bus_json_read(m, &node, &path) < 0) {
                        json_array_add_null_element(arguments);
                        break;
                }
                json_array_add_element(arguments, node);
        }
        return arguments;
}

static void print_line(const Invocation *i, const SignalLine *line) {
        bool json = invocation_has(i, OPTION_JSON);
        g_autofree char *text = json ? signal_line_json(line) : signal_line_text(line);
        bool coloured = !json && signal_line_is_bad(line) && colour_wanted(stdout);

        printf("%s%s%s\n", coloured ? COLOUR_BAD : "", text, coloured ? COLOUR_NONE : "");
}

static int on_signal(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Monitor *monitor = userdata;
        g_autoptr(JsonArray) arguments = NULL;
        SignalLine line = { g_get_real_time(), invocation_scenario(monitor->invocation),
                            sd_bus_message_get_member(m), NULL };

        if (monitor->left == 0) /* the loop is about to end */
                return 0;
        line.arguments = arguments = read_arguments(m);
        print_line(monitor->invocation, &line);
        if (fflush(stdout) == EOF) /* main() says why */
                return sd_event_exit(monitor->event, KTCTL_FAILED);
        if (--monitor->left == 0)
                return sd_event_exit(monitor->event, KTCTL_OK);
        return 0;
}

static int on_disconnected(G_GNUC_UNUSED sd_bus_message *m, void *userdata,
                           G_GNUC_UNUSED sd_bus_error *ret_error) {
        const Monitor *monitor = userdata;

        return sd_event_exit(monitor->event,
                             call_failure(monitor->invocation, KTCTL_UNREACHABLE, "Disconnected",
                                          "the bus has closed the connection; start again when it is back"));
}

/* None of these starts the daemon: only a message that is sent to its name would. Each is in place when the
 * bus has answered. */
static int subscribe(Monitor *monitor, sd_bus *bus, const char *path) {
        g_autofree char *of_scenario =
                g_strdup_printf("type='signal',sender='" KT_BUS_NAME "',path='%s'", path);
        static const char of_name[] =
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" KT_BUS_NAME "'";
        int r;

        r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, monitor);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, of_scenario, on_signal, monitor);
        return r < 0 ? r : sd_bus_add_match(bus, NULL, of_name, on_signal, monitor);
}

/* An interrupt is how this is meant to end. */
static int end_by_signals(sd_event *event) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, (void *)KTCTL_OK);
        return r < 0 ? r : sd_event_add_signal(event, NULL, SIGTERM, NULL, (void *)KTCTL_OK);
}

static int begin(Monitor *monitor, sd_bus *bus, const char *path) {
        int r;

        r = sd_event_new(&monitor->event);
        if (r >= 0)
                r = end_by_signals(monitor->event);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, monitor->invocation->timeout_us);
        if (r >= 0)
                r = subscribe(monitor, bus, path);
        return r < 0 ? r : sd_bus_attach_event(bus, monitor->event, SD_EVENT_PRIORITY_NORMAL);
}

int verb_monitor(const Invocation *i) {
        g_autoptr(sd_event) event = NULL;
        g_autoptr(sd_bus) bus = NULL;
        g_autofree char *path = NULL;
        Monitor monitor = { i, NULL, i->signals };
        KtctlExit code;
        int r;

        code = call_scenario_path(i, &path);
        if (code == KTCTL_OK)
                code = call_open_bus(i, &bus);
        if (code != KTCTL_OK)
                return code;
        r = begin(&monitor, bus, path);
        event = monitor.event;
        if (r < 0)
                return call_failure(i, KTCTL_UNREACHABLE, "Unreachable", "cannot subscribe to signals: %s",
                                    g_strerror(-r));
        if (!invocation_has(i, OPTION_NO_LEGEND))
                fprintf(stderr, "monitoring scenario %s\n", invocation_scenario(i));
        r = sd_event_loop(event);
        sd_bus_detach_event(bus);
        if (r < 0)
                return call_failure(i, KTCTL_FAILED, "Failed", "cannot wait for signals: %s", g_strerror(-r));
        return r;
}
