/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <limits.h>
#include <stdint.h>

/* Every way of having workers in a cgroup is tried by a process of its own, which takes Orders from a
 * SOCK_SEQPACKET socket, answers each by an Answer, and ends when the socket is closed. */
typedef enum OrderKind {
        /* All: workers in a cgroup of their own, and rid of them again. */
        ORDER_SPAWN,
        /* The service only. COLD: one worker when no executor runs, then a cgroup in the backdrop, which
         * keeps the executor until the END. PING: `born_ns` is an empty call. */
        ORDER_COLD,
        ORDER_PING,
        ORDER_END,
} OrderKind;

typedef struct Order {
        uint32_t kind;
        uint32_t how; /* ForkerKind, for a forker */
        uint32_t n_workers;
} Order;

typedef struct Answer {
        int32_t error;    /* errno, 0 = done */
        uint32_t line;    /* of the source file, where it failed */
        uint64_t born_ns; /* from nothing until all workers are let go */
        uint64_t gone_ns; /* from telling them to stop until all are reaped and the cgroup is removed */
} Answer;

/* What the service says first: where the scenario's cgroups are, and what is written to the knobs of one, as
 * lines of FILE=VALUE. The forkers write the same in the same place. */
typedef struct ServiceHello {
        char root[PATH_MAX];
        char writes[1024];
} ServiceHello;
