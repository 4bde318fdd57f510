/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/clock.h"

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void close_fd(int *fd) {
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

static inline void close_file(FILE **file) {
        if (*file)
                fclose(*file);
        *file = NULL;
}

static inline void free_pointer(void *p) {
        free(*(void **)p);
}

/* Hands the descriptor over to the caller. */
static inline int take_fd(int *fd) {
        int taken = *fd;
        *fd = -1;
        return taken;
}

#define NEVER UINT64_MAX
