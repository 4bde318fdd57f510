/* SPDX-License-Identifier: GPL-2.0-only */
#include "children.h"

#include <errno.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "executor.h"
#include "futex.h"
#include "memory.h"
#include "util.h"

enum { REAP_MS = 3000 };

static int by_pid(const void *a, const void *b) {
        pid_t x = ((const Child *)a)->pid, y = ((const Child *)b)->pid;
        return (x > y) - (x < y);
}

static Child *find_child(const Executor *e, pid_t pid) {
        Child key = { .pid = pid };
        Child **found = tfind(&key, &e->children.by_pid, by_pid);
        return found ? *found : NULL;
}

bool children_contain(const Executor *e, pid_t pid) {
        return find_child(e, pid) != NULL;
}

/* ---- groups ---- */

int group_new(Executor *e, uint32_t id, const ArenaShape *shape, Group **ret) {
        Group *group = calloc(1, sizeof *group + shape->n_workers * sizeof(Child));
        LedgerEntry *entry = ledger_prepare(LEDGER_GROUP, "");

        if (group && entry) {
                group->arena_size = arena_size(shape);
                group->arena = memory_new("ktsetup-arena", group->arena_size, &group->arena_fd);
        }
        if (!group || !entry || !group->arena) {
                int error = group && entry ? errno : ENOMEM;
                ledger_discard(entry);
                free(group);
                return -error;
        }

        arena_init(group->arena, shape);
        group->id = id;
        group->next = e->children.groups;
        e->children.groups = group;
        group->entry = entry;
        entry->group = group;
        ledger_add(&e->ledger, entry);
        *ret = group;
        return 0;
}

Group *group_find(const Executor *e, uint32_t id) {
        for (Group *group = e->children.groups; group; group = group->next)
                if (group->id == id)
                        return group;
        return NULL;
}

int group_add_child(Executor *e, Group *group, uint32_t index, pid_t pid) {
        Child *child = &group->children[index];

        *child = (Child){ .pid = pid, .index = index, .live = true, .group = group };
        if (!tsearch(child, &e->children.by_pid, by_pid)) {
                child->live = false;
                return -ENOMEM;
        }
        group->n_live++;
        e->children.n_live++;
        return 0;
}

void group_open_gate(Group *group) {
        atomic_store(&group->arena->gate, 1);
        futex_wake_all(&group->arena->gate);
}

void group_stop(Group *group) {
        /* Before the gate, so that a worker that never ran sees it at its first look. */
        atomic_store(&group->arena->stop, 1);
        futex_wake_all(&group->arena->stop);
        if (atomic_load(&group->arena->gate) == 0)
                group_open_gate(group);
}

void group_kill(Group *group, bool overdue) {
        for (uint32_t i = 0; i < group->arena->n_workers; i++) {
                Child *child = &group->children[i];
                if (!child->live)
                        continue;
                child->overdue = overdue;
                kill(-child->pid, SIGKILL);
                kill(child->pid, SIGKILL); /* it may not lead a process group yet */
        }
}

int group_wait(Executor *e, Group *group, uint64_t deadline_ns) {
        int r = 0;

        while (group->n_live && r >= 0)
                r = executor_wait(e, -1, 0, deadline_ns);
        return group->n_live ? r : 0;
}

int group_destroy(Executor *e, Group *group) {
        group_kill(group, false);
        int r = group_wait(e, group, after_ms(REAP_MS));
        if (r >= 0)
                group_free(e, group);
        return r;
}

void group_free(Executor *e, Group *group) {
        Group **link = &e->children.groups;

        while (*link != group)
                link = &(*link)->next;
        *link = group->next;
        ledger_remove(&e->ledger, group->entry);
        munmap(group->arena, group->arena_size);
        close_fd(&group->arena_fd);
        free(group);
}

/* ---- ends of workers ---- */

static WorkerExit exit_kind_of(const Child *child, const siginfo_t *info) {
        if (info->si_code == CLD_EXITED)
                return WORKER_EXIT_CODE;
        return child->overdue && info->si_status == SIGKILL ? WORKER_EXIT_DEADLINE : WORKER_EXIT_SIGNAL;
}

static void child_ended(Executor *e, Child *child, const siginfo_t *info) {
        Group *group = child->group;
        ArenaSlot *slot = arena_slot(group->arena, child->index);
        WireExit message = {
                .kind = WIRE_EXIT,
                .group_id = group->id,
                .worker = child->index,
                .pid = child->pid,
                .exit_kind = exit_kind_of(child, info),
                .exit_value = info->si_status,
        };

        tdelete(child, &e->children.by_pid, by_pid);
        child->live = false;
        group->n_live--;
        e->children.n_live--;
        atomic_store_explicit(&slot->exit_value, message.exit_value, memory_order_relaxed);
        atomic_store_explicit(&slot->exit_kind, message.exit_kind, memory_order_release);
        executor_beat(e);

        if (group->announced)
                executor_send(e, &message, sizeof message, -1);
        else if (!group->lost && atomic_load(&slot->state) != WORKER_REFUSED)
                group->lost = child;
}

void children_reap(Executor *e) {
        siginfo_t info;

        for (;;) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                        return;
                /* While it is a zombie its id is nobody else's: what it left in its process group goes now.
                 */
                kill(-info.si_pid, SIGKILL);
                waitid(P_PID, (id_t)info.si_pid, &info, WEXITED);

                Child *child = find_child(e, info.si_pid);
                if (child)
                        child_ended(e, child, &info);
        }
}

void children_kill_all(Executor *e) {
        for (Group *group = e->children.groups; group; group = group->next)
                group_kill(group, false);
}
