/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <errno.h>
#include <linux/futex.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Futexes in an arena: shared between processes, so never FUTEX_PRIVATE_FLAG. */

/* Waits while *word == expected, until the absolute CLOCK_MONOTONIC time `until` (NULL = for ever). Returns 0
 * when woken (or for no reason: look again), or a negative errno: -EAGAIN, -EINTR, -ETIMEDOUT. */
static inline int futex_wait(const _Atomic uint32_t *word, uint32_t expected, const struct timespec *until) {
        long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
        return r < 0 ? -errno : 0;
}

static inline void futex_wake(_Atomic uint32_t *word, int n) {
        syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
}

static inline void futex_wake_all(_Atomic uint32_t *word) {
        futex_wake(word, INT_MAX);
}
