/* SPDX-License-Identifier: GPL-2.0-only */

/* What the members of a communication group share: regions of the arena, rings of pipes. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "executor/briefing.h"
#include "executor-fixture.h"
#include "executor/pipe-ring.h"

enum { STOP_MS_MAX = 10000, PROGRESS = 3 };

static PlanBuilder b;

static Fixture *start(char root[PATH_MAX]) {
        fixture_plain_path(root);
        return fixture_start(root, NULL);
}

static void stop(Fixture *f, const char *root) {
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

/* Workers of such a type get nowhere but together. They are held at the gate until all can hear each other,
 * and a stop reaches those that wait for an answer. */
static void assert_they_talk(Fixture *f, uint32_t group, uint32_t n) {
        unsigned before = f->n_exits;

        for (uint32_t i = 0; i < n; i++)
                wait_until(atomic_load(&fixture_slot(f, group, i)->iterations) >= PROGRESS);
        plan_begin(&b);
        b.stop_ms = STOP_MS_MAX;
        plan_add_end(&b, group);
        fixture_must(f, &b);
        assert_int_equal(f->n_exits, before + n);
        for (uint32_t i = 0; i < n; i++) {
                assert_int_equal(atomic_load(&fixture_slot(f, group, i)->state), WORKER_FINISHED);
                assert_int_equal(atomic_load(&fixture_slot(f, group, i)->exit_kind), WORKER_EXIT_CODE);
        }
}

static void run_in(Fixture *f, WorkTypeId type, const char *pcomm, uint32_t n) {
        unsigned before = fixture_descriptors(f);

        plan_begin(&b);
        plan_set_type(plan_add_container(&b, "", 1, pcomm, n), type);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_int_equal(fixture_descriptors(f), before); /* the pipes are the workers' alone */
        assert_int_equal(fixture_children(f), *pcomm ? 1 : n);
        assert_they_talk(f, 1, n);
}

/* With and without a container, with one communication group and several. */
static void run_type(WorkTypeId type, bool in_cgroup) {
        for (unsigned i = 0; i < 4; i++) {
                char root[PATH_MAX];
                if (in_cgroup)
                        fixture_cgroup_path(root);
                else
                        fixture_plain_path(root);
                Fixture *f = fixture_start(root, NULL);
                run_in(f, type, i & 1 ? "leader" : "", i & 2 ? 6 : 2);
                fixture_stop(f);
                assert_int_equal(rmdir(root), in_cgroup ? -1 : 0); /* it was made, and so it is gone */
        }
}

static void test_pipe_io(void **state) {
        (void)state;
        run_type(WORK_PIPE_IO, false);
}

static void test_futex_ping_pong(void **state) {
        (void)state;
        run_type(WORK_FUTEX_PING_PONG, false);
}

static void test_born_in_a_cgroup(void **state) {
        (void)state;
        run_type(WORK_PIPE_IO, true);
        run_type(WORK_FUTEX_PING_PONG, true);
}

/* Both kinds in one container, and a work that is on its own before them: each pair finds its own region or
 * pipes. */
static void test_mixed_container(void **state) {
        char root[PATH_MAX];
        const unsigned region = work_type_get(WORK_FUTEX_PING_PONG)->region_size;
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 1);
        plan_set_type(plan_add_work(&b, 4), WORK_FUTEX_PING_PONG);
        plan_set_type(plan_add_work(&b, 2), WORK_PIPE_IO);
        plan_set_type(plan_add_work(&b, 2), WORK_FUTEX_PING_PONG);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_int_equal(fixture_arena(f, 1)->n_regions, 3);
        assert_true(fixture_arena(f, 1)->region_size >= region);
        assert_they_talk(f, 1, 9);
        stop(f, root);
}

/* Nobody else holds the ends of a member that dies: its partner sees that, and ends too. */
static void test_partner_dies(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        plan_set_type(plan_add_spawn(&b, "", 1, 4), WORK_PIPE_IO);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        wait_until(atomic_load(&fixture_slot(f, 1, 0)->iterations) >= PROGRESS);
        kill(fixture_worker_pid(f, 1, 1), SIGKILL);
        while (f->n_exits < 2)
                fixture_receive_one(f, NULL);
        assert_int_equal(f->exits[0].worker + f->exits[1].worker, 1);
        assert_int_equal(atomic_load(&fixture_slot(f, 1, 0)->exit_kind), WORKER_EXIT_CODE);
        assert_int_equal(atomic_load(&fixture_slot(f, 1, 1)->exit_kind), WORKER_EXIT_SIGNAL);
        for (uint32_t i = 2; i < 4; i++)
                assert_int_equal(atomic_load(&fixture_slot(f, 1, i)->exit_kind), WORKER_EXIT_NONE);
        stop(f, root);
}

static void limit_descriptors(const Fixture *f, unsigned n) {
        struct rlimit limit;

        assert_int_equal(prlimit(f->pid, RLIMIT_NOFILE, NULL, &limit), 0);
        limit.rlim_cur = n;
        assert_int_equal(prlimit(f->pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void assert_no_pipes(Fixture *f, unsigned spare, uint32_t worker) {
        unsigned before = fixture_descriptors(f);

        limit_descriptors(f, before + spare);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_set_type(plan_add_spawn(&b, "a", 1, 4), WORK_PIPE_IO);
        WireDone done = fixture_run(f, &b);
        assert_false(done.ok);
        assert_true(done.undone);
        assert_int_equal(done.failure.action, 1);
        assert_int_equal(done.failure.error, EMFILE);
        assert_int_equal(done.failure.setup_step, SETUP_PIPES);
        assert_int_equal(done.failure.worker, worker);
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(fixture_descriptors(f), before);
        assert_false(path_exists(below(f->root, "a")));
}

/* work:R1 */
static void test_no_descriptors_for_pipes(void **state) {
        char root[PATH_MAX];
        (void)state;

        /* Taken by the time of the first pipe: the plan, the cgroup, the arena. */
        Fixture *f = start(root);
        assert_no_pipes(f, 3, 0);
        assert_no_pipes(f, 5, 0); /* the second pipe of the first pair */

        /* One ring at a time is all it takes: four, and two more while a worker moves its own ends. */
        limit_descriptors(f, fixture_descriptors(f) + 9);
        plan_begin(&b);
        plan_set_type(plan_add_spawn(&b, "", 1, 8), WORK_PIPE_IO);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        assert_they_talk(f, 1, 8);
        stop(f, root);
}

/* In a container the leader makes all pipes, under its own limit. */
static void test_no_descriptors_for_a_leader(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        unsigned before = fixture_descriptors(f);
        limit_descriptors(f, before + 8);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_set_type(plan_add_container(&b, "a", 1, "leader", 64), WORK_PIPE_IO);
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.error, EMFILE);
        assert_int_equal(done.failure.setup_step, SETUP_PIPES);
        assert_int_equal(done.failure.worker, WIRE_LEADER);
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(fixture_descriptors(f), before);
        assert_false(path_exists(below(root, "a")));
        stop(f, root);
}

/* Members of a communication group share one region; no other does. */
static void test_who_shares_a_region(void **state) {
        static const struct {
                int region; /* -1: none */
                uint32_t position;
        } expected[] = { { -1, 0 }, { 0, 0 },  { 0, 1 }, { 1, 0 }, { 1, 1 },
                         { -1, 0 }, { -1, 1 }, { 2, 0 }, { 2, 1 } };
        enum { WORKERS = sizeof(expected) / sizeof(*expected) };
        const Executor e = { .cpu_words = 1, .settle_fd = -1, .null_fd = -1 };
        size_t size;
        (void)state;

        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 1);
        plan_set_type(plan_add_work(&b, 4), WORK_FUTEX_PING_PONG);
        plan_set_type(plan_add_work(&b, 2), WORK_PIPE_IO);
        plan_set_type(plan_add_work(&b, 2), WORK_FUTEX_PING_PONG);
        WirePlan *bytes = plan_finish(&b, &size);
        const Plan plan = { .head = bytes, .mapped = size };
        ArenaShape shape = briefing_shape(&e, &plan, plan_action(&plan, 0));
        assert_int_equal(shape.n_workers, WORKERS);
        assert_int_equal(shape.n_regions, 3);
        assert_int_equal(shape.region_size, work_type_get(WORK_FUTEX_PING_PONG)->region_size);

        ArenaHead *arena = aligned_alloc(ARENA_LINE, arena_size(&shape));
        assert_non_null(arena);
        memset(arena, 0, arena_size(&shape));
        arena_init(arena, &shape);
        Briefing briefing = briefing_begin(&e, &plan, plan_action(&plan, 0), arena);
        for (uint32_t i = 0; i < WORKERS; i++) {
                WorkerContext w = briefing_next(&briefing);
                int region = expected[i].region;
                assert_int_equal(w.index, i);
                assert_int_equal(w.position, expected[i].position);
                assert_ptr_equal(w.region, region < 0 ? NULL : arena_region(arena, (uint32_t)region));
                assert_true(w.read_fd == -1 && w.write_fd == -1);
        }
        free(arena);
        free(bytes);
}

/* Member p writes what p + 1 reads, all the way around; closing leaves nothing open. */
static void test_ring(void **state) {
        PipeRing ring = { 0 };
        (void)state;

        pipe_ring_close(&ring);
        int free_before = dup(0);
        close(free_before);
        for (uint32_t n = 1; n < 5; n++) {
                assert_int_equal(pipe_ring_open(&ring, n), 0);
                for (uint32_t p = 0; p < n; p++) {
                        char c = '\0', sent = (char)('a' + p);
                        assert_int_equal(write(pipe_ring_write_end(&ring, p), &sent, 1), 1);
                        assert_int_equal(read(pipe_ring_read_end(&ring, (p + 1) % n), &c, 1), 1);
                        assert_int_equal(c, sent);
                }
                pipe_ring_close(&ring);
                pipe_ring_close(&ring);
                int free_now = dup(0);
                close(free_now);
                assert_int_equal(free_now, free_before);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pipe_io),
                cmocka_unit_test(test_futex_ping_pong),
                cmocka_unit_test(test_born_in_a_cgroup),
                cmocka_unit_test(test_mixed_container),
                cmocka_unit_test(test_partner_dies),
                cmocka_unit_test(test_no_descriptors_for_pipes),
                cmocka_unit_test(test_no_descriptors_for_a_leader),
                cmocka_unit_test(test_who_shares_a_region),
                cmocka_unit_test(test_ring),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
