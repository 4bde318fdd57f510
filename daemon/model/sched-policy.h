/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Scheduling policy of a worker: `normal` `batch` `idle` `fifo:P` `rr:P` `deadline:RUNTIME/DEADLINE/PERIOD`
 * `ext`. `normal` is a real request here, not "inherit": a worker never runs on whatever its parent happened
 * to have. */
typedef struct SchedPolicy {
        uint32_t policy;   /* SCHED_* of linux/sched.h */
        uint32_t priority; /* fifo and rr: 1..99 */
        uint64_t runtime_ns, deadline_ns, period_ns;
} SchedPolicy;

bool sched_policy_parse(const char *text, SchedPolicy *ret, GError **error);
