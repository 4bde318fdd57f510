/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdint.h>

/* The pipes of a communication group (LINK_PIPES) while its members are forked: member p writes to pipe p and
 * reads from pipe p - 1. */
typedef struct PipeRing {
        uint32_t n; /* pipes that are open */
        int (*pipes)[2];
} PipeRing;

/* 0, or a negative errno, and then none is open. */
int pipe_ring_open(PipeRing *ring, uint32_t n);
/* Of one that is not open: nothing to do. */
void pipe_ring_close(PipeRing *ring);

int pipe_ring_read_end(const PipeRing *ring, uint32_t position);
int pipe_ring_write_end(const PipeRing *ring, uint32_t position);
