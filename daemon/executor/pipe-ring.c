/* SPDX-License-Identifier: GPL-2.0-only */
#include "pipe-ring.h"

#include <errno.h>
#include <fcntl.h>

#include "util.h"

int pipe_ring_open(PipeRing *ring, uint32_t n) {
        *ring = (PipeRing){ .pipes = calloc(n, sizeof(*ring->pipes)) };
        if (!ring->pipes)
                return -ENOMEM;
        while (ring->n < n) {
                if (pipe2(ring->pipes[ring->n], O_CLOEXEC) < 0) {
                        int error = errno;
                        pipe_ring_close(ring);
                        return -error;
                }
                ring->n++;
        }
        return 0;
}

void pipe_ring_close(PipeRing *ring) {
        while (ring->n > 0) {
                ring->n--;
                close_fd(&ring->pipes[ring->n][0]);
                close_fd(&ring->pipes[ring->n][1]);
        }
        free(ring->pipes);
        ring->pipes = NULL;
}

int pipe_ring_read_end(const PipeRing *ring, uint32_t position) {
        return ring->pipes[(position + ring->n - 1) % ring->n][0];
}

int pipe_ring_write_end(const PipeRing *ring, uint32_t position) {
        return ring->pipes[position][1];
}
