/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/arena.h"
#include "wire/clock.h"
#include "worker/worker.h"

/* Workers without an executor: forked by the test, as processes or as the threads of one leader, with the
 * arena, descriptors and pipes that an executor would give them. */
enum { CREW_MAX = 16 };

typedef struct Crew {
        ArenaShape shape; /* n_workers, samples and n_regions are counted when members are added */
        WorkerContext workers[CREW_MAX];
        uint64_t params[CREW_MAX][WORK_PARAMS_MAX];
        LeaderContext leader;
        ArenaHead *arena; /* once started */
        int settle_fd;
        pid_t pids[CREW_MAX];
        unsigned n_pids; /* processes that are not reaped yet: the workers', or the leader's alone */
} Crew;

/* Nobody yet. */
void crew_begin(Crew *c);
/* n workers of the type with its default parameters; returns the first, to be changed at will. */
WorkerContext *crew_add(Crew *c, WorkTypeId type, unsigned n);
/* For all workers that crew_add() added last. */
void crew_set_params(Crew *c, const WorkerContext *first, uint64_t a, uint64_t b, uint64_t d);

void crew_start(Crew *c);
/* `before` runs in the leader's process first; may be NULL. By a raw clone3, as an executor does it. */
void crew_start_led(Crew *c, const char *comm, void (*before)(void));
/* Waits until all parties have settled, or one has refused, and have said so. */
void crew_await_settled(Crew *c);
void crew_release(Crew *c);
/* Started, settled, released. */
void crew_run(Crew *c);
void crew_run_led(Crew *c, const char *comm);

ArenaSlot *crew_slot(const Crew *c, unsigned worker);
Histogram *crew_wakes(const Crew *c, unsigned worker);
/* Tells to stop; each process must end well. Returns how long that took. */
uint64_t crew_stop(Crew *c);
/* Waits for the end of one process; its wait status. */
int crew_reap(Crew *c, unsigned n);
/* Kills who is still there, and gives the arena back. */
void crew_end(Crew *c);

/* Text of /proc/PATH. */
void crew_proc_text(char *ret, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Looks again and again, giving the CPU away in between. */
#define await(condition)                                                                                     \
        do {                                                                                                 \
                uint64_t until_ = after_ms(20000);                                                           \
                while (!(condition))                                                                         \
                        crew_look_again(until_, #condition);                                                 \
        } while (0)
void crew_look_again(uint64_t deadline, const char *condition);
