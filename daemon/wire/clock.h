/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdint.h>
#include <time.h>

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

/* 0 when the clock cannot be read. */
static inline uint64_t clock_ns(clockid_t clock) {
        struct timespec t;
        if (clock_gettime(clock, &t) < 0)
                return 0;
        return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t monotonic_ns(void) {
        return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t after_ms(uint64_t ms) {
        return monotonic_ns() + ms * NS_PER_MS;
}

static inline struct timespec timespec_of_ns(uint64_t ns) {
        return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}
