/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-kin.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "proc.h"
#include "util.h"

enum { START_TIME = 22, STATE = 3 /* fields of /proc/PID/stat, proc(5) */ };

uint64_t kin_start_time(pid_t pid) {
        char path[32], text[1024];
        unsigned long long ticks = 0;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        if (proc_read(path, text, sizeof text) <= 0)
                return 0;
        const char *field = strrchr(text, ')'); /* the name before it may hold anything */
        for (int n = STATE - 1; field && n < START_TIME; n++)
                field = strchr(field + 1, ' ');
        return field && sscanf(field, "%llu", &ticks) == 1 ? ticks : 0;
}

/* As a stream: an environment may be larger than any buffer here. */
static bool has_in_environment(pid_t pid, const char *cookie) {
        char path[32], bytes[4096];
        const size_t length = strlen(cookie) + 1;
        size_t same = 0; /* bytes of the entry at hand; `length`: it differs */
        ssize_t n;

        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
                for (ssize_t i = 0; i < n; i++) {
                        if (same == length || bytes[i] != cookie[same])
                                same = bytes[i] ? length : 0;
                        else if (++same == length)
                                return true;
                }
        return false;
}

/* Led by a worker that lives, or by another payload. */
static bool is_group_of_another(const Executor *e, const Payload *p, pid_t group) {
        const Child *leader = children_find(e, group);

        if (leader && leader->payload != p)
                return true;
        for (const Payload *other = e->children.payloads; other; other = other->next)
                if (other != p && other->group == group)
                        return true;
        return false;
}

bool kin_by_mark(const Executor *e, const Payload *p, pid_t pid) {
        pid_t group = getpgid(pid);

        if (group < 0)
                return false;
        if (p->group && group == p->group)
                return true;
        return p->cookie && !is_group_of_another(e, p, group) && has_in_environment(pid, p->cookie);
}

bool kin_by_age(const Payload *p, pid_t pid) {
        return p->start_time && kin_start_time(pid) >= p->start_time;
}

bool kin_of_any(const Executor *e, const char *path, pid_t pid) {
        for (const Payload *p = e->children.payloads; p; p = p->next)
                if (p->ran && strcmp(p->entry->path, path) == 0 && (p->alone || kin_by_mark(e, p, pid)))
                        return true;
        return false;
}
