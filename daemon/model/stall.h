/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>

/* Why a task makes no progress, told from what was read of it. */
typedef enum StallClass {
        STALL_NONE,      /* nothing to report: it is gone, frozen, or runs again */
        STALL_STARVED,   /* runnable, and never picked */
        STALL_THROTTLED, /* runnable, but its cgroup, or one above, has used up its cpu.max */
        STALL_STOPPED,   /* by a signal or a tracer */
        STALL_BLOCKED,   /* uninterruptible */
        STALL_SLEEPING,
        STALL_CLASS_COUNT,
} StallClass;

/* "starved"; "none" for STALL_NONE. */
const char *stall_class_name(StallClass class);
/* False for a name that is none; "none" is no class to choose. */
bool stall_class_parse(const char *name, StallClass *ret);

enum { STALL_EVERY_CLASS = (1 << STALL_CLASS_COUNT) - (1 << (STALL_NONE + 1)) }; /* as bits */

enum { STALL_POLL_MS_MAX = 3600000, STALL_WINDOW_MIN = 2, STALL_WINDOW_MAX = 16 };

/* The period that KTSTR_STALL_POLL_MS asks for: a decimal above 0, spaces around it; else (NULL, "", "0",
 * anything that is no number) `fallback`. */
unsigned stall_poll_ms_choose(const char *environment, unsigned fallback);
