/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Small readers of procfs. Async-signal-safe: a worker calls them between fork and its first work. */

/* The first size-1 bytes of a file, with a NUL behind; their number, or a negative errno. */
ssize_t proc_read(const char *path, char *buffer, size_t size);

/* Path of the calling thread's cgroup v2 as its cgroup file shows it, cut to fit; false when there is none.
 */
bool proc_own_cgroup(char *ret, size_t size);

/* Documentation/scheduler/sched-stats.rst: time on the CPU (ns), time waiting on a run queue (ns), how often
 * it was picked. */
typedef struct SchedStat {
        uint64_t cpu_ns, run_delay_ns, run_count;
} SchedStat;

bool schedstat_parse(const char *text, SchedStat *ret);
bool schedstat_read(SchedStat *ret);

/* numa_pages_migrated of /proc/vmstat: pages that the machine has moved between nodes. False when there is no
 * such line, as on a kernel without NUMA. */
bool vmstat_numa_migrated(const char *text, uint64_t *ret);
bool vmstat_read_numa_migrated(uint64_t *ret);
