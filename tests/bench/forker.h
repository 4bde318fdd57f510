/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdint.h>

/* bench-forker SOCKET CGROUP MEGABYTES: a small process, grown to that size, that makes cgroups with workers
 * below CGROUP by itself. It takes ForkerOrders from the socket, answers each by a ForkerAnswer, and ends
 * when the socket is closed. */
typedef enum ForkerKind {
        FORKER_FLOOR,  /* clone3 into the cgroup; in the child nothing but two futex waits */
        FORKER_WORKER, /* the same, and the child is a worker of the project */
        FORKER_NAIVE,  /* fork, and the parent writes to cgroup.procs; else as FORKER_FLOOR */
} ForkerKind;

typedef struct ForkerOrder {
        uint32_t kind, n_workers;
} ForkerOrder;

typedef struct ForkerAnswer {
        int32_t error;    /* errno, 0 = done */
        uint32_t line;    /* of forker.c, where it failed */
        uint64_t born_ns; /* mkdir until all workers are let through the gate */
        uint64_t gone_ns; /* telling them to stop until all are reaped and the directory is removed */
} ForkerAnswer;
