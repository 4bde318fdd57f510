/* SPDX-License-Identifier: GPL-2.0-only */
#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "wire/proc.h"
#include "util.h"

/* mountinfo writes blanks and the like as \040. */
static void unescape(char *text) {
        char *to = text;

        for (char *from = text; *from; to++) {
                unsigned code;
                if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
                        *to = (char)code;
                        from += 4;
                } else
                        *to = *from++;
        }
        *to = '\0';
}

bool home_on_mount(char ret[PATH_MAX], const char *mountinfo_line, const char *cgroup) {
        char root[PATH_MAX], mount[PATH_MAX], type[32];
        const char *dash = strstr(mountinfo_line, " - ");

        if (!dash || sscanf(dash, " - %31s", type) != 1 || strcmp(type, "cgroup2") != 0)
                return false;
        if (sscanf(mountinfo_line, "%*d %*d %*s %4095s %4095s", root, mount) != 2)
                return false;
        unescape(root);
        unescape(mount);

        /* Only a part of the hierarchy may be mounted here: `root` is where that part begins. */
        size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
        if (strncmp(cgroup, root, length) != 0 || (length && cgroup[length] && cgroup[length] != '/'))
                return false;
        const char *below = cgroup + length;
        int n = snprintf(ret, PATH_MAX, "%s%s", mount, strcmp(below, "/") == 0 ? "" : below);
        return n > 0 && n < PATH_MAX;
}

int home_find(char ret[PATH_MAX]) {
        char cgroup[PATH_MAX];
        CLEANUP(free_pointer) char *line = NULL;
        size_t room = 0;
        CLEANUP(close_file) FILE *mounts = fopen("/proc/self/mountinfo", "re");

        if (!mounts)
                return -errno;
        if (!proc_own_cgroup(cgroup, sizeof(cgroup)))
                return -ENOENT;
        while (getline(&line, &room, mounts) > 0)
                if (home_on_mount(ret, line, cgroup))
                        return 0;
        return -ENOENT;
}

int home_take_in(const char *home, const char *pid) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%s/cgroup.procs", home) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, pid, strlen(pid)) < 0 ? -errno : 0;
}
