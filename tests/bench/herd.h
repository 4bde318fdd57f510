/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Workers as a harness forks them that moves them to their cgroup afterwards: each sleeps in read() on a pipe
 * of its own until it was moved and gets a byte, and then until the stop. The functions return false with
 * errno set. */
typedef struct Herd {
        uint32_t n, forked;
        pid_t *pids;
        int *pipes;             /* the ends that are written to */
        _Atomic uint32_t *stop; /* shared with the children */
} Herd;

bool herd_prepare(Herd *herd, uint32_t n);
/* The pid, or -1. */
pid_t herd_fork_one(Herd *herd);
bool herd_start(Herd *herd);
/* Until all are reaped; false when one did not exit by itself. */
bool herd_stop(Herd *herd);
/* Kills what is left. */
void herd_clear(Herd *herd);
