/* SPDX-License-Identifier: GPL-2.0-only */

/* How payloads are ended, and all that they have started, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "payload-fixture.h"

enum { NOBODY = 65534, SPAWNED = 50, EXECUTIONS = 200 };

static PlanBuilder b;

/* Scripts that tell the pid of what they start and wait. */
#define BACKGROUND "sleep 1000 & echo $!; wait"
#define ESCAPE     "setsid sh -c 'echo $$; exec sleep 1000' & wait"
#define NAMELESS   "env -i setsid sh -c 'echo $$; exec sleep 1000' & wait"

static Fixture *start_with(char root[PATH_MAX], const FixtureOptions *options) {
        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, options);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        fixture_must(f, &b);
        return f;
}

static Fixture *start_in_cgroup(char root[PATH_MAX]) {
        return start_with(root, NULL);
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
        snprintf(script, sizeof(script),
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
        snprintf(script, sizeof(script), "setsid sh -c 'echo $$; exec /bin/sh %s/again' & wait", directory);
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

/* Neither group nor cookie tell of it, but nobody else can have left it there. Whoever is older than the
 * payload has not come from it. */
static void test_without_a_mark(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t stranger = stranger_start_older(f, "a");
        pid_t nameless = run_shell(f, 1, NAMELESS);
        end_payload(f, 1);
        wait_until(process_gone(nameless));
        assert_false(process_gone(stranger));
        assert_int_equal(count_in_a(f), 1);
        stranger_end(stranger);
        stop(f);
}

/* A program that does not run has left nothing, so nobody is looked for. */
static void test_failed_start_ends_nobody(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t stranger = stranger_start(f, "a");
        plan_begin(&b);
        plan_add_payload(&b, "a", 1, TEXTS("/nonexistent/program"))->alone = 1;
        assert_int_equal(fixture_run(f, &b).failure.error, ENOENT);
        assert_false(process_gone(stranger));
        stranger_end(stranger);
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

/* ---- in cgroups that payloads have made ---- */

/* Tells the pid of a process that sits in the cgroup. */
#define SLEEPER_IN(cgroup)                                                                                   \
        "setsid sh -c 'echo 0 >$ROOT/" cgroup "/cgroup.procs && echo $$ && exec sleep 1000' & "
/* And has no mark. */
#define NAMELESS_IN(cgroup) "env -i ROOT=$ROOT " SLEEPER_IN(cgroup)

static pid_t run_with_root(Fixture *f, uint32_t id, bool alone, const char *script) {
        char variable[PATH_MAX + 8];

        snprintf(variable, sizeof(variable), "ROOT=%s", f->root);
        plan_begin(&b);
        WirePayloadSpec *p = plan_add_shell(&b, "a", id, script);
        p->alone = alone;
        p->environment = plan_add_texts(&b, TEXTS(variable));
        fixture_must(f, &b);
        return payload_pid_line(f, id);
}

static void remove_a(Fixture *f) {
        plan_begin(&b);
        plan_add(&b, ACTION_RMDIR, "a", NULL);
        fixture_must(f, &b);
}

/* Its leader may go there, too. */
static void test_cgroups_of_its_own(void **state) {
        char root[PATH_MAX];
        (void)state;

        for (unsigned i = 0; i < 3; i++) {
                Fixture *f = start_in_cgroup(root);
                unsigned before = fixture_descriptors(f);
                pid_t upper =
                        run_with_root(f, 1, i > 0,
                                      "mkdir -p $ROOT/a/x/y/z $ROOT/a/v/w; " NAMELESS_IN("a/x")
                                              NAMELESS_IN("a/x/y") "echo 0 >$ROOT/a/v/cgroup.procs; wait");
                pid_t lower = payload_pid_line(f, 1);
                wait_until(fixture_listed(f, "a/v/cgroup.procs", NULL, 0) == 1);
                assert_int_equal(fixture_listed(f, "a/x/cgroup.procs", NULL, 0), 1);
                if (i < 2) {
                        end_payload(f, 1);
                        assert_true(process_gone(upper) && process_gone(lower));
                        assert_int_equal(fixture_descriptors(f), before);
                        remove_a(f);
                }
                stop(f);
                wait_until(process_gone(upper) && process_gone(lower));
        }
}

/* Workers make no cgroups. */
static void test_cgroup_below_workers(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        add_neighbours(f);
        pid_t nameless = run_with_root(f, 1, false, "mkdir $ROOT/a/x; " NAMELESS_IN("a/x") "wait");
        end_payload(f, 1);
        assert_true(process_gone(nameless));
        assert_false(path_exists(below(root, "a/x")));
        assert_neighbours(f);
        assert_int_equal(count_in_a(f), 2);
        assert_int_equal(f->n_exits, 0);
        stop(f);
}

/* One that is empty may be somebody's for later. */
static void test_cgroups_of_several(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t of_1 = run_with_root(f, 1, false, "mkdir $ROOT/a/x; " SLEEPER_IN("a/x") "wait");
        pid_t of_2 = run_with_root(f, 2, false, "mkdir $ROOT/a/y $ROOT/a/z; " NAMELESS_IN("a/y") "wait");
        end_payload(f, 1);
        assert_true(process_gone(of_1));
        assert_false(process_gone(of_2) || process_gone(leader_of(f, 2)));
        assert_true(path_exists(below(root, "a/z")));
        end_payload(f, 2);
        assert_true(process_gone(of_2));
        remove_a(f);
        stop(f);
}

/* What a plan has made below is not the payload's. */
static void test_planned_cgroup_below(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a/b", NULL);
        plan_add(&b, ACTION_MKDIR, "a/c", NULL);
        plan_add_spawn(&b, "a/b", 1, 2);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        pid_t nameless = run_with_root(f, 1, true, "mkdir $ROOT/a/x $ROOT/a/b/y; " NAMELESS_IN("a/x") "wait");
        pid_t stranger = stranger_start(f, "a/b");
        end_payload(f, 1);
        assert_true(process_gone(nameless));
        assert_false(path_exists(below(root, "a/x")));
        assert_false(process_gone(stranger));
        assert_neighbours(f);
        assert_true(path_exists(below(root, "a/b/y")) && path_exists(below(root, "a/c")));
        stop(f); /* but nothing of it stays in the end */
        wait_until(process_gone(stranger));
        stranger_end(stranger);
}

/* The cgroup stays with him, until the executor takes all along. */
static void test_stranger_in_its_cgroup(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t stranger = stranger_start_older(f, "a");
        char script[400];
        snprintf(script, sizeof(script),
                 "mkdir -p $ROOT/a/x/y $ROOT/a/z; echo %d >$ROOT/a/x/cgroup.procs; " NAMELESS_IN(
                         "a/x/y") "wait",
                 stranger);
        pid_t nameless = run_with_root(f, 1, false, script);
        end_payload(f, 1);
        assert_true(process_gone(nameless));
        assert_false(process_gone(stranger));
        assert_true(path_exists(below(root, "a/x")));
        assert_false(path_exists(below(root, "a/x/y")) || path_exists(below(root, "a/z")));
        stop(f);
        wait_until(process_gone(stranger));
        stranger_end(stranger);
}

static void test_frozen_cgroup_of_its_own(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start_in_cgroup(root);
        pid_t nameless = run_with_root(f, 1, false, "mkdir $ROOT/a/x; " NAMELESS_IN("a/x") "wait");
        write_text(below(root, "a/x/cgroup.freeze"), "1");
        end_payload(f, 1);
        assert_true(process_gone(nameless));
        remove_a(f);
        stop(f);
}

/* cgroup.procs of a threaded cgroup cannot be read. */
static void test_threaded(void **state) {
        static const char *const scripts[] = {
                "mkdir $ROOT/a/x && echo threaded >$ROOT/a/x/cgroup.type; " NAMELESS_IN("a/x") "wait",
                "echo 0 >$ROOT/cgroup.procs; echo threaded >$ROOT/a/cgroup.type; "
                "echo 0 >$ROOT/a/cgroup.procs; " NAMELESS_IN("a") "wait",
        };
        static const char *const types[] = { "a/x/cgroup.type", "a/cgroup.type" };
        char root[PATH_MAX], type[32];
        (void)state;

        for (unsigned i = 0; i < 2; i++) {
                Fixture *f = start_in_cgroup(root);
                pid_t nameless = run_with_root(f, 1, false, scripts[i]);
                read_text(below(root, types[i]), type, sizeof(type));
                assert_string_equal(type, "threaded\n");
                end_payload(f, 1);
                assert_true(process_gone(nameless));
                remove_a(f);
                stop(f);
        }
}

static void check_mount_below(const FixtureOptions *options) {
        char root[PATH_MAX], elsewhere[PATH_MAX + 16];

        Fixture *f = start_with(root, options);
        snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", root);
        assert_int_equal(mkdir(elsewhere, 0755), 0);
        assert_int_equal(mkdir(below(elsewhere, "empty"), 0755), 0);
        pid_t nameless = run_with_root(f, 1, true, "mkdir $ROOT/a/x; " NAMELESS_IN("a") "wait");
        pid_t stranger = stranger_start(f, "a");
        stranger_move(stranger, below(elsewhere, "cgroup.procs"));
        assert_int_equal(mount(elsewhere, below(root, "a/x"), NULL, MS_BIND, NULL), 0);
        end_payload(f, 1);
        assert_true(process_gone(nameless));
        assert_false(process_gone(stranger));
        assert_true(path_exists(below(elsewhere, "empty")));
        assert_int_equal(umount(below(root, "a/x")), 0);
        stop(f);
        stranger_end(stranger);
        assert_int_equal(rmdir(below(elsewhere, "empty")), 0);
        wait_until(rmdir(elsewhere) == 0);
}

/* What is mounted on a cgroup's directory is not below it, whichever way the executor finds that out. */
static void test_mount_below(void **state) {
        (void)state;

        if (!payload_is_root() || unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                skip();
        check_mount_below(NULL);
        check_mount_below(&(FixtureOptions){ .refuse_syscalls = true });
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
        pid_t stranger = stranger_start(f, "a");
        unsigned before = count_in_a(f);
        plan_begin(&b);
        plan_add(&b, ACTION_EVACUATE, "a", NULL);
        fixture_must(f, &b);
        assert_int_equal(count_in_a(f), before - 1);
        assert_int_equal(f->n_notes, 1);
        snprintf(moved, sizeof(moved), ": %d (", stranger);
        assert_non_null(strstr(f->notes[0].failure.detail, moved));
        assert_null(strchr(f->notes[0].failure.detail, ','));
        end_payload(f, 1);
        end_payload(f, 2);
        wait_until(process_gone(escaped) && process_gone(background));
        assert_false(process_gone(stranger));
        stranger_end(stranger);
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
                cmocka_unit_test(test_cgroups_of_its_own),
                cmocka_unit_test(test_cgroup_below_workers),
                cmocka_unit_test(test_cgroups_of_several),
                cmocka_unit_test(test_planned_cgroup_below),
                cmocka_unit_test(test_stranger_in_its_cgroup),
                cmocka_unit_test(test_frozen_cgroup_of_its_own),
                cmocka_unit_test(test_threaded),
                cmocka_unit_test(test_undo),
                cmocka_unit_test(test_hang_up),
                cmocka_unit_test(test_killed_executor),
                cmocka_unit_test(test_evacuation_spares_payloads),
                cmocka_unit_test(test_removed_cgroup),
                cmocka_unit_test(test_mount_below), /* which leaves the mounts of the machine */
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
