/* SPDX-License-Identifier: GPL-2.0-only */

/* Programs that cannot be started: why is told, and nothing is left. */
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/clock.h"
#include "executor/payload-child.h"
#include "payload-fixture.h"

enum { NOBODY = 65534 };

static PlanBuilder b;

/* ---- what cannot be run ---- */

/* The plan is taken back, and nothing is left of it. */
static void assert_fails(Fixture *f, PayloadStep step, int error, const char *detail) {
        unsigned before = fixture_descriptors(f);
        WireDone done = fixture_run(f, &b);

        if (done.ok || done.failure.setup_step != step || done.failure.error != error ||
            strcmp(done.failure.detail, detail) != 0)
                fail_msg("ok %u, step %u, errno %d, detail '%s' instead of '%s'", done.ok,
                         done.failure.setup_step, done.failure.error, done.failure.detail, detail);
        assert_int_equal(done.failure.action, 1);
        assert_true(done.undone);
        assert_false(path_exists(below(f->root, "made")));
        assert_int_equal(f->n_payloads + f->n_payload_exits, 0);
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(fixture_descriptors(f), before);
}

static WirePayloadSpec *try_program(const char *program) {
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "made", NULL);
        return plan_add_payload(&b, "made", 1, TEXTS(program, "argument"));
}

static void write_program(const char *root, const char *name, const char *text, mode_t mode) {
        write_text(below(root, name), text);
        assert_int_equal(chmod(below(root, name), mode), 0);
}

static const char *joined(const char *root, const char *name, const char *interpreter) {
        static char text[2 * PATH_MAX];

        snprintf(text, sizeof(text), "%s/%s%s%s", root, name, interpreter ? "\t" : "", interpreter ?: "");
        return text;
}

static void test_full_paths(void **state) {
        static const struct {
                const char *name, *text;
                mode_t mode;
                int error;
                const char *interpreter;
        } cases[] = {
                { "no-bit", "#!/bin/sh\nexit 0\n", 0644, EACCES, "/bin/sh" },
                { "no-line", "exit 0\n", 0755, ENOEXEC, NULL },
                { "no-name", "#! \nexit 0\n", 0755, ENOEXEC, NULL },
                { "no-interpreter", "#! \t/nonexistent/interpreter -x\n", 0755, ENOENT,
                  "/nonexistent/interpreter" },
                { "empty", "", 0755, ENOEXEC, NULL },
        };
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                const char *path = below(root, cases[i].name);
                write_program(root, cases[i].name, cases[i].text, cases[i].mode);
                try_program(path);
                assert_fails(f, PAYLOAD_STEP_EXEC, cases[i].error,
                             joined(root, cases[i].name, cases[i].interpreter));
                unlink(path);
        }
        try_program("/nonexistent/program");
        assert_fails(f, PAYLOAD_STEP_EXEC, ENOENT, "/nonexistent/program");
        try_program("/etc/passwd/program");
        assert_fails(f, PAYLOAD_STEP_EXEC, ENOTDIR, "/etc/passwd/program");
        try_program(root);
        assert_fails(f, PAYLOAD_STEP_EXEC, EACCES, root);
        assert_int_equal(mkfifo(below(root, "pipe"), 0755), 0); /* at which nobody may get stuck */
        try_program(below(root, "pipe"));
        assert_fails(f, PAYLOAD_STEP_EXEC, EACCES, below(root, "pipe"));
        unlink(below(root, "pipe"));
        payload_stop_plain(f);
}

/* A PATH of these; "" and full paths as they are, others below the root. */
static void try_in_path(const char *root, const char *name, const char *const *directories) {
        char assignment[4 * PATH_MAX] = "PATH=";

        for (unsigned i = 0; directories[i]; i++) {
                const char *directory = directories[i];
                strcat(assignment, i ? ":" : "");
                strcat(assignment, *directory && *directory != '/' ? below(root, directory) : directory);
        }
        WirePayloadSpec *p = try_program(name);
        p->environment = plan_add_texts(&b, TEXTS(assignment));
}

static void assert_says(Fixture *f, const char *expected) {
        fixture_must(f, &b);
        assert_string_equal(payload_output(f, 1), expected);
        plan_begin(&b);
        plan_add_payload_end(&b, "made", 1);
        plan_add(&b, ACTION_RMDIR, "made", NULL);
        fixture_must(f, &b);
        payloads_forget(f);
}

static void test_names(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        assert_int_equal(mkdir(below(root, "1"), 0755), 0);
        assert_int_equal(mkdir(below(root, "2"), 0755), 0);
        assert_int_equal(mkdir(below(root, "1/directory"), 0755), 0);
        write_program(root, "2/good", "#!/bin/sh\necho second $1\n", 0755);
        write_program(root, "1/no-bit", "x", 0644);
        write_program(root, "1/orphan", "#!/nonexistent/interpreter\n", 0755);

        try_in_path(root, "good", TEXTS("1", "", "/nonexistent", "/etc/passwd", "2"));
        assert_says(f, "second argument\n");
        try_in_path(root, "good", TEXTS("1"));
        assert_fails(f, PAYLOAD_STEP_EXEC, ENOENT, "good");
        try_in_path(root, "no-bit", TEXTS("1", "2"));
        assert_fails(f, PAYLOAD_STEP_EXEC, EACCES, below(root, "1/no-bit"));
        try_in_path(root, "directory", TEXTS("2", "1"));
        assert_fails(f, PAYLOAD_STEP_EXEC, EACCES, below(root, "1/directory"));
        try_in_path(root, "orphan", TEXTS("1", "2"));
        assert_fails(f, PAYLOAD_STEP_EXEC, ENOENT, joined(root, "1/orphan", "/nonexistent/interpreter"));

        /* the search goes on behind those */
        write_program(root, "2/no-bit", "#!/bin/sh\necho behind no-bit\n", 0755);
        write_program(root, "2/orphan", "#!/bin/sh\necho behind orphan\n", 0755);
        try_in_path(root, "no-bit", TEXTS("1", "2"));
        assert_says(f, "behind no-bit\n");
        try_in_path(root, "orphan", TEXTS("1", "2"));
        assert_says(f, "behind orphan\n");
        /* but not behind a program that is none */
        write_program(root, "1/good", "what?\n", 0755);
        try_in_path(root, "good", TEXTS("1", "2"));
        assert_fails(f, PAYLOAD_STEP_EXEC, ENOEXEC, below(root, "1/good"));

        static const char *const files[] = { "1/directory", "1/no-bit", "1/orphan", "1/good", "2/good",
                                             "2/no-bit",    "2/orphan", "1",        "2" };
        for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
                assert_int_equal(remove(below(root, files[i])), 0);
        payload_stop_plain(f);
}

/* Without a PATH of its own: the executor's, or if that has none, the usual one. */
static void test_whose_path(void **state) {
        char root[PATH_MAX], own[PATH_MAX + 8];
        (void)state;

        snprintf(own, sizeof(own), "%s", getenv("PATH") ?: _PATH_STDPATH);
        for (unsigned i = 0; i < 2; i++) {
                fixture_plain_path(root);
                write_program(root, "kt-test-good", "#!/bin/sh\necho found\n", 0755);
                if (i == 0)
                        setenv("PATH", root, 1);
                else
                        unsetenv("PATH");
                Fixture *f = fixture_start(root, NULL);
                setenv("PATH", own, 1);
                if (i == 0) {
                        try_program("kt-test-good");
                        assert_says(f, "found\n");
                } else {
                        try_program("kt-test-good");
                        assert_fails(f, PAYLOAD_STEP_EXEC, ENOENT, "kt-test-good");
                        try_program("echo");
                        assert_says(f, "argument\n");
                }
                unlink(below(root, "kt-test-good"));
                payload_stop_plain(f);
        }
}

static void test_no_directory(void **state) {
        char root[PATH_MAX];
        (void)state;

        Fixture *f = payload_start_plain(root);
        WirePayloadSpec *p = try_program("/bin/true");
        p->directory = plan_add_text(&b, "/nonexistent/directory");
        assert_fails(f, PAYLOAD_STEP_DIRECTORY, ENOENT, "/nonexistent/directory");
        payload_stop_plain(f);
}

static void test_refused_ids(void **state) {
        static const uint32_t group = 7;
        char root[PATH_MAX];
        (void)state;

        if (!payload_is_root())
                skip();
        fixture_plain_path(root);
        assert_int_equal(chmod(root, 0777), 0);
        Fixture *f = fixture_start(root, &(FixtureOptions){ .uid = NOBODY });
        try_program("/bin/true")->uid = 0;
        assert_fails(f, PAYLOAD_STEP_IDS, EPERM, "");
        WirePayloadSpec *p = try_program("/bin/true");
        p->gid = NOBODY;
        p->groups = plan_add_bytes(&b, &group, sizeof(group));
        p->n_groups = 1;
        assert_fails(f, PAYLOAD_STEP_IDS, EPERM, "");
        try_program("/bin/true")->uid = NOBODY; /* what it is already */
        fixture_must(f, &b);
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 0);
        payload_stop_plain(f);
}

/* res:R130: nothing may be moved to a cgroup whose sibling has made its parent threaded. */
static void test_refused_move_runs_nothing(void **state) {
        char root[PATH_MAX], ran[] = "/tmp/kt-ran-XXXXXX", script[128];
        (void)state;

        close(mkstemp(ran));
        unlink(ran);
        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, &(FixtureOptions){ .refuse_syscalls = true });
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_MKDIR, "a/t", NULL);
        plan_add(&b, ACTION_WRITE, "a/t/cgroup.type", "threaded");
        plan_add(&b, ACTION_MKDIR, "a/u", NULL);
        fixture_must(f, &b);
        unsigned before = fixture_descriptors(f);
        plan_begin(&b);
        snprintf(script, sizeof(script), "touch %s", ran);
        plan_add_shell(&b, "a/u", 1, script);
        uint64_t begin = monotonic_ns();
        WireDone done = fixture_run(f, &b);
        assert_true(monotonic_ns() - begin < UINT64_C(10) * NS_PER_S);
        assert_false(done.ok);
        assert_true(done.undone);
        assert_int_equal(done.failure.error, EOPNOTSUPP);
        assert_int_equal(done.failure.setup_step, PAYLOAD_STEP_BIRTH);
        assert_int_equal(done.failure.action, 0); /* which names the cgroup */
        assert_non_null(strstr(done.failure.detail, "cgroup.type \"domain invalid\""));
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(fixture_descriptors(f), before);
        assert_int_equal(f->n_payloads + f->n_payload_exits, 0);
        assert_false(path_exists(ran));
        fixture_stop(f);
        assert_false(path_exists(root));
}

/* res:R130, the other side of it: a child that is held, and what it is told. Returns the exit status of it or
 * of its program, which fails if it has inherited descriptors. */
static int run_held_child(const void *told, size_t size) {
        static const WirePayloadSpec spec = { .uid = WIRE_ID_KEEP, .gid = WIRE_ID_KEEP };
        char *argv[] = { "sh", "-c", "test ! -e /proc/self/fd/77", NULL };
        const Command command = { .exec = "/bin/sh", .argv = argv, .environment = environ };
        Executor e = { .null_fd = open("/dev/null", O_RDWR | O_CLOEXEC) };
        int go[2], news[2], status;

        assert_int_equal(pipe2(go, O_CLOEXEC) | pipe2(news, O_CLOEXEC), 0);
        const PayloadChild c = { .e = &e,
                                 .spec = &spec,
                                 .command = &command,
                                 .parent = getpid(),
                                 .pipes = { STDOUT_FILENO, STDERR_FILENO, news[1], go[0] },
                                 .go_writer = go[1],
                                 .held = true };
        pid_t pid = fork();
        if (pid == 0) {
                dup2(e.null_fd, 77);
                payload_child_main(&c);
        }
        wait_until(process_state(pid) == 'S');
        assert_int_equal(write(go[1], told, size), size);
        close(go[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(go[0]);
        close(news[0]);
        close(news[1]);
        close(e.null_fd);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void test_what_lets_a_held_child_go(void **state) {
        (void)state;

        assert_int_equal(run_held_child("\1", 1), 0);
        assert_int_equal(run_held_child("", 0), 127); /* the end of the pipe */
        assert_int_equal(run_held_child("\0", 1), 127);
}

static void test_frozen_cgroup(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_cgroup_path(root);
        Fixture *f = fixture_start(root, NULL);
        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_MKDIR, "a/b", NULL);
        plan_add(&b, ACTION_WRITE, "a/cgroup.freeze", "1");
        fixture_must(f, &b);
        plan_begin(&b);
        plan_add_payload(&b, "a/b", 1, TEXTS("/bin/true"));
        WireDone done = fixture_run(f, &b);
        assert_false(done.ok);
        assert_true(done.undone);
        assert_int_equal(done.failure.setup_step, PAYLOAD_STEP_START);
        assert_int_equal(done.failure.error, ETIMEDOUT);
        assert_non_null(strstr(done.failure.detail, "cgroup.freeze of a \"1\""));
        assert_int_equal(fixture_children(f), 0);
        assert_int_equal(f->n_payloads + f->n_payload_exits, 0);
        fixture_stop(f);
        assert_false(path_exists(root));
}

static void limit_descriptors(const Fixture *f, unsigned n) {
        struct rlimit limit;

        assert_int_equal(prlimit(f->pid, RLIMIT_NOFILE, NULL, &limit), 0);
        limit.rlim_cur = n;
        assert_int_equal(prlimit(f->pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static void test_no_descriptors(void **state) {
        char root[PATH_MAX];
        unsigned failed = 0;
        (void)state;

        Fixture *f = payload_start_plain(root);
        unsigned before = fixture_descriptors(f);
        plan_begin(&b);
        plan_add_payload(&b, "", 1, TEXTS("/bin/true"));
        for (unsigned spare = 2;; spare++) { /* the plan is one, the cgroup another */
                limit_descriptors(f, before + spare);
                WireDone done = fixture_run(f, &b);
                if (done.ok)
                        break;
                failed++;
                assert_int_equal(done.failure.error, EMFILE);
                assert_int_equal(done.failure.setup_step, PAYLOAD_STEP_BIRTH);
                assert_true(done.undone);
                assert_int_equal(fixture_children(f), 0);
                assert_int_equal(fixture_descriptors(f), before);
        }
        assert_int_equal(failed, 9); /* four pipes, and cgroup.procs */
        payload_assert_exit(f, 1, WORKER_EXIT_CODE, 0);
        payload_stop_plain(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused_move_runs_nothing),
                cmocka_unit_test(test_full_paths),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_whose_path),
                cmocka_unit_test(test_no_directory),
                cmocka_unit_test(test_refused_ids),
                cmocka_unit_test(test_what_lets_a_held_child_go),
                cmocka_unit_test(test_frozen_cgroup),
                cmocka_unit_test(test_no_descriptors),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
