/* SPDX-License-Identifier: GPL-2.0-only */
#include "task-stat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

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

int task_stat_read(int pid, int tid, TaskStat *ret) {
        char path[64], text[1024]; /* 52 fields of at most 20 digits, though most are small, and a name */

        if (tid)
                snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
        else
                snprintf(path, sizeof path, "/proc/%d/stat", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ssize_t n = read(fd, text, sizeof text - 1);
        int error = errno;
        close(fd);
        if (n < 0)
                return -error;
        text[n] = '\0';
        return task_stat_parse(text, ret) ? 0 : -EBADMSG;
}
