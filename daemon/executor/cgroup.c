/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>

#include "wire/proc.h"
#include "util.h"

enum { WRITE_TIMEOUT_MS = 2000, WRITE_TIMER_REPEAT_MS = 50 };

static int open_below(const CgroupRoot *root, const char *path, int flags) {
        const char *name = *path ? path : ".";
        struct open_how how = {
                .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        long fd = root->no_openat2 ? openat(root->fd, name, (int)how.flags)
                                   : syscall(SYS_openat2, root->fd, name, &how, sizeof(how));
        return fd < 0 ? -errno : (int)fd;
}

static bool openat2_refused(CgroupRoot *root) {
        int fd = open_below(root, "", O_PATH | O_DIRECTORY);
        if (fd >= 0)
                close(fd);
        return fd == -ENOSYS || fd == -EPERM; /* EPERM: seccomp filters older than the call */
}

int cgroup_root_open(CgroupRoot *root, const char *path) {
        struct statfs fs;
        CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fstatfs(fd, &fs) < 0 || !realpath(path, root->path))
                return -errno;
        root->is_cgroup2 = fs.f_type == CGROUP2_SUPER_MAGIC;
        root->fd = take_fd(&fd);
        root->no_openat2 = openat2_refused(root);
        return 0;
}

void cgroup_root_close(CgroupRoot *root) {
        close_fd(&root->fd);
}

size_t parent_length(const char *path) {
        const char *slash = strrchr(path, '/');
        return slash ? (size_t)(slash - path) : 0;
}

/* Opens the directory that holds the last component, and points at that component. */
static int open_parent(const CgroupRoot *root, const char *path, const char **ret_name) {
        char parent[PATH_MAX];
        size_t length = parent_length(path);

        if (length >= sizeof(parent))
                return -ENAMETOOLONG;
        memcpy(parent, path, length);
        parent[length] = '\0';
        *ret_name = length ? path + length + 1 : path;
        return open_below(root, parent, O_PATH | O_DIRECTORY);
}

int cgroup_mkdir(const CgroupRoot *root, const char *path) {
        const char *name;
        CLEANUP(close_fd) int parent = open_parent(root, path, &name);

        if (parent < 0)
                return parent;
        return mkdirat(parent, name, 0755) < 0 ? -errno : 0;
}

int cgroup_rmdir(const CgroupRoot *root, const char *path) {
        const char *name;
        CLEANUP(close_fd) int parent = open_parent(root, path, &name);

        if (parent < 0)
                return parent;
        return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

bool cgroup_is_gone(int error) {
        return error == -ENOENT || error == -ENODEV;
}

/* As /proc/self/mountinfo numbers them; -1: not known. */
static int mount_of(int fd) {
        char path[48], text[256];

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        const char *line = proc_read(path, text, sizeof(text)) > 0 ? strstr(text, "\nmnt_id:") : NULL;
        return line ? atoi(line + strlen("\nmnt_id:")) : -1;
}

int cgroup_open_dir(const CgroupRoot *root, const char *path) {
        return open_below(root, path, O_PATH | O_DIRECTORY);
}

int cgroup_open_unmounted(const CgroupRoot *root, const char *path) {
        CLEANUP(close_fd) int fd = cgroup_open_dir(root, path);

        if (fd >= 0 && mount_of(fd) != mount_of(root->fd))
                return -EXDEV;
        return fd < 0 ? fd : take_fd(&fd);
}

/* ---- knobs ---- */

static void do_nothing(int signal_number) {
        (void)signal_number;
}

void knob_timer_init(void) {
        /* No SA_RESTART: a blocked open or write returns EINTR. */
        const struct sigaction interrupt = { .sa_handler = do_nothing };
        sigaction(SIGALRM, &interrupt, NULL);
}

static void timer_set(unsigned first_ms) {
        /* It repeats: the first signal may arrive just before the call that it is to interrupt. */
        struct itimerval timer = {
                .it_value = { .tv_sec = first_ms / 1000, .tv_usec = first_ms % 1000 * 1000 },
                .it_interval = { .tv_usec = first_ms ? WRITE_TIMER_REPEAT_MS * 1000 : 0 },
        };
        setitimer(ITIMER_REAL, &timer, NULL);
}

static int write_whole(int fd, const char *value) {
        size_t length = strlen(value);
        ssize_t n = write(fd, value, length);

        if (n < 0)
                return -errno;
        return (size_t)n == length ? 0 : -EIO;
}

static int open_and_write(const CgroupRoot *root, const char *path, const char *value) {
        /* cgroupfs has nothing to truncate; a plain file must not keep the tail of a longer value. */
        int flags = O_WRONLY | (root->is_cgroup2 ? 0 : O_TRUNC);
        CLEANUP(close_fd) int fd = open_below(root, path, flags);

        if (fd < 0)
                return fd;
        /* A write of nothing succeeds without reaching the knob, and would leave a cpuset as it was; an empty
         * line clears it. */
        return write_whole(fd, root->is_cgroup2 && !*value ? "\n" : value);
}

int knob_write(const CgroupRoot *root, const char *path, const char *value) {
        uint64_t deadline = after_ms(WRITE_TIMEOUT_MS);
        int r;

        timer_set(WRITE_TIMEOUT_MS);
        do
                r = open_and_write(root, path, value);
        while (r == -EINTR && monotonic_ns() < deadline);
        timer_set(0);
        return r == -EINTR ? -ETIMEDOUT : r;
}

bool knob_path(char ret[PATH_MAX], const char *cgroup, const char *knob) {
        int n = snprintf(ret, PATH_MAX, "%s%s%s", cgroup, *cgroup ? "/" : "", knob);
        return n > 0 && n < PATH_MAX;
}

int knob_open(const CgroupRoot *root, const char *cgroup, const char *knob, int flags) {
        char path[PATH_MAX];
        return knob_path(path, cgroup, knob) ? open_below(root, path, flags) : -ENAMETOOLONG;
}

int knob_write_in(const CgroupRoot *root, const char *cgroup, const char *knob, const char *value) {
        char path[PATH_MAX];
        return knob_path(path, cgroup, knob) ? knob_write(root, path, value) : -ENAMETOOLONG;
}

ssize_t knob_read(const CgroupRoot *root, const char *cgroup, const char *knob, char *buffer, size_t size) {
        CLEANUP(close_fd) int fd = knob_open(root, cgroup, knob, O_RDONLY | O_NONBLOCK);
        size_t used = 0;
        ssize_t n = 0;

        if (fd < 0)
                return fd;
        while (used < size - 1 && (n = read(fd, buffer + used, size - 1 - used)) > 0)
                used += (size_t)n;
        if (n < 0)
                return -errno;
        if (used && buffer[used - 1] == '\n')
                used--;
        buffer[used] = '\0';
        return (ssize_t)used;
}

bool cgroup_events_populated(int events) {
        char text[256];
        ssize_t n = pread(events, text, sizeof(text) - 1, 0);

        if (n <= 0) /* ENODEV: removed meanwhile */
                return false;
        text[n] = '\0';
        return strstr(text, "populated 1") != NULL;
}

bool cgroup_has_processes(const CgroupRoot *root, const char *path) {
        char text[64];
        return knob_read(root, path, "cgroup.procs", text, sizeof(text)) > 0;
}
