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

#include "wire/clock.h"
#include "executor-fixture.h"

static PlanBuilder b;

/* work:S1 work:S2 work:S11 */
static void test_life_of_a_group(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        assert_string_equal(f->hello.root, root);
        assert_false(f->hello.quirks & QUIRK_NO_CLONE_INTO_CGROUP);

        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_MKDIR, "a/b", NULL);
        plan_add_spawn(&b, "a/b", 7, 4);
        fixture_must(f, &b);
        for (uint32_t i = 0; i < 4; i++) {
                fixture_assert_worker_in(f, 7, i, "a/b");
                assert_int_equal(atomic_load(&fixture_slot(f, 7, i)->state), WORKER_READY);
                assert_int_equal(atomic_load(&fixture_slot(f, 7, i)->placement), PLACEMENT_BORN);
                assert_int_equal(atomic_load(&fixture_slot(f, 7, i)->work_units), 0);
        }

        plan_begin(&b);
        plan_add_for_group(&b, ACTION_RELEASE, 7);
        fixture_must(f, &b);
        for (uint32_t i = 0; i < 4; i++)
                wait_until(atomic_load(&fixture_slot(f, 7, i)->work_units) > 0);

        plan_begin(&b);
        plan_add_for_group(&b, ACTION_STOP, 7);
        plan_add_for_group(&b, ACTION_COLLECT, 7);
        plan_add(&b, ACTION_AWAIT_EMPTY, "a/b", NULL);
        plan_add(&b, ACTION_RMDIR, "a/b", NULL);
        plan_add(&b, ACTION_RMDIR, "a", NULL);
        plan_add(&b, ACTION_RMDIR, "never/was", NULL);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, 4);
        assert_int_equal(atomic_load(&f->status->serial), f->serial);
        assert_int_equal(atomic_load(&f->status->action), 5);
        for (uint32_t i = 0; i < 4; i++) {
                ArenaSlot *slot = fixture_slot(f, 7, i);
                assert_int_equal(f->exits[i].exit_kind, WORKER_EXIT_CODE);
                assert_int_equal(f->exits[i].exit_value, 0);
                assert_int_equal(atomic_load(&slot->state), WORKER_FINISHED);
                assert_true(atomic_load(&slot->wall_ns) > 0);
                assert_true(atomic_load(&slot->cpu_ns) > 0);
                assert_int_equal(atomic_load(&slot->work_units), 1024 * atomic_load(&slot->iterations));
                assert_true(process_gone(atomic_load(&slot->pid)));
        }
        assert_false(path_exists(below(root, "a")));
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* Everything that stands for the first two is gone again when the third fails. */
static void test_failure_undoes_what_was_done(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_spawn(&b, "a", 1, 3);
        plan_add(&b, ACTION_MKDIR, "b", NULL);
        plan_add_spawn(&b, "b", 2, 2);
        plan_add_for_group(&b, ACTION_RELEASE, 2);
        plan_add(&b, ACTION_MKDIR, "b/no/parent", NULL);

        WireDone done = fixture_run(f, &b);
        assert_false(done.ok);
        assert_true(done.undone);
        assert_int_equal(done.failure.action, 5);
        assert_int_equal(done.failure.error, ENOENT);
        assert_int_equal(f->n_exits, 5); /* each of the announced groups is heard of to its end */
        for (uint32_t i = 0; i < 5; i++) {
                assert_int_equal(f->exits[i].exit_kind, WORKER_EXIT_SIGNAL);
                assert_int_equal(f->exits[i].exit_value, SIGKILL);
                assert_true(process_gone(f->exits[i].pid));
        }
        assert_false(path_exists(below(root, "a")) || path_exists(below(root, "b")));

        plan_begin(&b);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        done = fixture_run(f, &b);
        assert_int_equal(done.failure.error, ENOENT);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* A plan takes back only its own: what earlier plans made stays. */
static void test_undo_leaves_earlier_plans_alone(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "kept", NULL);
        plan_add_spawn(&b, "kept", 1, 1);
        fixture_must(f, &b);

        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "kept/new", NULL);
        plan_add_spawn(&b, "kept", 1, 1); /* the id is taken */
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.action, 1);
        assert_int_equal(done.failure.error, EEXIST);
        assert_false(path_exists(below(root, "kept/new")));
        assert_true(path_exists(below(root, "kept")));
        assert_false(process_gone(fixture_worker_pid(f, 1, 0)));
        fixture_stop(f);
}

static void test_tolerated_failure_is_noted(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_WRITE, "a/no.such.knob", "1")->flags = ACTION_TOLERATE;
        plan_add(&b, ACTION_MKDIR, "c", NULL);
        fixture_must(f, &b);
        assert_int_equal(f->n_notes, 1);
        assert_int_equal(f->notes[0].serial, f->serial);
        assert_int_equal(f->notes[0].failure.action, 1);
        assert_int_equal(f->notes[0].failure.error, ENOENT);
        assert_non_null(strstr(f->notes[0].failure.detail, "no.such.knob does not exist"));
        assert_true(path_exists(below(root, "c")));
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* The kernel hears of an empty value too: a write(2) of no bytes at all would not get that far. */
static void test_empty_value_reaches_the_kernel(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add(&b, ACTION_WRITE, "cgroup.procs", "");
        assert_int_equal(fixture_run(f, &b).failure.error, EINVAL);
        fixture_stop(f);
}

/* res:R20 */
static void test_blocked_write_times_out(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_plain_path(root);
        Fixture *f = fixture_start(root, NULL);
        assert_int_equal(mkfifo(below(root, "stuck"), 0600), 0);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_WRITE, "stuck", "1");

        uint64_t start = monotonic_ns();
        WireDone done = fixture_run(f, &b);
        uint64_t ms = (monotonic_ns() - start) / NS_PER_MS;
        assert_int_equal(done.failure.error, ETIMEDOUT);
        assert_in_range(ms, 1990, 10000);
        assert_true(done.undone);
        assert_false(path_exists(below(root, "a")));
        unlink(below(root, "stuck"));
        fixture_stop(f);
        assert_true(path_exists(root)); /* it was there before */
        assert_int_equal(rmdir(root), 0);
}

static void assert_text(const char *root, const char *name, const char *expected) {
        char text[256];
        read_text(below(root, name), text, sizeof(text));
        assert_string_equal(text, expected);
}

/* res:R22 res:R27 res:R42 */
static void test_knobs_of_a_plain_directory(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_plain_path(root);
        Fixture *f = fixture_start(root, NULL);
        assert_true(f->hello.quirks & QUIRK_NO_CLONE_INTO_CGROUP);
        write_text(below(root, "cpuset.cpus"), "0-63,128-191\n");
        write_text(below(root, "pids.max"), "max\n");
        write_text(below(root, "cgroup.subtree_control"), "memory");
        assert_int_equal(symlink("pids.max", below(root, "link")), 0);
        plan_begin(&b);
        plan_add(&b, ACTION_WRITE, "cpuset.cpus", "");
        plan_add(&b, ACTION_WRITE, "pids.max", "18446744073709551615");
        plan_add(&b, ACTION_ENABLE, "", "+cpu +memory +io");
        fixture_must(f, &b);
        assert_text(root, "cpuset.cpus", "");
        assert_text(root, "pids.max", "18446744073709551615");
        assert_text(root, "cgroup.subtree_control", "+cpu +memory +io");

        /* no knob is created, no symbolic link followed, nothing outside reached */
        plan_begin(&b);
        plan_add(&b, ACTION_WRITE, "memory.max", "1");
        assert_int_equal(fixture_run(f, &b).failure.error, ENOENT);
        assert_false(path_exists(below(root, "memory.max")));
        plan_begin(&b);
        plan_add(&b, ACTION_WRITE, "link", "1");
        assert_int_equal(fixture_run(f, &b).failure.error, ELOOP);
        assert_int_equal(symlink(".", below(root, "here")), 0);
        plan_begin(&b);
        plan_add(&b, ACTION_WRITE, "here/pids.max", "1");
        assert_int_equal(fixture_run(f, &b).failure.error, ELOOP);
        assert_text(root, "pids.max", "18446744073709551615");

        /* the undo disables what was not on before, and no more */
        write_text(below(root, "cgroup.subtree_control"), "memory");
        plan_begin(&b);
        plan_add(&b, ACTION_ENABLE, "", "+cpu +memory +io");
        plan_add(&b, ACTION_ENABLE, "nowhere", "+cpu");
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.error, ENOENT);
        assert_int_equal(done.failure.action, 1);
        assert_text(root, "cgroup.subtree_control", "-cpu -io");

        static const char *const files[] = { "cpuset.cpus", "pids.max", "cgroup.subtree_control", "link",
                                             "here" };
        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
                unlink(below(root, files[i]));
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* work:S19: somebody else kills a worker; what it had published stays. */
static void test_killed_worker_is_reported(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        fixture_begin_group(f, 3);
        pid_t victim = fixture_worker_pid(f, 1, 1);
        kill(victim, SIGKILL);
        while (f->n_exits < 1)
                fixture_receive_one(f, NULL);
        assert_int_equal(f->exits[0].group_id, 1);
        assert_int_equal(f->exits[0].worker, 1);
        assert_int_equal(f->exits[0].pid, victim);
        assert_int_equal(f->exits[0].exit_kind, WORKER_EXIT_SIGNAL);
        assert_int_equal(f->exits[0].exit_value, SIGKILL);
        ArenaSlot *slot = fixture_slot(f, 1, 1);
        assert_int_equal(atomic_load(&slot->exit_kind), WORKER_EXIT_SIGNAL);
        assert_int_equal(atomic_load(&slot->exit_value), SIGKILL);
        assert_int_equal(atomic_load(&slot->state), WORKER_RUNNING);
        assert_true(atomic_load(&slot->work_units) > 0);

        plan_begin(&b);
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, 3);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* work:S17 */
static void test_deaf_worker_is_killed_at_the_deadline(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        fixture_begin_group(f, 2);
        kill(fixture_worker_pid(f, 1, 0), SIGSTOP);
        plan_begin(&b);
        b.stop_ms = 300;
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        plan_add(&b, ACTION_RMDIR, "a/b", NULL);
        uint64_t start = monotonic_ns();
        fixture_must(f, &b);
        assert_in_range((monotonic_ns() - start) / NS_PER_MS, 300, 20000);
        assert_int_equal(atomic_load(&fixture_slot(f, 1, 0)->exit_kind), WORKER_EXIT_DEADLINE);
        assert_int_equal(atomic_load(&fixture_slot(f, 1, 1)->exit_kind), WORKER_EXIT_CODE);
        fixture_stop(f);
}

/* work:S3 work:S20: a group that never started ends with a report each, and can be dropped. */
static void test_stop_before_release(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 2);
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        plan_add_spawn(&b, "", 2, 2);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, 2);
        assert_int_equal(atomic_load(&fixture_slot(f, 1, 0)->state), WORKER_FINISHED);
        assert_int_equal(f->exits[1].exit_kind, WORKER_EXIT_CODE);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* ---- other people's processes ---- */

static pid_t stranger_in(const char *cgroup) {
        pid_t pid = fork();
        char text[16];

        assert_true(pid >= 0);
        if (pid == 0) {
                close_range(3, ~0U, 0); /* a copy of the socket would keep the executor alive */
                for (;;)
                        pause();
        }
        snprintf(text, sizeof(text), "%d", pid);
        write_text(below(cgroup, "cgroup.procs"), text);
        return pid;
}

static void end_stranger(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static void test_strangers_are_named_and_moved_out(void **state) {
        char root[PATH_MAX], text[4096], who[64];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        fixture_begin_group(f, 1);
        pid_t stranger = stranger_in(below(root, "a"));
        snprintf(who, sizeof(who), "%d (test-executor)", stranger);

        plan_begin(&b);
        plan_add(&b, ACTION_ENABLE, "a", "+cpu"); /* would make it a threaded domain */
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.error, EBUSY);
        assert_non_null(strstr(done.failure.detail, who));

        plan_begin(&b);
        b.settle_ms = 50;
        plan_add(&b, ACTION_AWAIT_EMPTY, "a", NULL);
        assert_int_equal(fixture_run(f, &b).failure.error, ETIMEDOUT);

        plan_begin(&b);
        plan_add(&b, ACTION_EVACUATE, "a", NULL);
        plan_add(&b, ACTION_EVACUATE, "a/b", NULL); /* our own worker stays */
        plan_add(&b, ACTION_EVACUATE, "never/was", NULL);
        fixture_must(f, &b);
        assert_int_equal(f->n_notes, 1);
        assert_int_equal(f->notes[0].failure.error, 0);
        assert_non_null(strstr(f->notes[0].failure.detail, who));
        proc_text(stranger, "cgroup", text, sizeof(text));
        assert_null(strstr(text, strrchr(root, '/')));
        fixture_assert_worker_in(f, 1, 0, "a/b");
        end_stranger(stranger);

        /* A wait that ends by itself when the last process does. */
        stranger = stranger_in(below(root, "a/b"));
        plan_begin(&b);
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        plan_add(&b, ACTION_AWAIT_EMPTY, "a/b", NULL);
        plan_add(&b, ACTION_RMDIR, "a/b", NULL);
        fixture_submit(f, &b);
        wait_until(atomic_load(&f->status->serial) == f->serial && atomic_load(&f->status->action) == 2);
        end_stranger(stranger);
        assert_true(fixture_await_done(f).ok);

        stranger = stranger_in(below(root, "a")); /* and one that is still there when all ends */
        fixture_stop(f);
        assert_false(path_exists(root));
        wait_until(waitpid(stranger, NULL, WNOHANG) == stranger);
}

/* A worker that dies before it is ready, made with the kernel fault that the executor looks for at its start.
 */
static void test_worker_lost_before_it_was_ready(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        bool poisons = f->hello.quirks & QUIRK_KILL_POISONS_CLONE;
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_WRITE, "a/cgroup.kill", "1");
        plan_add_spawn(&b, "a", 1, 3);
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.ok, !poisons);
        if (poisons) {
                assert_int_equal(done.failure.error, ECHILD);
                assert_int_equal(done.failure.setup_step, SETUP_NONE);
                assert_int_equal(done.failure.exit_kind, WORKER_EXIT_SIGNAL);
                assert_int_equal(done.failure.exit_value, SIGKILL);
                assert_int_equal(f->n_exits, 0);
                assert_false(path_exists(below(root, "a")));
        }
        fixture_stop(f);
        assert_false(path_exists(root));
}

static void test_many_workers(void **state) {
        enum { MANY = 1000 };
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, MANY);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, MANY);
        for (uint32_t i = 0; i < MANY; i++)
                assert_int_equal(atomic_load(&fixture_slot(f, 1, i)->state), WORKER_FINISHED);
        fixture_stop(f);
        assert_false(path_exists(root));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_life_of_a_group),
                cmocka_unit_test(test_failure_undoes_what_was_done),
                cmocka_unit_test(test_undo_leaves_earlier_plans_alone),
                cmocka_unit_test(test_tolerated_failure_is_noted),
                cmocka_unit_test(test_empty_value_reaches_the_kernel),
                cmocka_unit_test(test_blocked_write_times_out),
                cmocka_unit_test(test_knobs_of_a_plain_directory),
                cmocka_unit_test(test_killed_worker_is_reported),
                cmocka_unit_test(test_deaf_worker_is_killed_at_the_deadline),
                cmocka_unit_test(test_stop_before_release),
                cmocka_unit_test(test_strangers_are_named_and_moved_out),
                cmocka_unit_test(test_worker_lost_before_it_was_ready),
                cmocka_unit_test(test_many_workers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
