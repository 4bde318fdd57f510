/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/arena.h"
#include "ledger.h"
#include "pid-table.h"

/* A process that this one has started and not reaped yet: a worker, a leader of workers, or the leader of a
 * payload. */
struct Child {
        pid_t pid;
        uint32_t index; /* in its group */
        bool live;      /* not reaped yet */
        bool overdue;   /* killed because it did not answer the stop */
        Group *group;
        Payload *payload; /* instead of a group */
};

/* The workers of one SPAWN, and their arena. Lives from the SPAWN until its workers are gone and have been
 * asked for: by COLLECT, by the undo of the plan, by the end of the executor. Not in the memory of children,
 * as the records of children are not. */
struct Group {
        Group *next;
        uint32_t id;
        ArenaHead *arena;
        size_t arena_size;
        int arena_fd; /* until the daemon has got it */
        LedgerEntry *entry;
        bool led;          /* a container: its one child is the leader, whose threads the workers are */
        bool announced;    /* the daemon knows it, and hears of exits */
        bool to_wake;      /* its gate is open, and those who sleep at it do not know yet */
        const Child *lost; /* before it was announced: the first child that ended */
        uint32_t n_workers;
        uint32_t n_children, n_live;
        Child children[];
};

typedef struct Children {
        PidTable *by_pid; /* the live ones; NULL before the first */
        Group *groups;
        Payload *payloads;
} Children;

/* A group without workers, noted in the ledger, and room for its children. 0, -ENOMEM, or another negative
 * errno. */
int group_new(Executor *e, uint32_t id, const ArenaShape *shape, Group **ret);
Group *group_find(const Executor *e, uint32_t id);
/* The child has been forked: from now on it is looked after. */
void group_add_child(Executor *e, Group *group, uint32_t index, pid_t pid);

/* Whoever looks at the gate from now on passes; those who sleep at it are woken by groups_wake(). */
void group_open_gate(Group *group);
void groups_wake(Executor *e);
void group_stop(Group *group);
/* SIGKILL to each remaining child's process group. */
void group_kill(Group *group, bool overdue);
/* Until all children are reaped: 0, -ETIMEDOUT, -ECANCELED. */
int group_wait(Executor *e, Group *group, uint64_t deadline_ns);
/* Kills, reaps, and forgets. On -ETIMEDOUT (a child that not even SIGKILL ends) or -ECANCELED it stays. */
int group_destroy(Executor *e, Group *group);
/* A group without live children. */
void group_free(Executor *e, Group *group);

/* Room has been made for the child, and it has been forked: from now on it is looked after. */
void children_add(Executor *e, Child *child);
/* NULL: no live child of that pid. */
Child *children_find(const Executor *e, pid_t pid);
bool children_contain(const Executor *e, pid_t pid);
uint32_t children_live(const Executor *e);
void children_reap(Executor *e);
void children_kill_all(Executor *e);
