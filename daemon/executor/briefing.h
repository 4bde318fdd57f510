/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"
#include "worker/worker.h"

/* From the specs of one SPAWN to what its workers share and what each of them is told. */

ArenaShape briefing_shape(const Executor *e, const Plan *plan, const WireAction *a);

/* Goes through the workers in the order of their slots. */
typedef struct Briefing {
        const Executor *e;
        const Plan *plan;
        ArenaHead *arena;
        const WireGroupSpec *spec; /* of the next worker */
        uint32_t slot;
        uint32_t index;  /* in its spec */
        uint32_t region; /* the first one of its spec */
        pid_t parent;
} Briefing;

Briefing briefing_begin(const Executor *e, const Plan *plan, const WireAction *a, ArenaHead *arena);
/* The next worker, without pipes. Only as many times as there are workers. */
WorkerContext briefing_next(Briefing *b);
