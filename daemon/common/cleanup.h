/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/* libsystemd's objects in glib's words for cleanup on scope exit. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus, sd_bus_flush_close_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_event, sd_event_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(sd_bus_error, sd_bus_error_free)

/* An fd that closes itself. */
typedef int AutoFd;
static inline void auto_fd_close(AutoFd *fd) {
        if (*fd >= 0)
                g_close(*fd, NULL);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AutoFd, auto_fd_close)
static inline int auto_fd_steal(AutoFd *fd) {
        int stolen = *fd;

        *fd = -1;
        return stolen;
}
