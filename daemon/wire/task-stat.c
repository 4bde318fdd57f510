/* SPDX-License-Identifier: GPL-2.0-only */
#include "task-stat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proc.h"

/* Numbers as in proc(5): from state (3) on, the fields that are looked at and those between. */
#define SKIP_15 "%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s"
#define SKIP_16 SKIP_15 "%*s"
#define FIELDS  " %c " SKIP_15 "%" SCNd32 "%" SCNu32 "%*s%" SCNu64 SKIP_16 "%" SCNu32 "%" SCNu32 "%" SCNu32

/* A name may hold anything, parentheses and newlines too; behind it there are none. */
static bool parse_comm(const char *text, const char *end, char ret[TASK_COMM]) {
        const char *start = strchr(text, '(');

        if (!start || start > end)
                return false;
        size_t length = (size_t)(end - start) - 1;
        if (length >= TASK_COMM)
                length = TASK_COMM - 1;
        memcpy(ret, start + 1, length);
        ret[length] = '\0';
        return true;
}

bool task_stat_parse(const char *text, TaskStat *ret) {
        const char *end = strrchr(text, ')');
        TaskStat s;

        if (!end || !parse_comm(text, end, s.comm))
                return false;
        if (sscanf(end + 1, FIELDS, &s.state, &s.nice, &s.n_threads, &s.start, &s.cpu, &s.priority,
                   &s.policy) != 7)
                return false;
        *ret = s;
        return true;
}

int task_stat_text(int pid, int tid, char ret[TASK_STAT_TEXT]) {
        char path[64];

        if (tid)
                snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
        else
                snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        ssize_t n = proc_read(path, ret, TASK_STAT_TEXT);
        return n < 0 ? (int)n : 0;
}

uint64_t task_stat_field(const char *text, TaskStatField field) {
        const char *at = strrchr(text, ')'); /* the name before it may hold anything */
        uint64_t value;

        for (int n = TASK_STAT_STATE - 1; at && n < (int)field; n++)
                at = strchr(at + 1, ' ');
        return at && sscanf(at, "%" SCNu64, &value) == 1 ? value : 0;
}

int task_stat_read(int pid, int tid, TaskStat *ret) {
        char text[TASK_STAT_TEXT];
        int r = task_stat_text(pid, tid, text);

        if (r < 0)
                return r;
        return task_stat_parse(text, ret) ? 0 : -EBADMSG;
}
