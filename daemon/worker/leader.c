/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "life.h"
#include "process.h"
#include "wire/futex.h"
#include "wire/work-type.h"
#include "worker.h"

/* A process forked by a raw clone3, as a worker is, and then a program with threads: pthread_create() and
 * pthread_join() take the kernel's word for thread ids. Mutexes that know their owner and the set*id()
 * functions would believe the thread descriptor of the parent instead, so there are none here. */

/* Its deepest call holds 8 KiB of text. Sanitizers put red zones around it and their own state beside it. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif
#ifdef WITH_SANITIZER
enum { STACK_BYTES = 1 << 20 };
#else
enum { STACK_BYTES = 256 << 10 };
#endif

static ArenaHead *arena_of(const LeaderContext *l) {
        return l->workers[0].arena;
}

static void set_state(const LeaderContext *l, WorkerState state) {
        atomic_store_explicit(&arena_of(l)->leader_state, state, memory_order_release);
}

/* Its threads go with it. */
static _Noreturn void refuse(const LeaderContext *l, SetupStep step, int error) {
        atomic_store_explicit(&arena_of(l)->leader_errno, error, memory_order_relaxed);
        atomic_store_explicit(&arena_of(l)->leader_step, step, memory_order_relaxed);
        set_state(l, WORKER_REFUSED);
        process_settle(arena_of(l), true);
        _exit(EXIT_REFUSED);
}

/* ---- pipes ---- */

/* Member p writes to p + 1 and reads from p - 1. */
static int make_ring(WorkerContext *members, uint32_t n) {
        for (uint32_t p = 0; p < n; p++) {
                int ends[2];
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -errno;
                members[p].write_fd = ends[1];
                members[(p + 1) % n].read_fd = ends[0];
        }
        return 0;
}

static int make_pipes(const LeaderContext *l) {
        for (uint32_t i = 0; i < arena_of(l)->n_workers; i++) {
                WorkerContext *w = &l->workers[i];
                const WorkType *type = work_type_get(w->type);
                int r = type->link == LINK_PIPES && w->position == 0 ? make_ring(w, type->group_size) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- threads ---- */

typedef struct Thread {
        pthread_t id;
        const WorkerContext *worker;
        NumaGauge *gauge; /* one for all */
} Thread;

static void *thread_main(void *thread) {
        const Thread *t = thread;

        life_begin(t->worker);
        /* Of the process, only the leader is bound to the parent. */
        if (!life_get_ready(t->worker, 0))
                for (;;)
                        pause(); /* the parent ends the process; until then nobody is to look gone */
        life_work(t->worker, t->worker->read_fd, t->worker->write_fd, t->gauge);
        return NULL;
}

static int start_threads(const LeaderContext *l, Thread *threads, NumaGauge *gauge) {
        pthread_attr_t attributes;
        int error;

        pthread_attr_init(&attributes);
        error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
        for (uint32_t i = 0; i < arena_of(l)->n_workers && !error; i++) {
                threads[i].worker = &l->workers[i];
                threads[i].gauge = gauge;
                error = pthread_create(&threads[i].id, &attributes, thread_main, &threads[i]);
        }
        pthread_attr_destroy(&attributes);
        return -error;
}

/* By mmap: what malloc has to give is the parent's, left as it was at the fork. */
static Thread *new_threads(uint32_t n) {
        void *p = mmap(NULL, n * sizeof(Thread), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED ? NULL : p;
}

/* ---- the leader ---- */

/* Each thread sets its own affinity, and an inherited mask does not limit that: the leader, which only
 * sleeps, keeps the one it has. The name comes before the threads, which inherit it; the ids come after them,
 * because their set-up may need privileges. */
static Thread *get_ready(const LeaderContext *l, NumaGauge *gauge) {
        SetupStep step = SETUP_NONE;

        int r = worker_take_comm(l->comm);
        if (r < 0)
                refuse(l, SETUP_COMM, -r);
        r = make_pipes(l);
        if (r < 0)
                refuse(l, SETUP_PIPES, -r);
        Thread *threads = new_threads(arena_of(l)->n_workers);
        r = threads ? start_threads(l, threads, gauge) : -errno;
        if (r < 0)
                refuse(l, SETUP_THREAD, -r);
        r = worker_take_ids(l->uid, l->gid, l->workers[0].parent, &step);
        if (r < 0)
                refuse(l, step, -r);
        return threads;
}

_Noreturn void leader_main(const LeaderContext *l) {
        ArenaHead *arena = arena_of(l);
        WorkerContext process = l->workers[0];
        NumaGauge gauge = NUMA_GAUGE_INIT;

        process.read_fd = process.write_fd = -1; /* to be made here */
        process_hold(&process);
        set_state(l, WORKER_BORN);
        process_begin(&process);

        const Thread *threads = get_ready(l, &gauge);
        set_state(l, WORKER_READY);
        process_settle(arena, false);
        process_wait_at_gate(arena);
        close(SETTLE_FD); /* all have settled, or the gate would not be open */
        for (uint32_t i = 0; i < arena->n_workers; i++)
                pthread_join(threads[i].id, NULL);
        _exit(0);
}
