/* SPDX-License-Identifier: GPL-2.0-only */
#include "quirks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "actions.h"
#include "birth.h"
#include "util.h"

enum { PROBE_SETTLE_MS = 1000 };

/* A child that does nothing but end: 0 when it lived to do so, -ESRCH when it was killed, or why there was
 * none. */
static int try_child(int cgroup_fd) {
        int status;
        pid_t pid = birth_clone(cgroup_fd);

        if (pid == 0)
                _exit(0);
        if (pid < 0)
                return pid;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return WIFSIGNALED(status) ? -ESRCH : 0;
}

static uint32_t probe_in(const CgroupRoot *root, const char *path) {
        CLEANUP(close_fd) int fd = cgroup_open_dir(root, path);

        if (fd < 0)
                return 0;
        if (birth_clone_refused(try_child(fd)))
                return QUIRK_NO_CLONE_INTO_CGROUP;
        /* Seen on 6.18.44, fixed upstream by "cgroup: fix spurious SIGKILL of CLONE_INTO_CGROUP children". */
        if (knob_write_in(root, path, "cgroup.kill", "1") == 0 && try_child(fd) == -ESRCH)
                return QUIRK_KILL_POISONS_CLONE;
        return 0;
}

uint32_t quirks_probe(Executor *e) {
        char name[32];

        if (!e->root.is_cgroup2)
                return QUIRK_NO_CLONE_INTO_CGROUP;
        snprintf(name, sizeof(name), "probe-%d", getpid());
        if (cgroup_mkdir(&e->root, name) < 0)
                return 0; /* what stands in the way here will stop the first plan, and be told then */
        uint32_t quirks = probe_in(&e->root, name);
        remove_cgroup(e, name, PROBE_SETTLE_MS);
        return quirks;
}
