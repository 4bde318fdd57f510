/* SPDX-License-Identifier: GPL-2.0-only */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

/* Below systemd, a scenario is the transient service ktsetup-NAME.service in ktsetup.slice, with its cgroup
 * delegated to the executor. Whatever becomes of the executor, systemd kills and removes what is left below.
 */

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

typedef struct SystemdRoot {
        Launcher root;
        sd_bus *bus;
        sd_bus_slot *unit_removed, *job_removed;
        GPtrArray *units; /* of Unit */
} SystemdRoot;

typedef struct Unit {
        SystemdRoot *owner;
        char *name;
        char *why;
        int fd;    /* for a start that has to wait until an older unit of that name is gone; -1 once used */
        char *job; /* object path of the start job */
        sd_bus_slot *call;
        ExecutorGone gone;
        void *userdata;
} Unit;

static void unit_free(Unit *u) {
        sd_bus_slot_unref(u->call);
        if (u->fd >= 0)
                g_close(u->fd, NULL);
        g_free(u->name);
        g_free(u->why);
        g_free(u->job);
        g_free(u);
}

static Unit *find_unit(const SystemdRoot *s, const char *name) {
        for (guint i = 0; i < s->units->len; i++) {
                Unit *u = s->units->pdata[i];
                if (g_str_equal(u->name, name))
                        return u;
        }
        return NULL;
}

static void unit_finish(Unit *u) {
        ExecutorGone gone = u->gone;
        void *userdata = u->userdata;
        g_autofree char *why = g_steal_pointer(&u->why);

        g_ptr_array_remove(u->owner->units, u);
        gone(userdata, why);
}

static int unit_start(Unit *u);

/* ---- the end ---- */

static int on_get_unit(sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Unit *u = userdata;

        u->call = sd_bus_slot_unref(u->call);
        if (!sd_bus_message_is_method_error(reply, "org.freedesktop.systemd1.NoSuchUnit"))
                return 0; /* still there, or there again */
        if (u->fd < 0) {
                unit_finish(u);
                return 0;
        }
        int r = unit_start(u); /* the older unit made way */
        if (r < 0) {
                u->why = g_strdup_printf("systemd cannot be asked to start it: %s", g_strerror(-r));
                unit_finish(u);
        }
        return 0;
}

/* UnitRemoved also comes for every unit at a daemon-reload, so it is only a reason to look. */
static int on_unit_removed(sd_bus_message *signal, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        SystemdRoot *s = userdata;
        const char *name;
        Unit *u;

        if (sd_bus_message_read(signal, "s", &name) < 0)
                return 0;
        u = find_unit(s, name);
        if (u && !u->call)
                sd_bus_call_method_async(s->bus, &u->call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                         "GetUnit", on_get_unit, u, "s", name);
        return 0;
}

/* A job that did not end as "done": the unit will be removed, this is why. */
static int on_job_removed(sd_bus_message *signal, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        SystemdRoot *s = userdata;
        const char *job, *name, *result;
        uint32_t id;
        Unit *u;

        if (sd_bus_message_read(signal, "uoss", &id, &job, &name, &result) < 0)
                return 0;
        u = find_unit(s, name);
        if (u && u->job && g_str_equal(job, u->job) && !g_str_equal(result, "done") && !u->why)
                u->why = g_strdup_printf("its start job ended as '%s' (journalctl -u %s tells more)", result,
                                         name);
        return 0;
}

/* ---- the start ---- */

static int on_older_stopped(sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Unit *u = userdata;

        u->call = sd_bus_slot_unref(u->call);
        /* With an error the unit may be gone already: have a look now, UnitRemoved may never come. */
        if (sd_bus_message_is_method_error(reply, NULL))
                sd_bus_call_method_async(u->owner->bus, &u->call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                         "GetUnit", on_get_unit, u, "s", u->name);
        return 0;
}

static int on_started(sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Unit *u = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        const char *job;

        u->call = sd_bus_slot_unref(u->call);
        if (e && sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists"))
                /* What an earlier daemon left is on its way out, or has to be sent there. */
                return sd_bus_call_method_async(u->owner->bus, &u->call, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "StopUnit", on_older_stopped, u, "ss",
                                                u->name, "replace");
        g_close(u->fd, NULL);
        u->fd = -1;
        if (e) {
                u->why = g_strdup_printf("systemd does not start it: %s", e->message ?: e->name);
                unit_finish(u);
        } else if (sd_bus_message_read(reply, "o", &job) >= 0)
                u->job = g_strdup(job);
        return 0;
}

static int append_properties(sd_bus_message *m, const Unit *u) {
        const char *executor = u->owner->root.executor;
        g_autofree char *description = g_strdup_printf("ktsetupd scenario (%s)", u->name);
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s", description,
                                  "Slice", "s", "ktsetup.slice", "CollectMode", "s", "inactive-or-failed",
                                  "Delegate", "b", 1, "DelegateControllers", "as", 5, "cpu", "cpuset", "io",
                                  "memory", "pids", "TasksMax", "t", UINT64_MAX,
                                  "StandardInputFileDescriptor", "h", u->fd, "ExecStart", "a(sasb)", 1,
                                  executor, 1, executor, 0);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int unit_start(Unit *u) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = sd_bus_message_new_method_call(u->owner->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", u->name, "fail");
        if (r >= 0)
                r = append_properties(m, u);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r >= 0)
                r = sd_bus_call_async(u->owner->bus, &u->call, m, on_started, u, 0);
        return r;
}

static int systemd_start(Launcher *root, const char *scenario, int fd, ExecutorGone gone, void *userdata,
                         GError **error) {
        Unit *u = g_new0(Unit, 1);
        int r;

        u->owner = (SystemdRoot *)root;
        u->name = g_strdup_printf("ktsetup-%s.service", scenario);
        u->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        u->gone = gone;
        u->userdata = userdata;
        r = u->fd < 0 ? -errno : unit_start(u);
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "cannot ask systemd to start %s: %s",
                            u->name, g_strerror(-r));
                unit_free(u);
                return r;
        }
        g_ptr_array_add(u->owner->units, u);
        return 0;
}

static void systemd_abandon(Launcher *root, const char *scenario) {
        g_autofree char *name = g_strdup_printf("ktsetup-%s.service", scenario);

        sd_bus_call_method_async(((SystemdRoot *)root)->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                 SYSTEMD_MANAGER, "KillUnit", NULL, NULL, "ssi", name, "all",
                                 (int32_t)SIGKILL);
}

/* ---- the root ---- */

static char *systemd_scenario_path(const Launcher *root, const char *scenario) {
        return g_strdup_printf("%s/ktsetup-%s.service", root->path, scenario);
}

static void systemd_free(Launcher *root) {
        SystemdRoot *s = (SystemdRoot *)root;

        sd_bus_slot_unref(s->unit_removed);
        sd_bus_slot_unref(s->job_removed);
        g_ptr_array_unref(s->units);
        sd_bus_unref(s->bus);
        g_free(s);
}

static const LauncherKind systemd_kind = {
        .start = systemd_start,
        .abandon = systemd_abandon,
        .free = systemd_free,
        .scenario_path = systemd_scenario_path,
};

/* systemd sends unit signals only to those who subscribed. */
static int subscribe(SystemdRoot *s) {
        int r = sd_bus_match_signal(s->bus, &s->unit_removed, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                    "UnitRemoved", on_unit_removed, s);
        if (r >= 0)
                r = sd_bus_match_signal(s->bus, &s->job_removed, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                        "JobRemoved", on_job_removed, s);
        return r;
}

Launcher *launcher_new_systemd(sd_bus *bus, const char *executor, GError **error) {
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;
        g_autofree char *control_group = NULL;
        SystemdRoot *s;
        int r;

        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", &e, NULL, NULL);
        if (r >= 0 || sd_bus_error_has_name(&e, "org.freedesktop.systemd1.AlreadySubscribed")) {
                sd_bus_error_free(&e);
                r = sd_bus_get_property_string(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                               "ControlGroup", &e, &control_group);
        }
        if (r < 0) {
                g_set_error(
                        error, KT_ERROR, KT_ERROR_EXECUTOR_LOST,
                        "systemd does not answer on this bus (%s); name a delegated cgroup v2 directory with "
                        "--cgroup-root to do without it",
                        e.message ?: g_strerror(-r));
                return NULL;
        }
        s = g_new0(SystemdRoot, 1);
        s->root =
                (Launcher){ .kind = &systemd_kind,
                            .path = g_build_filename("/sys/fs/cgroup", control_group, "ktsetup.slice", NULL),
                            .controllers_file = g_build_filename("/sys/fs/cgroup", control_group,
                                                                 "cgroup.controllers", NULL),
                            .executor = g_strdup(executor) };
        s->bus = sd_bus_ref(bus);
        s->units = g_ptr_array_new_with_free_func((GDestroyNotify)unit_free);
        r = subscribe(s);
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "cannot watch systemd's units: %s",
                            g_strerror(-r));
                launcher_free(&s->root);
                return NULL;
        }
        return &s->root;
}
