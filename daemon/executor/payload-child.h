/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "command.h"
#include "executor.h"

/* Between a payload's leader and its parent. */
typedef enum PayloadPipe {
        PIPE_OUTPUT,
        PIPE_ERROR,
        PIPE_NEWS, /* to the parent: PayloadNews; closed by exec */
        PIPE_GO,   /* to the child, when it is to be moved: one byte 1; closed without, it is not wanted */
        PIPE_COUNT,
} PayloadPipe;

/* The first has no error and says that the set-up is done and the program is next; any other, what failed. */
typedef struct PayloadNews {
        uint32_t step; /* PayloadStep */
        int32_t error;
        uint32_t file; /* CommandFailure */
} PayloadNews;

/* All that the child is told; read from its copy of the parent's memory. */
typedef struct PayloadChild {
        const Executor *e;
        const WirePayloadSpec *spec;
        const char *directory; /* NULL: stay */
        const uint32_t *groups;
        const Command *command;
        pid_t parent;
        int pipes[PIPE_COUNT]; /* the child's ends */
        int go_writer;         /* the parent's end of PIPE_GO */
        bool held;             /* wait for PIPE_GO */
} PayloadChild;

/* From the fork to the program. */
_Noreturn void payload_child_main(const PayloadChild *c);
