/* SPDX-License-Identifier: GPL-2.0-only */
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "birth.h"
#include "briefing.h"
#include "describe.h"
#include "wire/futex.h"
#include "pipe-ring.h"
#include "ready.h"
#include "util.h"

enum {
        READY_MS = 10000,
        READY_MS_PER_WORKER = 1,
        FORKS_BETWEEN_LOOKS = 64,
};

/* One SPAWN under way. */
typedef struct Spawn {
        Executor *e;
        Birth birth;
        Group *group;
        Briefing briefing;
        PipeRing ring; /* of the communication group that is being started */
        WireFailure *failure;
} Spawn;

/* ---- one child: a worker, or the leader of all of them ---- */

static _Noreturn void child_main(const Spawn *s, WorkerContext *w, const LeaderContext *leader) {
        w->held = s->birth.move;
        if (leader)
                leader_main(leader);
        worker_main(w);
}

/* *ret_pid is set even on failure when there is a child. */
static int fork_child(Spawn *s, WorkerContext *w, const LeaderContext *leader, pid_t *ret_pid) {
        pid_t pid = birth_fork(&s->birth);

        if (pid == 0)
                child_main(s, w, leader);
        if (pid < 0)
                return pid;
        *ret_pid = pid;
        return birth_place(&s->birth, pid);
}

static void bury(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

/* What is known of a child is written to the slots it serves; the first one last, because there it looks when
 * it waits to be moved. */
static void fill_slots(const Spawn *s, uint32_t first, uint32_t n, pid_t pid) {
        for (uint32_t i = first + n; i-- > first;) {
                ArenaSlot *slot = arena_slot(s->group->arena, i);
                atomic_store_explicit(&slot->placement, s->birth.move ? PLACEMENT_MOVED : PLACEMENT_BORN,
                                      memory_order_relaxed);
                atomic_store_explicit(&slot->pid, pid, memory_order_release);
        }
        if (s->birth.move)
                futex_wake_all((_Atomic uint32_t *)&arena_slot(s->group->arena, first)->pid);
}

/* A child for the n slots from that of `w` on. */
static int start_child(Spawn *s, WorkerContext *w, const LeaderContext *leader, uint32_t n) {
        pid_t pid = 0;
        int r = fork_child(s, w, leader, &pid);

        if (r < 0) {
                if (pid > 0)
                        bury(pid);
                describe_cgroup(s->failure->detail, &s->e->root, s->birth.path, NULL, -r);
                return r;
        }
        group_add_child(s->e, s->group, w->index, pid);
        fill_slots(s, w->index, n, pid);
        executor_beat(s->e);
        return 0;
}

/* ---- a process for each worker ---- */

/* The first member of a communication group finds the pipes of all of them made. */
static int give_pipes(Spawn *s, WorkerContext *w) {
        const WorkType *type = work_type_get(w->type);

        if (type->link != LINK_PIPES)
                return 0;
        int r = w->position == 0 ? pipe_ring_open(&s->ring, type->group_size) : 0;
        if (r < 0) {
                s->failure->setup_step = SETUP_PIPES;
                return r;
        }
        w->read_fd = pipe_ring_read_end(&s->ring, w->position);
        w->write_fd = pipe_ring_write_end(&s->ring, w->position);
        return 0;
}

static int start_worker(Spawn *s) {
        WorkerContext w = briefing_next(&s->briefing);

        s->failure->worker = w.index;
        int r = give_pipes(s, &w);
        if (r >= 0)
                r = start_child(s, &w, NULL, 1);
        if (w.position + 1 == s->ring.n)
                pipe_ring_close(&s->ring);
        return r;
}

static int start_workers(Spawn *s) {
        for (uint32_t i = 0; i < s->group->n_workers; i++) {
                int r = start_worker(s);
                if (r < 0)
                        return r;
                if (i % FORKS_BETWEEN_LOOKS == 0 && executor_wait(s->e, -1, 0, 0) == -ECANCELED)
                        return -ECANCELED;
                if (s->group->lost)
                        return 0; /* the wait says what became of it */
        }
        return 0;
}

/* ---- a container ---- */

static int start_leader(Spawn *s) {
        const WireGroupSpec *spec = s->briefing.spec;
        uint32_t n = s->group->n_workers;
        CLEANUP(free_pointer) WorkerContext *workers = calloc(n, sizeof(*workers));
        LeaderContext leader = { .workers = workers, .uid = spec->uid, .gid = spec->gid };

        s->failure->worker = WIRE_LEADER;
        if (!workers)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
                workers[i] = briefing_next(&s->briefing);
        memcpy(leader.comm, spec->pcomm, sizeof(leader.comm));
        return start_child(s, workers, &leader, n);
}

/* ---- all of it ---- */

/* The daemon gets the arena. Later forks do not: a group that outlives this one must not keep its memory. */
static int announce(Spawn *s) {
        WireGroup message = { .kind = WIRE_GROUP, .group_id = s->group->id };

        madvise(s->group->arena, s->group->arena_size, MADV_DONTFORK);
        int r = executor_send(s->e, &message, sizeof(message), s->group->arena_fd);
        if (r < 0)
                return r;
        close_fd(&s->group->arena_fd);
        s->group->announced = true;
        return 0;
}

static int spawn(Spawn *s) {
        uint64_t deadline = after_ms(READY_MS + (uint64_t)READY_MS_PER_WORKER * s->group->n_workers);

        int r = s->group->led ? start_leader(s) : start_workers(s);
        pipe_ring_close(&s->ring); /* of a communication group that was broken off */
        birth_end(&s->birth);
        if (r >= 0)
                r = await_ready(s->e, s->group, deadline, s->failure);
        return r < 0 ? r : announce(s);
}

int spawn_group(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        uint32_t id = plan_group(plan, a->group)->group_id;
        ArenaShape shape = briefing_shape(e, plan, a);
        Spawn s = { .e = e, .failure = failure };

        int r = birth_begin(&s.birth, e, plan_at(plan, a->path));
        if (r >= 0)
                r = group_find(e, id) ? -EEXIST : group_new(e, id, &shape, &s.group);
        if (r >= 0) {
                s.briefing = briefing_begin(e, plan, a, s.group->arena);
                r = spawn(&s);
        }
        birth_end(&s.birth);
        if (r < 0 && s.group)
                group_destroy(e, s.group); /* what does not end stays in the ledger, and the undo comes back
                                              to it */
        return r;
}
