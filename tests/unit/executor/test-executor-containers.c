/* SPDX-License-Identifier: GPL-2.0-only */

/* Containers: one leader whose threads are the workers of one or more works. */
#include <errno.h>
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/proc.h"
#include "executor-fixture.h"

enum { TASKS_MAX = 16 };

static PlanBuilder b;

static Fixture *start_in_cgroup(char root[PATH_MAX]) {
        fixture_cgroup_path(root);
        return fixture_start(root, NULL);
}

static pid_t tid_of(const Fixture *f, uint32_t group, uint32_t worker) {
        return atomic_load(&fixture_slot(f, group, worker)->tid);
}

static void comm_of(pid_t pid, pid_t tid, char ret[32]) {
        char path[64];

        snprintf(path, sizeof(path), "task/%d/comm", tid);
        proc_text(pid, path, ret, 32);
        ret[strcspn(ret, "\n")] = '\0';
}

/* All workers are threads of `leader`, and it has no others but itself. */
static void assert_threads(const Fixture *f, uint32_t group, pid_t leader, uint32_t n) {
        char path[64], status[4096], expected[32];
        struct stat st;

        for (uint32_t i = 0; i < n; i++) {
                pid_t tid = tid_of(f, group, i);
                assert_int_equal(fixture_worker_pid(f, group, i), leader);
                assert_int_not_equal(tid, leader);
                for (uint32_t other = 0; other < i; other++)
                        assert_int_not_equal(tid, tid_of(f, group, other));
                snprintf(path, sizeof(path), "task/%d/status", tid);
                proc_text(leader, path, status, sizeof(status));
                snprintf(expected, sizeof(expected), "\nTgid:\t%d\n", leader);
                assert_non_null(strstr(status, expected));
        }
        snprintf(path, sizeof(path), "/proc/%d/task", leader);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_nlink - 2, n + 1);
}

static void must_end(Fixture *f, uint32_t group) {
        plan_begin(&b);
        plan_add_end(&b, group);
        fixture_must(f, &b);
}

static void assert_running(const Fixture *f, uint32_t group, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                wait_until(atomic_load(&fixture_slot(f, group, i)->work_units) > 0);
}

/* Each worker of the group ended by itself, with a report, and was heard of once, in the order of slots. */
static void assert_completed(const Fixture *f, uint32_t group, uint32_t n, unsigned first_exit) {
        assert_int_equal(f->n_exits, first_exit + n);
        for (uint32_t i = 0; i < n; i++) {
                const ArenaSlot *slot = fixture_slot(f, group, i);
                const WireExit *exit = &f->exits[first_exit + i];
                assert_int_equal(atomic_load(&slot->state), WORKER_FINISHED);
                assert_true(atomic_load(&slot->work_units) > 0);
                assert_true(atomic_load(&slot->wall_ns) > 0);
                assert_int_equal(atomic_load(&slot->exit_kind), WORKER_EXIT_CODE);
                assert_int_equal(atomic_load(&slot->exit_value), 0);
                assert_int_equal(exit->group_id, group);
                assert_int_equal(exit->worker, i);
                assert_int_equal(exit->pid, atomic_load(&slot->tid));
                assert_int_equal(exit->exit_kind, WORKER_EXIT_CODE);
                assert_int_equal(exit->exit_value, 0);
        }
}

/* work:P1 */
static void test_one_work(void **state) {
        char root[PATH_MAX], name[32];
        pid_t listed[TASKS_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_container(&b, "a", 3, "the-leader", 2);
        fixture_must(f, &b);
        pid_t leader = fixture_worker_pid(f, 3, 0);
        assert_int_equal(fixture_children(f), 1);
        assert_threads(f, 3, leader, 2);
        comm_of(leader, leader, name);
        assert_string_equal(name, "the-leader");
        assert_true(fixture_arena(f, 3)->n_parties == 3 && fixture_arena(f, 3)->n_workers == 2);

        /* born where it belongs: as the threads saw it, as the kernel lists it */
        fixture_assert_worker_in(f, 3, 0, "a");
        fixture_assert_worker_in(f, 3, 1, "a");
        assert_int_equal(atomic_load(&fixture_slot(f, 3, 0)->placement), PLACEMENT_BORN);
        assert_int_equal(atomic_load(&fixture_slot(f, 3, 1)->placement), PLACEMENT_BORN);
        assert_int_equal(fixture_listed(f, "a/cgroup.procs", listed, TASKS_MAX), 1);
        assert_int_equal(listed[0], leader);
        assert_int_equal(fixture_listed(f, "a/cgroup.threads", listed, TASKS_MAX), 3);

        /* all of them wait at the gate */
        for (uint32_t i = 0; i < 2; i++) {
                assert_int_equal(atomic_load(&fixture_slot(f, 3, i)->state), WORKER_READY);
                assert_int_equal(atomic_load(&fixture_slot(f, 3, i)->work_units), 0);
        }
        plan_begin(&b);
        plan_add_for_group(&b, ACTION_RELEASE, 3);
        fixture_must(f, &b);
        assert_running(f, 3, 2);
        must_end(f, 3);
        assert_completed(f, 3, 2, 0);
        assert_true(process_gone(leader));
        assert_int_equal(fixture_children(f), 0);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* work:P2 */
static void test_workers_have_names_of_their_own(void **state) {
        char root[PATH_MAX], name[32];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        strcpy(plan_add_container(&b, "", 1, "the-leader", 2)->comm, "the-worker");
        fixture_must(f, &b);
        pid_t leader = fixture_worker_pid(f, 1, 0);
        comm_of(leader, leader, name);
        assert_string_equal(name, "the-leader");
        for (uint32_t i = 0; i < 2; i++) {
                comm_of(leader, tid_of(f, 1, i), name);
                assert_string_equal(name, "the-worker");
        }
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* work:P3 */
static void test_two_containers(void **state) {
        char root[PATH_MAX], name[32];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add_container(&b, "", 1, "one", 2);
        plan_add_container(&b, "", 2, "two", 1);
        fixture_must(f, &b);
        pid_t one = fixture_worker_pid(f, 1, 0), two = fixture_worker_pid(f, 2, 0);
        assert_int_not_equal(one, two);
        comm_of(one, one, name);
        assert_string_equal(name, "one");
        comm_of(two, two, name);
        assert_string_equal(name, "two");
        assert_threads(f, 1, one, 2);
        assert_threads(f, 2, two, 1);

        must_end(f, 1); /* the other one does not care */
        assert_int_equal(f->n_exits, 2);
        assert_true(process_gone(one));
        assert_false(process_gone(two));
        fixture_stop(f);
        assert_true(process_gone(two));
        assert_false(path_exists(root));
}

/* work:P4 */
static void test_nothing_stays_open(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        unsigned before = fixture_descriptors(f);
        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 4);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_running(f, 1, 4);
        assert_int_equal(fixture_descriptors(f), before);
        must_end(f, 1);
        assert_completed(f, 1, 4, 0);
        assert_int_equal(fixture_descriptors(f), before);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* work:P6: to drop it is to close the executor's socket, or to lose the executor. */
static void test_leader_goes_with_the_executor(void **state) {
        char root[PATH_MAX];
        (void)state;

        for (unsigned i = 0; i < 2; i++) {
                Fixture *f = start_in_cgroup(root);
                plan_begin(&b);
                plan_add_container(&b, "", 1, "leader", 3);
                plan_add_for_group(&b, ACTION_RELEASE, 1);
                fixture_must(f, &b);
                assert_running(f, 1, 3);
                pid_t leader = fixture_worker_pid(f, 1, 0);
                if (i == 0) {
                        fixture_stop(f);
                        assert_true(process_gone(leader));
                        assert_false(path_exists(root));
                        continue;
                }
                kill(f->pid, SIGKILL);
                fixture_wait_end(f, NULL);
                wait_until(process_gone(leader));
                wait_until(rmdir(root) == 0);
                fixture_free(f);
        }
}

/* work:P7 */
static void test_two_works(void **state) {
        char root[PATH_MAX], name[32];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        strcpy(plan_add_container(&b, "", 1, "both", 2)->comm, "spinner");
        WireGroupSpec *second = plan_add_work(&b, 1);
        plan_set_type(second, WORK_BURSTY);
        strcpy(second->comm, "burster");
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_int_equal(fixture_children(f), 1);
        assert_int_equal(f->n_groups, 1);
        assert_int_equal(fixture_arena(f, 1)->n_workers, 3);
        assert_int_equal(fixture_arena(f, 1)->samples, SAMPLE_WAKE_LATENCY);
        pid_t leader = fixture_worker_pid(f, 1, 0);
        assert_threads(f, 1, leader, 3);
        for (uint32_t i = 0; i < 3; i++) {
                comm_of(leader, tid_of(f, 1, i), name);
                assert_string_equal(name, i < 2 ? "spinner" : "burster");
        }

        /* each does its own work, and only the one that samples has samples */
        assert_running(f, 1, 3);
        ArenaHead *arena = fixture_arena(f, 1);
        Histogram *wakes = arena_histogram(arena, arena_slot(arena, 2), NULL, SAMPLE_WAKE_LATENCY);
        wait_until(atomic_load(&wakes->count) > 0);
        must_end(f, 1);
        assert_completed(f, 1, 3, 0);
        wakes = arena_histogram(arena, arena_slot(arena, 0), NULL, SAMPLE_WAKE_LATENCY);
        assert_int_equal(atomic_load(&wakes->count), 0);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* Masks and other wishes are those of each work's own workers. */
static void test_wishes_of_two_works(void **state) {
        static const uint64_t masks[3] = { 1, 2, 3 };
        char root[PATH_MAX], path[64], status[4096];
        (void)state;

        if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
                print_message("skipped: needs two CPUs\n");
                skip();
        }
        fixture_plain_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        WireGroupSpec *first = plan_add_container(&b, "", 1, "leader", 1);
        first->masks = plan_add_bytes(&b, &masks[1], sizeof(*masks));
        first->n_masks = first->mask_words = 1;
        WireGroupSpec *second = plan_add_work(&b, 2);
        second->masks = plan_add_bytes(&b, masks, 2 * sizeof(*masks));
        second->n_masks = 2;
        second->mask_words = 1;
        fixture_must(f, &b);
        for (uint32_t i = 0; i < 3; i++) {
                snprintf(path, sizeof(path), "task/%d/status", tid_of(f, 1, i));
                proc_text(fixture_worker_pid(f, 1, i), path, status, sizeof(status));
                assert_non_null(
                        strstr(status, i == 1 ? "Cpus_allowed_list:\t0\n" : "Cpus_allowed_list:\t1\n"));
        }
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* ---- ends ---- */

static void test_killed_leader_is_reported(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 2);
        plan_add_work(&b, 1);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_running(f, 1, 3);
        kill(fixture_worker_pid(f, 1, 0), SIGKILL);
        while (f->n_exits < 3)
                fixture_receive_one(f, NULL);
        for (uint32_t i = 0; i < 3; i++) {
                const ArenaSlot *slot = fixture_slot(f, 1, i);
                assert_int_equal(f->exits[i].worker, i);
                assert_int_equal(f->exits[i].pid, atomic_load(&slot->tid));
                assert_int_equal(f->exits[i].exit_kind, WORKER_EXIT_SIGNAL);
                assert_int_equal(f->exits[i].exit_value, SIGKILL);
                assert_int_equal(atomic_load(&slot->exit_kind), WORKER_EXIT_SIGNAL);
                assert_int_equal(atomic_load(&slot->exit_value), SIGKILL);
                assert_int_equal(atomic_load(&slot->state), WORKER_RUNNING);
        }
        must_end(f, 1);
        assert_int_equal(f->n_exits, 3);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* A signal is on its way when kill() returns: until each thread has stopped it may still see the stop word.
 */
static void await_stopped(Fixture *f, uint32_t group, uint32_t n) {
        for (uint32_t i = 0; i < n; i++) {
                char path[64], line[256] = "";
                snprintf(path, sizeof(path), "/proc/%d/stat", atomic_load(&fixture_slot(f, group, i)->tid));
                while (!strstr(line, ") T ")) {
                        assert_true(proc_read(path, line, sizeof(line)) > 0);
                        sched_yield();
                }
        }
}

static void test_deaf_leader_is_killed_at_the_deadline(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 2);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_running(f, 1, 2);
        kill(fixture_worker_pid(f, 1, 0), SIGSTOP);
        await_stopped(f, 1, 2);
        plan_begin(&b);
        b.stop_ms = 200;
        plan_add_end(&b, 1);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, 2);
        for (uint32_t i = 0; i < 2; i++)
                assert_int_equal(atomic_load(&fixture_slot(f, 1, i)->exit_kind), WORKER_EXIT_DEADLINE);
        fixture_stop(f);
        assert_false(path_exists(root));
}

static void test_stop_before_release(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 2);
        plan_add_end(&b, 1);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, 2);
        assert_int_equal(atomic_load(&fixture_slot(f, 1, 1)->state), WORKER_FINISHED);
        assert_int_equal(f->exits[1].exit_kind, WORKER_EXIT_CODE);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* ---- failures ---- */

/* The plan that fails has the cgroup `a` made first, and leaves nothing of it. */
static WireDone must_fail(Fixture *f) {
        unsigned before = fixture_descriptors(f), n_exits = f->n_exits;
        WireDone done = fixture_run(f, &b);

        assert_false(done.ok);
        assert_true(done.undone);
        assert_int_equal(done.failure.action, 1);
        assert_int_equal(f->n_groups, 0);
        assert_int_equal(f->n_exits, n_exits); /* the group was never announced */
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(fixture_descriptors(f), before);
        assert_false(path_exists(below(f->root, "a")));
        return done;
}

static void test_refused_thread(void **state) {
        static const uint64_t masks[3] = { 1, 0, 1 }; /* no CPU at all: EINVAL */
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_container(&b, "a", 1, "leader", 1);
        WireGroupSpec *second = plan_add_work(&b, 3);
        second->masks = plan_add_bytes(&b, masks, sizeof(masks));
        second->n_masks = 3;
        second->mask_words = 1;
        WireDone done = must_fail(f);
        assert_int_equal(done.failure.error, EINVAL);
        assert_int_equal(done.failure.worker, 2);
        assert_int_equal(done.failure.setup_step, SETUP_AFFINITY);

        plan_begin(&b); /* and nothing of it stands in the way of the next */
        plan_add_container(&b, "", 1, "leader", 2);
        fixture_must(f, &b);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* A user may not become another: the leader, or the first thread that tries. */
static void test_refused_ids(void **state) {
        char root[PATH_MAX];
        (void)state;

        if (geteuid() != 0) {
                print_message("skipped: needs root to become a user who may not\n");
                skip();
        }
        fixture_plain_path(root);
        assert_int_equal(chmod(root, 0777), 0);
        Fixture *f = fixture_start(root, &(FixtureOptions){ .uid = 65534 });
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_container(&b, "a", 1, "leader", 2)->uid = 1;
        WireDone done = must_fail(f);
        assert_int_equal(done.failure.error, EPERM);
        assert_int_equal(done.failure.setup_step, SETUP_UID);
        assert_true(done.failure.worker == WIRE_LEADER || done.failure.worker < 2);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* Room for the leader, but not for its threads. */
static void test_process_limit(void **state) {
        char root[PATH_MAX];
        (void)state;

        if (geteuid() != 0) {
                print_message("skipped: needs root to become a user without processes\n");
                skip();
        }
        fixture_plain_path(root);
        assert_int_equal(chmod(root, 0777), 0);
        uid_t uid = 2000000 + (uid_t)getpid(); /* whose processes count against no other test's limit */
        Fixture *f = fixture_start(root, &(FixtureOptions){ .uid = uid, .processes = 4 });
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_container(&b, "a", 1, "leader", 8);
        WireDone done = must_fail(f);
        assert_int_equal(done.failure.error, EAGAIN);
        assert_int_equal(done.failure.worker, WIRE_LEADER);
        assert_int_equal(done.failure.setup_step, SETUP_THREAD);

        plan_begin(&b); /* three processes of it are gone, or this would not fit */
        plan_add_container(&b, "", 1, "leader", 2);
        fixture_must(f, &b);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* Made with the kernel fault that the executor looks for at its start. */
static void test_leader_lost_before_it_was_ready(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        bool poisons = f->hello.quirks & QUIRK_KILL_POISONS_CLONE;
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_WRITE, "a/cgroup.kill", "1");
        plan_add_container(&b, "a", 1, "leader", 3);
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.ok, !poisons);
        if (poisons) {
                assert_int_equal(done.failure.error, ECHILD);
                assert_int_equal(done.failure.worker, WIRE_LEADER);
                assert_int_equal(done.failure.setup_step, SETUP_NONE);
                assert_int_equal(done.failure.exit_kind, WORKER_EXIT_SIGNAL);
                assert_int_equal(done.failure.exit_value, SIGKILL);
                assert_int_equal(f->n_exits, 0);
                assert_false(path_exists(below(root, "a")));
        }
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* Where clone3 is not allowed, the leader is moved before it has threads. */
static void test_moved_leader(void **state) {
        char root[PATH_MAX];
        pid_t listed[TASKS_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, &(FixtureOptions){ .refuse_syscalls = true });
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add_container(&b, "a", 1, "leader", 2);
        plan_add_work(&b, 1);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_running(f, 1, 3);
        for (uint32_t i = 0; i < 3; i++) {
                fixture_assert_worker_in(f, 1, i, "a");
                assert_int_equal(atomic_load(&fixture_slot(f, 1, i)->placement), PLACEMENT_MOVED);
        }
        assert_int_equal(fixture_listed(f, "a/cgroup.procs", listed, TASKS_MAX), 1);
        assert_int_equal(fixture_listed(f, "a/cgroup.threads", listed, TASKS_MAX), 4);
        must_end(f, 1);
        assert_completed(f, 1, 3, 0);
        fixture_stop(f);
        assert_false(path_exists(root));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_work),
                cmocka_unit_test(test_workers_have_names_of_their_own),
                cmocka_unit_test(test_two_containers),
                cmocka_unit_test(test_nothing_stays_open),
                cmocka_unit_test(test_leader_goes_with_the_executor),
                cmocka_unit_test(test_two_works),
                cmocka_unit_test(test_wishes_of_two_works),
                cmocka_unit_test(test_killed_leader_is_reported),
                cmocka_unit_test(test_deaf_leader_is_killed_at_the_deadline),
                cmocka_unit_test(test_stop_before_release),
                cmocka_unit_test(test_refused_thread),
                cmocka_unit_test(test_refused_ids),
                cmocka_unit_test(test_process_limit),
                cmocka_unit_test(test_leader_lost_before_it_was_ready),
                cmocka_unit_test(test_moved_leader),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
