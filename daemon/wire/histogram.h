/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* A log-linear histogram of nanoseconds that lives in shared memory: one writer (the worker), readers at any
 * time. Values below 64 have a bucket each; above, every power of two is cut into 64 equal buckets, so a
 * bucket's width is at most 1/64 = 1.6 % of its value. Values of 2^40 ns (18 minutes) and more share the last
 * bucket. No pointers, no locks, zero-filled memory is an empty histogram. */
enum {
        HISTOGRAM_SUB_BITS = 6,
        HISTOGRAM_MAX_BITS = 40,
        HISTOGRAM_BUCKETS = (HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

typedef struct Histogram {
        _Atomic uint64_t count; /* all observations */
        _Atomic uint64_t sum;   /* of the observed values, ns */
        _Atomic uint64_t max;   /* exact, ns */
        _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
} Histogram;

/* The bucket a value falls into, and the highest value that falls into a bucket. */
unsigned histogram_bucket(uint64_t ns);
uint64_t histogram_bucket_top(unsigned bucket);

/* Only the one writer of a histogram may call this. */
void histogram_record(Histogram *h, uint64_t ns);

/* Nearest rank: the value at or below which a share `p` (0..1) of the observations lie, never above the
 * maximum; 0 when nothing was observed. */
uint64_t histogram_percentile(const Histogram *h, double p);
