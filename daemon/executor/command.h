/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "plan.h"

/* What a payload runs: program, arguments, environment. Made before the fork; its texts are those of the plan
 * and of this process. */
typedef struct Command {
        const char *exec;
        const char *search; /* PATH, for an `exec` that is no full path */
        char **argv, **environment;
} Command;

/* 0 or -ENOMEM. */
int command_build(Command *c, const Plan *plan, const WirePayloadSpec *spec);
void command_clear(Command *c);

/* Why nothing could be run, and with which of the files that were tried; COMMAND_NO_FILE: there was none. */
#define COMMAND_NO_FILE UINT32_MAX
typedef struct CommandFailure {
        int error;
        uint32_t file;
} CommandFailure;

/* Becomes the program. As execvp(3), but what is neither a program nor names its interpreter is not given to
 * a shell. */
CommandFailure command_exec(const Command *c);

/* The file, and after a tab the interpreter that its first line asks for. */
void command_describe(const Command *c, uint32_t file, char detail[WIRE_TEXT]);
