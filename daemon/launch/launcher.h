/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/* Where the cgroups of all scenarios live, and who starts the executors there. Two kinds: below systemd, each
 * scenario is a transient delegated service; below a directory of the caller's choice, the daemon starts the
 * executor itself. Nothing else in the daemon knows the difference. */
typedef struct Launcher Launcher;

/* An executor is gone, and with it all it made. `why` is NULL when it ended as it should. */
typedef void (*ExecutorGone)(void *userdata, const char *why);

typedef struct LauncherKind {
        /* Starts the executor of a scenario with `fd` as its standard input; the caller keeps the fd.
         * Whatever goes wrong later is told to `gone`, which is called exactly once after a successful
         * return. */
        int (*start)(Launcher *root, const char *scenario, int fd, ExecutorGone gone, void *userdata,
                     GError **error);
        /* The executor hangs, so closing its socket is not enough. `gone` is called all the same. */
        void (*abandon)(Launcher *root, const char *scenario);
        void (*free)(Launcher *root);
        /* The directory a scenario has, or would have. */
        char *(*scenario_path)(const Launcher *root, const char *scenario);
} LauncherKind;

/* The head of both kinds' own structures. */
struct Launcher {
        const LauncherKind *kind;
        char *path;             /* directory below which the scenarios have theirs */
        char *controllers_file; /* tells which controllers can be had there */
        char *executor;         /* program to start */
};

Launcher *launcher_new_systemd(sd_bus *bus, const char *executor, GError **error);
Launcher *launcher_new_directory(sd_event *event, const char *directory, const char *executor,
                                 GError **error);
void launcher_free(Launcher *root);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Launcher, launcher_free)

/* Controller bits that can be had now. */
unsigned launcher_controllers(const Launcher *root);
