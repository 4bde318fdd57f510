/* SPDX-License-Identifier: GPL-2.0-only */
#include "executor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "actions.h"
#include "home.h"
#include "inspect.h"
#include "memory.h"
#include "payload.h"
#include "phase.h"
#include "quirks.h"
#include "util.h"

#define SUPERVISOR "supervisor"

enum {
        SEND_BUFFER = 8 << 20, /* some ten thousand WireExits while the daemon looks elsewhere */
        LEAVE_MS = 5000,       /* for workers to be gone, and for each cgroup to be empty */
        CPU_MASK_MAX = 1 << 16,
};

/* ---- waiting ---- */

void executor_beat(Executor *e) {
        atomic_fetch_add_explicit(&e->status->beat, 1, memory_order_release);
}

static struct timespec remaining(uint64_t deadline_ns) {
        uint64_t now = monotonic_ns();
        return timespec_of_ns(deadline_ns > now ? deadline_ns - now : 0);
}

static void take_children(Executor *e) {
        struct signalfd_siginfo info;

        /* Signals merge: the one read here may stand for many children, hence the sweep. */
        while (read(e->children_fd, &info, sizeof(info)) < 0 && errno == EINTR)
                ;
        children_reap(e);
}

int executor_wait(Executor *e, int fd, short events, uint64_t deadline_ns) {
        struct pollfd fds[] = {
                { .fd = e->closing ? -1 : e->quit_fd, .events = POLLIN },
                { .fd = e->closing ? -1 : e->socket, .events = POLLRDHUP },
                { .fd = e->children_fd, .events = POLLIN },
                { .fd = fd, .events = events },
        };
        struct timespec left = remaining(deadline_ns);
        int n = ppoll(fds, sizeof(fds) / sizeof(*fds), deadline_ns == NEVER ? NULL : &left, NULL);

        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[0].revents || fds[1].revents)
                e->quit = true;
        if (fds[2].revents)
                take_children(e);
        if (e->quit && !e->closing)
                return -ECANCELED;
        return n == 0 ? -ETIMEDOUT : 0;
}

/* ---- plans ---- */

static void tell_undo_failure(Executor *e, const LedgerEntry *entry, int error) {
        WireNote note = { .kind = WIRE_NOTE, .serial = e->serial };

        note.failure = (WireFailure){ .action = entry->action, .error = error };
        snprintf(note.failure.detail, sizeof(note.failure.detail), "while undoing it");
        executor_send(e, &note, sizeof(note), -1);
}

static int run_actions(Executor *e, const Plan *plan, WireFailure *failure) {
        for (uint32_t i = 0; i < plan->head->n_actions; i++) {
                atomic_store(&e->status->action, i);
                executor_beat(e);
                e->ledger.action = i;
                if (plan_action(plan, i)->kind != ACTION_RELEASE)
                        groups_wake(e);

                int r = action_run(e, plan, i, failure);
                if (r == -ECANCELED || (r < 0 && !(plan_action(plan, i)->flags & ACTION_TOLERATE)))
                        return r;
                if (r < 0) {
                        WireNote note = { WIRE_NOTE, plan->serial, *failure };
                        executor_send(e, &note, sizeof(note), -1);
                }
                if (executor_wait(e, -1, 0, 0) == -ECANCELED)
                        return -ECANCELED;
        }
        executor_beat(e);
        return 0;
}

static void run_plan(Executor *e, const Plan *plan, WireDone *done) {
        WireFailure failure = { 0 };
        uint32_t phase = e->phase;

        e->serial = plan->serial;
        e->ledger.plan++;
        e->stop_deadline = 0;
        e->moments = 0;
        int r = run_actions(e, plan, &failure);
        done->ok = r >= 0;
        if (r >= 0 || e->quit) /* on the way out all of it goes, not only this plan's part */
                return;
        done->failure = failure;
        if (e->phase != phase)
                phase_tell(e, phase);
        done->undone = ledger_undo_plan(e, plan->head->settle_ms, tell_undo_failure);
}

static void handle_submit(Executor *e, uint32_t serial, int fd) {
        WireDone done = { .kind = WIRE_DONE, .serial = serial, .undone = 1 };
        Plan plan = { 0 };

        atomic_store(&e->status->action, 0);
        atomic_store(&e->status->serial, serial);
        if (plan_open(&plan, fd, serial, &done.failure) == 0)
                run_plan(e, &plan, &done);
        plan_close(&plan);
        /* A thousand workers that wake at once stand in the run queues before whoever is woken next, and that
         * would be the daemon, then the bus, then the caller. Their gates are open: it is true that they are
         * released. */
        executor_send(e, &done, sizeof(done), -1);
        groups_wake(e);
}

/* The first descriptor that came along, or -1; none of the others stays open. */
static int take_descriptor(struct msghdr *header) {
        int kept = -1;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t at = 0; at + sizeof(kept) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(kept)) {
                        int fd;
                        memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
                        if (kept < 0)
                                kept = fd;
                        else
                                close(fd);
                }
        }
        return kept;
}

static void handle_message(Executor *e) {
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(8 * sizeof(int))];
        } control;
        union {
                uint32_t kind;
                WireSubmit submit;
                WireInspect inspect;
        } m = { 0 };
        struct iovec part = { .iov_base = &m, .iov_len = sizeof(m) };
        struct msghdr header = { .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control.room) };
        ssize_t n = recvmsg(e->socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                e->quit = true;
                return;
        }
        CLEANUP(close_fd) int fd = take_descriptor(&header);
        if (n == sizeof(m.submit) && m.kind == WIRE_SUBMIT)
                handle_submit(e, m.submit.serial, fd);
        else if (n == sizeof(m.inspect) && m.kind == WIRE_INSPECT)
                inspect_answer(e, &m.inspect);
        else
                fprintf(stderr, "ktsetup-executor: message of kind %u and %zd bytes ignored\n", m.kind, n);
}

/* ---- the way in ---- */

static int open_signals(Executor *e) {
        sigset_t quit, children, both;

        sigemptyset(&quit);
        sigaddset(&quit, SIGTERM);
        sigaddset(&quit, SIGINT);
        sigaddset(&quit, SIGHUP);
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD);
        both = quit;
        sigaddset(&both, SIGCHLD);

        signal(SIGPIPE, SIG_IGN);
        signal(SIGCHLD, SIG_DFL); /* inherited SIG_IGN would take the exit statuses away */
        knob_timer_init();
        if (sigprocmask(SIG_BLOCK, &both, NULL) < 0)
                return -errno;
        e->quit_fd = signalfd(-1, &quit, SFD_CLOEXEC);
        e->children_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
        return e->quit_fd < 0 || e->children_fd < 0 ? -errno : 0;
}

static int open_descriptors(Executor *e) {
        int size = SEND_BUFFER;

        if (setsockopt(e->socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                setsockopt(e->socket, SOL_SOCKET, SO_SNDBUF, &size,
                           sizeof(size)); /* as far as it is allowed */
        e->settle_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        e->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        return e->settle_fd < 0 || e->null_fd < 0 ? -errno : 0;
}

/* The kernel's masks have a word for each 64 possible CPUs, and it refuses a buffer too small for them. */
static int measure_cpus(Executor *e) {
        for (size_t size = 128; size <= CPU_MASK_MAX; size *= 2) {
                CLEANUP(free_pointer) uint64_t *mask = malloc(size);
                if (!mask)
                        return -ENOMEM;
                long n = syscall(SYS_sched_getaffinity, 0, size, mask);
                if (n < 0)
                        continue;
                e->cpu_words = (uint32_t)((size_t)n + 7) / 8;
                memset(mask, 0xff, e->cpu_words * sizeof(*mask));
                e->every_cpu = mask;
                mask = NULL;
                return 0;
        }
        return -EINVAL;
}

static int enter_given_root(Executor *e, const char *path) {
        if (mkdir(path, 0755) == 0)
                e->made_root = true;
        else if (errno != EEXIST)
                return -errno;
        int r = cgroup_root_open(&e->root, path);
        if (r < 0 && e->made_root)
                rmdir(path);
        return r;
}

/* systemd delegated the cgroup in which this process was started. A cgroup that gives controllers to those
 * below it may hold no processes, so this one steps aside first. */
static int enter_delegated_root(Executor *e) {
        int r = cgroup_root_open(&e->root, e->home);
        if (r < 0)
                return r;

        r = cgroup_mkdir(&e->root, SUPERVISOR);
        if (r < 0 && r != -EEXIST) /* an executor that was killed may have left it */
                return r;
        e->made_supervisor = true;
        r = knob_write(&e->root, SUPERVISOR "/cgroup.procs", "0");
        return r < 0 ? r : home_find(e->home);
}

static int enter_root(Executor *e, const char *path) {
        int r = home_find(e->home);

        if (path) {
                if (r < 0)
                        e->home[0] = '\0';
                return enter_given_root(e, path);
        }
        return r < 0 ? r : enter_delegated_root(e);
}

static int say_hello(Executor *e, int status_fd) {
        CLEANUP(free_pointer) WireHello *hello = calloc(1, sizeof(*hello));

        if (!hello)
                return -ENOMEM;
        hello->kind = WIRE_HELLO;
        hello->protocol = WIRE_PROTOCOL;
        hello->quirks = e->quirks;
        hello->pid = getpid();
        memcpy(hello->root, e->root.path, sizeof(hello->root));
        return executor_send(e, hello, sizeof(*hello), status_fd);
}

static int executor_start(Executor *e, const char *root) {
        CLEANUP(close_fd) int status_fd = -1;

        e->status = memory_new("ktsetup-status", sizeof(*e->status), &status_fd);
        if (!e->status)
                return -errno;
        madvise(e->status, sizeof(*e->status), MADV_DONTFORK);

        /* What a payload leaves behind comes here when its parents end: it is reaped, and its end is noticed.
         */
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return -errno;
        int r = open_signals(e);
        if (r >= 0)
                r = open_descriptors(e);
        if (r >= 0)
                r = measure_cpus(e);
        if (r >= 0)
                r = enter_root(e, root);
        if (r < 0)
                return r;
        e->quirks = quirks_probe(e);
        return say_hello(e, status_fd);
}

/* ---- the way out ---- */

static void leave_root(Executor *e) {
        if (e->made_supervisor) {
                home_take_in(e->root.path, "0");
                remove_cgroup(e, SUPERVISOR, LEAVE_MS);
        }
        if (e->made_root)
                rmdir(e->root.path);
}

/* Whatever the reason for leaving, nothing made here stays. */
static void executor_leave(Executor *e) {
        e->closing = e->quit = true;
        children_kill_all(e);

        uint64_t deadline = after_ms(LEAVE_MS);
        while (children_live(e) && executor_wait(e, -1, 0, deadline) >= 0)
                ;
        if (e->root.fd >= 0) {
                if (!ledger_undo_all(e, LEAVE_MS))
                        fprintf(stderr, "ktsetup-executor: not all below %s could be removed\n",
                                e->root.path);
                leave_root(e);
        }
}

static void executor_free(Executor *e) {
        while (e->children.payloads) /* what not even SIGKILL ended */
                payload_free(e, e->children.payloads);
        while (e->ledger.newest)
                ledger_remove(&e->ledger, e->ledger.newest);
        pid_table_free(e->children.by_pid);
        cgroup_root_close(&e->root);
        close_fd(&e->quit_fd);
        close_fd(&e->children_fd);
        close_fd(&e->settle_fd);
        close_fd(&e->null_fd);
        free(e->every_cpu);
        if (e->status)
                munmap(e->status, sizeof(*e->status));
        free(e);
}

int executor_run(int socket, const char *root) {
        Executor *e = calloc(1, sizeof(*e));
        if (!e)
                return EXIT_FAILURE;
        *e = (Executor){ .socket = socket, .quit_fd = -1, .children_fd = -1, .settle_fd = -1, .null_fd = -1 };
        e->root.fd = -1;

        int r = executor_start(e, root);
        while (r >= 0 && !e->quit) {
                r = executor_wait(e, e->socket, POLLIN, NEVER);
                if (r >= 0)
                        handle_message(e);
        }
        if (r < 0 && r != -ECANCELED)
                fprintf(stderr, "ktsetup-executor: %s: %s\n", root ? root : "delegated cgroup", strerror(-r));
        if (e->status)
                executor_leave(e);
        executor_free(e);
        return r < 0 && r != -ECANCELED ? EXIT_FAILURE : EXIT_SUCCESS;
}
