/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>

#include "cgroup.h"
#include "children.h"
#include "ledger.h"
#include "plan.h"
#include "wire/protocol.h"

/* All there is in an executor: one thread, one of these. */
typedef struct Executor {
        int socket;      /* the daemon */
        int quit_fd;     /* signalfd: SIGTERM, SIGINT, SIGHUP */
        int children_fd; /* signalfd: SIGCHLD */
        int settle_fd;   /* eventfd: a group's workers are ready, or one is refused */
        int null_fd;     /* /dev/null */

        CgroupRoot root;
        bool made_root;       /* and so removes it */
        bool made_supervisor; /* moved itself into supervisor/ below the root, which systemd delegated to it
                               */
        char home[PATH_MAX];  /* absolute path of the executor's own cgroup; "" = unknown */
        uint32_t quirks;      /* WireQuirk */
        WireStatus *status;

        uint64_t *every_cpu; /* affinity mask: cpu_words words of ones */
        uint32_t cpu_words;

        uint32_t phase; /* of new arenas */
        bool numa_migrated_valid;
        uint64_t numa_migrated; /* as last read */

        Children children;
        Ledger ledger;

        bool quit;    /* the daemon is gone, or somebody asks this process to end */
        bool closing; /* on the way out: nothing but children matters */

        uint32_t serial;        /* of the plan at hand */
        uint32_t moments;       /* of the plan at hand: bits, those of Moment that have come */
        uint64_t stop_deadline; /* shared by the COLLECTs of the plan at hand; 0 = its first STOP is still to
                                   come */
} Executor;

/* root: the --root directory, or NULL for the delegated cgroup. Returns an exit status. */
int executor_run(int socket, const char *root);

/* Waits until `fd` (or nothing, if -1) shows `events`, a child has ended and been taken care of, or the
 * absolute CLOCK_MONOTONIC time has come. 0: look at the world again; -ETIMEDOUT; -ECANCELED: drop everything
 * and leave. */
int executor_wait(Executor *e, int fd, short events, uint64_t deadline_ns);

/* The daemon's proof that things move. */
void executor_beat(Executor *e);

/* Sends one message; waits for room, but not for a daemon that is gone. fd may be -1. 0 or -ECANCELED; with a
 * descriptor also what the kernel lacks to pass it on, and then nothing was sent. */
int executor_send(Executor *e, const void *message, size_t size, int fd);
/* The same with up to two descriptors. */
int executor_send_fds(Executor *e, const void *message, size_t size, const int *fds, size_t n_fds);
