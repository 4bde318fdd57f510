/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "context.h"

/* The worker: what runs in a process that the executor has forked, and never returns from there. */

/* The life of a worker that is a process of its own, from the first instruction after the fork on. */
_Noreturn void worker_main(const WorkerContext *w);

/* A leader: the process of a pcomm container. It makes the pipes that its workers share, starts them as its
 * threads, takes its own name and ids, settles, and stays until all of them have ended. */
_Noreturn void leader_main(const LeaderContext *l);
