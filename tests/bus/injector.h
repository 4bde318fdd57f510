/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "fixture.h"

/* strace(1) as a source of failures: system calls of one process are listed, or one of them fails or brings a
 * signal. Children are not followed. */

typedef struct SystemCall {
        char *name, *line; /* as strace writes it */
        unsigned nth;      /* among those of its name, from 1 */
} SystemCall;

typedef struct Injector {
        Process strace;
        char *log;
} Injector;

/* False, with the reason printed, where strace is missing or may not trace. */
bool injector_available(void);
/* Attaches; when it returns every further call of the process is seen. `fault` as behind strace's --inject=,
 * NULL: just list. */
Injector injector_attach(const Fixture *f, pid_t pid, const char *fault);
/* Lets go of the process, which may have ended. Returns the calls, of SystemCall. */
GPtrArray *injector_detach(Injector *injector);
/* The calls in a log that strace wrote. */
GPtrArray *system_calls_read(const char *log);
/* The one that was tampered with, or NULL. */
const SystemCall *system_calls_injected(const GPtrArray *calls);

/* A program in the directory that becomes the executor. While the file "fault" there is not empty, strace
 * runs it from its first instruction, with that as options, and writes to "start.log". Ends of a traced
 * executor must not look for leaks: LeakSanitizer needs to trace, too. */
char *wrapper_write(const char *dir);
