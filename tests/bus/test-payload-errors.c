/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

/* Payloads that cannot be started, and payloads that are not there. */

/* What is there before and must be there after. */
typedef struct Still {
        Machine machine;
        pid_t executor;
        unsigned of_daemon, of_executor;
} Still;

/* With a cgroup that keeps the executor, which has started something already. */
static Still still_begin(Fixture *f) {
        Still s;
        g_auto(PayloadEnd) e = { 0 };

        add_to_backdrop(f, "{'name': 'keep', 'works': [{'work_type': 'Bursty'}]}");
        run(f, "warm-up", "'exit', '0'", NULL);
        e = wait_payload(f, "['warm-up', {}]");
        s.machine = machine_look(f);
        s.executor = (pid_t)atoi(s.machine.processes);
        s.of_daemon = daemon_descriptors(f);
        s.of_executor = count_descriptors(s.executor);
        return s;
}

static void still_assert(Fixture *f, const Still *s, const char *what) {
        machine_assert_same(f, &s->machine, what);
        await_descriptors(f->daemon.pid, s->of_daemon);
        await_descriptors(s->executor, s->of_executor);
}

static void still_clear(Still *s) {
        machine_clear(&s->machine);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Still, still_clear)

/* ---- starts that fail ---- */

/* %s of a definition is the directory of the test's files. */
typedef struct BadStart {
        const char *what, *payload, *more;
        const char *name;
        int number;
        const char *texts[4];
} BadStart;

static const BadStart bad_starts[] = {
        /* res:R128, with the one that is not executable */
        { "a path without a file",
          "{'name': 'x', 'exec': '%s/missing'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "'x'", "/missing", "install" } },
        { "a name that PATH does not have",
          "{'name': 'x', 'exec': 'no-such-program-anywhere'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "'x'", "no-such-program-anywhere", "PATH" } },
        { "a directory",
          "{'name': 'x', 'exec': '%s'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "'x'", "directory" } },
        { "a file that is not executable",
          "{'name': 'x', 'exec': '%s/plain'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "/plain", "chmod +x" } },
        { "a script without a first line",
          "{'name': 'x', 'exec': '%s/bare'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "/bare", "#!" } },
        { "a script without its interpreter",
          "{'name': 'x', 'exec': '%s/orphaned'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "/orphaned", "/nonexistent/interpreter", "interpreter" } },
        { "a file for a directory",
          "{'name': 'x', 'exec': '%s/plain/x'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "/plain/x", "no directory" } },
        { "a working directory that is missing",
          "{'name': 'x', 'exec': 'true', 'working_directory': '%s/missing'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "/missing", "working_directory" } },
        { "a working directory that is a file",
          "{'name': 'x', 'exec': 'true', 'working_directory': '%s/plain'}",
          NULL,
          "PayloadFailed",
          ENOEXEC,
          { "/plain", "working_directory" } },
        { "a user that is missing",
          "{'name': 'x', 'exec': 'true', 'user': 'nobdy'}",
          NULL,
          "InvalidDefinition",
          EINVAL,
          { "'x'", "nobdy", "did you mean 'nobody'" } },
        { "a cgroup that is missing",
          "{'name': 'x', 'exec': 'true'}",
          "'cgroup': 'kep'",
          "NoSuchCgroup",
          ENOENT,
          { "kep", "did you mean 'keep'" } },
        { "a payload that no file defines", "'stress'", NULL, "NoSuchPayload", ESRCH, { "stress" } },
        { "a relative path",
          "{'name': 'x', 'exec': 'bin/true'}",
          NULL,
          "InvalidDefinition",
          EINVAL,
          { "exec", "bin/true" } },
        { "no name", "{'exec': 'true'}", NULL, "InvalidDefinition", EINVAL, { "name" } },
        { "no program", "{'name': 'x'}", NULL, "InvalidDefinition", EINVAL, { "exec" } },
        { "a key that nobody knows",
          "{'name': 'x', 'exec': 'true', 'arg': []}",
          NULL,
          "InvalidDefinition",
          EINVAL,
          { "arg", "did you mean 'args'" } },
        { "a check that nobody understands",
          "{'name': 'x', 'exec': 'true', 'checks': ['exit-cod:0']}",
          NULL,
          "InvalidDefinition",
          EINVAL,
          { "checks[0]", "exit-cod" } },
};

static void make_files(void) {
        static const char *const names[] = { "plain", "bare", "orphaned" };
        static const char *const texts[] = { "text\n", "echo hello\n", "#!/nonexistent/interpreter -x\n" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = scratch_file(names[i]);
                write_file(path, texts[i]);
                assert_int_equal(g_chmod(path, i ? 0755 : 0644), 0);
        }
}

static char *fill_in(const char *payload) {
        g_auto(GStrv) parts = g_strsplit(payload, "%s", -1);

        return g_strjoinv(scratch(), parts);
}

static void test_starts_that_fail(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Still) still = still_begin(f);

        make_files();
        for (size_t i = 0; i < G_N_ELEMENTS(bad_starts); i++) {
                const BadStart *b = &bad_starts[i];
                g_autofree char *payload = fill_in(b->payload);

                assert_refused(f, run_payload(f, payload, b->more), b->name, b->number, b->texts[0],
                               b->texts[1], b->texts[2], b->texts[3], NULL);
                still_assert(f, &still, b->what);
        }
}

/* With workers that wait at their gates and a payload that runs already, in the same call. */
static void test_set_ups_that_fail(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Still) still = still_begin(f);

        make_files();
        for (size_t i = 0; i < G_N_ELEMENTS(bad_starts); i++) {
                const BadStart *b = &bad_starts[i];
                g_autofree char *payload = fill_in(b->payload), *good = payload_text("x", "'pause'", NULL);
                g_autofree char *arguments = g_strdup_printf(
                        "[[{'name': 'p', 'works': [{'workers': 2}], 'payload': %s}, {'name': 'q/r', 'works': "
                        "[{'workers': 2}], 'payload': %s}, {'name': 's', 'payload': %s}], {}]",
                        good, payload, good);

                if (b->more)
                        continue; /* of RunPayload alone */
                assert_refused(f, call(f, "ApplySetup", arguments), b->name, b->number, "definitions[1]",
                               "payload", b->texts[0], b->texts[1], b->texts[2], NULL);
                still_assert(f, &still, b->what);
        }
}

/* The kernel's limits of arguments: E2BIG comes from exec, and is told like the others. */
static void test_arguments_that_are_too_long(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Still) still = still_begin(f);
        g_autofree char *word = g_strnfill(100000, 'x');
        g_autoptr(GString) payload = g_string_new("{'name': 'x', 'exec': 'true', 'args': [");

        for (unsigned i = 0; i < 80; i++) /* 8 MB; what RLIMIT_STACK allows is at most 6 MB */
                g_string_append_printf(payload, "%s'%s'", i ? ", " : "", word);
        g_string_append(payload, "]}");
        assert_refused(f, run_payload(f, payload->str, NULL), "PayloadFailed", ENOEXEC, "'x'", "too long",
                       NULL);
        still_assert(f, &still, "too many arguments");
}

/* It cannot run, so it does not come to its program: that is found out in time, and undone. */
static void test_start_in_a_frozen_cgroup(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Still) still = still_begin(f);
        g_autofree char *cgroup = below(f, "keep"), *freeze = g_build_filename(cgroup, "cgroup.freeze", NULL);

        write_file(freeze, "1");
        assert_refused(f, run_payload(f, "{'name': 'x', 'exec': 'true'}", "'cgroup': 'keep'"), "TimedOut",
                       ETIMEDOUT, "'x'", "'keep'", "frozen", NULL);
        still_assert(f, &still, "a payload in a frozen cgroup");
        write_file(freeze, "0");
}

/* ---- limits ---- */

/* Those that have exited count until somebody asks for their result. */
static void test_limit(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .config = FIXTURE_CONFIG "[Limits]\nMaxPayloads=2\n" });
        g_autofree char *payload = payload_text("c", "'pause'", NULL);
        g_autofree char *definitions = g_strdup_printf(
                "[[{'name': 'p', 'payload': %s}, {'name': 'q', 'payload': %s}], {}]", payload, payload);
        g_auto(PayloadEnd) e = { 0 };

        run(f, "a", "'pause'", NULL);
        run(f, "b", "'exit', '0'", NULL);
        await_signal(f, "PayloadExited", "b");
        g_auto(Machine) before = machine_look(f);
        assert_refused(f, run_payload(f, payload, NULL), "LimitExceeded", EDQUOT, "MaxPayloads", "2", NULL);
        machine_assert_same(f, &before, "one too many");
        e = wait_payload(f, "['b', {}]");
        assert_refused(f, call(f, "ApplySetup", definitions), "LimitExceeded", EDQUOT, "MaxPayloads",
                       "definitions[1]", NULL);
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
        run(f, "c", "'pause'", NULL);
}

/* A payload of the backdrop would be left without its cgroup at the end of the step. */
static void test_backdrop_payload_in_a_cgroup_of_the_step(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("x", "'pause'", NULL);
        g_autofree char *arguments =
                g_strdup_printf("[{'payload': %s, 'cgroup': 'a'}, {'target': 'backdrop'}]", payload);

        add(f, "{'name': 'a'}");
        g_auto(Machine) before = machine_look(f);
        assert_refused(f, call(f, "RunPayload", arguments), "InvalidDefinition", EINVAL, "'a'", "backdrop",
                       NULL);
        machine_assert_same(f, &before, "a payload of the backdrop");
}

/* ---- addresses ---- */

static const char *const methods[] = { "WaitPayload", "KillPayload", "GetPayloadOutput" };
static const char *const doings[] = { "before waiting", "before killing", "" };

/* ops:O5 ops:O6 */
static void test_unknown_names(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
                assert_refused(f, call(f, methods[i], "['stres', {}]"), "NoSuchPayload", ESRCH, methods[i],
                               "'stres'", "RunPayload", doings[i], NULL);
        run(f, "stress", "'pause'", NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
                assert_refused(f, call(f, methods[i], "['stres', {}]"), "NoSuchPayload", ESRCH, methods[i],
                               "'stres'", "did you mean 'stress'", doings[i], NULL);
                assert_refused(f, call(f, methods[i], "['stress', {'cgroup': 'a'}]"), "NoSuchPayload", ESRCH,
                               "'stress'", "'a'", "(no cgroup)", doings[i], NULL);
        }
        assert_string_equal(text_at(payload_in_state(f, "stress", ""), "state"), "running");
}

/* ops:O7 and the rest of res:R142 */
static void test_after_a_kill_it_is_gone(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };

        run(f, "x", "'pause'", NULL);
        e = kill_payload(f, "['x', {}]");
        assert_int_equal(length_at(state_of(f), "payloads"), 0);
        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
                assert_refused(f, call(f, methods[i], "['x', {}]"), "NoSuchPayload", ESRCH, "'x'", NULL);
        run(f, "x", "'pause'", NULL); /* the name is free */
}

/* ops:O10 ops:O11 ops:O12 ops:O14 ops:O17 res:R144 */
static void test_one_name_in_several_cgroups(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t a, b, none;

        add(f, "{'name': 'a'}");
        add(f, "{'name': 'b'}");
        a = pid_at(run(f, "x", "'pause'", "a"), "pid");
        b = pid_at(run(f, "x", "'print', 'in b', 'exit', '2'", "b"), "pid");
        none = pid_at(run(f, "x", "'pause'", NULL), "pid");
        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
                g_autofree char *hint = g_strdup_printf("%s \"x\"", methods[i]);
                assert_refused(f, call(f, methods[i], "['x', {}]"), "AmbiguousPayload", ENOTUNIQ,
                               "3 payloads", "'a', 'b', (no cgroup)", hint, NULL);
                assert_null(strstr(f->error.message, "''"));
        }
        assert_int_equal(length_at(state_of(f), "payloads"), 3);
        {
                g_auto(PayloadEnd) e = wait_payload(f, "['x', {'cgroup': 'b'}]");
                assert_int_equal(number_at(e.record, "pid"), b);
                assert_int_equal(number_at(e.record, "exit_code"), 2);
                assert_string_equal(text_at(e.record, "cgroup"), "b");
        }
        {
                g_auto(PayloadEnd) e = kill_payload(f, "['x', {'cgroup': ''}]");
                assert_int_equal(number_at(e.record, "pid"), none);
                assert_string_equal(text_at(e.record, "cgroup"), "");
        }
        assert_false(process_gone(a)); /* and now it is the only one */
        {
                g_auto(PayloadEnd) e = kill_payload(f, "['x', {}]");
                assert_int_equal(number_at(e.record, "pid"), a);
        }
        assert_int_equal(length_at(state_of(f), "payloads"), 0);
}

/* ops:O13: of one in a cgroup, the name is enough; "" is not it. */
static void test_the_only_one_in_a_cgroup(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) waited = { 0 }, killed = { 0 };

        add(f, "{'name': 'a'}");
        run(f, "x", "'exit', '1'", "a");
        assert_refused(f, call(f, "WaitPayload", "['x', {'cgroup': ''}]"), "NoSuchPayload", ESRCH, "'x'",
                       "(no cgroup)", "'a'", NULL);
        waited = wait_payload(f, "['x', {}]");
        assert_string_equal(text_at(waited.record, "cgroup"), "a");
        run(f, "x", "'pause'", "a");
        killed = kill_payload(f, "['x', {}]");
        assert_string_equal(text_at(killed.record, "cgroup"), "a");
}

static void test_options_that_are_wrong(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *method, *arguments, *texts[2];
        } calls[] = {
                { "WaitPayload", "['x', {'timeout': -1}]", { "timeout" } },
                { "WaitPayload", "['x', {'timeout': 'soon'}]", { "timeout", "soon" } },
                { "WaitPayload", "['x', {'kil': true}]", { "kil", "did you mean 'kill'" } },
                { "KillPayload", "['x', {'timeout': 1}]", { "timeout" } },
                { "GetPayloadOutput", "['x', {'cgroup': 7}]", { "cgroup" } },
        };
        Fixture *f = fixture_start(NULL);

        run(f, "x", "'pause'", NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
                assert_refused(f, call(f, calls[i].method, calls[i].arguments), "InvalidDefinition", EINVAL,
                               calls[i].texts[0], calls[i].texts[1], NULL);
        assert_string_equal(text_at(payload_in_state(f, "x", ""), "state"), "running");
}

/* ---- a second one of the same name ---- */

/* ops:O8 ops:O9 res:R143 */
static void test_duplicates(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("x", "'pause'", NULL);
        g_autofree char *definition = g_strdup_printf("{'name': 'a', 'payload': %s}", payload);

        run(f, "x", "'pause'", NULL);
        add(f, definition);
        g_auto(Machine) before = machine_look(f);
        assert_refused(f, run_payload(f, payload, NULL), "PayloadExists", EEXIST, "'x'", "(no cgroup)",
                       "RunPayload", "running already", NULL);
        assert_null(strstr(f->error.message, "''"));
        assert_refused(f, run_payload(f, payload, "'cgroup': 'a'"), "PayloadExists", EEXIST, "'x'", "'a'",
                       "the definition of cgroup 'a'", "running already", NULL);
        machine_assert_same(f, &before, "duplicates");
}

static void test_duplicate_of_one_that_has_exited(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("x", "'pause'", NULL);
        g_auto(PayloadEnd) e = { 0 };

        run(f, "x", "'exit', '6'", NULL);
        await_signal(f, "PayloadExited", "x");
        assert_refused(f, run_payload(f, payload, NULL), "PayloadExists", EEXIST, "'x'", "has exited",
                       "WaitPayload", NULL);
        e = wait_payload(f, "['x', {}]");
        assert_int_equal(number_at(e.record, "exit_code"), 6);
        assert_non_null(run_payload(f, payload, NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_starts_that_fail, payloads_teardown),
                cmocka_unit_test_teardown(test_set_ups_that_fail, payloads_teardown),
                cmocka_unit_test_teardown(test_arguments_that_are_too_long, payloads_teardown),
                cmocka_unit_test_teardown(test_start_in_a_frozen_cgroup, payloads_teardown),
                cmocka_unit_test_teardown(test_limit, payloads_teardown),
                cmocka_unit_test_teardown(test_backdrop_payload_in_a_cgroup_of_the_step, payloads_teardown),
                cmocka_unit_test_teardown(test_unknown_names, payloads_teardown),
                cmocka_unit_test_teardown(test_after_a_kill_it_is_gone, payloads_teardown),
                cmocka_unit_test_teardown(test_one_name_in_several_cgroups, payloads_teardown),
                cmocka_unit_test_teardown(test_the_only_one_in_a_cgroup, payloads_teardown),
                cmocka_unit_test_teardown(test_options_that_are_wrong, payloads_teardown),
                cmocka_unit_test_teardown(test_duplicates, payloads_teardown),
                cmocka_unit_test_teardown(test_duplicate_of_one_that_has_exited, payloads_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
