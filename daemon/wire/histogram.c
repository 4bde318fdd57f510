/* SPDX-License-Identifier: GPL-2.0-only */
#include "histogram.h"

enum { SUB_BUCKETS = 1 << HISTOGRAM_SUB_BITS };

unsigned histogram_bucket(uint64_t ns) {
        if (ns < SUB_BUCKETS)
                return (unsigned)ns;
        if (ns >> HISTOGRAM_MAX_BITS)
                return HISTOGRAM_BUCKETS - 1;

        unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
        /* The leading one of ns >> shift is the first sub-bucket's offset, so adding it skips a row by
         * itself. */
        return shift * SUB_BUCKETS + (unsigned)(ns >> shift);
}

uint64_t histogram_bucket_top(unsigned bucket) {
        if (bucket < SUB_BUCKETS)
                return bucket;
        if (bucket >= HISTOGRAM_BUCKETS - 1)
                return UINT64_MAX;

        unsigned shift = bucket / SUB_BUCKETS - 1;
        uint64_t leading = bucket % SUB_BUCKETS + SUB_BUCKETS;
        return ((leading + 1) << shift) - 1;
}

/* One writer: load and store instead of a locked add. */
static void add(_Atomic uint64_t *counter, uint64_t n) {
        uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
        atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

void histogram_record(Histogram *h, uint64_t ns) {
        add(&h->buckets[histogram_bucket(ns)], 1);
        add(&h->sum, ns);
        if (ns > atomic_load_explicit(&h->max, memory_order_relaxed))
                atomic_store_explicit(&h->max, ns, memory_order_relaxed);

        /* Last, so that who reads the count first finds at least as many observations in the buckets. */
        uint64_t count = atomic_load_explicit(&h->count, memory_order_relaxed);
        atomic_store_explicit(&h->count, count + 1, memory_order_release);
}

/* ceil(p * count), at least 1. A decimal like 0.07 is not exact in binary and its product can come out a hair
 * above the whole number it stands for: the small share taken off first keeps that from costing a rank. */
static uint64_t nearest_rank(double p, uint64_t count) {
        if (!(p > 0))
                return 1;
        if (p >= 1)
                return count;

        double exact = p * (double)count * (1 - 1e-12);
        uint64_t rank = (uint64_t)exact;
        if ((double)rank < exact)
                rank++;
        return rank < 1 ? 1 : rank;
}

uint64_t histogram_percentile(const Histogram *h, double p) {
        uint64_t count = atomic_load_explicit(&h->count, memory_order_acquire);
        if (count == 0)
                return 0;

        uint64_t max = atomic_load_explicit(&h->max, memory_order_relaxed);
        uint64_t rank = nearest_rank(p, count), seen = 0;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
                seen += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
                if (seen >= rank) {
                        uint64_t top = histogram_bucket_top(i);
                        return top < max ? top : max;
                }
        }
        return max;
}
