/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "worker/process.h"

enum { PLACES = 4, FIRST_PLACE = SETTLE_FD, CARRIED = 42 };

/* What a child is given: four descriptors, at places of the test's choice. */
typedef struct Given {
        int null_fd, settle_fd, read_fd, write_fd; /* indices into the places, or -1 */
} Given;

static bool is_null(int fd) {
        struct stat a, b;
        return fstat(fd, &a) == 0 && stat("/dev/null", &b) == 0 && a.st_rdev == b.st_rdev &&
               a.st_ino == b.st_ino;
}

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

/* Out of the way of the places. */
static int lift(int fd, int index) {
        if (index < 0)
                return -1;
        return fcntl(fd, F_DUPFD, 100 + index);
}

static WorkerContext arrange(const Given *g) {
        int ends[2], null_fd = open("/dev/null", O_RDWR);
        int event = eventfd(0, 0);
        WorkerContext w = { .parent = getppid() };

        if (pipe(ends) < 0 || null_fd < 0 || event < 0)
                _exit(1);
        int *const targets[] = { &w.null_fd, &w.settle_fd, &w.read_fd, &w.write_fd };
        const int fds[] = { null_fd, event, ends[0], ends[1] },
                  indices[] = { g->null_fd, g->settle_fd, g->read_fd, g->write_fd };
        for (unsigned i = 0; i < 4; i++)
                *targets[i] = lift(fds[i], indices[i]);
        for (unsigned i = 0; i < 4; i++)
                if (indices[i] >= 0)
                        *targets[i] = dup2(*targets[i], FIRST_PLACE + indices[i]);
        syscall(SYS_close_range, FIRST_PLACE + PLACES, ~0U, 0);
        return w;
}

static _Noreturn void child(const Given *g) {
        WorkerContext w = arrange(g);
        bool pipes = g->read_fd >= 0;
        uint64_t number = CARRIED;
        char byte = 0;

        if (process_begin(&w) < 0)
                _exit(2);
        if (!is_null(STDIN_FILENO))
                _exit(3);
        if (write(SETTLE_FD, &number, sizeof(number)) != sizeof(number) ||
            read(SETTLE_FD, &number, sizeof(number)) != sizeof(number) || number != CARRIED)
                _exit(4);
        if (pipes && (write(WRITE_FD, "x", 1) != 1 || read(READ_FD, &byte, 1) != 1 || byte != 'x'))
                _exit(5);
        if (is_open(READ_FD) != pipes || is_open(WRITE_FD) != pipes)
                _exit(6);
        for (int fd = FIRST_STRAY_FD; fd < 200; fd++)
                if (is_open(fd))
                        _exit(7);
        _exit(0);
}

static int status_of(pid_t pid) {
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check(const Given *g) {
        pid_t pid = fork();
        if (pid == 0)
                child(g);
        int status = status_of(pid);
        if (status != 0)
                fail_msg("null %d settle %d read %d write %d: %d", g->null_fd, g->settle_fd, g->read_fd,
                         g->write_fd, status);
}

/* Wherever they were, also at each other's places. */
static void test_descriptors_from_every_place(void **state) {
        (void)state;

        for (int n = 0; n < PLACES * PLACES * PLACES * PLACES; n++) {
                Given g = { n % PLACES, n / PLACES % PLACES, n / PLACES / PLACES % PLACES,
                            n / PLACES / PLACES / PLACES };
                if (g.null_fd == g.settle_fd || g.null_fd == g.read_fd || g.null_fd == g.write_fd ||
                    g.settle_fd == g.read_fd || g.settle_fd == g.write_fd || g.read_fd == g.write_fd)
                        continue;
                check(&g);
        }
}

static void test_no_pipes(void **state) {
        (void)state;

        for (int n = 0; n < PLACES * PLACES; n++) {
                Given g = { n % PLACES, n / PLACES, -1, -1 };
                if (g.null_fd != g.settle_fd)
                        check(&g);
        }
}

/* Without room for them the pipes are lost, but not the descriptor that tells so. */
static void test_no_room_for_pipes(void **state) {
        (void)state;

        pid_t pid = fork();
        if (pid == 0) {
                uint64_t number = CARRIED;
                WorkerContext w = arrange(&(Given){ 3, 2, 1, 0 });
                setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FIRST_STRAY_FD + 1, FIRST_STRAY_FD + 1 });
                if (process_begin(&w) != -EMFILE)
                        _exit(1);
                _exit(write(SETTLE_FD, &number, sizeof(number)) != sizeof(number));
        }
        assert_int_equal(status_of(pid), 0);
}

/* Nobody is left to be told. */
static void test_no_parent(void **state) {
        (void)state;

        pid_t pid = fork();
        if (pid == 0) {
                WorkerContext w = arrange(&(Given){ 0, 1, -1, -1 });
                w.parent = 1 << 22;
                process_begin(&w);
                _exit(0);
        }
        assert_int_equal(status_of(pid), EXIT_REFUSED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_descriptors_from_every_place),
                cmocka_unit_test(test_no_pipes),
                cmocka_unit_test(test_no_room_for_pipes),
                cmocka_unit_test(test_no_parent),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
