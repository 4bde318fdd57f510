/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-kin.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "wire/task-stat.h"
#include "util.h"

enum { FLAG_EXITING = 0x4, FLAG_KERNEL_THREAD = 0x200000 /* include/linux/sched.h */ };

uint64_t kin_start_time(pid_t pid) {
        char text[TASK_STAT_TEXT];

        return task_stat_text(pid, 0, text) == 0 ? task_stat_field(text, TASK_STAT_START_TIME) : 0;
}

/* A process has no environment between the moment in exec when its memory is exchanged and the one when the
 * new environment has been laid out (env_end in environ_read(), fs/proc/base.c). Who has none because it was
 * started without one, or is on its way out, will not get one. */
static bool may_get_environment(pid_t pid) {
        char text[TASK_STAT_TEXT];

        if (task_stat_text(pid, 0, text) < 0 ||
            task_stat_field(text, TASK_STAT_FLAGS) & (FLAG_EXITING | FLAG_KERNEL_THREAD))
                return false;
        uint64_t end = task_stat_field(text, TASK_STAT_ENV_END);
        return end == 0 || end != task_stat_field(text, TASK_STAT_ENV_START);
}

/* As a stream: an environment may be larger than any buffer here. */
static Kin kin_by_cookie(pid_t pid, const char *cookie) {
        char path[32], bytes[4096];
        const size_t length = strlen(cookie) + 1;
        size_t same = 0; /* bytes of the entry at hand; `length`: it differs */
        bool empty = true;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return KIN_NO;
        for (; (n = read(fd, bytes, sizeof(bytes))) > 0; empty = false)
                for (ssize_t i = 0; i < n; i++) {
                        if (same == length || bytes[i] != cookie[same])
                                same = bytes[i] ? length : 0;
                        else if (++same == length)
                                return KIN_YES;
                }
        return empty && may_get_environment(pid) ? KIN_NOT_KNOWN_YET : KIN_NO;
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

Kin kin_by_mark(const Executor *e, const Payload *p, pid_t pid) {
        pid_t group = getpgid(pid);

        if (group < 0)
                return KIN_NO;
        if (p->group && group == p->group)
                return KIN_YES;
        return p->cookie && !is_group_of_another(e, p, group) ? kin_by_cookie(pid, p->cookie) : KIN_NO;
}

bool kin_by_adoption(const Executor *e, const Payload *p, pid_t pid) {
        char text[TASK_STAT_TEXT];

        return !children_contain(e, pid) && task_stat_text(pid, 0, text) == 0 &&
               task_stat_field(text, TASK_STAT_PARENT) == (uint64_t)getpid() &&
               !is_group_of_another(e, p, getpgid(pid));
}

bool kin_by_age(const Payload *p, pid_t pid) {
        return p->start_time && kin_start_time(pid) >= p->start_time;
}

bool kin_of_any(const Executor *e, const char *path, pid_t pid) {
        for (const Payload *p = e->children.payloads; p; p = p->next)
                if (p->ran && strcmp(p->entry->path, path) == 0 &&
                    (p->alone || kin_by_mark(e, p, pid) != KIN_NO))
                        return true;
        return false;
}
