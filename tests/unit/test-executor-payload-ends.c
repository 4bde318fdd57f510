/* SPDX-License-Identifier: GPL-2.0-only */

/* How payloads are ended, and all that they have started, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "payload-fixture.h"

enum { NOBODY = 65534, SPAWNED = 50, EXECUTIONS = 200 };

static PlanBuilder b;

/* Scripts that tell the pid of what they start and wait. */
#define BACKGROUND "sleep 1000 & echo $!; wait"
#define ESCAPE     "setsid sh -c 'echo $$; exec sleep 1000' & wait"
#define NAMELESS   "env -i setsid sh -c 'echo $$; exec sleep 1000' & wait"

static Fixture *start_in_cgroup(char root[PATH_MAX]) {
        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        fixture_must(f, &b);
        return f;
}

static void stop(Fixture *f) {
        char root[PATH_MAX];

        strcpy(root, f->root);
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* Runs the script as payload `id` in cgroup a; returns the pid that it tells. */
static pid_t run_shell(Fixture *f, uint32_t id, const char *script) {
        plan_begin(&b);
        plan_add_shell(&b, "a", id, script);
        fixture_must(f, &b);
        return payload_pid_line(f, id);
}

static void end_payload(Fixture *f, uint32_t id) {
        plan_begin(&b);
        plan_add_payload_end(&b, "a", id);
        fixture_must(f, &b);
}

static pid_t leader_of(const Fixture *f, uint32_t id) {
        return payload_of(f, id)->message.pid;
}

static unsigned count_in_a(const Fixture *f) {
        return fixture_listed(f, "a/cgroup.procs", NULL, 0);
}

/* ---- its process group ---- */

/* res:R125: it is killed, or the executor is let go of; without a cgroup that would tell who belongs to it.
 */
static void test_group_goes_with_its_leader(void **state) {
        char root[PATH_MAX];
        (void)state;

        for (unsigned i = 0; i < 2; i++) {
                Fixture *f = payload_start_plain(root);
                plan_begin(&b);
                plan_add_shell(&b, "", 1, BACKGROUND);
                fixture_must(f, &b);
                pid_t sleeper = payload_pid_line(f, 1), leader = leader_of(f, 1);
                assert_int_equal(getpgid(sleeper), leader);
                if (i == 0) {
                        plan_begin(&b);
                        plan_add_payload_end(&b, "", 1);
                        fixture_must(f, &b);
                        payload_assert_exit(f, 1, WORKER_EXIT_SIGNAL, SIGKILL);
                        wait_until(kill(-leader, 0) < 0 && errno == ESRCH);
                        wait_until(process_gone(sleeper));
                }
                payload_stop_plain(f);
                wait_until(kill(-leader, 0) < 0 && errno == ESRCH);
                wait_until(process_gone(sleeper) && process_gone(leader));
        }
}

/* What it has left in the background goes on, and its output comes, until it is ended. */
static void test_background_outlives_its_leader(void **state) {
        char root[PATH_MAX], directory[PATH_MAX], script[PATH_MAX + 100];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        fixture_plain_path(directory);
        assert_int_equal(mkfifo(below(directory, "go"), 0600), 0);
        snprintf(script, sizeof script,
                 "{ read go <%s/go; echo later $go; exec sleep 1000; } & echo $!; exit 4", directory);
        pid_t sleeper = run_shell(f, 1, script);
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 4);
        assert_int_equal(payload_exit_of(f, 1)->asked, 0);
        assert_false(process_gone(sleeper));
        write_text(below(directory, "go"), "on\n");
        assert_string_equal(payload_line(f, 1), "later on\n");
        unlink(below(directory, "go"));
        rmdir(directory);
        end_payload(f, 1);
        wait_until(process_gone(sleeper));
        assert_int_equal(f->n_payload_exits, 1);
        assert_int_equal(count_in_a(f), 0);
        assert_string_equal(payload_output(f, 1), "");
        assert_int_equal(fixture_children(f), 0);
        stop(f);
}

/* Orphans come to the executor. */
static void test_orphans_are_reaped(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t orphan = run_shell(f, 1, "setsid sh -c 'echo $$; exec sleep 1000' & exit 0");
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 0);
        assert_int_equal(fixture_children(f), 1);
        kill(orphan, SIGTERM);
        wait_until(process_state(orphan) == 'X');
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(f->n_payload_exits, 1);
        assert_int_equal(f->n_exits, 0);
        stop(f);
}

/* ---- in a cgroup with others ---- */

static void add_neighbours(Fixture *f) {
        plan_begin(&b);
        plan_add_spawn(&b, "a", 1, 2);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
}

static void assert_neighbours(const Fixture *f) {
        for (uint32_t i = 0; i < 2; i++)
                assert_false(process_gone(fixture_worker_pid(f, 1, i)));
}

static void test_only_its_own_is_ended(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        add_neighbours(f);
        pid_t escaped = run_shell(f, 1, ESCAPE), of_other = run_shell(f, 2, ESCAPE);
        pid_t background = run_shell(f, 3, BACKGROUND);
        assert_int_not_equal(getpgid(escaped), leader_of(f, 1));
        assert_int_equal(count_in_a(f), 2 + 3 * 2);

        end_payload(f, 1);
        wait_until(process_gone(escaped) && process_gone(leader_of(f, 1)));
        assert_false(process_gone(of_other) || process_gone(leader_of(f, 2)));
        assert_false(process_gone(background) || process_gone(leader_of(f, 3)));
        assert_neighbours(f);
        end_payload(f, 3);
        wait_until(process_gone(background));
        assert_false(process_gone(of_other) || process_gone(leader_of(f, 2)));
        end_payload(f, 2);
        wait_until(process_gone(of_other));
        assert_neighbours(f);
        assert_int_equal(count_in_a(f), 2);
        assert_int_equal(f->n_exits, 0);
        stop(f);
}

/* A cookie is a whole entry, and the beginning of another's is none. */
static void test_cookies_that_begin_alike(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        add_neighbours(f);
        pid_t of_12 = run_shell(f, 12, ESCAPE), of_1 = run_shell(f, 1, ESCAPE);
        end_payload(f, 1);
        wait_until(process_gone(of_1));
        assert_false(process_gone(of_12));
        end_payload(f, 12);
        wait_until(process_gone(of_12));
        stop(f);
}

/* In the middle of an exec a process shows no environment, and here it is nearly always in one. */
static void test_caught_in_exec(void **state) {
        char root[PATH_MAX], directory[PATH_MAX], script[PATH_MAX + 100];
        (void)state;

        fixture_plain_path(directory);
        write_text(below(directory, "again"), "exec /bin/sh \"$0\"\n");
        snprintf(script, sizeof script, "setsid sh -c 'echo $$; exec /bin/sh %s/again' & wait", directory);
        Fixture *f = start_in_cgroup(root);
        add_neighbours(f);
        for (uint32_t id = 1; id <= EXECUTIONS; id++) {
                pid_t restless = run_shell(f, id, script);
                end_payload(f, id);
                wait_until(process_gone(restless));
        }
        stop(f);
        unlink(below(directory, "again"));
        rmdir(directory);
}

/* Whoever is in the group of another is the other's, whatever his environment says. */
static void test_group_before_cookie(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t of_1 = run_shell(f, 1, ESCAPE);
        plan_begin(&b);
        WirePayloadSpec *p = plan_add_shell(&b, "a", 2, BACKGROUND);
        p->cookie = plan_add_text(&b, "KT_TEST_OTHER=2");
        p->environment = plan_add_texts(&b, TEXTS("KT_TEST_COOKIE=1"));
        fixture_must(f, &b);
        pid_t of_2 = payload_pid_line(f, 2);
        kill(leader_of(f, 2), SIGKILL);
        payload_assert_exit(f, 2, WORKER_EXIT_SIGNAL, SIGKILL);
        end_payload(f, 1);
        wait_until(process_gone(of_1));
        assert_false(process_gone(of_2));
        end_payload(f, 2);
        wait_until(process_gone(of_2));
        stop(f);
}

/* In the executor's own process group, which it must survive. */
static void test_parent_group(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        add_neighbours(f);
        plan_begin(&b);
        plan_add_shell(&b, "a", 1, BACKGROUND)->own_group = 0;
        plan_add_shell(&b, "a", 2, BACKGROUND)->own_group = 0;
        fixture_must(f, &b);
        pid_t sleeper = payload_pid_line(f, 1), other = payload_pid_line(f, 2);
        assert_int_equal(getpgid(sleeper), getpgid(f->pid));
        end_payload(f, 1);
        wait_until(process_gone(sleeper));
        assert_false(process_gone(other) || process_gone(leader_of(f, 2)));
        assert_neighbours(f);
        stop(f);
        wait_until(process_gone(other));
}

/* ---- in a cgroup without others ---- */

static pid_t start_stranger(const Fixture *f) {
        char number[16];
        pid_t pid = fork();

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close_range(3, ~0U, 0);
                for (;;)
                        pause();
        }
        snprintf(number, sizeof number, "%d", pid);
        write_text(below(f->root, "a/cgroup.procs"), number);
        return pid;
}

static void end_stranger(pid_t pid) {
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Neither group nor cookie tell of it, but nobody else can have left it there. Whoever is older than the
 * payload has not come from it. */
static void test_without_a_mark(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t stranger = start_stranger(f);
        uint64_t next_tick = monotonic_ns() + 2 * NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
        wait_until(monotonic_ns() > next_tick); /* births in one tick are alike */
        pid_t nameless = run_shell(f, 1, NAMELESS);
        end_payload(f, 1);
        wait_until(process_gone(nameless));
        assert_false(process_gone(stranger));
        assert_int_equal(count_in_a(f), 1);
        end_stranger(stranger);
        stop(f);
}

/* A program that does not run has left nothing, so nobody is looked for. */
static void test_failed_start_ends_nobody(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t stranger = start_stranger(f);
        plan_begin(&b);
        plan_add_payload(&b, "a", 1, TEXTS("/nonexistent/program"))->alone = 1;
        assert_int_equal(fixture_run(f, &b).failure.error, ENOENT);
        assert_false(process_gone(stranger));
        end_stranger(stranger);
        stop(f);
}

static void test_alone(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        add_neighbours(f); /* which the daemon would not put there, and which are known all the same */
        plan_begin(&b);
        WirePayloadSpec *p = plan_add_shell(&b, "a", 1, NAMELESS);
        p->alone = 1;
        p->cookie = 0;
        fixture_must(f, &b);
        pid_t nameless = payload_pid_line(f, 1);
        end_payload(f, 1);
        wait_until(process_gone(nameless));
        assert_neighbours(f);
        assert_int_equal(count_in_a(f), 2);
        stop(f);
}

/* It goes on forking while it is being killed. */
static void test_fork_storm(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        run_shell(f, 1, "setsid sh -c 'while :; do sleep 1000 & echo $!; done' & echo $$; wait");
        for (unsigned i = 0; i < SPAWNED; i++)
                payload_line(f, 1);
        uint64_t beat = atomic_load(&f->status->beat);
        end_payload(f, 1);
        assert_int_equal(count_in_a(f), 0);
        assert_true(atomic_load(&f->status->beat) > beat);
        stop(f);
}

static void test_frozen(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t escaped = run_shell(f, 1, ESCAPE);
        write_text(below(root, "a/cgroup.freeze"), "1");
        end_payload(f, 1);
        wait_until(process_gone(escaped) && process_gone(leader_of(f, 1)));
        stop(f);
}

/* ---- by other ways ---- */

static void test_undo(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        unsigned before = fixture_descriptors(f);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a/b", NULL);
        plan_add_shell(&b, "a/b", 1, ESCAPE);
        plan_add(&b, ACTION_MKDIR, "a", NULL); /* is there */
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.action, 2);
        assert_int_equal(done.failure.error, EEXIST);
        assert_true(done.undone);
        assert_true(payload_has_ended(f, 1)); /* heard of before the plan's end */
        payload_assert_exit(f, 1, WORKER_EXIT_SIGNAL, SIGKILL);
        assert_int_equal(payload_exit_of(f, 1)->asked, 1);
        assert_false(path_exists(below(root, "a/b")));
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(fixture_descriptors(f), before);
        assert_int_equal(f->n_notes, 0);
        stop(f);
}

static void test_hang_up(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        add_neighbours(f);
        pid_t escaped = run_shell(f, 1, ESCAPE), nameless = run_shell(f, 2, NAMELESS);
        pid_t left = run_shell(f, 3, "sleep 1000 & echo $!");
        payload_assert_exit(f, 3, WORKER_EXIT_CODE, 0);
        pid_t leaders[] = { leader_of(f, 1), leader_of(f, 2) };
        stop(f);
        wait_until(process_gone(escaped) && process_gone(nameless) && process_gone(left));
        wait_until(process_gone(leaders[0]) && process_gone(leaders[1]));
}

/* Also one that has changed its ids, which clears the parent-death signal. */
static void test_killed_executor(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        WirePayloadSpec *p = plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"));
        if (geteuid() == 0)
                p->uid = p->gid = NOBODY;
        plan_add_payload(&b, "", 2, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        kill(f->pid, SIGKILL);
        assert_int_equal(fixture_wait_end(f, NULL), CLD_KILLED);
        for (uint32_t id = 1; id <= 2; id++)
                wait_until(process_gone(leader_of(f, id)));
        wait_until(rmdir(root) == 0);
        fixture_free(f);
}

/* A leader is a child of the executor, and what it has started can be told from strangers. */
static void test_evacuation_spares_payloads(void **state) {
        char root[PATH_MAX], moved[32];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t escaped = run_shell(f, 1, ESCAPE), background = run_shell(f, 2, BACKGROUND);
        pid_t stranger = start_stranger(f);
        unsigned before = count_in_a(f);
        plan_begin(&b);
        plan_add(&b, ACTION_EVACUATE, "a", NULL);
        fixture_must(f, &b);
        assert_int_equal(count_in_a(f), before - 1);
        assert_int_equal(f->n_notes, 1);
        snprintf(moved, sizeof moved, ": %d (", stranger);
        assert_non_null(strstr(f->notes[0].failure.detail, moved));
        assert_null(strchr(f->notes[0].failure.detail, ','));
        end_payload(f, 1);
        end_payload(f, 2);
        wait_until(process_gone(escaped) && process_gone(background));
        assert_false(process_gone(stranger));
        end_stranger(stranger);
        stop(f);
}

/* The cgroup's entry in the books goes with it, the payload's stays until it is ended. */
static void test_removed_cgroup(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add_shell(&b, "a", 1, "exit 0");
        plan_add(&b, ACTION_RMDIR, "a", NULL);
        fixture_must(f, &b);
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 0);
        assert_false(path_exists(below(root, "a")));
        plan_begin(&b);
        plan_add_shell(&b, "", 1, "exit 0");
        assert_int_equal(fixture_run(f, &b).failure.error, EEXIST);
        end_payload(f, 1);
        plan_begin(&b);
        plan_add_shell(&b, "", 1, "exit 0");
        fixture_must(f, &b);
        stop(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_group_goes_with_its_leader),
                cmocka_unit_test(test_background_outlives_its_leader),
                cmocka_unit_test(test_orphans_are_reaped),
                cmocka_unit_test(test_only_its_own_is_ended),
                cmocka_unit_test(test_cookies_that_begin_alike),
                cmocka_unit_test(test_caught_in_exec),
                cmocka_unit_test(test_group_before_cookie),
                cmocka_unit_test(test_parent_group),
                cmocka_unit_test(test_without_a_mark),
                cmocka_unit_test(test_failed_start_ends_nobody),
                cmocka_unit_test(test_alone),
                cmocka_unit_test(test_fork_storm),
                cmocka_unit_test(test_frozen),
                cmocka_unit_test(test_undo),
                cmocka_unit_test(test_hang_up),
                cmocka_unit_test(test_killed_executor),
                cmocka_unit_test(test_evacuation_spares_payloads),
                cmocka_unit_test(test_removed_cgroup),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
