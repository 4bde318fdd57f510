/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "wire/arena.h"
#include "setup.h"
#include "wire/work-type.h"

/* All that a worker is told. It lies in the parent's memory at the time of the fork and is read from the
 * child's copy of it. */
typedef struct WorkerContext {
        ArenaHead *arena;
        uint32_t index; /* of its slot */
        WorkTypeId type;
        const uint64_t *params;
        uint32_t position;     /* in its communication group */
        void *region;          /* LINK_REGION */
        int read_fd, write_fd; /* LINK_PIPES; -1 without. In a container the leader fills them in */
        WorkerSetup setup;

        pid_t parent;
        int settle_fd; /* eventfd: written when all of the group are ready, or when one is refused */
        int null_fd;   /* /dev/null */
        bool held;     /* start with waiting for `pid` in the slot: the parent first moves it to its cgroup */
} WorkerContext;

/* The life of a worker that is a process of its own, from the first instruction after the fork on. */
_Noreturn void worker_main(const WorkerContext *w);

/* A leader: the process of a pcomm container. It makes the pipes that its workers share, starts them as its
 * threads, takes its own name and ids, settles, and stays until all of them have ended. */
typedef struct LeaderContext {
        WorkerContext *workers; /* all of the arena's, in the order of their slots */
        char comm[WORKER_COMM]; /* of the leader itself */
        uint32_t uid, gid;      /* or WORKER_KEEP_ID */
} LeaderContext;

_Noreturn void leader_main(const LeaderContext *l);
