/* SPDX-License-Identifier: GPL-2.0-only */
#include "forker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "futex.h"
#include "worker.h"

enum { MASK_WORDS = 128, EMPTY_MS = 5000 };

/* One order. `cgroup` is a file descriptor of a directory. */
typedef struct Job {
        ForkerKind kind;
        uint32_t n, forked;
        char path[PATH_MAX];
        int cgroup, procs, null, settled;
        pid_t *pids;
        ArenaHead *arena;
        size_t arena_size;
        uint32_t line;
} Job;

static uint64_t every_cpu[MASK_WORDS];
static const uint64_t bursty_params[WORK_PARAMS_MAX] = { 1, UINT64_C(3600) * NS_PER_S };

/* Remembers the first place that failed. */
#define CHECK(job, condition) check((job), (condition), __LINE__)
static bool check(Job *job, bool good, uint32_t line) {
        if (!good && !job->line)
                job->line = line;
        return good;
}

/* ---- children ---- */

static void wait_for(_Atomic uint32_t *word) {
        while (atomic_load_explicit(word, memory_order_acquire) == 0)
                futex_wait(word, 0, NULL);
}

static _Noreturn void plain_child(const Job *job) {
        const uint64_t one = 1;
        ssize_t n = 0;

        if (atomic_fetch_add(&job->arena->settled, 1) + 1 == job->n)
                n = write(job->settled, &one, sizeof one);
        wait_for(&job->arena->gate);
        wait_for(&job->arena->stop);
        _exit(n < 0);
}

static _Noreturn void real_worker(const Job *job, uint32_t index, pid_t parent) {
        WorkerContext w = {
                .arena = job->arena,
                .index = index,
                .type = WORK_BURSTY,
                .params = bursty_params,
                .read_fd = -1,
                .write_fd = -1,
                .setup = { .mask = every_cpu,
                           .mask_words = MASK_WORDS,
                           .uid = WORKER_KEEP_ID,
                           .gid = WORKER_KEEP_ID },
                .parent = parent,
                .settle_fd = job->settled,
                .null_fd = job->null,
        };
        worker_main(&w);
}

static pid_t clone_into(int cgroup) {
        struct clone_args args = {
                .flags = CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t)cgroup,
        };
        return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static bool move(Job *job, pid_t pid) {
        char text[16];
        int n = snprintf(text, sizeof text, "%d", pid);

        return CHECK(job, write(job->procs, text, (size_t)n) == n);
}

static bool fork_one(Job *job, uint32_t index, pid_t parent) {
        pid_t pid = job->kind == FORKER_NAIVE ? fork() : clone_into(job->cgroup);

        if (pid == 0 && job->kind == FORKER_WORKER)
                real_worker(job, index, parent);
        if (pid == 0)
                plain_child(job);
        if (!CHECK(job, pid > 0))
                return false;
        job->pids[job->forked++] = pid;
        return job->kind != FORKER_NAIVE || move(job, pid);
}

/* ---- the two halves that are timed ---- */

static int open_at(int dir, const char *name, int flags) {
        return openat(dir, name, flags | O_CLOEXEC);
}

static bool bear(Job *job) {
        pid_t parent = getpid();
        uint64_t count;

        if (!CHECK(job, mkdir(job->path, 0755) == 0))
                return false;
        job->cgroup = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        job->procs = open_at(job->cgroup, "cgroup.procs", O_WRONLY);
        if (!CHECK(job, job->cgroup >= 0 && job->procs >= 0))
                return false;
        for (uint32_t i = 0; i < job->n; i++)
                if (!fork_one(job, i, parent))
                        return false;
        if (!CHECK(job, read(job->settled, &count, sizeof count) > 0))
                return false;
        atomic_store(&job->arena->gate, 1);
        futex_wake_all(&job->arena->gate);
        return true;
}

/* The kernel may tell of a child's end a moment before it has left the cgroup. */
static bool remove_when_empty(const Job *job) {
        int events = open_at(job->cgroup, "cgroup.events", O_RDONLY);
        struct pollfd p = { .fd = events, .events = POLLPRI };
        char text[256];
        int r;

        while ((r = rmdir(job->path)) < 0 && errno == EBUSY) {
                if (pread(events, text, sizeof text, 0) < 0 || (r = rmdir(job->path)) == 0 ||
                    poll(&p, 1, EMPTY_MS) <= 0)
                        break;
        }
        close(events);
        return r == 0;
}

static bool bury(Job *job) {
        siginfo_t info;

        atomic_store(&job->arena->stop, 1);
        futex_wake_all(&job->arena->stop);
        for (uint32_t i = 0; i < job->forked; i++)
                if (CHECK(job, waitid(P_PID, (id_t)job->pids[i], &info, WEXITED) == 0))
                        CHECK(job, info.si_code == CLD_EXITED && info.si_status == 0);
        return CHECK(job, remove_when_empty(job)) && !job->line;
}

/* ---- orders ---- */

static bool prepare(Job *job) {
        ArenaShape shape = { .n_workers = job->n,
                             .cpu_words = MASK_WORDS,
                             .samples = work_type_get(WORK_BURSTY)->samples };

        job->arena_size = arena_size(&shape);
        job->pids = calloc(job->n, sizeof *job->pids);
        job->arena = mmap(NULL, job->arena_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        job->settled = eventfd(0, EFD_CLOEXEC);
        if (!CHECK(job, job->pids && job->arena != MAP_FAILED && job->settled >= 0))
                return false;
        arena_init(job->arena, &shape);
        return true;
}

static void clear(Job *job) {
        free(job->pids);
        if (job->arena != MAP_FAILED)
                munmap(job->arena, job->arena_size);
        close(job->settled);
        close(job->cgroup);
        close(job->procs);
}

/* What a failure has left. */
static void clean_up(const Job *job) {
        for (uint32_t i = 0; i < job->forked; i++)
                if (waitpid(job->pids[i], NULL, WNOHANG) == 0) {
                        kill(job->pids[i], SIGKILL);
                        waitpid(job->pids[i], NULL, 0);
                }
        rmdir(job->path);
}

static void carry_out(Job *job, ForkerAnswer *answer) {
        if (prepare(job)) {
                uint64_t start = monotonic_ns();
                bool good = bear(job);
                uint64_t born = monotonic_ns();
                if (good && bury(job)) {
                        answer->born_ns = born - start;
                        answer->gone_ns = monotonic_ns() - born;
                }
        }
        answer->line = job->line;
        answer->error = job->line ? errno ?: EIO : 0;
        if (job->line)
                clean_up(job);
        clear(job);
}

static ForkerAnswer handle(const ForkerOrder *order, const char *below, int null) {
        ForkerAnswer answer = { 0 };
        Job job = { .kind = (ForkerKind)order->kind,
                    .n = order->n_workers,
                    .cgroup = -1,
                    .procs = -1,
                    .null = null,
                    .settled = -1,
                    .arena = MAP_FAILED };

        snprintf(job.path, sizeof job.path, "%s/forker-%d", below, getpid());
        carry_out(&job, &answer);
        return answer;
}

/* In pages of their own, as a heap of many objects has them: one huge page would be copied as cheaply as a
 * small one. */
static bool grow(size_t megabytes) {
        size_t size = megabytes << 20;
        void *p;

        if (size == 0)
                return true;
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return false;
        madvise(p, size, MADV_NOHUGEPAGE);
        memset(p, 1, size);
        return true;
}

int main(int argc, char **argv) {
        ForkerOrder order;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        int socket = argc == 4 ? atoi(argv[1]) : -1;

        if (socket < 0 || null < 0 || !grow((size_t)atoi(argv[3])))
                return EXIT_FAILURE;
        memset(every_cpu, 0xff, sizeof every_cpu);
        while (recv(socket, &order, sizeof order, 0) == sizeof order) {
                ForkerAnswer answer = handle(&order, argv[2], null);
                if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer)
                        return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
