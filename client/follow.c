/* SPDX-License-Identifier: GPL-2.0-only */
#include "follow.h"

#include "dbus/names.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct Follow {
        Call *call;
        sd_event *event;
        int from;
        off_t offset;
};

static int fail(Follow *f, const char *what, int error) {
        return sd_event_exit(f->event, call_failure(f->call->invocation, KTCTL_FAILED, "File", "%s: %s", what,
                                                    g_strerror(error)));
}

/* The seals first: what was there before them is all there is. */
static int copy_news(Follow *f) {
        int seals = fcntl(f->from, F_GET_SEALS), r;

        if (seals < 0)
                return fail(f, "cannot follow the payload's output", errno);
        r = stream_copy(f->from, &f->offset, STDOUT_FILENO);
        if (r == -EPIPE) /* as with head(1) behind us: that is no failure */
                return sd_event_exit(f->event, KTCTL_OK);
        if (r < 0)
                return fail(f, "cannot copy the payload's output", -r);
        return seals & F_SEAL_WRITE ? sd_event_exit(f->event, KTCTL_OK) : 0;
}

static int on_change(G_GNUC_UNUSED sd_event_source *s, G_GNUC_UNUSED int fd, G_GNUC_UNUSED uint32_t events,
                     void *userdata) {
        return copy_news(userdata);
}

static int on_nobody_reads(sd_event_source *s, G_GNUC_UNUSED int fd, G_GNUC_UNUSED uint32_t events,
                           G_GNUC_UNUSED void *userdata) {
        return sd_event_exit(sd_event_source_get_event(s), KTCTL_OK);
}

static int daemon_lost(Follow *f) {
        int r = copy_news(f);

        if (r < 0 || sd_event_get_exit_code(f->event, NULL) >= 0) /* that was all of it, or it failed */
                return r;
        return sd_event_exit(f->event, call_failure(f->call->invocation, KTCTL_UNREACHABLE, "Disconnected",
                                                    "the daemon has left the bus before the payload's "
                                                    "output ended"));
}

/* Others of the name may have come and gone before the one that answered. */
static int on_owner_changed(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Follow *f = userdata;
        const char *was;

        if (sd_bus_message_read(m, "sss", NULL, &was, NULL) < 0 ||
            g_strcmp0(was, sd_bus_message_get_sender(f->call->reply)) != 0)
                return 0;
        return daemon_lost(f);
}

static int on_disconnected(G_GNUC_UNUSED sd_bus_message *m, void *userdata,
                           G_GNUC_UNUSED sd_bus_error *ret_error) {
        return daemon_lost(userdata);
}

KtctlExit follow_begin(Call *call, Follow **ret) {
        g_autoptr(Follow) f = g_new0(Follow, 1);
        static const char of_name[] =
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" KT_BUS_NAME "'";
        int r;

        f->call = call;
        r = sd_event_new(&f->event);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(call->bus, call->invocation->timeout_us);
        if (r >= 0)
                r = sd_bus_match_signal(call->bus, NULL, "org.freedesktop.DBus.Local",
                                        "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_disconnected, f);
        if (r >= 0)
                r = sd_bus_add_match(call->bus, NULL, of_name, on_owner_changed, f);
        if (r < 0)
                return call_failure(call->invocation, KTCTL_UNREACHABLE, "Unreachable",
                                    "cannot subscribe to signals: %s", g_strerror(-r));
        *ret = g_steal_pointer(&f);
        return KTCTL_OK;
}

/* The eventfd is shared by all who follow: whoever read it would take the news from the others. An edge comes
 * with every write to it, however high it stands. A standard output that epoll does not take is a file. */
static int watch(Follow *f, int changes) {
        int r = sd_event_add_io(f->event, NULL, changes, EPOLLIN | EPOLLET, on_change, f);

        if (r >= 0)
                r = sd_event_add_io(f->event, NULL, STDOUT_FILENO, 0, on_nobody_reads, f);
        if (r == -EPERM)
                r = 0;
        return r < 0 ? r : sd_bus_attach_event(f->call->bus, f->event, SD_EVENT_PRIORITY_NORMAL);
}

KtctlExit follow_run(Follow *f, int from, int changes) {
        int r;

        f->from = from;
        r = watch(f, changes);
        if (r >= 0)
                r = copy_news(f);
        if (r >= 0)
                r = sd_event_loop(f->event);
        sd_bus_detach_event(f->call->bus);
        return r < 0 ? call_failure(f->call->invocation, KTCTL_FAILED, "Failed",
                                    "cannot wait for the payload's output: %s", g_strerror(-r))
                     : (KtctlExit)r;
}

void follow_free(Follow *f) {
        if (!f)
                return;
        sd_event_unref(f->event);
        g_free(f);
}
