/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "client.h"

/* What there is of the daemon's doing: directories, processes, books. Two looks at the same state are the
 * same text, whatever the workers have counted in between. */
typedef struct Machine {
        char *directories; /* below the fixture's cgroup */
        char *processes;   /* below the daemon, zombies too */
        char *books;       /* GetState without what moves, and without */
        int64_t step;      /* its step_index */
} Machine;

Machine machine_look(Fixture *f);
void machine_clear(Machine *m);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Machine, machine_clear)

/* What differs between the two, one line each; NULL when nothing does. */
char *machine_difference(const Machine *before, const Machine *after);
/* Fails the test when anything is not as it was. `what` was done in between. */
void machine_assert_same(Fixture *f, const Machine *before, const char *what);
/* Ids of the processes below one, in order; one to a line. */
char *processes_below(pid_t pid);
