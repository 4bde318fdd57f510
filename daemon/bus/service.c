/* SPDX-License-Identifier: GPL-2.0-only */
#include "service.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "common/error.h"
#include "model/stall.h"
#include "payload/payload-files.h"
#include "payload/user.h"
#include "dbus/names.h"

static bool all(const Service *s, bool (*holds)(const ScenarioObject *)) {
        for (guint i = 0; i < s->scenarios->len; i++)
                if (!holds(s->scenarios->pdata[i]))
                        return false;
        return true;
}

/* ---- leaving when there is nothing to do ---- */

/* What was sent to the name before it was gone has been handled by now. */
static int on_name_released(G_GNUC_UNUSED sd_bus_message *reply, void *userdata,
                            G_GNUC_UNUSED sd_bus_error *ret_error) {
        Service *s = userdata;

        return sd_event_exit(s->event, 0);
}

static void shut_down_scenarios(Service *s) {
        for (guint i = 0; i < s->scenarios->len; i++)
                scenario_object_shut_down(s->scenarios->pdata[i]);
}

/* systemd hears first: from then on it answers a request to start us by waiting for our end, instead of
 * taking us for running. Then the name goes. A call that changes something and falls between the two is told
 * to call again; it would end up in a service that systemd is about to see off. */
static int on_idle(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED uint64_t now, void *userdata) {
        Service *s = userdata;

        if (s->releasing || !all(s, scenario_object_is_empty))
                return 0;
        s->releasing = true;
        sd_notify(false, "STOPPING=1\nSTATUS=Idle, leaving.");
        shut_down_scenarios(s);
        if (sd_bus_release_name_async(s->bus, NULL, KT_BUS_NAME, on_name_released, s) < 0)
                sd_event_exit(s->event, 0);
        return 0;
}

/* systemd hears of it when it changes, not with every worker that ends. */
static void notify_status(Service *s) {
        const char *status = s->stopping                        ? "STATUS=Tearing down."
                             : all(s, scenario_object_is_empty) ? "STATUS=No scenario is set up."
                                                                : "STATUS=A scenario is set up.";

        if (status != s->status)
                sd_notify(false, status);
        s->status = status;
}

void service_touch(Service *s) {
        bool may_leave = !s->stopping && s->config->idle_exit_sec > 0 && all(s, scenario_object_is_empty);

        if (s->releasing)
                return;
        notify_status(s);
        if (s->stopping && all(s, scenario_object_is_idle))
                sd_event_exit(s->event, 0);
        sd_event_source_set_time_relative(s->idle_timer, s->config->idle_exit_sec * G_USEC_PER_SEC);
        sd_event_source_set_enabled(s->idle_timer, may_leave ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void service_stop(Service *s) {
        if (s->stopping)
                return;
        s->stopping = true;
        sd_notify(false, "STOPPING=1");
        shut_down_scenarios(s);
        service_touch(s);
}

/* ---- making it ---- */

static void fill_runner_config(Service *s) {
        const Config *c = s->config;

        s->runner_config = (RunnerConfig){
                .event = s->event,
                .root = s->root,
                .topology = s->topology,
                .limits = { .max_cgroups = (unsigned)c->max_cgroups,
                            .max_workers = (unsigned)c->max_workers,
                            .max_payloads = (unsigned)c->max_payloads },
                .workers_per_cgroup = (unsigned)c->workers_per_cgroup,
                .stop_ms = (unsigned)c->stop_timeout_sec * 1000,
                .settle_ms = (unsigned)c->settle_timeout_sec * 1000,
                .placement_log = c->placement_log,
                .find_user = user_find,
                .output_limit = c->max_output_bytes,
                .stall_window = (unsigned)c->stall_window,
                .stall_poll_ms =
                        stall_poll_ms_choose(getenv("KTSTR_STALL_POLL_MS"), (unsigned)c->stall_poll_ms),
        };
}

void service_load_payloads(Service *s) {
        payload_set_free(s->payloads);
        s->payloads = payload_files_load(s->config->payload_directories);
        s->runner_config.payloads = s->payloads;
        for (guint i = 0; i < s->payloads->files->len; i++) {
                const PayloadFile *file = s->payloads->files->pdata[i];
                if (file->error)
                        sd_journal_print(LOG_WARNING, "payload file %s is left out: %s", file->path,
                                         file->error);
        }
}

Service *service_new(sd_bus *bus, const Config *config, Launcher *root, Topology *topology, GError **error) {
        g_autoptr(Service) s = g_new0(Service, 1);
        ScenarioObject *scenario;
        int r;

        s->bus = sd_bus_ref(bus);
        s->event = sd_event_ref(sd_bus_get_event(bus));
        s->config = config;
        s->root = root;
        s->topology = topology;
        s->scenarios = g_ptr_array_new_with_free_func((GDestroyNotify)scenario_object_free);
        fill_runner_config(s);
        service_load_payloads(s);
        r = sd_event_add_time_relative(s->event, &s->idle_timer, CLOCK_MONOTONIC, 0, 0, on_idle, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->idle_timer, SD_EVENT_OFF);
        if (r >= 0)
                r = manager_object_add(s);
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "cannot put the manager on the bus: %s",
                            g_strerror(-r));
                return NULL;
        }
        scenario = scenario_object_new(s, KT_DEFAULT_SCENARIO, error);
        if (!scenario)
                return NULL;
        g_ptr_array_add(s->scenarios, scenario);
        service_touch(s);
        return g_steal_pointer(&s);
}

void service_free(Service *s) {
        if (!s)
                return;
        sd_event_source_disable_unref(s->idle_timer);
        g_ptr_array_unref(s->scenarios);
        sd_bus_slot_unref(s->manager_slot);
        launcher_free(s->root);
        topology_free(s->topology);
        payload_set_free(s->payloads);
        sd_bus_unref(s->bus);
        sd_event_unref(s->event);
        g_free(s);
}
