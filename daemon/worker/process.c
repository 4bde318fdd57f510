/* SPDX-License-Identifier: GPL-2.0-only */
#include "process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/futex.h"

void process_hold(const WorkerContext *w) {
        const _Atomic uint32_t *word = (const _Atomic uint32_t *)&arena_slot(w->arena, w->index)->pid;

        if (!w->held)
                return;
        if (worker_bind_to_parent(w->parent) < 0) /* or nobody would ever come for it */
                _exit(EXIT_REFUSED);
        while (atomic_load_explicit(word, memory_order_acquire) == 0)
                futex_wait(word, 0, NULL);
}

/* The parent handles or ignores these; whatever else it was started with is passed on. */
static void reset_signals(void) {
        static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD };
        const struct sigaction by_default = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
                sigaction(numbers[i], &by_default, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* From where an end of a pipe is to where no end is wanted, so that none overwrites another on its way. */
static int lift(int fd) {
        int lifted = fd < 0 ? -1 : fcntl(fd, F_DUPFD, FIRST_STRAY_FD);
        return fd >= 0 && lifted < 0 ? -errno : lifted;
}

static void put(int fd, int where) {
        if (fd >= 0)
                dup2(fd, where);
        else
                close(where);
}

/* Descriptor 0 is the parent's socket: a copy in a worker would keep the other side from seeing the parent
 * die. */
static int keep_descriptors(const WorkerContext *w) {
        int read_end = lift(w->read_fd), write_end = lift(w->write_fd), r = 0;

        if (w->read_fd >= 0 && read_end < 0)
                r = read_end;
        else if (w->write_fd >= 0 && write_end < 0)
                r = write_end;
        dup2(w->null_fd, STDIN_FILENO);
        put(w->settle_fd, SETTLE_FD);
        put(read_end, READ_FD);
        put(write_end, WRITE_FD);
        syscall(SYS_close_range, FIRST_STRAY_FD, ~0U, 0);
        return r;
}

int process_begin(const WorkerContext *w) {
        if (worker_bind_to_parent(w->parent) < 0)
                _exit(EXIT_REFUSED); /* nobody is left to be told */
        setpgid(0, 0);
        reset_signals();
        return keep_descriptors(w);
}

void process_settle(ArenaHead *arena, bool refused) {
        uint32_t settled = atomic_fetch_add_explicit(&arena->settled, 1, memory_order_acq_rel) + 1;
        const uint64_t one = 1;

        if (refused || settled == arena->n_parties)
                while (write(SETTLE_FD, &one, sizeof(one)) < 0 && errno == EINTR)
                        ;
}

void process_wait_at_gate(const ArenaHead *arena) {
        while (atomic_load_explicit(&arena->gate, memory_order_acquire) == 0)
                futex_wait(&arena->gate, 0, NULL);
}
