/* SPDX-License-Identifier: GPL-2.0-only */
#include "pids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/proc.h"
#include "util.h"

enum { FIRST_ROOM = 64 };

void pids_clear(Pids *list) {
        free(list->pids);
        *list = (Pids){ 0 };
}

static int pids_add(Pids *list, pid_t pid) {
        if (list->n == list->room) {
                size_t room = list->room ? list->room * 2 : FIRST_ROOM;
                pid_t *grown = reallocarray(list->pids, room, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                list->pids = grown;
                list->room = room;
        }
        list->pids[list->n++] = pid;
        return 0;
}

bool pids_contain(const Pids *list, pid_t pid) {
        for (size_t i = 0; i < list->n; i++)
                if (list->pids[i] == pid)
                        return true;
        return false;
}

static pid_t process_itself(pid_t pid) {
        return pid;
}

/* -1: it is gone. 0 stays 0: it lives in a pid namespace that is not ours to name it. */
static pid_t process_of_thread(pid_t thread) {
        char path[32], text[256];

        if (thread == 0)
                return 0;
        snprintf(path, sizeof(path), "/proc/%d/status", thread);
        const char *line = proc_read(path, text, sizeof(text)) > 0 ? strstr(text, "\nTgid:") : NULL;
        return line ? (pid_t)atoi(line + strlen("\nTgid:")) : -1;
}

static int read_list(Pids *list, const CgroupRoot *root, const char *cgroup, const char *knob,
                     pid_t (*process_of)(pid_t)) {
        char line[32];

        list->n = 0;
        int fd = knob_open(root, cgroup, knob, O_RDONLY);
        if (fd < 0)
                return cgroup_is_gone(fd) ? 0 : fd;
        CLEANUP(close_file) FILE *file = fdopen(fd, "r");
        if (!file) {
                close(fd);
                return -ENOMEM;
        }
        int r = 0;
        while (r >= 0 && fgets(line, sizeof(line), file)) {
                pid_t pid = process_of((pid_t)atoi(line));
                bool again = list->n && list->pids[list->n - 1] == pid; /* threads stand together */
                if (pid >= 0 && !again)
                        r = pids_add(list, pid);
        }
        return r < 0 ? r : ferror(file) && errno != ENODEV ? -errno : 0;
}

int pids_read(Pids *list, const CgroupRoot *root, const char *cgroup) {
        list->n = 0;
        if (!root->is_cgroup2)
                return 0;
        int r = read_list(list, root, cgroup, "cgroup.procs", process_itself);
        if (r == -EOPNOTSUPP) /* it is threaded: only the domain above it lists processes */
                r = read_list(list, root, cgroup, "cgroup.threads", process_of_thread);
        return r;
}
