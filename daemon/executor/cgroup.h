/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The directory that holds a scenario's cgroups, and what can be done below it. Paths are relative to it, ""
 * is the directory itself; nothing here follows a symbolic link or leaves it. All return 0
 * (or what they say) or a negative errno. */
typedef struct CgroupRoot {
        int fd;
        bool is_cgroup2; /* false: a plain directory, as tests use */
        bool no_openat2; /* the kernel or a seccomp filter refuses it */
        char path[PATH_MAX];
} CgroupRoot;

int cgroup_root_open(CgroupRoot *root, const char *path);
void cgroup_root_close(CgroupRoot *root);

int cgroup_mkdir(const CgroupRoot *root, const char *path);
int cgroup_rmdir(const CgroupRoot *root, const char *path);
/* The error is that of a cgroup which has been removed meanwhile. */
bool cgroup_is_gone(int error);
/* An O_PATH descriptor: good for clone3 and for looking further below. */
int cgroup_open_dir(const CgroupRoot *root, const char *path);
/* The same, but -EXDEV when something is mounted there or on the way: another part of the hierarchy, it may
 * be. */
int cgroup_open_unmounted(const CgroupRoot *root, const char *path);

/* Writes `value` to the file in one go; -ETIMEDOUT when that took more than two seconds and could be broken
 * off. The file must be there. */
int knob_write(const CgroupRoot *root, const char *path, const char *value);
int knob_open(const CgroupRoot *root, const char *cgroup, const char *knob, int flags);
/* The first size-1 bytes of a knob, without the last newline, and their number. */
ssize_t knob_read(const CgroupRoot *root, const char *cgroup, const char *knob, char *buffer, size_t size);
int knob_write_in(const CgroupRoot *root, const char *cgroup, const char *knob, const char *value);

/* Joins cgroup and knob; false when there is no room. */
bool knob_path(char ret[PATH_MAX], const char *cgroup, const char *knob);
/* Length of the part of a path before its last component; 0 when it has only one. */
size_t parent_length(const char *path);

/* cgroup.events says `populated 1`. `events` is that file, opened for reading; false as well when its cgroup
 * is gone. Reading arms poll(2): POLLPRI is raised at the next change. */
bool cgroup_events_populated(int events);
/* Some process is in the cgroup itself (not below it). */
bool cgroup_has_processes(const CgroupRoot *root, const char *path);

/* Needed once per process before knob_write: a timer signal that does nothing but interrupt. */
void knob_timer_init(void);
