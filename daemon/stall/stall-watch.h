/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/scenario.h"
#include "stall-report.h"

/* What the monitor knows of each task between two ticks, and the look at one task. */
typedef struct StallWatch StallWatch;

/* How far a tick has come: groups and payloads come and go between its turns, their ids only grow. */
typedef struct StallCursor {
        uint32_t group_id, worker; /* the next one to be looked at */
        unsigned index;            /* where that group was found last */
        uint32_t payload_id;
        bool payloads; /* all workers have been looked at */
} StallCursor;

/* A task has stalled. All is borrowed; `cpus`: where it may run, NULL = not known. */
typedef void (*StallFound)(void *userdata, const StallSubject *who, const StallWindow *window,
                           GHashTable *before, hwloc_const_bitmap_t cpus);

/* root stays the caller's. window: how many samples it has. */
StallWatch *stall_watch_new(const char *root, uint64_t interval_ns, unsigned window, StallFound found,
                            void *userdata);
void stall_watch_free(StallWatch *w);

/* A tick begins: what was found out about cgroups at the last one counts no more. */
void stall_watch_begin(StallWatch *w);
/* Looks at one task; false when there are no more. */
bool stall_watch_next(StallWatch *w, const Scenario *s, StallCursor *at, uint64_t tick_ns);
/* A tick has ended: forgets those that it did not come across, and cgroups that the books do not have any
 * more. */
void stall_watch_prune(StallWatch *w, const Scenario *s);
