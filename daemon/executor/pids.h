/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "cgroup.h"

/* The processes in a cgroup; 0: one in a pid namespace that is not ours to name it. */
typedef struct Pids {
        pid_t *pids;
        size_t n, room;
} Pids;

/* Anew. A plain directory lists nobody, and a cgroup that is gone has nobody to list. */
int pids_read(Pids *list, const CgroupRoot *root, const char *cgroup);
bool pids_contain(const Pids *list, pid_t pid);
void pids_clear(Pids *list);
