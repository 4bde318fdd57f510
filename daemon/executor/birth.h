/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* How children come into a cgroup: born there, or, where that is refused, forked and then moved. One that is
 * moved must hold still until then. */
typedef struct Birth {
        const CgroupRoot *root;
        const char *path;
        int cgroup_fd;
        int procs_fd; /* its cgroup.procs when children must be moved; -1: nothing to write to */
        bool move;    /* before the first child: as far as is known; in a child: it is to hold still */
} Birth;

/* `path` is a cgroup and stays. 0 or a negative errno. */
int birth_begin(Birth *b, const Executor *e, const char *path);
void birth_end(Birth *b);

/* A child: 0 in the child, else its pid or a negative errno. */
pid_t birth_fork(Birth *b);
/* It is where it belongs: 0 or a negative errno. */
int birth_place(Birth *b, pid_t pid);

/* A child in the cgroup behind the descriptor: 0 in the child, the pid, or a negative errno. */
pid_t birth_clone(int cgroup_fd);
/* The kernel, or a filter before it, does not do that; fork and move instead. */
bool birth_clone_refused(int error);
