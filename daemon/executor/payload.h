/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include "executor.h"

/* A program that runs in a cgroup: the process that became it, its leader, and whatever that one starts. It
 * is here from ACTION_PAYLOAD until it has been ended, even if its leader ends by itself. */
struct Payload {
        Payload *next;
        uint32_t id;
        Child leader;
        pid_t group;         /* the process group that it leads, while somebody is in it; 0: none */
        char *cookie;        /* KEY=VALUE in the environment of whatever it starts; NULL: none */
        bool alone;          /* in its cgroup is nothing else */
        bool ran;            /* it may have started others: it is past the set-up */
        bool announced;      /* the daemon knows it, and hears of its exit */
        bool killed;         /* by this process */
        uint64_t start_time; /* of its leader, as kin_start_time() has it */
        uint64_t born_ns, oom_kills;
        WirePayloadExit exit; /* once the leader has ended */
        LedgerEntry *entry;   /* its path: the cgroup in which it was born */
};

/* Noted in the ledger, with room for its leader among the children. 0 or -ENOMEM. */
int payload_new(Executor *e, const Plan *plan, const WireAction *a, Payload **ret);
Payload *payload_find(const Executor *e, uint32_t id);
/* One whose leader has ended, and its entry in the ledger. */
void payload_free(Executor *e, Payload *p);

/* The child has been forked. */
void payload_born(Executor *e, Payload *p, pid_t pid);
/* Tells the daemon that it runs, and of its end if that has come already. */
int payload_announce(Executor *e, Payload *p, WorkerPlacement placement, const int outputs[2]);

/* SIGKILL to the leader, and with it to its process group. */
void payload_kill_leader(Payload *p);
void payload_leader_ended(Executor *e, Payload *p, const siginfo_t *info, const struct rusage *usage);
