/* SPDX-License-Identifier: GPL-2.0-only */

/* Programs that the executor starts: what they find when they begin, and what is told of their end. */
#include <dirent.h>
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "payload-fixture.h"

enum { NOBODY = 65534, QUICK_ROUNDS = 50, QUICK_EACH = 10 };

static PlanBuilder b;

static void run_shell(Fixture *f, const char *script) {
        plan_begin(&b);
        plan_add_shell(&b, "", 1, script);
        fixture_must(f, &b);
}

/* ---- where ---- */

static void assert_runs_in_its_cgroup(const FixtureOptions *options, WorkerPlacement placement) {
        char root[PATH_MAX], text[4096];

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, options);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_MKDIR, "a/b", NULL);
        plan_add_payload(&b, "a/b", 7, TEXTS("/bin/cat", "/proc/self/cgroup"));
        fixture_must(f, &b);
        assert_int_equal(payload_of(f, 7)->message.placement, placement);
        snprintf(text, sizeof(text), "%s", strstr(payload_output(f, 7), "0::"));
        text[strcspn(text, "\n")] = '\0';
        fixture_assert_in_cgroup(f, text, "a/b");
        payload_assert_exit(f, 7, WORKER_EXIT_CODE, 0);
        fixture_stop(f);
        assert_false(path_exists(root));
}

static void test_born_in_its_cgroup(void **state) {
        (void)state;
        assert_runs_in_its_cgroup(NULL, PLACEMENT_BORN);
}

static void test_moved_to_its_cgroup(void **state) {
        (void)state;
        assert_runs_in_its_cgroup(&(FixtureOptions){ .refuse_syscalls = true }, PLACEMENT_MOVED);
}

static pid_t only_child(const Fixture *f) {
        char path[64], text[64];

        snprintf(path, sizeof(path), "task/%d/children", f->pid);
        proc_text(f->pid, path, text, sizeof(text));
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

/* res:R129: the move hangs on a full pipe in the place of cgroup.procs; the program is not run before it is
 * through. One that is born in its cgroup waits for nothing. */
static void test_held_until_it_has_been_moved(void **state) {
        static const char zeros[4096];
        char root[PATH_MAX], some[sizeof(zeros)], name[64];
        pid_t child;
        (void)state;

        Fixture *f = payload_start_plain(root);
        assert_int_equal(mkfifo(below(root, "cgroup.procs"), 0600), 0);
        int procs = open(below(root, "cgroup.procs"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        while (write(procs, zeros, sizeof(zeros)) > 0)
                ;
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"));
        fixture_submit(f, &b);
        wait_until((child = only_child(f)) > 0);
        wait_until(process_state(child) == 'S');
        proc_text(child, "comm", name, sizeof(name));
        assert_string_equal(name, "ktsetup-executo\n");

        assert_int_equal(read(procs, some, sizeof(some)),
                         sizeof(some)); /* room for a pid, behind the zeros */
        assert_true(fixture_await_done(f).ok);
        assert_int_equal(payload_of(f, 1)->message.pid, child);
        assert_int_equal(payload_of(f, 1)->message.placement, PLACEMENT_MOVED);
        proc_text(child, "comm", name, sizeof(name));
        assert_string_equal(name, "sleep\n");
        assert_int_equal(last_pid_in(procs), child);
        close(procs);
        unlink(below(root, "cgroup.procs"));
        payload_stop_plain(f);
}

/* ---- what it finds ---- */

static void test_arguments(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        plan_add_payload(&b, "", 1,
                         TEXTS("/bin/sh", "-c", "printf '<%s>' \"$@\"", "x", "a b", "", "*", "\n"));
        plan_add_payload(&b, "", 2, TEXTS("another name", "-c", "echo \"$0\""))->exec =
                plan_add_text(&b, "/bin/sh");
        fixture_must(f, &b);
        assert_string_equal(payload_output(f, 1), "<a b><><*><\n>");
        assert_string_equal(payload_output(f, 2), "another name\n");
        payload_stop_plain(f);
}

static unsigned count_lines(const char *text, const char *line) {
        char all[1 << 14], wanted[256];
        unsigned n = 0;

        snprintf(all, sizeof(all), "\n%s", text);
        snprintf(wanted, sizeof(wanted), "\n%s", line);
        for (const char *at = all; (at = strstr(at, wanted)); at++)
                n++;
        return n;
}

static unsigned count_environment(void) {
        unsigned n = 0;

        while (environ[n])
                n++;
        return n;
}

static void test_environment(void **state) {
        char root[PATH_MAX];
        unsigned lines = 0;
        (void)state;

        setenv("KT_TEST_KEPT", "of the executor", 1);
        setenv("KT_TEST_OTHER", "of the executor", 1);
        setenv("KT_TEST_COOKIE", "of the executor", 1);
        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        plan_add_payload(&b, "", 3, TEXTS("/usr/bin/env"))->environment = plan_add_texts(
                &b, TEXTS("KT_TEST_OTHER=first", "KT_TEST_NEW=", "KT_TEST_OTHER=a=b", "KT_TEST_OTH=x"));
        fixture_must(f, &b);
        const char *text = payload_output(f, 3);
        assert_int_equal(count_lines(text, "KT_TEST_KEPT=of the executor\n"), 1);
        assert_int_equal(count_lines(text, "KT_TEST_OTHER="), 1);
        assert_int_equal(count_lines(text, "KT_TEST_OTHER=a=b\n"), 1);
        assert_int_equal(count_lines(text, "KT_TEST_OTH=x\n"), 1);
        assert_int_equal(count_lines(text, "KT_TEST_NEW=\n"), 1);
        assert_int_equal(count_lines(text, "KT_TEST_COOKIE="), 1);
        assert_int_equal(count_lines(text, "KT_TEST_COOKIE=3\n"), 1);
        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        assert_int_equal(lines, count_environment() + 2); /* and nothing else */
        unsetenv("KT_TEST_KEPT");
        unsetenv("KT_TEST_OTHER");
        unsetenv("KT_TEST_COOKIE");
        payload_stop_plain(f);
}

static void test_directory(void **state) {
        char root[PATH_MAX], expected[PATH_MAX + 1], own[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/pwd", "-P"))->directory = plan_add_text(&b, root);
        plan_add_payload(&b, "", 2, TEXTS("/bin/pwd", "-P"));
        fixture_must(f, &b);
        assert_true(snprintf(expected, sizeof(expected), "%s\n", root) > 0);
        assert_string_equal(payload_output(f, 1), expected);
        assert_non_null(getcwd(own, sizeof(own)));
        snprintf(expected, sizeof(expected), "%.*s\n", PATH_MAX - 2, own);
        assert_string_equal(payload_output(f, 2), expected);
        payload_stop_plain(f);
}

static void test_ids(void **state) {
        static const uint32_t groups[] = { 7, 8 };
        static const char script[] = "id -u; id -g; id -G; echo there >/dev/stderr; echo $$";
        char root[PATH_MAX];
        (void)state;

        if (!payload_is_root())
                skip();
        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        WirePayloadSpec *p = plan_add_shell(&b, "", 1, script);
        p->uid = NOBODY;
        p->gid = NOBODY - 1;
        p->groups = plan_add_bytes(&b, groups, sizeof(groups));
        p->n_groups = 2;
        plan_add_shell(&b, "", 2, script);
        plan_add_shell(&b, "", 3, script)->gid = NOBODY;
        fixture_must(f, &b);
        assert_string_equal(payload_errors(f, 1), "there\n");
        assert_int_equal(strncmp(payload_output(f, 1), "65534\n65533\n65533 7 8\n", 22), 0);
        assert_int_equal(strncmp(payload_output(f, 2), "0\n0\n0 3 4\n", 10), 0); /* the fixture's */
        assert_int_equal(strncmp(payload_output(f, 3), "0\n65534\n65534\n", 14), 0);
        payload_stop_plain(f);
}

static void assert_descriptor(pid_t pid, int fd, const char *expected) {
        char path[64], target[256];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        assert_true(n > 0);
        target[n] = '\0';
        assert_int_equal(strncmp(target, expected, strlen(expected)), 0);
}

static void test_descriptors(void **state) {
        char root[PATH_MAX], path[64];
        unsigned n = 0;
        (void)state;

        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        pid_t pid = payload_of(f, 1)->message.pid;
        assert_descriptor(pid, 0, "/dev/null");
        assert_descriptor(pid, 1, "pipe:");
        assert_descriptor(pid, 2, "pipe:");
        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        assert_int_equal(n, 2 + 3);
        payload_stop_plain(f);
}

static void test_two_outputs(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        run_shell(f, "echo this; echo that >&2; cat");
        assert_string_equal(payload_output(f, 1), "this\n");
        assert_string_equal(payload_errors(f, 1), "that\n");
        payload_stop_plain(f);
}

static void assert_no_signals(pid_t pid, const char *field) {
        char status[4096], expected[64];

        proc_text(pid, "status", status, sizeof(status));
        snprintf(expected, sizeof(expected), "%s:\t0000000000000000\n", field);
        if (!strstr(status, expected))
                fail_msg("not %sin\n%s", expected, status);
}

/* Also of one that the C library keeps for itself. */
static void ignore(int number, bool on) {
        const uint64_t action[8] = { on ? (uint64_t)(uintptr_t)SIG_IGN : (uint64_t)(uintptr_t)SIG_DFL };

        assert_int_equal(syscall(SYS_rt_sigaction, number, action, NULL, 8), 0);
}

static void test_signals(void **state) {
        static const int ignored[] = { SIGUSR1, SIGPIPE, SIGTSTP, 33, 64 };
        char root[PATH_MAX];
        sigset_t some;
        (void)state;

        sigemptyset(&some);
        sigaddset(&some, SIGUSR2);
        sigaddset(&some, SIGTERM);
        for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
                ignore(ignored[i], true);
        sigprocmask(SIG_BLOCK, &some, NULL);
        Fixture *f = payload_start_plain(root);
        sigprocmask(SIG_UNBLOCK, &some, NULL);
        for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
                ignore(ignored[i], false);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        assert_no_signals(payload_of(f, 1)->message.pid, "SigBlk");
        assert_no_signals(payload_of(f, 1)->message.pid, "SigIgn");
        assert_no_signals(payload_of(f, 1)->message.pid, "SigCgt");
        kill(payload_of(f, 1)->message.pid, SIGTERM);
        payload_assert_exit(f, 1, WORKER_EXIT_SIGNAL, SIGTERM);
        payload_stop_plain(f);
}

/* res:R131: whoever starts the executor may ignore SIGCHLD, and goes on doing so; the executor takes the
 * default once, and payloads change nothing. */
static void test_ignored_sigchld(void **state) {
        char root[PATH_MAX], before[4096], after[4096];
        struct sigaction now;
        (void)state;

        ignore(SIGCHLD, true);
        Fixture *f = payload_start_plain(root);
        proc_text(f->pid, "status", before, sizeof(before));
        plan_begin(&b);
        plan_add_shell(&b, "", 1, "sh -c 'exit 3'; exit $?");
        plan_add_shell(&b, "", 2, "read forever </dev/stderr");
        fixture_must(f, &b);
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 3);
        plan_begin(&b);
        plan_add_payload_end(&b, "", 2);
        plan_add_payload_end(&b, "", 1);
        fixture_must(f, &b);
        proc_text(f->pid, "status", after, sizeof(after));
        static const char *const fields[] = { "SigIgn:", "SigBlk:", "SigCgt:" };
        for (unsigned i = 0; i < 3; i++)
                assert_memory_equal(strstr(before, fields[i]), strstr(after, fields[i]), 24);
        assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
        assert_ptr_equal(now.sa_handler, SIG_IGN);
        ignore(SIGCHLD, false);
        payload_stop_plain(f);
}

/* res:R126, and one that leads a group. */
static void test_process_group(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"))->own_group = 0;
        plan_add_payload(&b, "", 2, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        pid_t in_ours = payload_of(f, 1)->message.pid, in_its_own = payload_of(f, 2)->message.pid;
        assert_int_equal(getpgid(in_ours), getpgid(f->pid));
        assert_int_equal(getpgid(in_its_own), in_its_own);
        plan_begin(&b);
        plan_add_payload_end(&b, "", 1);
        fixture_must(f, &b);
        assert_true(process_gone(in_ours));
        assert_false(process_gone(in_its_own));
        payload_stop_plain(f);
}

/* An executor whose own CPUs were narrowed. */
static void test_cpus(void **state) {
        char root[PATH_MAX], own[4096], text[4096];
        cpu_set_t all, one;
        (void)state;

        assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
        if (CPU_COUNT(&all) < 2) {
                print_message("skipped: needs two CPUs\n");
                skip();
        }
        proc_text(getpid(), "status", own, sizeof(own));
        Fixture *f = payload_start_plain(root);
        CPU_ZERO(&one);
        for (int i = 0; CPU_COUNT(&one) == 0; i++)
                if (CPU_ISSET(i, &all))
                        CPU_SET(i, &one);
        assert_int_equal(sched_setaffinity(f->pid, sizeof(one), &one), 0);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        proc_text(payload_of(f, 1)->message.pid, "status", text, sizeof(text));
        const char *expected = strstr(own, "Cpus_allowed_list:"), *found = strstr(text, "Cpus_allowed_list:");
        assert_memory_equal(found, expected, strcspn(expected, "\n") + 1);
        payload_stop_plain(f);
}

/* ---- how it ends by itself ---- */

static void test_exits(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/true"));
        plan_add_payload(&b, "", 2, TEXTS("/bin/false"));
        plan_add_shell(&b, "", 3, "kill -SEGV $$");
        plan_add_shell(&b, "", 4, "kill -KILL $$");
        plan_add_payload(&b, "", 5, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 0);
        payload_assert_exit(f, 2, WORKER_EXIT_CODE, 1);
        payload_assert_exit(f, 3, WORKER_EXIT_SIGNAL, SIGSEGV);
        payload_assert_exit(f, 4, WORKER_EXIT_SIGNAL, SIGKILL);
        plan_begin(&b);
        plan_add_payload_end(&b, "", 5);
        fixture_must(f, &b);
        assert_true(payload_has_ended(f, 5)); /* told before the plan was done */
        payload_assert_exit(f, 5, WORKER_EXIT_SIGNAL, SIGKILL);
        for (uint32_t id = 1; id <= 5; id++) {
                assert_int_equal(payload_exit_of(f, id)->asked, id == 5);
                assert_int_equal(payload_exit_of(f, id)->pid, payload_of(f, id)->message.pid);
        }
        payload_stop_plain(f);
}

static void test_usage(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        run_shell(f, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
        const WirePayloadExit *exit = payload_exit_of(f, 1);
        assert_true(exit->user_us > 1000);
        assert_true(exit->run_ns >= (exit->user_us + exit->system_us) * 1000);
        assert_true(exit->run_ns < UINT64_C(60000000000));
        assert_in_range(exit->max_rss_kib, 100, 1 << 20);
        assert_true(exit->minor_faults > 10);
        assert_int_equal(exit->oom_kills, 0);
        payload_stop_plain(f);
}

/* The kernel counts since the cgroup was made; told is what came during the payload's life. */
static void test_oom_kills(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        write_text(below(root, "memory.events"),
                   "low 0\nhigh 0\nmax 9\noom 9\noom_kill 3\noom_group_kill 7\n");
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/sleep", "1000"));
        fixture_must(f, &b);
        write_text(below(root, "memory.events"),
                   "low 0\nhigh 0\nmax 9\noom 9\noom_kill 5\noom_group_kill 7\n");
        kill(payload_of(f, 1)->message.pid, SIGKILL);
        assert_int_equal(payload_exit_of(f, 1)->oom_kills, 2);
        assert_int_equal(payload_exit_of(f, 1)->asked, 0);
        unlink(below(root, "memory.events"));
        payload_stop_plain(f);
}

/* ---- one after the other ---- */

static void test_same_id(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        run_shell(f, "exit 0");
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 0);
        plan_begin(&b);
        plan_add_shell(&b, "", 1, "exit 0");
        assert_int_equal(fixture_run(f, &b).failure.error, EEXIST); /* until somebody ends it */
        plan_begin(&b);
        plan_add_payload_end(&b, "", 1);
        plan_add_payload_end(&b, "", 1);
        plan_add_payload_end(&b, "", 12345);
        plan_add_shell(&b, "", 1, "exit 2");
        fixture_must(f, &b);
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 2);
        plan_begin(&b);
        plan_add_payload(&b, "nowhere", 2, TEXTS("/bin/true"));
        WireDone done = fixture_run(f, &b);
        assert_int_equal(done.failure.error, ENOENT);
        assert_int_equal(done.failure.setup_step, PAYLOAD_STEP_BIRTH);
        payload_stop_plain(f);
}

static void test_many_in_a_row(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        unsigned before = fixture_descriptors(f);
        for (unsigned round = 0; round < QUICK_ROUNDS; round++) {
                plan_begin(&b);
                for (uint32_t i = 0; i < QUICK_EACH; i++)
                        plan_add_payload(&b, "", round * QUICK_EACH + i, TEXTS("/bin/true"));
                fixture_must(f, &b);
                for (uint32_t i = 0; i < QUICK_EACH; i++)
                        payload_assert_exit(f, round * QUICK_EACH + i, WORKER_EXIT_CODE, 0);
                plan_begin(&b);
                for (uint32_t i = 0; i < QUICK_EACH; i++)
                        plan_add_payload_end(&b, "", round * QUICK_EACH + i);
                fixture_must(f, &b);
                payloads_forget(f);
        }
        assert_int_equal(fixture_descriptors(f), before);
        assert_int_equal(fixture_children(f), 0);
        fixture_stop(f);
        assert_false(path_exists(root));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_born_in_its_cgroup),
                cmocka_unit_test(test_moved_to_its_cgroup),
                cmocka_unit_test(test_held_until_it_has_been_moved),
                cmocka_unit_test(test_arguments),
                cmocka_unit_test(test_environment),
                cmocka_unit_test(test_directory),
                cmocka_unit_test(test_ids),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_two_outputs),
                cmocka_unit_test(test_signals),
                cmocka_unit_test(test_ignored_sigchld),
                cmocka_unit_test(test_process_group),
                cmocka_unit_test(test_cpus),
                cmocka_unit_test(test_exits),
                cmocka_unit_test(test_usage),
                cmocka_unit_test(test_oom_kills),
                cmocka_unit_test(test_same_id),
                cmocka_unit_test(test_many_in_a_row),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
