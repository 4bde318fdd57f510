/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

#include "wire/protocol.h"
#include "model/stall.h"
#include "stall-window.h"

/* cpu.stat of a cgroup, as far as cpu.max is concerned. */
typedef struct CpuStat {
        uint64_t periods, throttled; /* nr_periods, and in how many of them it was throttled */
        uint64_t throttled_usec;     /* of all its CPUs together */
} CpuStat;

/* False when there is no such number: the cpu controller is not enabled there. */
bool cpu_stat_parse(const char *text, CpuStat *ret);

/* A cgroup at two times. The kernel counts a period when it ends, and one may last a second: `before` had
 * better be older than that. */
typedef struct StallLevel {
        char *cgroup;  /* "" = the scenario's root */
        char *missing; /* why not both of the following were read; NULL: they were */
        CpuStat before, after;
} StallLevel;

typedef struct StallFacts {
        char state;        /* letter of proc(5); '?' = not known */
        bool frozen;       /* its cgroup */
        const char *wchan; /* NULL, "" or "0" = not known */
        const StallWindow *window;
        const StallLevel *levels; /* its cgroup, then those above, as far as they are the scenario's */
        unsigned n_levels;
        const WireCompetitor *competitors;
        unsigned n_competitors, n_rivals; /* those that are told, of all that were found */
        bool scanned;                     /* they were looked for */
} StallFacts;

/* What was added between the two. */
CpuStat stall_level_growth(const StallLevel *l);
StallClass stall_classify(const StallFacts *f);
/* One sentence, without a full stop; g_free() it. */
char *stall_cause(const StallFacts *f, StallClass class);

/* "hog (pid 12, SCHED_FIFO 50)"; g_free() it. */
char *stall_competitor_text(const WireCompetitor *competitor);
const char *stall_policy_name(uint32_t policy);
