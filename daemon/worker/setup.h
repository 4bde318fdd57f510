/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/arena.h"

enum { WORKER_COMM = 16, WORKER_KEEP_ID = 0xffffffffu };

/* What a worker is to become before it waits at the gate. */
typedef struct WorkerSetup {
        /* CPUs it may use; never NULL. To undo an inherited mask, name every CPU: since Linux 6.2 the mask
         * that was asked for by sched_setaffinity is remembered, and survives entry into a cpuset. */
        const uint64_t *mask;
        uint32_t mask_words;

        bool policy_set, nice_set, mempolicy_set;
        uint32_t policy, priority; /* SCHED_* */
        int32_t nice;
        uint64_t runtime_ns, deadline_ns, period_ns;

        uint32_t mempolicy_mode; /* MPOL_* and flags */
        const unsigned long *nodes;
        uint32_t max_node;

        uint32_t uid, gid;      /* or WORKER_KEEP_ID */
        char comm[WORKER_COMM]; /* "" = leave as it is */
} WorkerSetup;

/* Have the kernel kill the caller when its parent dies; -ESRCH when it is gone already. */
int worker_bind_to_parent(pid_t parent);

/* Carries out the steps from SETUP_AFFINITY on, in their order, for the calling thread. A process names its
 * parent, to be bound to it again after its ids have changed; a thread names 0. Returns 0, or the negative
 * errno of *ret_step. */
int worker_set_up(const WorkerSetup *setup, pid_t parent, SetupStep *ret_step);

/* The same, step by step, for a leader. */
int worker_take_comm(const char *comm);
int worker_take_ids(uint32_t uid, uint32_t gid, pid_t parent, SetupStep *ret_step);
