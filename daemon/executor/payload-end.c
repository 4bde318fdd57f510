/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-end.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>

#include "describe.h"
#include "payload-kin.h"
#include "pids.h"
#include "subtree.h"
#include "util.h"

enum {
        END_MS = 3000,
        TICK_MS = 5, /* for what nobody tells of */
        BATCH = 64,  /* how many descriptors it takes */
};

/* One END_PAYLOAD under way. */
typedef struct End {
        Executor *e;
        Payload *payload;
        const char *path;
        uint64_t deadline;

        /* the cgroup at hand: `path`, or one below it that nobody but a payload there can have made */
        const char *cgroup;
        Pids there, still_there;
        bool company; /* another payload lives there */
        bool sole;    /* neither a worker nor another payload can have left anybody in it */

        /* this pass */
        int killed;
        bool unsettled; /* somebody may turn out to belong to it */
        bool spared;    /* below `path` is somebody who does not */
} End;

static void end_clear(End *end) {
        pids_clear(&end->there);
        pids_clear(&end->still_there);
}

static bool is_out_of_question(const Executor *e, pid_t pid) {
        return pid <= 0 || pid == getpid() || children_contain(e, pid);
}

static bool has_company(const End *end) {
        for (const Payload *p = end->e->children.payloads; p; p = p->next)
                if (p != end->payload && strcmp(p->entry->path, end->path) == 0)
                        return true;
        return false;
}

/* Workers make no cgroups and do not move: those above the cgroup at hand do not matter. */
static bool is_sole(const End *end) {
        const Executor *e = end->e;

        if (end->company)
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
        if (!end->company && kin_by_adoption(end->e, p, pid))
                return KIN_YES;
        return kin_by_mark(end->e, p, pid);
}

/* A pid may have become somebody else's since it was read. The descriptor is of one process, and if the pid
 * is in the list after it was opened, it is of one in the cgroup. */
typedef struct Victim {
        pid_t pid;
        int pidfd; /* -1: the kernel had none to give */
} Victim;

/* false: it is not to be killed, or gone already. */
static bool choose_victim(End *end, pid_t pid, Victim *ret) {
        Kin kin = KIN_NO;

        *ret = (Victim){ pid, -1 };
        if (!is_out_of_question(end->e, pid)) {
                ret->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
                if (ret->pidfd < 0 && errno == ESRCH)
                        return false;
                kin = is_leftover(end, pid);
        }
        if (kin == KIN_YES)
                return true;
        close_fd(&ret->pidfd);
        end->unsettled = end->unsettled || kin == KIN_NOT_KNOWN_YET;
        end->spared = end->spared || end->cgroup != end->path;
        return false;
}

static size_t choose_victims(End *end, size_t *at, Victim ret[BATCH]) {
        size_t n = 0;

        for (; *at < end->there.n && n < BATCH; ++*at)
                n += choose_victim(end, end->there.pids[*at], &ret[n]);
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

static int kill_some(End *end, size_t *at) {
        Victim victims[BATCH];
        size_t n = choose_victims(end, at, victims);
        int r = n ? pids_read(&end->still_there, &end->e->root, end->cgroup) : 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                if (pids_contain(&end->still_there, victims[i].pid)) {
                        kill_victim(&victims[i]);
                        end->killed++;
                } else {
                        close_fd(&victims[i].pidfd);
                        end->unsettled = true; /* it may have gone to another of these cgroups */
                }
        if (r >= 0)
                r = await_victims(end, victims, n);
        for (size_t i = 0; i < n; i++)
                close_fd(&victims[i].pidfd);
        return r;
}

static int kill_in(void *context, const char *cgroup) {
        End *end = context;
        int r = pids_read(&end->there, &end->e->root, cgroup);

        end->cgroup = cgroup;
        end->company = has_company(end);
        end->sole = is_sole(end);
        for (size_t at = 0; r >= 0 && at < end->there.n;)
                r = kill_some(end, &at);
        return r;
}

/* One pass over its cgroup and those below. How many were killed, or a negative errno. */
static int kill_leftovers(End *end) {
        end->killed = 0;
        end->unsettled = end->spared = false;
        int r = kill_in(end, end->path);
        if (r >= 0)
                r = subtree_visit(end->e, end->path, end->deadline, kill_in, end);
        return r < 0 ? r : end->killed;
}

/* What another payload in the cgroup has made is not to go before that one does, and whose an empty cgroup is
 * cannot be told. */
static int remove_leftovers(const End *end) {
        if (!end->payload->ran || has_company(end))
                return 0;
        int r = subtree_remove(end->e, end->path, after_ms(END_MS), !end->spared);
        return r == -ECANCELED ? r : 0; /* what stays is in the way of whoever removes the cgroup above */
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
        if (r >= 0)
                r = remove_leftovers(&end);
        end_clear(&end);
        if (r >= 0)
                payload_free(e, p);
        else if (detail)
                describe_processes(detail, &e->root, path);
        return r < 0 ? r : 0;
}
