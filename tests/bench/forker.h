/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "order.h"

/* bench-forker SOCKET CGROUP MEGABYTES [FILE=VALUE...]: a small process, grown to that size, that makes
 * cgroups with workers below CGROUP by itself and writes each VALUE to a FILE of theirs. */
typedef enum ForkerKind {
        FORKER_FLOOR,  /* clone3 into the cgroup; in the child nothing but two futex waits */
        FORKER_WORKER, /* the same, and the child is a worker of the project */
        FORKER_NAIVE,  /* a pipe, fork, and a write to cgroup.procs for each; then a byte into each pipe */
} ForkerKind;
