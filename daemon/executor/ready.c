/* SPDX-License-Identifier: GPL-2.0-only */
#include "ready.h"

#include <errno.h>
#include <poll.h>

#include "util.h"

enum { READY_TICK_MS = 100 /* workers getting ready wake nobody, but the daemon wants to see them */ };

static int find_refused(const Group *group, WireFailure *failure) {
        const ArenaHead *arena = group->arena;

        if (atomic_load_explicit(&arena->leader_state, memory_order_acquire) == WORKER_REFUSED) {
                failure->worker = WIRE_LEADER;
                failure->setup_step = atomic_load(&arena->leader_step);
                return -atomic_load(&arena->leader_errno);
        }
        for (uint32_t i = 0; i < group->n_workers; i++) {
                const ArenaSlot *slot = arena_slot(arena, i);
                if (atomic_load_explicit(&slot->state, memory_order_acquire) != WORKER_REFUSED)
                        continue;
                failure->worker = i;
                failure->setup_step = atomic_load(&slot->setup_step);
                return -atomic_load(&slot->setup_errno);
        }
        return 0;
}

static int report_lost(const Group *group, WireFailure *failure) {
        const ArenaSlot *slot = arena_slot(group->arena, group->lost->index);

        failure->worker = group->led ? WIRE_LEADER : group->lost->index;
        failure->exit_kind = atomic_load(&slot->exit_kind);
        failure->exit_value = atomic_load(&slot->exit_value);
        return -ECHILD;
}

/* A leader is ready after its threads, so one of them may be the one to blame. */
static int find_slow(const Group *group, WireFailure *failure) {
        failure->worker = WIRE_LEADER;
        for (uint32_t i = group->n_workers; i-- > 0;) {
                WorkerState state = atomic_load(&arena_slot(group->arena, i)->state);
                if (state < WORKER_READY && (state > WORKER_UNBORN || !group->led))
                        failure->worker = i;
        }
        return -ETIMEDOUT;
}

static void drain_settle_fd(const Executor *e) {
        uint64_t count;
        while (read(e->settle_fd, &count, sizeof(count)) < 0 && errno == EINTR)
                ;
}

int await_ready(Executor *e, Group *group, uint64_t deadline_ns, WireFailure *failure) {
        for (uint32_t seen = 0;;) {
                drain_settle_fd(e); /* before the look at what it tells of */
                uint32_t settled = atomic_load_explicit(&group->arena->settled, memory_order_acquire);
                if (settled != seen)
                        executor_beat(e);
                seen = settled;

                int r = find_refused(group, failure);
                if (r < 0)
                        return r;
                if (group->lost)
                        return report_lost(group, failure);
                if (settled == group->n_workers + group->led)
                        return 0;

                uint64_t tick = after_ms(READY_TICK_MS);
                if (monotonic_ns() >= deadline_ns)
                        return find_slow(group, failure);
                r = executor_wait(e, e->settle_fd, POLLIN, tick < deadline_ns ? tick : deadline_ns);
                if (r == -ECANCELED)
                        return r;
        }
}
