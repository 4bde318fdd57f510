/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-payload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wire/task-stat.h"
#include "proc-sched.h"

/* ---- what is cheap ---- */

/* usage_usec, the first line of cpu.stat, is there without the cpu controller as well. */
static bool read_cgroup_use(const char *root, const char *cgroup, uint64_t *ret) {
        g_autofree char *path = g_build_filename(root, cgroup, "cpu.stat", NULL), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) && sscanf(text, "usage_usec %" SCNu64, ret) == 1;
}

static bool read_process_use(int pid, uint64_t *ret) {
        char text[TASK_STAT_TEXT];

        if (task_stat_text(pid, 0, text) < 0)
                return false;
        *ret = task_stat_field(text, TASK_STAT_UTIME) + task_stat_field(text, TASK_STAT_STIME) +
               task_stat_field(text, TASK_STAT_CUTIME) + task_stat_field(text, TASK_STAT_CSTIME);
        return true;
}

bool stall_payload_moved(const PayloadState *p, const char *root, PayloadUse *use) {
        uint64_t used = 0;
        bool known = payload_state_is_alone(p) ? read_cgroup_use(root, p->directory, &used)
                                               : read_process_use(p->pid, &used);
        bool moved = known && use->known && used != use->used;

        *use = (PayloadUse){ used, known };
        return moved;
}

/* ---- all its threads ---- */

static int add_threads(int pid, StallSample *sum) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
        g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
        const char *tid;
        int found = 0;

        while (tasks && (tid = g_dir_read_name(tasks))) {
                StallSample one;
                if (proc_sched_read(pid, atoi(tid), &one) < 0)
                        continue;
                sum->switches += one.switches;
                sum->runtime_ns += one.runtime_ns;
                found++;
        }
        return found;
}

/* Of a cgroup that it shares: what is in its process group. */
static bool is_of(const PayloadState *p, int pid) {
        return payload_state_is_alone(p) || (!p->def->parent_process_group && getpgid(pid) == p->pid);
}

int stall_payload_sample(const PayloadState *p, const char *root, StallSample *ret) {
        g_autofree char *path = g_build_filename(root, p->directory, "cgroup.procs", NULL), *text = NULL;
        int found = add_threads(p->pid, ret);

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return found ? 0 : -ESRCH;
        for (char *next, *at = text; *at; at = next) {
                int pid = (int)strtol(at, &next, 10);
                if (next == at)
                        break;
                next += *next == '\n';
                if (pid > 0 && pid != p->pid && is_of(p, pid))
                        found += add_threads(pid, ret);
        }
        return found ? 0 : -ESRCH;
}
