/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-loop.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "wire/futex.h"

/* Loops of two workers that take turns. The partner may be killed at any time: every wait is bounded. */

/* Waits for the partner's byte. False when none will come. */
static bool await_byte(const WorkRun *run) {
        struct pollfd p = { .fd = run->read_fd, .events = POLLIN };
        char byte;

        while (!work_stopped(run)) {
                int r = poll(&p, 1, WORK_WAIT_MS);
                if (r == 0 || (r < 0 && errno == EINTR))
                        continue;
                return r > 0 && read(run->read_fd, &byte, 1) == 1;
        }
        return false;
}

/* The pipe never fills: a worker writes again only after it has read its partner's answer. */
static bool send_byte(const WorkRun *run) {
        return write(run->write_fd, "", 1) == 1;
}

/* False when there is nobody to exchange it with, or at a stop. */
static bool exchange(WorkRun *run) {
        if (!send_byte(run))
                return false;

        uint64_t start = monotonic_ns();
        if (!await_byte(run))
                return false;
        work_record_wake(run, monotonic_ns() - start);
        return true;
}

/* A write to a partner that is gone is to fail and no more. In a container other threads may want the signal:
 * it is for this one alone, so blocking it here does. */
static void block_sigpipe(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        sigprocmask(SIG_BLOCK, &set, NULL);
}

void work_pipe_io(WorkRun *run) {
        uint64_t burst_units = run->params[0];
        bool partner = true;

        block_sigpipe();
        while (partner && !work_stopped(run)) {
                work_spin_units(run, burst_units);
                partner = exchange(run);
                work_gap_reset(run);
                work_pass_end(run);
        }
}

/* Waits until it is our turn. False at a stop. */
static bool await_turn(const WorkRun *run, const _Atomic uint32_t *word, uint32_t ours) {
        uint32_t seen;

        while ((seen = atomic_load_explicit(word, memory_order_acquire)) != ours) {
                if (work_stopped(run))
                        return false;
                struct timespec until = timespec_of_ns(after_ms(WORK_WAIT_MS));
                futex_wait(word, seen, &until);
        }
        return true;
}

/* The word says whose turn it is: the position of one of the two. */
void work_futex_ping_pong(WorkRun *run) {
        _Atomic uint32_t *word = run->region;
        uint32_t ours = run->position, theirs = 1 - ours;
        uint64_t units = run->params[0];

        while (!work_stopped(run)) {
                work_spin_units(run, units);
                atomic_store_explicit(word, theirs, memory_order_release);
                futex_wake(word, 1);
                uint64_t start = monotonic_ns();
                if (await_turn(run, word, ours))
                        work_record_wake(run, monotonic_ns() - start);
                work_gap_reset(run);
                work_pass_end(run);
        }
        futex_wake(word, 1); /* so that the partner looks at the stop word */
}
