/* SPDX-License-Identifier: GPL-2.0-only */
#include "inspect.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/sched.h>
#include <string.h>

#include "home.h"
#include "wire/proc.h"
#include "wire/task-stat.h"
#include "util.h"

enum { SCAN_MS = 500, CGROUP_TEXT = 8192 };

/* ---- the task ---- */

/* 0 or a positive errno; a text that does not fit ends with a whole line. */
static int read_text(const WireInspect *ask, const char *file, char *ret, size_t size) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", ask->pid, ask->tid, file);
        ssize_t n = proc_read(path, ret, size);
        if (n < 0) {
                *ret = '\0';
                return (int)-n;
        }
        char *newline = strrchr(ret, '\n');
        if (newline && (newline[1] == '\0' || (size_t)n == size - 1))
                *newline = '\0';
        return 0;
}

/* The kernel shows the system call of a task that is off its run queue, and waits without limit until it is
 * (task_current_syscall(), lib/syscall.c; wait_task_inactive()). One that was preempted on its way to sleep,
 * by a hog that does not let go, would hold up its reader as long; wchan names no place for such a task. */
static int read_syscall(const WireInspect *ask, char state, const WireInspected *seen, char *ret,
                        size_t size) {
        if (state == 'R') { /* as the kernel puts it */
                snprintf(ret, size, "running");
                return 0;
        }
        if (seen->wchan_error || strcmp(seen->wchan, "0") == 0)
                return seen->wchan_error ?: EAGAIN;
        return read_text(ask, "syscall", ret, size);
}

/* ---- who runs on its CPUs ---- */

static bool wants_cpu(const WireInspect *ask, uint32_t cpu) {
        return cpu / 64 < WIRE_INSPECT_WORDS && ask->cpus[cpu / 64] >> cpu % 64 & 1;
}

static int class_rank(uint32_t policy) {
        switch (policy) {
        case SCHED_DEADLINE:
                return 3;
        case SCHED_FIFO:
        case SCHED_RR:
                return 2;
        case SCHED_IDLE:
                return 0;
        default:
                return 1;
        }
}

/* Of two on one CPU the kernel lets `a` run first, or (nice) more. */
static bool goes_before(const WireCompetitor *a, const WireCompetitor *b) {
        int rank = class_rank(a->policy), other = class_rank(b->policy);

        if (rank != other)
                return rank > other;
        return a->priority != b->priority ? a->priority > b->priority : a->nice < b->nice;
}

void inspect_add_competitor(WireInspected *answer, const WireCompetitor *competitor) {
        uint32_t at = answer->n_competitors;

        answer->n_rivals++;
        while (at > 0 && goes_before(competitor, &answer->competitors[at - 1]))
                at--;
        if (at == WIRE_COMPETITORS)
                return;
        if (answer->n_competitors < WIRE_COMPETITORS)
                answer->n_competitors++;
        memmove(answer->competitors + at + 1, answer->competitors + at,
                (answer->n_competitors - at - 1) * sizeof(*competitor));
        answer->competitors[at] = *competitor;
}

static void look_at(const WireInspect *ask, int pid, int tid, const TaskStat *s, WireInspected *ret) {
        WireCompetitor competitor = { .pid = pid,
                                      .tid = tid,
                                      .cpu = s->cpu,
                                      .policy = s->policy,
                                      .priority = s->priority,
                                      .nice = s->nice };

        if (s->state != 'R' || !wants_cpu(ask, s->cpu) || tid == ask->tid || pid == getpid())
                return;
        _Static_assert(sizeof(competitor.comm) == sizeof(s->comm), "names of one length");
        memcpy(competitor.comm, s->comm, sizeof(competitor.comm));
        inspect_add_competitor(ret, &competitor);
}

static int next_number(DIR *dir) {
        struct dirent *entry;

        while ((entry = readdir(dir)))
                if (isdigit((unsigned char)entry->d_name[0]))
                        return atoi(entry->d_name);
        return 0;
}

static void close_dir(DIR **dir) {
        if (*dir)
                closedir(*dir);
}

/* A process or a thread that ends meanwhile is none that runs. */
static void look_at_threads(const WireInspect *ask, int pid, WireInspected *ret) {
        char path[32];
        TaskStat s;
        int tid;

        snprintf(path, sizeof(path), "/proc/%d/task", pid);
        CLEANUP(close_dir) DIR *tasks = opendir(path);
        while (tasks && (tid = next_number(tasks)))
                if (task_stat_read(pid, tid, &s) == 0)
                        look_at(ask, pid, tid, &s, ret);
}

static void look_at_process(const WireInspect *ask, int pid, WireInspected *ret) {
        TaskStat s;

        if (task_stat_read(pid, 0, &s) < 0)
                return;
        if (s.n_threads > 1)
                look_at_threads(ask, pid, ret);
        else
                look_at(ask, pid, pid, &s, ret);
}

static void find_competitors(const WireInspect *ask, WireInspected *ret) {
        uint64_t deadline = after_ms(SCAN_MS);
        CLEANUP(close_dir) DIR *processes = opendir("/proc");
        int pid = 0;

        if (!processes) {
                ret->scan_error = errno;
                return;
        }
        while (monotonic_ns() < deadline && (pid = next_number(processes)))
                look_at_process(ask, pid, ret);
        ret->scan_whole = pid == 0;
}

/* ---- the answer ---- */

static void begin_answer(const WireInspect *ask, WireInspected *ret) {
        *ret = (WireInspected){
                .kind = WIRE_INSPECTED, .serial = ask->serial, .pid = ask->pid, .tid = ask->tid
        };
}

static bool find_task(const WireInspect *ask, TaskStat *ret) {
        return ask->tid > 0 && task_stat_read(ask->pid, ask->tid, ret) == 0;
}

void inspect_task(const WireInspect *ask, WireInspected *ret) {
        TaskStat s;

        begin_answer(ask, ret);
        if (!find_task(ask, &s)) {
                ret->error = ESRCH;
                return;
        }
        ret->wchan_error = read_text(ask, "wchan", ret->wchan, sizeof(ret->wchan));
        ret->syscall_error = read_syscall(ask, s.state, ret, ret->syscall, sizeof(ret->syscall));
        ret->stack_error = read_text(ask, "stack", ret->stack, sizeof(ret->stack));
        find_competitors(ask, ret);
}

/* The path of its cgroup v2, as /proc shows it. */
static bool find_cgroup(const WireInspect *ask, char ret[PATH_MAX]) {
        char text[CGROUP_TEXT];

        if (read_text(ask, "cgroup", text, sizeof(text)))
                return false;
        const char *path = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        if (!path)
                return false;
        path += strspn(path, "\n0:");
        size_t length = strcspn(path, "\n");
        if (length >= PATH_MAX)
                return false;
        memcpy(ret, path, length);
        ret[length] = '\0';
        return true;
}

static bool lies_below(const char *path, const char *root) {
        size_t length = strlen(root);
        return strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

static bool lives_in_root(const Executor *e, const WireInspect *ask) {
        char cgroup[PATH_MAX], path[PATH_MAX];
        CLEANUP(free_pointer) char *line = NULL;
        size_t room = 0;

        if (!find_cgroup(ask, cgroup))
                return false;
        CLEANUP(close_file) FILE *mounts = fopen("/proc/self/mountinfo", "re");
        while (mounts && getline(&line, &room, mounts) > 0)
                if (home_on_mount(path, line, cgroup) && lies_below(path, e->root.path))
                        return true;
        return false;
}

void inspect_answer(Executor *e, const WireInspect *ask) {
        WireInspected answer;
        TaskStat s;

        /* A worker may have moved itself anywhere; what a payload started is known by its cgroup alone. */
        if (children_contain(e, ask->pid) || lives_in_root(e, ask))
                inspect_task(ask, &answer);
        else {
                begin_answer(ask, &answer);
                answer.error = find_task(ask, &s) ? EPERM : ESRCH;
        }
        executor_send(e, &answer, sizeof(answer), -1);
}
