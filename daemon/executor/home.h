/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The cgroup in which the executor itself lives, as an absolute path of the cgroup2 mount. */
int home_find(char ret[PATH_MAX]);

/* Where a cgroup of /proc/self/cgroup is found, given one line of /proc/self/mountinfo (proc(5)); false when
 * the line is not a cgroup2 mount that shows it. */
bool home_on_mount(char ret[PATH_MAX], const char *mountinfo_line, const char *cgroup);

/* Moves a process ("0" = the caller) to the cgroup at an absolute path. */
int home_take_in(const char *home, const char *pid);
