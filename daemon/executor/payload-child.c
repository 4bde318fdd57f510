/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-child.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>

#include "worker/setup.h"
#include "util.h"

enum {
        EXIT_NOT_RUN = 127, /* as sh(1) and posix_spawn(3) have it */
        KERNEL_SIGSET = 8,  /* bytes, as rt_sigaction(2) wants it; 64 signals */
};

/* A write fails when the parent no longer listens, and then nobody wants to know. */
static void tell(const PayloadChild *c, PayloadStep step, int error, uint32_t file) {
        const PayloadNews news = { .step = step, .error = error, .file = file };
        ssize_t n = write(c->pipes[PIPE_NEWS], &news, sizeof(news));

        if (n < 0)
                _exit(EXIT_NOT_RUN);
}

static _Noreturn void fail(const PayloadChild *c, PayloadStep step, int error, uint32_t file) {
        tell(c, step, error, file);
        _exit(EXIT_NOT_RUN);
}

/* Until the parent has moved this process to its cgroup. When it could not, or is gone, its end of the pipe
 * is closed. */
static void hold(const PayloadChild *c) {
        char go = 0;
        ssize_t n;

        if (!c->held)
                return;
        close(c->go_writer);
        do
                n = read(c->pipes[PIPE_GO], &go, 1);
        while (n < 0 && errno == EINTR);
        if (n != 1 || go != 1)
                _exit(EXIT_NOT_RUN);
}

/* All of them, also those that the C library keeps for itself and its sigaction() does not touch: exec keeps
 * what is ignored. */
static void reset_signals(void) {
        const uint64_t by_default[8] = { 0 }; /* no less than any architecture's struct */
        sigset_t none;

        for (int number = 1; number <= KERNEL_SIGSET * 8; number++)
                syscall(SYS_rt_sigaction, number, by_default, NULL, (size_t)KERNEL_SIGSET);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All pipes lie above the standard descriptors, which the parent has kept filled since its start. */
static void take_descriptors(const PayloadChild *c) {
        if (dup2(c->e->null_fd, STDIN_FILENO) < 0 || dup2(c->pipes[PIPE_OUTPUT], STDOUT_FILENO) < 0 ||
            dup2(c->pipes[PIPE_ERROR], STDERR_FILENO) < 0)
                fail(c, PAYLOAD_STEP_BIRTH, errno, 0);
        syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Since Linux 6.2 a mask that the parent was given would survive entry into a cpuset. The cgroup alone is to
 * say which CPUs there are. */
static void take_every_cpu(const Executor *e) {
        syscall(SYS_sched_setaffinity, 0, e->cpu_words * sizeof(*e->every_cpu), e->every_cpu);
}

/* ---- ids ---- */

/* As for a worker, whoever may not give groups up cannot change its ids to anything new either. */
static int take_groups(const PayloadChild *c) {
        if (syscall(SYS_setgroups, c->spec->n_groups, c->groups) == 0)
                return 0;
        return errno == EPERM && c->spec->n_groups == 0 ? 0 : errno;
}

static int take_ids(const PayloadChild *c) {
        uint32_t uid = c->spec->uid, gid = c->spec->gid;

        if (uid == WIRE_ID_KEEP && gid == WIRE_ID_KEEP)
                return 0;
        /* Else it could write to its output, but not open /dev/stdout. */
        for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
                if (fchown(fd, uid, gid) < 0 && errno != EPERM)
                        return errno;
        int error = take_groups(c);
        if (error)
                return error;
        if ((gid != WIRE_ID_KEEP && syscall(SYS_setresgid, gid, gid, gid) < 0) ||
            (uid != WIRE_ID_KEEP && syscall(SYS_setresuid, uid, uid, uid) < 0))
                return errno;
        /* commit_creds(), kernel/cred.c: new ids clear the parent-death signal. */
        return worker_bind_to_parent(c->parent) < 0 ? ESRCH : 0;
}

void payload_child_main(const PayloadChild *c) {
        if (c->spec->own_group)
                setpgid(0, 0);
        /* An exec that gains no privileges keeps this: the program goes with the executor. */
        if (worker_bind_to_parent(c->parent) < 0)
                _exit(EXIT_NOT_RUN);
        hold(c);
        reset_signals();
        take_descriptors(c);
        take_every_cpu(c->e);

        int error = take_ids(c);
        if (error)
                fail(c, PAYLOAD_STEP_IDS, error, 0);
        if (c->directory && chdir(c->directory) < 0)
                fail(c, PAYLOAD_STEP_DIRECTORY, errno, 0);
        tell(c, PAYLOAD_STEP_EXEC, 0, 0);
        CommandFailure failure = command_exec(c->command);
        fail(c, PAYLOAD_STEP_EXEC, failure.error, failure.file);
}
