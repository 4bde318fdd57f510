/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "arena.h"
#include "setup.h"
#include "work-type.h"

/* All that a worker is told. It lies in the parent's memory at the time of the fork and is read from the
 * child's copy of it. */
typedef struct WorkerContext {
        ArenaHead *arena;
        uint32_t index;
        WorkTypeId type;
        const uint64_t *params;
        WorkerSetup setup;

        pid_t parent;
        int settle_fd; /* eventfd: written when all of the group are ready, or when one is refused */
        int null_fd;   /* /dev/null */
        bool held;     /* start with waiting for `pid` in the slot: the parent first moves it to its cgroup */
} WorkerContext;

/* The life of a worker, from the first instruction after the fork on. */
_Noreturn void worker_main(const WorkerContext *w);
