/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <hwloc.h>
#include <json-glib/json-glib.h>

#include "stall-class.h"

/* All that is told of one stalled task. It is made in four moves: stall_report_new() when the window says so,
 * stall_report_read() for what everybody may read, stall_report_add_inspection() for what only the executor
 * may, stall_report_judge() for class and cause. What cannot be read is "[unreadable: REASON]". */

/* Who: a worker, or a process of a payload. Borrowed. */
typedef struct StallSubject {
        int pid, tid;
        const char *cgroup;    /* as the scenario names it; "" = its root */
        const char *payload;   /* its name; NULL: a worker, and only then the following are there */
        const char *work_type; /* "SpinWait" */
        unsigned work_index, worker;
} StallSubject;

/* Texts of a report: raw bytes made valid UTF-8, without the last newline. */
typedef enum StallText {
        STALL_COMM,
        STALL_STATUS,
        STALL_KERNEL_CGROUP, /* its cgroup as the kernel has it: a task may have moved itself */
        STALL_LOADAVG,
        STALL_PRESSURE, /* cpu.pressure of the cgroup */
        STALL_WCHAN,
        STALL_SYSCALL,
        STALL_STACK, /* NULL when it is unreadable, or empty as of a task that runs */
        STALL_TEXT_COUNT,
} StallText;

typedef struct StallReport {
        int pid, tid;
        char *cgroup, *payload, *work_type;
        unsigned work_index, worker;

        StallWindow window;
        StallClass class;
        char *cause;

        char state; /* '?' = not known */
        bool frozen;
        char *texts[STALL_TEXT_COUNT];
        GArray *levels; /* of StallLevel: its cgroup, those above, the root */

        WireCompetitor competitors[WIRE_COMPETITORS]; /* the likely ones first */
        unsigned n_competitors, n_rivals;
        char *scan; /* why the list of competitors is not whole; NULL: it is */
} StallReport;

StallReport *stall_report_new(const StallSubject *who, const StallWindow *window);
void stall_report_free(StallReport *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StallReport, stall_report_free)

/* `root`: the directory of the scenario's root. `before`: the CpuStat of each cgroup, by its name, as it was
 * before the stall; NULL: none is known. */
void stall_report_read(StallReport *r, const char *root, GHashTable *before);
/* `cpus`: where the task may run; NULL = everywhere. */
void stall_report_ask(const StallReport *r, uint32_t serial, hwloc_const_bitmap_t cpus, WireInspect *ret);
void stall_report_add_inspection(StallReport *r, const WireInspected *answer);
/* STALL_NONE: not to be told to anybody. */
StallClass stall_report_judge(StallReport *r);

JsonObject *stall_report_to_json(const StallReport *r);
/* One line for summaries: who, the class and the cause; g_free() it. */
char *stall_report_line(const StallReport *r);
/* Several lines, each with its newline; g_free() it. */
char *stall_report_text(const StallReport *r);

/* The cgroup's cpu.stat, for the table `before`; false when there is none to read. */
bool stall_read_cpu_stat(const char *root, const char *cgroup, CpuStat *ret);
