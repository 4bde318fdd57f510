/* SPDX-License-Identifier: GPL-2.0-only */
#include "birth.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "util.h"

pid_t birth_clone(int cgroup_fd) {
        /* No CLONE_PIDFD: workers never exec, so each would inherit the descriptors of all before it. No
         * CLONE_VFORK, not even for a child that will exec: in a frozen cgroup it would never let go of its
         * parent. */
        struct clone_args args = {
                .flags = CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t)cgroup_fd,
        };
        long pid = syscall(SYS_clone3, &args, sizeof(args));
        return pid < 0 ? -errno : (pid_t)pid;
}

bool birth_clone_refused(int error) {
        return error == -ENOSYS || error == -EPERM || error == -EOPNOTSUPP || error == -EBADF;
}

int birth_begin(Birth *b, const Executor *e, const char *path) {
        *b = (Birth){ .root = &e->root,
                      .path = path,
                      .cgroup_fd = cgroup_open_dir(&e->root, path),
                      .procs_fd = -1,
                      .move = e->quirks & QUIRK_NO_CLONE_INTO_CGROUP };
        return b->cgroup_fd < 0 ? b->cgroup_fd : 0;
}

void birth_end(Birth *b) {
        close_fd(&b->cgroup_fd);
        close_fd(&b->procs_fd);
}

static int open_procs(Birth *b) {
        if (b->procs_fd >= 0)
                return 0;
        b->procs_fd = knob_open(b->root, b->path, "cgroup.procs", O_WRONLY);
        /* A plain directory need not play a cgroup to the end. */
        if (b->procs_fd == -ENOENT && !b->root->is_cgroup2)
                return 0;
        return b->procs_fd < 0 ? b->procs_fd : 0;
}

pid_t birth_fork(Birth *b) {
        if (!b->move) {
                pid_t pid = birth_clone(b->cgroup_fd);
                if (!birth_clone_refused(pid))
                        return pid;
                b->move = true;
        }
        int r = open_procs(b);
        if (r < 0)
                return r;
        pid_t pid = fork();
        return pid < 0 ? -errno : pid;
}

int birth_place(Birth *b, pid_t pid) {
        char text[16];

        if (!b->move || b->procs_fd < 0)
                return 0;
        snprintf(text, sizeof(text), "%d", pid);
        return write(b->procs_fd, text, strlen(text)) < 0 ? -errno : 0;
}
