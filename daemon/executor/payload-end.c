/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "describe.h"
#include "payload-kin.h"
#include "util.h"

enum {
        END_MS = 3000,
        TICK_MS = 5, /* for what nobody tells of */
        BATCH = 64,  /* how many descriptors it takes */
};

/* ---- who is in the cgroup ---- */

typedef struct Pids {
        pid_t *pids;
        size_t n, room;
} Pids;

static void pids_clear(Pids *list) {
        free(list->pids);
        *list = (Pids){ 0 };
}

static int pids_add(Pids *list, pid_t pid) {
        if (list->n == list->room) {
                size_t room = list->room ? list->room * 2 : BATCH;
                pid_t *grown = reallocarray(list->pids, room, sizeof *grown);
                if (!grown)
                        return -ENOMEM;
                list->pids = grown;
                list->room = room;
        }
        list->pids[list->n++] = pid;
        return 0;
}

static bool pids_contain(const Pids *list, pid_t pid) {
        for (size_t i = 0; i < list->n; i++)
                if (list->pids[i] == pid)
                        return true;
        return false;
}

/* A plain directory lists nobody, and a cgroup that is gone has nobody to list. */
static int pids_read(Pids *list, const CgroupRoot *root, const char *path) {
        char line[32];

        list->n = 0;
        if (!root->is_cgroup2)
                return 0;
        int fd = knob_open(root, path, "cgroup.procs", O_RDONLY);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        CLEANUP(close_file) FILE *procs = fdopen(fd, "r");
        if (!procs) {
                close(fd);
                return -ENOMEM;
        }
        int r = 0;
        while (r >= 0 && fgets(line, sizeof line, procs))
                r = pids_add(list, (pid_t)atoi(line));
        return r < 0 ? r : ferror(procs) && errno != ENODEV ? -errno : 0;
}

/* ---- the end of them ---- */

/* One END_PAYLOAD under way. */
typedef struct End {
        Executor *e;
        Payload *payload;
        const char *path;
        Pids there, still_there;
        bool sole;      /* there is neither a worker nor another payload in the cgroup */
        bool unsettled; /* somebody in this pass may turn out to belong to it */
        uint64_t deadline;
} End;

static void end_clear(End *end) {
        pids_clear(&end->there);
        pids_clear(&end->still_there);
}

/* 0: it lives in a pid namespace that is not ours to name it. */
static bool is_out_of_question(const Executor *e, pid_t pid) {
        return pid <= 0 || pid == getpid() || children_contain(e, pid);
}

static bool is_sole(const End *end) {
        const Executor *e = end->e;

        for (const Payload *p = e->children.payloads; p; p = p->next)
                if (p != end->payload && strcmp(p->entry->path, end->path) == 0)
                        return false;
        for (size_t i = 0; i < end->there.n; i++) {
                pid_t pid = end->there.pids[i];
                if (is_out_of_question(e, pid) && children_find(e, pid) != &end->payload->leader)
                        return false;
        }
        return true;
}

/* Somebody who was moved into the cgroup and has nothing to do with the payload is most likely older. */
static Kin is_leftover(const End *end, pid_t pid) {
        const Payload *p = end->payload;

        if (p->alone || (end->sole && kin_by_age(p, pid)))
                return KIN_YES;
        return kin_by_mark(end->e, p, pid);
}

/* A pid may have become somebody else's since it was read. The descriptor is of one process, and if the pid
 * is in the list after it was opened, it is of one in the cgroup. */
typedef struct Victim {
        pid_t pid;
        int pidfd; /* -1: the kernel had none to give */
} Victim;

static size_t choose_victims(End *end, size_t *at, Victim ret[BATCH]) {
        size_t n = 0;

        for (; *at < end->there.n && n < BATCH; ++*at) {
                pid_t pid = end->there.pids[*at];
                if (is_out_of_question(end->e, pid))
                        continue;
                int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
                if (pidfd < 0 && errno == ESRCH)
                        continue;
                Kin kin = is_leftover(end, pid);
                if (kin == KIN_YES)
                        ret[n++] = (Victim){ pid, pidfd };
                else
                        close_fd(&pidfd);
                end->unsettled = end->unsettled || kin == KIN_NOT_KNOWN_YET;
        }
        return n;
}

static bool is_over(int pidfd) {
        struct pollfd end = { .fd = pidfd, .events = POLLIN };

        return poll(&end, 1, 0) != 0;
}

/* Until all of them are gone: what is dying has left the list, and its environment, before it is. */
static int await_victims(const End *end, const Victim *victims, size_t n) {
        int r = 0;

        for (size_t i = 0; i < n; i++)
                while (r >= 0 && victims[i].pidfd >= 0 && !is_over(victims[i].pidfd))
                        r = executor_wait(end->e, victims[i].pidfd, POLLIN, end->deadline);
        return r;
}

static void kill_victim(Victim *v) {
        if (v->pidfd < 0)
                kill(v->pid, SIGKILL);
        else if (syscall(SYS_pidfd_send_signal, v->pidfd, SIGKILL, NULL, 0) < 0)
                close_fd(&v->pidfd); /* not to be waited for; the next pass finds it again */
}

/* How many were killed, or a negative errno. */
static int kill_some(End *end, size_t *at) {
        Victim victims[BATCH];
        size_t n = choose_victims(end, at, victims);
        int killed = 0, r = n ? pids_read(&end->still_there, &end->e->root, end->path) : 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                if (pids_contain(&end->still_there, victims[i].pid)) {
                        kill_victim(&victims[i]);
                        killed++;
                } else
                        close_fd(&victims[i].pidfd);
        if (r >= 0)
                r = await_victims(end, victims, n);
        for (size_t i = 0; i < n; i++)
                close_fd(&victims[i].pidfd);
        return r < 0 ? r : killed;
}

/* One pass over the cgroup. How many were killed, or a negative errno. */
static int kill_leftovers(End *end) {
        int killed = 0, r = pids_read(&end->there, &end->e->root, end->path);

        end->unsettled = false;
        end->sole = is_sole(end);
        for (size_t at = 0; r >= 0 && at < end->there.n;) {
                r = kill_some(end, &at);
                killed += r;
        }
        return r < 0 ? r : killed;
}

/* Until the leader or an orphan is gone; the tick is for what nobody tells of. */
static int wait_a_little(const End *end) {
        uint64_t tick = after_ms(TICK_MS);
        int r = executor_wait(end->e, -1, 0, tick < end->deadline ? tick : end->deadline);

        return r == -ETIMEDOUT && monotonic_ns() < end->deadline ? 0 : r;
}

/* Passes, until one finds nobody. */
static int end_all(End *end) {
        Payload *p = end->payload;

        for (;;) {
                executor_beat(end->e);
                payload_kill_leader(p);
                int r = p->ran ? kill_leftovers(end) : 0;
                if (r < 0 || (r == 0 && !end->unsettled && !p->leader.live))
                        return r;
                if (r == 0)
                        r = wait_a_little(end);
                else if (monotonic_ns() >= end->deadline)
                        r = -ETIMEDOUT;
                if (r < 0)
                        return r;
        }
}

int payload_end(Executor *e, Payload *p, const char *path, char *detail) {
        End end = { .e = e, .payload = p, .path = path, .deadline = after_ms(END_MS) };

        int r = end_all(&end);
        end_clear(&end);
        if (r >= 0)
                payload_free(e, p);
        else if (detail)
                describe_processes(detail, &e->root, path);
        return r < 0 ? r : 0;
}
