/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "futex.h"
#include "proc.h"
#include "work-loop.h"

/* Everything here and below runs in a process forked without exec, mostly by a raw clone3 behind the C
 * library's back: no malloc, no stdio, no lock that the parent may have held. */

enum { SETTLE_FD = 3, FIRST_STRAY_FD, EXIT_REFUSED = 1 };

static void set_state(ArenaSlot *slot, WorkerState state) {
        atomic_store_explicit(&slot->state, state, memory_order_release);
}

/* Until the parent has moved this process to its cgroup and says so by filling in the pid. */
static void wait_until_moved(ArenaSlot *slot) {
        const _Atomic uint32_t *word = (const _Atomic uint32_t *)&slot->pid;

        while (atomic_load_explicit(word, memory_order_acquire) == 0)
                futex_wait(word, 0, NULL);
}

/* The parent handles or ignores these; whatever else it was started with is passed on. */
static void reset_signals(void) {
        static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD };
        const struct sigaction by_default = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                sigaction(numbers[i], &by_default, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptor 0 is the parent's socket: a copy in a worker would keep the other side from seeing the parent
 * die. */
static void drop_descriptors(const WorkerContext *w) {
        dup2(w->null_fd, STDIN_FILENO);
        dup2(w->settle_fd, SETTLE_FD);
        syscall(SYS_close_range, FIRST_STRAY_FD, ~0U, 0);
}

/* Counts this worker as ready or refused. The parent sleeps until the last is ready or the first is refused.
 */
static void settle(const WorkerContext *w, bool refused) {
        uint32_t settled = atomic_fetch_add_explicit(&w->arena->settled, 1, memory_order_acq_rel) + 1;
        const uint64_t one = 1;

        if (refused || settled == w->arena->n_workers)
                while (write(SETTLE_FD, &one, sizeof one) < 0 && errno == EINTR)
                        ;
        close(SETTLE_FD);
}

static _Noreturn void refuse(const WorkerContext *w, ArenaSlot *slot, SetupStep step, int error) {
        atomic_store_explicit(&slot->setup_errno, error, memory_order_relaxed);
        atomic_store_explicit(&slot->setup_step, step, memory_order_relaxed);
        set_state(slot, WORKER_REFUSED);
        settle(w, true);
        _exit(EXIT_REFUSED);
}

static void wait_at_gate(const ArenaHead *arena) {
        while (atomic_load_explicit(&arena->gate, memory_order_acquire) == 0)
                futex_wait(&arena->gate, 0, NULL);
}

_Noreturn void worker_main(const WorkerContext *w) {
        ArenaSlot *slot = arena_slot(w->arena, w->index);
        SetupStep step = SETUP_NONE;
        WorkRun run;

        if (w->held) {
                if (worker_bind_to_parent(w->parent) < 0) /* or nobody would ever come for it */
                        _exit(EXIT_REFUSED);
                wait_until_moved(slot);
        }
        proc_own_cgroup(slot->cgroup, sizeof slot->cgroup);
        set_state(slot, WORKER_BORN);

        if (worker_bind_to_parent(w->parent) < 0)
                _exit(EXIT_REFUSED); /* nobody is left to be told */
        setpgid(0, 0);
        reset_signals();
        drop_descriptors(w);

        int r = worker_set_up(&w->setup, w->parent, &step);
        if (r < 0)
                refuse(w, slot, step, -r);
        set_state(slot, WORKER_READY);
        settle(w, false);
        wait_at_gate(w->arena);

        work_run_begin(&run, w->arena, slot, w->params);
        work_loops[w->type](&run);
        work_run_end(&run);
        _exit(0);
}
