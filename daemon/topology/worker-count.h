/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct WorkerCountRequest {
        bool has_workers, has_pct;
        guint64 workers;
        double pct;       /* a fraction of `cpus`: 0.5 is one worker for every two CPUs; may exceed 1 */
        unsigned cpus;    /* in the recorded cpuset, or usable ones where none is recorded */
        guint64 fallback; /* workers_per_cgroup */
        guint64 ceiling;  /* most workers one group may have */
} WorkerCountRequest;

/* How many workers a group gets: a percentage rounds up. `label` begins the message: NULL, or what the caller
 * calls this group. */
bool worker_count_resolve(const WorkerCountRequest *request, const char *label, guint64 *ret, GError **error);

/* Sets the error for a cpuset that resolved to no CPU, told from what the merged worker groups wanted of it.
 */
void worker_count_empty_cpuset(const char *label, const char *cpuset, const WorkerCountRequest *groups,
                               size_t n_groups, GError **error);
