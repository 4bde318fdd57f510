/* SPDX-License-Identifier: GPL-2.0-only */
#include "setup.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* System calls are made directly wherever glibc does more than the call: its set*id wrappers signal all
 * threads of the process and consult a thread descriptor that is stale after a raw clone3. */

enum { POLICY_EXT = 7 }; /* SCHED_EXT, Linux 6.12 */

/* struct sched_attr of include/uapi/linux/sched/types.h; newer C libraries declare one of their own. */
typedef struct SchedAttr {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
} SchedAttr;

static int result(long r) {
        return r < 0 ? -errno : 0;
}

int worker_bind_to_parent(pid_t parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        /* It may have died before the line above. */
        return getppid() == parent ? 0 : -ESRCH;
}

static int set_affinity(const WorkerSetup *s) {
        return result(syscall(SYS_sched_setaffinity, 0, s->mask_words * sizeof(*s->mask), s->mask));
}

/* sched_setattr() takes a nice value for these only; the others keep one for the day they become normal. */
static bool policy_has_nice(uint32_t policy) {
        return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == POLICY_EXT;
}

static int set_policy(const WorkerSetup *s) {
        bool in_one_call = s->policy_set && policy_has_nice(s->policy);

        if (s->nice_set && !in_one_call && setpriority(PRIO_PROCESS, 0, s->nice) < 0)
                return -errno;
        if (!s->policy_set)
                return 0;

        SchedAttr attr = {
                .size = sizeof(attr),
                .policy = s->policy,
                .priority = s->priority,
                .nice = s->nice_set ? s->nice : getpriority(PRIO_PROCESS, 0),
                .runtime = s->runtime_ns,
                .deadline = s->deadline_ns,
                .period = s->period_ns,
        };
        return result(syscall(SYS_sched_setattr, 0, &attr, 0));
}

static int set_mempolicy_of(const WorkerSetup *s) {
        if (!s->mempolicy_set)
                return 0;
        return result(syscall(SYS_set_mempolicy, s->mempolicy_mode, s->nodes, (unsigned long)s->max_node));
}

static int set_comm(const WorkerSetup *s) {
        return s->comm[0] ? worker_take_comm(s->comm) : 0;
}

int worker_take_comm(const char *comm) {
        return result(prctl(PR_SET_NAME, comm));
}

/* ---- ids ---- */

/* A worker that is given a user or a group is to hold nothing of root's: supplementary groups go first, while
 * it may. Whoever may not drop them cannot change its ids to anything new either, so EPERM is left to the
 * next call. */
static int drop_groups(void) {
        int r = result(syscall(SYS_setgroups, 0, NULL));
        return r == -EPERM ? 0 : r;
}

static int set_gid(uint32_t gid) {
        int r = drop_groups();
        if (r < 0 || gid == WORKER_KEEP_ID)
                return r;
        return result(syscall(SYS_setresgid, gid, gid, gid));
}

static int set_uid(uint32_t uid) {
        return uid == WORKER_KEEP_ID ? 0 : result(syscall(SYS_setresuid, uid, uid, uid));
}

int worker_take_ids(uint32_t uid, uint32_t gid, pid_t parent, SetupStep *ret_step) {
        if (uid == WORKER_KEEP_ID && gid == WORKER_KEEP_ID)
                return 0;

        *ret_step = SETUP_GID;
        int r = set_gid(gid);
        if (r < 0)
                return r;
        *ret_step = SETUP_UID;
        r = set_uid(uid);
        if (r < 0 || !parent)
                return r;
        /* commit_creds(), kernel/cred.c: new ids clear the parent-death signal. */
        *ret_step = SETUP_PARENT;
        return worker_bind_to_parent(parent);
}

/* ---- all of it ---- */

static int (*const steps[])(const WorkerSetup *) = {
        [SETUP_AFFINITY] = set_affinity,
        [SETUP_POLICY] = set_policy,
        [SETUP_MEMPOLICY] = set_mempolicy_of,
        [SETUP_COMM] = set_comm,
};

int worker_set_up(const WorkerSetup *setup, pid_t parent, SetupStep *ret_step) {
        for (SetupStep step = SETUP_AFFINITY; step <= SETUP_COMM; step++) {
                int r = steps[step](setup);
                if (r < 0) {
                        *ret_step = step;
                        return r;
                }
        }
        return worker_take_ids(setup->uid, setup->gid, parent, ret_step);
}
