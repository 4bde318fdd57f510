/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "setup.h"
#include "wire/arena.h"
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

/* All that the leader of a pcomm container is told. */
typedef struct LeaderContext {
        WorkerContext *workers; /* all of the arena's, in the order of their slots */
        char comm[WORKER_COMM]; /* of the leader itself */
        uint32_t uid, gid;      /* or WORKER_KEEP_ID */
} LeaderContext;
