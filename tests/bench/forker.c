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

#include "wire/clock.h"
#include "wire/futex.h"
#include "herd.h"
#include "worker/worker.h"

enum { MASK_WORDS = 128, EMPTY_MS = 5000 };

/* What stays the same from order to order. `writes` are texts FILE=VALUE, NULL after the last. */
typedef struct Place {
        const char *below;
        char *const *writes;
        int null;
} Place;

/* One order. `cgroup` is a file descriptor of a directory. */
typedef struct Job {
        const Place *place;
        ForkerKind kind;
        uint32_t n, forked;
        char path[PATH_MAX];
        int cgroup, procs, settled;
        pid_t *pids;
        Herd herd;
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
                n = write(job->settled, &one, sizeof(one));
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
                .null_fd = job->place->null,
        };
        worker_main(&w);
}

static pid_t clone_into(int cgroup) {
        struct clone_args args = {
                .flags = CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t)cgroup,
        };
        return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* ---- the first half that is timed ---- */

static int open_at(int dir, const char *name, int flags) {
        return openat(dir, name, flags | O_CLOEXEC);
}

static bool write_to(int fd, const char *text) {
        size_t n = strlen(text);
        return write(fd, text, n) == (ssize_t)n;
}

static bool write_knob(const Job *job, const char *assignment) {
        const char *sign = strchr(assignment, '=');
        char file[NAME_MAX];

        snprintf(file, sizeof(file), "%.*s", (int)(sign - assignment), assignment);
        int fd = open_at(job->cgroup, file, O_WRONLY);
        bool written = fd >= 0 && write_to(fd, sign + 1);
        if (fd >= 0)
                close(fd);
        return written;
}

static bool make_cgroup(Job *job) {
        if (!CHECK(job, mkdir(job->path, 0755) == 0))
                return false;
        job->cgroup = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!CHECK(job, job->cgroup >= 0))
                return false;
        for (char *const *assignment = job->place->writes; *assignment; assignment++)
                if (!CHECK(job, write_knob(job, *assignment)))
                        return false;
        return true;
}

static bool clone_one(Job *job, uint32_t index, pid_t parent) {
        pid_t pid = clone_into(job->cgroup);

        if (pid == 0 && job->kind == FORKER_WORKER)
                real_worker(job, index, parent);
        if (pid == 0)
                plain_child(job);
        if (!CHECK(job, pid > 0))
                return false;
        job->pids[job->forked++] = pid;
        return true;
}

static bool clone_all(Job *job) {
        pid_t parent = getpid();
        uint64_t count;

        for (uint32_t i = 0; i < job->n; i++)
                if (!clone_one(job, i, parent))
                        return false;
        if (!CHECK(job, read(job->settled, &count, sizeof(count)) > 0))
                return false;
        atomic_store(&job->arena->gate, 1);
        futex_wake_all(&job->arena->gate);
        return true;
}

static bool fork_and_move_all(Job *job) {
        char text[16];

        job->procs = open_at(job->cgroup, "cgroup.procs", O_WRONLY);
        for (uint32_t i = 0; i < job->n; i++) {
                pid_t pid = herd_fork_one(&job->herd);
                snprintf(text, sizeof(text), "%d", pid);
                if (!CHECK(job, pid > 0) || !CHECK(job, write_to(job->procs, text)))
                        return false;
        }
        return CHECK(job, herd_start(&job->herd));
}

static bool bear(Job *job) {
        return make_cgroup(job) && (job->kind == FORKER_NAIVE ? fork_and_move_all(job) : clone_all(job));
}

/* ---- the second ---- */

/* The kernel may tell of a child's end a moment before it has left the cgroup. */
static bool remove_when_empty(const Job *job) {
        int events = open_at(job->cgroup, "cgroup.events", O_RDONLY);
        struct pollfd p = { .fd = events, .events = POLLPRI };
        char text[256];
        int r;

        while ((r = rmdir(job->path)) < 0 && errno == EBUSY) {
                if (pread(events, text, sizeof(text), 0) < 0 || (r = rmdir(job->path)) == 0 ||
                    poll(&p, 1, EMPTY_MS) <= 0)
                        break;
        }
        close(events);
        return r == 0;
}

static void reap_all(Job *job) {
        siginfo_t info;

        atomic_store(&job->arena->stop, 1);
        futex_wake_all(&job->arena->stop);
        for (uint32_t i = 0; i < job->forked; i++)
                if (CHECK(job, waitid(P_PID, (id_t)job->pids[i], &info, WEXITED) == 0))
                        CHECK(job, info.si_code == CLD_EXITED && info.si_status == 0);
}

static bool bury(Job *job) {
        if (job->kind == FORKER_NAIVE)
                CHECK(job, herd_stop(&job->herd));
        else
                reap_all(job);
        return CHECK(job, remove_when_empty(job)) && !job->line;
}

/* ---- orders ---- */

static bool prepare(Job *job) {
        ArenaShape shape = { .n_workers = job->n,
                             .cpu_words = MASK_WORDS,
                             .samples = work_type_get(WORK_BURSTY)->samples };

        if (job->kind == FORKER_NAIVE)
                return CHECK(job, herd_prepare(&job->herd, job->n));
        job->arena_size = arena_size(&shape);
        job->pids = calloc(job->n, sizeof(*job->pids));
        job->arena = mmap(NULL, job->arena_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        job->settled = eventfd(0, EFD_CLOEXEC);
        if (!CHECK(job, job->pids && job->arena != MAP_FAILED && job->settled >= 0))
                return false;
        arena_init(job->arena, &shape);
        return true;
}

static void close_if_open(int fd) {
        if (fd >= 0)
                close(fd);
}

static void clear(Job *job) {
        herd_clear(&job->herd);
        free(job->pids);
        if (job->arena != MAP_FAILED)
                munmap(job->arena, job->arena_size);
        close_if_open(job->settled);
        close_if_open(job->cgroup);
        close_if_open(job->procs);
}

/* What a failure has left. */
static void clean_up(const Job *job) {
        for (uint32_t i = 0; i < job->forked; i++)
                if (waitpid(job->pids[i], NULL, WNOHANG) == 0) {
                        kill(job->pids[i], SIGKILL);
                        waitpid(job->pids[i], NULL, 0);
                }
}

static void carry_out(Job *job, Answer *answer) {
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
        if (answer->error)
                rmdir(job->path);
}

static Answer handle(const Order *order, const Place *place) {
        Answer answer = { 0 };
        Job job = { .place = place,
                    .kind = (ForkerKind)order->how,
                    .n = order->n_workers,
                    .cgroup = -1,
                    .procs = -1,
                    .settled = -1,
                    .arena = MAP_FAILED };

        snprintf(job.path, sizeof(job.path), "%s/forker-%d", place->below, getpid());
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
        int socket = argc >= 4 ? atoi(argv[1]) : -1;
        Order order;

        if (socket < 0 || !grow((size_t)atoi(argv[3])))
                return EXIT_FAILURE;
        Place place = { .below = argv[2], .writes = argv + 4, .null = open("/dev/null", O_RDWR | O_CLOEXEC) };
        if (place.null < 0)
                return EXIT_FAILURE;
        memset(every_cpu, 0xff, sizeof(every_cpu));
        while (recv(socket, &order, sizeof(order), 0) == sizeof(order)) {
                Answer answer = handle(&order, &place);
                if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
                        return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
