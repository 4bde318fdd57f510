/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* /proc/PID/stat, of which the daemon needs to know a task again, and the executor what a task is at. */
enum { TASK_STAT_TEXT = 1024 }; /* 52 fields of at most 20 digits, though most are small, and a name */
enum { TASK_COMM = 32 };        /* a kernel worker's shown name is longer than any comm */

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

/* For whoever needs another field: the line, 0 or a negative errno, and a field of it by its number in
 * proc(5). */
typedef enum TaskStatField {
        TASK_STAT_STATE = 3,
        TASK_STAT_PARENT = 4,
        TASK_STAT_FLAGS = 9,
        TASK_STAT_UTIME = 14, /* of all threads of a process; in clock ticks, as the next three */
        TASK_STAT_STIME = 15,
        TASK_STAT_CUTIME = 16, /* of the children it has waited for */
        TASK_STAT_CSTIME = 17,
        TASK_STAT_START_TIME = 22,
        TASK_STAT_ENV_START = 50,
        TASK_STAT_ENV_END = 51,
} TaskStatField;
int task_stat_text(int pid, int tid, char ret[TASK_STAT_TEXT]);
/* A number behind the state; 0 when it is not there. */
uint64_t task_stat_field(const char *text, TaskStatField field);
