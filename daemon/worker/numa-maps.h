/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Documentation/filesystems/proc.rst: a line of numa_maps is a hexadecimal address, a policy, and words, of
 * which N<node>=<pages> count here. It is parsed as it comes, because a line may be of any length. */
typedef enum NumaMapsState {
        NUMA_MAPS_ADDRESS,
        NUMA_MAPS_WORD, /* between words */
        NUMA_MAPS_NODE,
        NUMA_MAPS_COUNT,
        NUMA_MAPS_NO_WORD, /* the rest of it says nothing */
        NUMA_MAPS_NO_LINE,
} NumaMapsState;

typedef struct NumaMaps {
        _Atomic uint64_t *pages; /* of each node; counted up */
        uint32_t n_nodes;
        NumaMapsState state;
        uint32_t digits;
        uint64_t node, number;
} NumaMaps;

/* A word counts when the blank or the line's end behind it has come. */
void numa_maps_feed(NumaMaps *n, const char *text, size_t length);
/* Counts the calling process's pages. False when they cannot be read: a kernel without NUMA. */
bool numa_maps_read(_Atomic uint64_t *pages, uint32_t n_nodes);

/* One process's pages, for all of its threads. A reading takes time in proportion to the threads, and all ask
 * at the same moment: a thousand of them would read for seconds. So it serves all who ask within the next
 * NUMA_GAUGE_MS. A normal mutex does not care what the C library takes for the caller's thread id. */
enum { NUMA_GAUGE_MS = 20 };

typedef struct NumaGauge {
        pthread_mutex_t lock;
        uint64_t read_ns;              /* CLOCK_MONOTONIC; 0: not yet */
        const _Atomic uint64_t *pages; /* whoever asked for the last reading keeps it; NULL: it failed */
} NumaGauge;

#define NUMA_GAUGE_INIT                                                                                      \
        { .lock = PTHREAD_MUTEX_INITIALIZER }

/* As numa_maps_read(); `pages` are all 0, and outlive the gauge once written. */
bool numa_gauge_read(NumaGauge *g, _Atomic uint64_t *pages, uint32_t n_nodes);
