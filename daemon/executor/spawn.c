/* SPDX-License-Identifier: GPL-2.0-only */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "describe.h"
#include "futex.h"
#include "util.h"
#include "worker.h"

_Static_assert((uint32_t)WIRE_ID_KEEP == (uint32_t)WORKER_KEEP_ID, "one meaning of `keep`");
_Static_assert((int)WIRE_COMM == (int)WORKER_COMM, "one size of a comm");

enum {
        READY_MS = 10000,
        READY_MS_PER_WORKER = 1,
        READY_TICK_MS = 100, /* workers getting ready wake nobody, but the daemon wants to see them */
        FORKS_BETWEEN_LOOKS = 64,
};

/* One SPAWN under way. */
typedef struct Spawn {
        Executor *e;
        const Plan *plan;
        const WireGroupSpec *spec;
        const char *path;
        int cgroup_fd;
        int procs_fd; /* its cgroup.procs when workers must be moved; -1: nothing to write to */
        bool move;
        Group *group;
        WireFailure *failure;
} Spawn;

pid_t spawn_into(int cgroup_fd) {
        /* No CLONE_PIDFD: workers never exec, so each would inherit the descriptors of all before it. */
        struct clone_args args = {
                .flags = CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t)cgroup_fd,
        };
        long pid = syscall(SYS_clone3, &args, sizeof args);
        return pid < 0 ? -errno : (pid_t)pid;
}

bool spawn_into_refused(int error) {
        return error == -ENOSYS || error == -EPERM || error == -EOPNOTSUPP || error == -EBADF;
}

static WorkerSetup setup_of(const Spawn *s, uint32_t index) {
        const WireGroupSpec *spec = s->spec;
        const uint64_t *masks = plan_at(s->plan, spec->n_masks ? spec->masks : 0);
        size_t skip = spec->n_masks > 1 ? (size_t)index * spec->mask_words : 0;
        WorkerSetup setup = {
                .mask = masks ? masks + skip : s->e->every_cpu,
                .mask_words = masks ? spec->mask_words : s->e->cpu_words,
                .policy_set = spec->policy_set,
                .nice_set = spec->nice_set,
                .mempolicy_set = spec->mempolicy_set,
                .policy = spec->policy,
                .priority = spec->priority,
                .nice = spec->nice,
                .runtime_ns = spec->runtime_ns,
                .deadline_ns = spec->deadline_ns,
                .period_ns = spec->period_ns,
                .mempolicy_mode = spec->mempolicy_mode,
                .nodes = plan_at(s->plan, spec->nodes),
                .max_node = spec->max_node,
                .uid = spec->uid,
                .gid = spec->gid,
        };
        memcpy(setup.comm, spec->comm, sizeof setup.comm);
        return setup;
}

/* The slow way: the child holds still until it has been moved. */
static int fork_and_move(Spawn *s, WorkerContext *w, pid_t *ret) {
        char text[16];

        w->held = true;
        pid_t pid = fork();
        if (pid == 0)
                worker_main(w);
        if (pid < 0)
                return -errno;
        *ret = pid;
        snprintf(text, sizeof text, "%d", pid);
        if (s->procs_fd >= 0 && write(s->procs_fd, text, strlen(text)) < 0)
                return -errno;
        return 0;
}

static int open_procs(Spawn *s) {
        if (s->procs_fd >= 0)
                return 0;
        s->procs_fd = knob_open(&s->e->root, s->path, "cgroup.procs", O_WRONLY);
        /* A plain directory need not play a cgroup to the end. */
        if (s->procs_fd == -ENOENT && !s->e->root.is_cgroup2)
                return 0;
        return s->procs_fd < 0 ? s->procs_fd : 0;
}

/* Forks one child by whichever way works. *ret_pid is set even on failure when there is one. */
static int fork_worker(Spawn *s, WorkerContext *w, pid_t *ret_pid) {
        if (!s->move) {
                pid_t pid = spawn_into(s->cgroup_fd);
                if (pid == 0)
                        worker_main(w);
                if (!spawn_into_refused(pid)) {
                        *ret_pid = pid < 0 ? 0 : pid;
                        return pid < 0 ? pid : 0;
                }
                s->move = true;
        }
        int r = open_procs(s);
        return r < 0 ? r : fork_and_move(s, w, ret_pid);
}

static void bury(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static int start_worker(Spawn *s, uint32_t index) {
        ArenaSlot *slot = arena_slot(s->group->arena, index);
        WorkerContext w = {
                .arena = s->group->arena,
                .index = index,
                .type = (WorkTypeId)s->spec->work_type,
                .params = s->spec->params,
                .setup = setup_of(s, index),
                .parent = getpid(),
                .settle_fd = s->e->settle_fd,
                .null_fd = s->e->null_fd,
        };
        pid_t pid = 0;
        int r = fork_worker(s, &w, &pid);

        if (r >= 0)
                r = group_add_child(s->e, s->group, index, pid);
        if (r < 0) {
                if (pid > 0)
                        bury(pid);
                return r;
        }
        atomic_store_explicit(&slot->placement, s->move ? PLACEMENT_MOVED : PLACEMENT_BORN,
                              memory_order_relaxed);
        atomic_store_explicit(&slot->pid, pid, memory_order_release);
        if (s->move)
                futex_wake_all((_Atomic uint32_t *)&slot->pid);
        executor_beat(s->e);
        return 0;
}

static int start_workers(Spawn *s) {
        for (uint32_t i = 0; i < s->spec->n_workers; i++) {
                s->failure->worker = i;
                int r = start_worker(s, i);
                if (r < 0) {
                        describe_cgroup(s->failure->detail, &s->e->root, s->path, NULL, -r);
                        return r;
                }
                if (i % FORKS_BETWEEN_LOOKS == 0 && executor_wait(s->e, -1, 0, 0) == -ECANCELED)
                        return -ECANCELED;
                if (s->group->lost)
                        return 0; /* the wait says what became of it */
        }
        return 0;
}

/* ---- getting ready ---- */

static int find_refused(const Spawn *s) {
        for (uint32_t i = 0; i < s->spec->n_workers; i++) {
                const ArenaSlot *slot = arena_slot(s->group->arena, i);
                if (atomic_load_explicit(&slot->state, memory_order_acquire) != WORKER_REFUSED)
                        continue;
                s->failure->worker = i;
                s->failure->setup_step = atomic_load(&slot->setup_step);
                return -atomic_load(&slot->setup_errno);
        }
        return 0;
}

static int report_lost(const Spawn *s) {
        const ArenaSlot *slot = arena_slot(s->group->arena, s->group->lost->index);

        s->failure->worker = s->group->lost->index;
        s->failure->exit_kind = atomic_load(&slot->exit_kind);
        s->failure->exit_value = atomic_load(&slot->exit_value);
        return -ECHILD;
}

static int find_slow(const Spawn *s) {
        for (uint32_t i = 0; i < s->spec->n_workers; i++)
                if (atomic_load(&arena_slot(s->group->arena, i)->state) < WORKER_READY) {
                        s->failure->worker = i;
                        break;
                }
        return -ETIMEDOUT;
}

static void drain_settle_fd(const Executor *e) {
        uint64_t count;
        while (read(e->settle_fd, &count, sizeof count) < 0 && errno == EINTR)
                ;
}

static int await_ready(Spawn *s, uint64_t deadline) {
        ArenaHead *arena = s->group->arena;

        for (uint32_t seen = 0;;) {
                drain_settle_fd(s->e); /* before the look at what it tells of */
                uint32_t settled = atomic_load_explicit(&arena->settled, memory_order_acquire);
                if (settled != seen)
                        executor_beat(s->e);
                seen = settled;

                int r = find_refused(s);
                if (r < 0)
                        return r;
                if (s->group->lost)
                        return report_lost(s);
                if (settled == arena->n_workers)
                        return 0;

                uint64_t tick = after_ms(READY_TICK_MS);
                if (monotonic_ns() >= deadline)
                        return find_slow(s);
                r = executor_wait(s->e, s->e->settle_fd, POLLIN, tick < deadline ? tick : deadline);
                if (r == -ECANCELED)
                        return r;
        }
}

/* The daemon gets the arena. Later forks do not: a group that outlives this one must not keep its memory. */
static int announce(Spawn *s) {
        WireGroup message = { .kind = WIRE_GROUP, .group_id = s->group->id };

        madvise(s->group->arena, s->group->arena_size, MADV_DONTFORK);
        int r = executor_send(s->e, &message, sizeof message, s->group->arena_fd);
        close_fd(&s->group->arena_fd);
        s->group->announced = true;
        return r;
}

static int spawn(Spawn *s) {
        uint64_t deadline = after_ms(READY_MS + (uint64_t)READY_MS_PER_WORKER * s->spec->n_workers);

        int r = start_workers(s);
        if (r >= 0)
                r = await_ready(s, deadline);
        return r < 0 ? r : announce(s);
}

int spawn_group(Executor *e, const Plan *plan, const char *path, const WireGroupSpec *spec,
                WireFailure *failure) {
        ArenaShape shape = { spec->n_workers, e->cpu_words, spec->samples };
        CLEANUP(close_fd) int cgroup_fd = cgroup_open_dir(&e->root, path);
        CLEANUP(close_fd) int procs_fd = -1;
        Spawn s = {
                e, plan, spec, path, cgroup_fd, -1, e->quirks & QUIRK_NO_CLONE_INTO_CGROUP, NULL, failure
        };

        if (cgroup_fd < 0)
                return cgroup_fd;
        if (group_find(e, spec->group_id))
                return -EEXIST;
        int r = group_new(e, spec->group_id, &shape, &s.group);
        if (r < 0)
                return r;

        r = spawn(&s);
        procs_fd = s.procs_fd;
        if (r < 0)
                group_destroy(
                        e,
                        s.group); /* what does not end stays in the ledger, and the undo comes back to it */
        return r;
}
