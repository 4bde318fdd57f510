/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "executor-fixture.h"

static PlanBuilder b;

static void assert_all_gone(Fixture *f, const pid_t *pids, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                wait_until(process_gone(pids[i]));
        assert_false(path_exists(f->root));
}

static void note_pids(const Fixture *f, pid_t *ret, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                ret[i] = fixture_worker_pid(f, 1, i);
}

static void test_hang_up_leaves_nothing(void **state) {
        char root[PATH_MAX];
        pid_t pids[5];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        fixture_begin_group(f, 5);
        kill(fixture_worker_pid(f, 1, 2), SIGSTOP);
        note_pids(f, pids, 5);

        /* in the middle of a plan that waits for much longer than this test */
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a/c", NULL);
        plan_add(&b, ACTION_AWAIT_EMPTY, "a/b", NULL);
        fixture_submit(f, &b);
        wait_until(atomic_load(&f->status->serial) == f->serial && atomic_load(&f->status->action) == 1);
        close(f->socket);
        f->socket = -1;
        int status;
        assert_int_equal(fixture_wait_end(f, &status), CLD_EXITED);
        assert_int_equal(status, 0);
        assert_all_gone(f, pids, 5);
        fixture_free(f);
}

static void test_signals_leave_nothing(void **state) {
        static const int signals[] = { SIGTERM, SIGINT };
        (void)state;

        for (unsigned i = 0; i < 2; i++) {
                char root[PATH_MAX];
                pid_t pids[3];
                fixture_cgroup_path(root);
                Fixture *f = fixture_start(root, NULL);
                fixture_begin_group(f, 3);
                note_pids(f, pids, 3);
                kill(f->pid, signals[i]);
                assert_int_equal(fixture_wait_end(f, NULL), CLD_EXITED);
                assert_all_gone(f, pids, 3);
                fixture_free(f);
        }
}

/* No executor, no worker: also one that changed its ids, which clears the parent-death signal. */
static void test_killed_executor_takes_its_workers_along(void **state) {
        char root[PATH_MAX];
        pid_t pids[3];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        WireGroupSpec *spec = plan_add_spawn(&b, "", 1, 3);
        if (geteuid() == 0)
                spec->uid = spec->gid = 65534;
        fixture_must(f, &b);
        note_pids(f, pids, 3);
        kill(f->pid, SIGKILL);
        assert_int_equal(fixture_wait_end(f, NULL), CLD_KILLED);
        for (unsigned i = 0; i < 3; i++)
                wait_until(process_gone(pids[i]));
        wait_until(rmdir(root) == 0);
        fixture_free(f);
}

/* ---- where it runs ---- */

static void test_delegated_cgroup(void **state) {
        char root[PATH_MAX], text[4096];
        (void)state;

        fixture_cgroup_path(root);
        assert_int_equal(mkdir(root, 0755), 0);
        Fixture *f = fixture_start(root, &(FixtureOptions){ .delegated = true });
        assert_string_equal(f->hello.root, root);
        proc_text(f->pid, "cgroup", text, sizeof(text));
        text[strlen(text) - 1] = '\0';
        fixture_assert_in_cgroup(f, strstr(text, "0::"), "supervisor");
        fixture_begin_group(f, 2);
        fixture_assert_worker_in(f, 1, 1, "a/b");
        fixture_stop(f);
        assert_false(path_exists(below(root, "supervisor")) || path_exists(below(root, "a")));
        wait_until(rmdir(root) == 0);
}

static pid_t only_child(pid_t parent) {
        char path[64], text[64];

        snprintf(path, sizeof(path), "task/%d/children", parent);
        proc_text(parent, path, text, sizeof(text));
        return atoi(text);
}

/* The last text in a pipe that is otherwise full of zeros. */
static pid_t last_pid_in(int pipe) {
        char c, text[32] = "";
        size_t used = 0;

        while (read(pipe, &c, 1) == 1)
                if (c && used < sizeof(text) - 1)
                        text[used++] = c;
        return atoi(text);
}

/* The move itself is made to hang, by a full pipe in the place of cgroup.procs: until it is through, the
 * child has set up nothing. */
static void test_a_child_to_be_moved_holds_still(void **state) {
        static const char zeros[4096];
        char root[PATH_MAX], some[sizeof(zeros)];
        pid_t child;
        (void)state;

        fixture_plain_path(root);
        assert_int_equal(mkfifo(below(root, "cgroup.procs"), 0600), 0);
        int pipe = open(below(root, "cgroup.procs"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        while (write(pipe, zeros, sizeof(zeros)) > 0)
                ;
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1);
        fixture_submit(f, &b);
        wait_until((child = only_child(f->pid)) > 0);
        wait_until(process_state(child) == 'S');
        assert_int_not_equal(getpgid(child), child);

        assert_int_equal(read(pipe, some, sizeof(some)), sizeof(some)); /* room for a pid, behind the zeros */
        assert_true(fixture_await_done(f).ok);
        assert_int_equal(last_pid_in(pipe), child);
        assert_int_equal(getpgid(child), child);
        close(pipe);
        unlink(below(root, "cgroup.procs"));
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* What a worker leaves behind in its process group goes with it. */
static void test_leftovers_of_a_worker_go_with_it(void **state) {
        char root[PATH_MAX];
        int status;
        (void)state;

        fixture_plain_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1);
        fixture_must(f, &b);
        pid_t leftover = fork();
        if (leftover == 0) {
                close_range(3, ~0U, 0);
                for (;;)
                        pause();
        }
        assert_int_equal(setpgid(leftover, fixture_worker_pid(f, 1, 0)), 0);
        plan_begin(&b);
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        fixture_must(f, &b);
        assert_int_equal(f->exits[0].exit_kind, WORKER_EXIT_CODE);
        wait_until(waitpid(leftover, &status, WNOHANG) == leftover);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* Where clone3 is not allowed, workers are moved, and see nothing but their cgroup from the first line on. */
static void test_refused_clone_is_replaced_by_a_move(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, &(FixtureOptions){ .refuse_syscalls = true });
        assert_true(f->hello.quirks & QUIRK_NO_CLONE_INTO_CGROUP);
        fixture_begin_group(f, 3);
        for (uint32_t i = 0; i < 3; i++) {
                fixture_assert_worker_in(f, 1, i, "a/b");
                assert_int_equal(atomic_load(&fixture_slot(f, 1, i)->placement), PLACEMENT_MOVED);
        }
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* work:R3 */
static void test_process_limit_undoes_the_group(void **state) {
        char root[PATH_MAX];
        (void)state;

        if (geteuid() != 0) {
                print_message("skipped: needs root to become a user without processes\n");
                skip();
        }
        fixture_plain_path(root);
        assert_int_equal(chmod(root, 0777), 0);
        uid_t uid = 1000000 + (uid_t)getpid(); /* whose processes count against no other test's limit */
        Fixture *f = fixture_start(root, &(FixtureOptions){ .uid = uid, .processes = 4 });
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_spawn(&b, "a", 1, 8);
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.error, EAGAIN);
        assert_int_equal(done.failure.action, 1);
        assert_int_equal(done.failure.worker, 3);
        assert_int_equal(done.failure.setup_step, SETUP_NONE);
        assert_true(done.undone);
        assert_false(path_exists(below(root, "a")));

        plan_begin(&b); /* and nothing of it is left to stand in the way */
        plan_add_spawn(&b, "", 1, 3);
        fixture_must(f, &b);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hang_up_leaves_nothing),
                cmocka_unit_test(test_signals_leave_nothing),
                cmocka_unit_test(test_killed_executor_takes_its_workers_along),
                cmocka_unit_test(test_delegated_cgroup),
                cmocka_unit_test(test_a_child_to_be_moved_holds_still),
                cmocka_unit_test(test_leftovers_of_a_worker_go_with_it),
                cmocka_unit_test(test_refused_clone_is_replaced_by_a_move),
                cmocka_unit_test(test_process_limit_undoes_the_group),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
