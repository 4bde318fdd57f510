/* SPDX-License-Identifier: GPL-2.0-only */
#include "children.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "executor.h"
#include "wire/futex.h"
#include "memory.h"
#include "payload.h"
#include "util.h"

enum { REAP_MS = 3000 };

void children_add(Executor *e, Child *child) {
        child->live = true;
        pid_table_add(e->children.by_pid, child);
}

Child *children_find(const Executor *e, pid_t pid) {
        return pid_table_find(e->children.by_pid, pid);
}

bool children_contain(const Executor *e, pid_t pid) {
        return children_find(e, pid) != NULL;
}

uint32_t children_live(const Executor *e) {
        return e->children.by_pid ? e->children.by_pid->used : 0;
}

/* ---- groups ---- */

static size_t group_size(uint32_t n_children) {
        return sizeof(Group) + n_children * sizeof(Child);
}

static Group *group_with_arena(const ArenaShape *shape) {
        uint32_t n_children = shape->leader ? 1 : shape->n_workers;
        Group *group = memory_new_unforked(group_size(n_children));

        if (!group)
                return NULL;
        *group = (Group){ .n_workers = shape->n_workers, .n_children = n_children, .led = shape->leader };
        group->arena_size = arena_size(shape);
        group->arena = memory_new("ktsetup-arena", group->arena_size, &group->arena_fd);
        if (!group->arena) {
                int error = errno;
                munmap(group, group_size(n_children));
                errno = error;
                return NULL;
        }
        arena_init(group->arena, shape);
        return group;
}

int group_new(Executor *e, uint32_t id, const ArenaShape *shape, Group **ret) {
        CLEANUP(ledger_discard_pointer) LedgerEntry *entry = ledger_prepare(LEDGER_GROUP, "");

        if (!entry || pid_table_reserve(&e->children.by_pid, shape->leader ? 1 : shape->n_workers) < 0)
                return -ENOMEM;
        Group *group = group_with_arena(shape);
        if (!group)
                return -errno;

        atomic_store(&group->arena->phase, e->phase);
        group->id = id;
        group->next = e->children.groups;
        e->children.groups = group;
        group->entry = entry;
        entry->group = group;
        ledger_add(&e->ledger, entry);
        entry = NULL;
        *ret = group;
        return 0;
}

Group *group_find(const Executor *e, uint32_t id) {
        for (Group *group = e->children.groups; group; group = group->next)
                if (group->id == id)
                        return group;
        return NULL;
}

void group_add_child(Executor *e, Group *group, uint32_t index, pid_t pid) {
        Child *child = &group->children[index];

        *child = (Child){ .pid = pid, .index = index, .group = group };
        children_add(e, child);
        group->n_live++;
}

void group_open_gate(Group *group) {
        atomic_store(&group->arena->gate, 1);
        group->to_wake = true;
}

static void group_wake(Group *group) {
        if (group->to_wake)
                futex_wake_all(&group->arena->gate);
        group->to_wake = false;
}

void groups_wake(Executor *e) {
        for (Group *group = e->children.groups; group; group = group->next)
                group_wake(group);
}

void group_stop(Group *group) {
        /* Before the gate, so that a worker that never ran sees it at its first look. */
        atomic_store(&group->arena->stop, 1);
        futex_wake_all(&group->arena->stop);
        if (atomic_load(&group->arena->gate) == 0)
                group_open_gate(group);
        group_wake(group);
}

void group_kill(Group *group, bool overdue) {
        for (uint32_t i = 0; i < group->n_children; i++) {
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
        munmap(group, group_size(group->n_children));
}

/* ---- ends of children ---- */

static WorkerExit exit_kind_of(const Child *child, const siginfo_t *info) {
        if (info->si_code == CLD_EXITED)
                return WORKER_EXIT_CODE;
        return child->overdue && info->si_status == SIGKILL ? WORKER_EXIT_DEADLINE : WORKER_EXIT_SIGNAL;
}

static void worker_ended(Executor *e, Group *group, uint32_t index, pid_t pid, WorkerExit kind, int value) {
        ArenaSlot *slot = arena_slot(group->arena, index);
        WireExit message = { WIRE_EXIT, group->id, index, pid, kind, value };

        atomic_store_explicit(&slot->exit_value, value, memory_order_relaxed);
        atomic_store_explicit(&slot->exit_kind, kind, memory_order_release);
        if (group->announced)
                executor_send(e, &message, sizeof(message), -1);
}

/* A thread that had finished ended well, whatever became of its leader then. */
static void thread_ended(Executor *e, Group *group, uint32_t index, pid_t leader, WorkerExit kind,
                         int value) {
        const ArenaSlot *slot = arena_slot(group->arena, index);
        pid_t tid = atomic_load(&slot->tid);
        bool finished = atomic_load_explicit(&slot->state, memory_order_acquire) == WORKER_FINISHED;

        worker_ended(e, group, index, tid ? tid : leader, finished ? WORKER_EXIT_CODE : kind,
                     finished ? 0 : value);
}

static void child_of_group_ended(Executor *e, Child *child, const siginfo_t *info) {
        Group *group = child->group;
        WorkerExit kind = exit_kind_of(child, info);

        group->n_live--;
        if (!group->announced && !group->lost)
                group->lost = child;

        if (!group->led)
                worker_ended(e, group, child->index, child->pid, kind, info->si_status);
        else
                for (uint32_t i = 0; i < group->n_workers; i++)
                        thread_ended(e, group, i, child->pid, kind, info->si_status);
}

/* `child` is NULL for an orphan that came here because this process is a subreaper. */
static void reap_one(Executor *e, Child *child, pid_t pid) {
        siginfo_t info;
        struct rusage usage;

        /* While a worker is a zombie its id is nobody else's: what it left in its process group goes now.
         * What a payload leaves goes on, and whose group an orphan is in, nobody knows. */
        if (child && child->group)
                kill(-pid, SIGKILL);
        /* The C library's waitid() lacks the last argument. */
        if (syscall(SYS_waitid, P_PID, pid, &info, WEXITED, &usage) < 0 || !child)
                return;

        pid_table_remove(e->children.by_pid, child);
        child->live = false;
        executor_beat(e);
        if (child->payload)
                payload_leader_ended(e, child->payload, &info, &usage);
        else
                child_of_group_ended(e, child, &info);
}

void children_reap(Executor *e) {
        siginfo_t info;

        for (;;) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                        return;
                reap_one(e, children_find(e, info.si_pid), info.si_pid);
        }
}

void children_kill_all(Executor *e) {
        for (Group *group = e->children.groups; group; group = group->next)
                group_kill(group, false);
        for (Payload *payload = e->children.payloads; payload; payload = payload->next)
                payload_kill_leader(payload);
}
