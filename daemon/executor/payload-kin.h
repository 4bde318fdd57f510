/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "payload.h"

/* Whose a process is that is found in a payload's cgroup. Workers and several payloads may share one, and
 * what they start inherits two things: the process group, which setsid(1) or a shell with job control leaves,
 * and the environment, which env -i clears. Who did both is told from others only where there is no other
 * payload, and then once its parents are gone. */

/* When the process was born, in clock ticks since boot; 0 when it is gone. */
uint64_t kin_start_time(pid_t pid);

typedef enum Kin {
        KIN_NO,
        KIN_YES,
        KIN_NOT_KNOWN_YET, /* it is in the middle of an exec: look again */
} Kin;

/* It is in the payload's process group, or has its cookie in the environment. */
Kin kin_by_mark(const Executor *e, const Payload *p, pid_t pid);
/* An orphan that the kernel gave to this process (PR_SET_CHILD_SUBREAPER): it descends from a child of ours,
 * and workers have no children outside of their process groups. */
bool kin_by_adoption(const Executor *e, const Payload *p, pid_t pid);
/* It is not older than the payload, as far as is known. */
bool kin_by_age(const Payload *p, pid_t pid);

/* A process in the cgroup `path` that is not a child of this one is known to be some payload's, or may be. */
bool kin_of_any(const Executor *e, const char *path, pid_t pid);
