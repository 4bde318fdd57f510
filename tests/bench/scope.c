/* SPDX-License-Identifier: GPL-2.0-only */
#include "scope.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "wire/clock.h"
#include "common/cleanup.h"
#include "herd.h"
#include "order.h"

#define MANAGER "org.freedesktop.systemd1"
#define OBJECT  "/org/freedesktop/systemd1"
enum { PATIENCE_US = 60000000 };

typedef struct Scope {
        sd_bus *bus;
        char name[64];
        char *awaited_job; /* object path; NULL once it was removed */
        char *result;      /* of that job */
        bool unit_removed;
} Scope;

/* ---- signals ---- */

static int on_job_removed(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        Scope *s = userdata;
        const char *job, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) <= 0 ||
            g_strcmp0(job, s->awaited_job) != 0)
                return 0;
        g_clear_pointer(&s->awaited_job, g_free);
        s->result = g_strdup(result);
        return 0;
}

static int on_unit_removed(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        Scope *s = userdata;
        const char *unit, *path;

        if (sd_bus_message_read(m, "so", &unit, &path) > 0 && strcmp(unit, s->name) == 0)
                s->unit_removed = true;
        return 0;
}

static bool await_condition(Scope *s, bool (*holds)(const Scope *)) {
        uint64_t deadline = after_ms(PATIENCE_US / 1000);

        while (!holds(s)) {
                int r = sd_bus_process(s->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(s->bus, PATIENCE_US);
                if (r < 0 || monotonic_ns() > deadline)
                        return false;
        }
        return true;
}

static bool job_is_removed(const Scope *s) {
        return !s->awaited_job;
}

static bool unit_is_removed(const Scope *s) {
        return s->unit_removed;
}

/* ---- one order ---- */

static int append_pids(sd_bus_message *m, const Herd *herd) {
        int r = sd_bus_message_open_container(m, 'r', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "PIDs");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "au");
        if (r >= 0)
                r = sd_bus_message_append_array(m, 'u', herd->pids, herd->forked * sizeof(*herd->pids));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_properties(sd_bus_message *m, const Herd *herd) {
        int r = sd_bus_message_open_container(m, 'a', "(sv)");

        if (r >= 0)
                r = append_pids(m, herd);
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "CPUWeight", "t", UINT64_C(200),
                                          "CPUQuotaPerSecUSec", "t", UINT64_C(8000000), "IOWeight", "t",
                                          UINT64_C(200), "MemoryMax", "t", UINT64_C(2147483648), "MemoryHigh",
                                          "t", UINT64_C(2147483648), "TasksMax", "t", UINT64_C(20000),
                                          "AllowedCPUs", "ay", 1, 0x03);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int start_unit(Scope *s, const Herd *herd) {
        g_autoptr(sd_bus_message) m = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        const char *job;
        int r = sd_bus_message_new_method_call(s->bus, &m, MANAGER, OBJECT, MANAGER ".Manager",
                                               "StartTransientUnit");

        if (r >= 0)
                r = sd_bus_message_append(m, "ss", s->name, "fail");
        if (r >= 0)
                r = append_properties(m, herd);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r >= 0)
                r = sd_bus_call(s->bus, m, PATIENCE_US, &error, &reply);
        if (r < 0)
                fprintf(stderr, "%s: %s\n", s->name, error.message ?: strerror(-r));
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &job);
        if (r >= 0)
                s->awaited_job = g_strdup(job);
        return r;
}

static bool bear(Scope *s, Herd *herd) {
        while (herd->forked < herd->n)
                if (herd_fork_one(herd) < 0)
                        return false;
        return start_unit(s, herd) >= 0 && await_condition(s, job_is_removed) &&
               g_str_equal(s->result, "done") && herd_start(herd);
}

static bool bury(Scope *s, Herd *herd) {
        return herd_stop(herd) && await_condition(s, unit_is_removed);
}

static void handle(Scope *s, const Order *order, Answer *answer) {
        static unsigned n;
        Herd herd;

        snprintf(s->name, sizeof(s->name), "bench-%d-%u.scope", getpid(), n++);
        s->unit_removed = false;
        if (herd_prepare(&herd, order->n_workers)) {
                uint64_t start = monotonic_ns();
                bool good = bear(s, &herd);
                uint64_t born = monotonic_ns();
                good = good && bury(s, &herd);
                answer->born_ns = born - start;
                answer->gone_ns = monotonic_ns() - born;
                answer->error = good ? 0 : EIO;
        } else
                answer->error = errno;
        herd_clear(&herd);
        g_clear_pointer(&s->awaited_job, g_free);
        g_clear_pointer(&s->result, g_free);
}

/* ---- the process ---- */

static int connect_manager(Scope *s) {
        int r = sd_bus_open_system(&s->bus);

        if (r >= 0)
                r = sd_bus_match_signal(s->bus, NULL, MANAGER, OBJECT, MANAGER ".Manager", "JobRemoved",
                                        on_job_removed, s);
        if (r >= 0)
                r = sd_bus_match_signal(s->bus, NULL, MANAGER, OBJECT, MANAGER ".Manager", "UnitRemoved",
                                        on_unit_removed, s);
        if (r >= 0) /* or it sends none */
                r = sd_bus_call_method(s->bus, MANAGER, OBJECT, MANAGER ".Manager", "Subscribe", NULL, NULL,
                                       NULL);
        return r;
}

int scope_run(int socket) {
        g_autoptr(sd_bus) bus = NULL;
        Scope s = { 0 };
        Order order;
        int r = connect_manager(&s);

        bus = s.bus;
        if (r < 0) {
                fprintf(stderr, "no service manager on the system bus: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        while (recv(socket, &order, sizeof(order), 0) == sizeof(order)) {
                Answer answer = { 0 };
                handle(&s, &order, &answer);
                if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
                        return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
