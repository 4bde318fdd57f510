/* SPDX-License-Identifier: GPL-2.0-only */
#include "crew.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/futex.h"

static const uint64_t every_cpu[] = { UINT64_MAX, UINT64_MAX };

void crew_look_again(uint64_t deadline, const char *condition) {
        if (monotonic_ns() > deadline)
                fail_msg("never came true: %s", condition);
        sched_yield();
}

void crew_begin(Crew *c) {
        *c = (Crew){
                .shape = { .cpu_words = 2 },
                .leader = { .workers = c->workers, .uid = WORKER_KEEP_ID, .gid = WORKER_KEEP_ID },
                .settle_fd = -1,
        };
}

WorkerContext *crew_add(Crew *c, WorkTypeId id, unsigned n) {
        const WorkType *type = work_type_get(id);
        WorkerContext *first = &c->workers[c->shape.n_workers];

        assert_in_range(c->shape.n_workers + n, 1, CREW_MAX);
        for (unsigned i = 0; i < n; i++) {
                uint32_t index = c->shape.n_workers++;
                for (unsigned p = 0; p < type->n_params; p++)
                        c->params[index][p] = type->params[p].fallback;
                c->workers[index] = (WorkerContext){
                        .index = index,
                        .type = id,
                        .params = c->params[index],
                        .position = i % type->group_size,
                        .read_fd = -1,
                        .write_fd = -1,
                        .setup = { .mask = every_cpu,
                                   .mask_words = 2,
                                   .uid = WORKER_KEEP_ID,
                                   .gid = WORKER_KEEP_ID },
                };
        }
        c->shape.samples |= type->samples;
        if (type->link == LINK_REGION) {
                c->shape.n_regions += n / type->group_size;
                c->shape.region_size = type->region_size;
        }
        return first;
}

void crew_set_params(Crew *c, const WorkerContext *first, uint64_t a, uint64_t b, uint64_t d) {
        for (uint32_t i = first->index; i < c->shape.n_workers; i++) {
                c->params[i][0] = a;
                c->params[i][1] = b;
                c->params[i][2] = d;
        }
}

/* ---- start ---- */

static void make_arena(Crew *c, bool led) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        uint32_t regions = 0;

        c->shape.leader = led;
        c->arena =
                mmap(NULL, arena_size(&c->shape), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(c->arena != MAP_FAILED);
        arena_init(c->arena, &c->shape);
        c->settle_fd = eventfd(0, EFD_CLOEXEC);
        assert_true(c->settle_fd >= 0 && null_fd >= 0);
        for (uint32_t i = 0; i < c->shape.n_workers; i++) {
                WorkerContext *w = &c->workers[i];
                w->arena = c->arena;
                w->parent = getpid();
                w->settle_fd = c->settle_fd;
                w->null_fd = null_fd;
                if (work_type_get(w->type)->link == LINK_REGION)
                        w->region = arena_region(c->arena, w->position ? regions - 1 : regions++);
        }
}

static void make_pipes(WorkerContext *members, unsigned n) {
        for (unsigned p = 0; p < n; p++) {
                int ends[2];
                assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
                members[p].write_fd = ends[1];
                members[(p + 1) % n].read_fd = ends[0];
        }
}

static void close_pipes(WorkerContext *w) {
        if (w->read_fd >= 0) {
                close(w->read_fd);
                close(w->write_fd);
        }
}

static pid_t raw_fork(void) {
        struct clone_args args = { .exit_signal = SIGCHLD };
        return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

void crew_start(Crew *c) {
        make_arena(c, false);
        for (uint32_t i = 0; i < c->shape.n_workers; i++) {
                const WorkType *type = work_type_get(c->workers[i].type);
                if (type->link == LINK_PIPES && c->workers[i].position == 0)
                        make_pipes(&c->workers[i], type->group_size);
        }
        for (uint32_t i = 0; i < c->shape.n_workers; i++) {
                pid_t pid = raw_fork();
                if (pid == 0)
                        worker_main(&c->workers[i]);
                assert_true(pid > 0);
                c->pids[c->n_pids++] = pid;
                atomic_store(&crew_slot(c, i)->pid, pid);
        }
        for (uint32_t i = 0; i < c->shape.n_workers; i++)
                close_pipes(&c->workers[i]);
        close(c->workers[0].null_fd);
}

void crew_start_led(Crew *c, const char *comm, void (*before)(void)) {
        make_arena(c, true);
        strcpy(c->leader.comm, comm);
        pid_t pid = raw_fork();
        if (pid == 0) {
                if (before)
                        before();
                leader_main(&c->leader);
        }
        assert_true(pid > 0);
        c->pids[c->n_pids++] = pid;
        for (uint32_t i = c->shape.n_workers; i-- > 0;)
                atomic_store(&crew_slot(c, i)->pid, pid);
        futex_wake_all((_Atomic uint32_t *)&crew_slot(c, 0)->pid);
        close(c->workers[0].null_fd);
}

void crew_await_settled(Crew *c) {
        struct pollfd p = { .fd = c->settle_fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 20000), 1);
}

void crew_release(Crew *c) {
        assert_int_equal(atomic_load(&c->arena->settled), c->arena->n_parties);
        atomic_store(&c->arena->gate, 1);
        futex_wake_all(&c->arena->gate);
}

void crew_run(Crew *c) {
        crew_start(c);
        crew_await_settled(c);
        crew_release(c);
}

void crew_run_led(Crew *c, const char *comm) {
        crew_start_led(c, comm, NULL);
        crew_await_settled(c);
        crew_release(c);
}

/* ---- looking ---- */

ArenaSlot *crew_slot(const Crew *c, unsigned worker) {
        return arena_slot(c->arena, worker);
}

Histogram *crew_wakes(const Crew *c, unsigned worker) {
        return arena_histogram(c->arena, crew_slot(c, worker), NULL, SAMPLE_WAKE_LATENCY);
}

void crew_proc_text(char *ret, size_t size, const char *format, ...) {
        char path[128] = "/proc/";
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(path + strlen(path), sizeof(path) - strlen(path), format, arguments);
        va_end(arguments);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                fail_msg("%s: %s", path, strerror(errno));
        ssize_t n = read(fd, ret, size - 1);
        assert_true(n >= 0);
        ret[n] = '\0';
        close(fd);
}

/* ---- end ---- */

int crew_reap(Crew *c, unsigned n) {
        int status = -1;

        await(waitpid(c->pids[n], &status, WNOHANG) == c->pids[n]);
        c->pids[n] = 0;
        return status;
}

uint64_t crew_stop(Crew *c) {
        uint64_t start = monotonic_ns();

        atomic_store(&c->arena->stop, 1);
        futex_wake_all(&c->arena->stop);
        for (unsigned i = 0; i < c->n_pids; i++)
                if (c->pids[i])
                        assert_int_equal(crew_reap(c, i), 0);
        return monotonic_ns() - start;
}

void crew_end(Crew *c) {
        for (unsigned i = 0; i < c->n_pids; i++)
                if (c->pids[i]) {
                        kill(c->pids[i], SIGKILL);
                        crew_reap(c, i);
                }
        close(c->settle_fd);
        munmap(c->arena, arena_size(&c->shape));
}
