/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* /proc/PID/stat, of which the daemon needs to know a task again, and the executor what a task is at. */
enum { TASK_COMM = 32 }; /* a kernel worker's shown name is longer than any comm */

typedef struct TaskStat {
        char comm[TASK_COMM]; /* raw bytes, cut to fit */
        char state;           /* as proc(5) has the letters */
        int32_t nice;
        uint32_t n_threads;
        uint64_t start; /* in clock ticks after boot: with the tid, which task this is */
        uint32_t cpu, priority, policy;
} TaskStat;

/* False when it is not such a line. */
bool task_stat_parse(const char *text, TaskStat *ret);
/* 0 or a negative errno. With tid 0 the whole process: what its first thread is at. */
int task_stat_read(int pid, int tid, TaskStat *ret);
