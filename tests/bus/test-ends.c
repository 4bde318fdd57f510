/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "dbus/names.h"

static const FixtureOptions long_stop = { .config = FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=600\n" };

static void assert_nothing_left(Fixture *f) {
        g_autofree char *left = directories_below(f->root);

        assert_string_equal(left, "");
}

/* What a set-up result made: its workers' and its executor's ends can be waited for. */
typedef struct Run {
        pid_t executor;
        int ends[3]; /* two workers and the executor */
} Run;

static Run run_two(Fixture *f) {
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        pid_t first = pid_at(r, "works.0.pids.0");
        Run run = { .executor = process_parent(first) };

        run.ends[0] = process_watch(first);
        run.ends[1] = process_watch(pid_at(r, "works.0.pids.1"));
        run.ends[2] = process_watch(run.executor);
        return run;
}

static void await_run_end(const Run *run) {
        for (size_t i = 0; i < G_N_ELEMENTS(run->ends); i++)
                await_end(run->ends[i]);
}

static void end_daemon(Fixture *f, int number, int status) {
        assert_int_equal(kill(f->daemon.pid, number), 0);
        assert_int_equal(fixture_daemon_status(f), status);
}

/* ---- signals ---- */

static void test_sigterm_in_the_middle_of_a_run(G_GNUC_UNUSED void **state) {
        static const int numbers[] = { SIGTERM, SIGINT };

        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
                Fixture *f = fixture_start(NULL);
                Run run = run_two(f);

                add_to_backdrop(f, "{'name': 'back'}");
                end_daemon(f, numbers[i], 0);
                assert_nothing_left(f); /* now, not soon */
                await_run_end(&run);
                assert_int_equal(fixture_teardown(NULL), 0);
        }
}

/* What waits and what comes is told to call again; the call under way gets its answer. */
static void test_calls_during_shutdown(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        pid_t stopped = pid_at(r, "works.0.pids.1");
        Pending end, waiting, late;

        process_stop(stopped);
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        send_pending(f, &waiting, request(f, "AddCgroupDef", "[{'name': 'bar'}, {}]"));
        await_signal(f, "WorkerExited", "foo");
        assert_int_equal(kill(f->daemon.pid, SIGTERM), 0);
        await(f, waiting.reply);
        assert_true(pending_failed(&waiting, "ShuttingDown"));
        assert_int_equal(sd_bus_message_get_errno(waiting.reply), ESHUTDOWN);

        send_pending(f, &late, request(f, "AddCgroupDef", "[{'name': 'bar'}, {}]"));
        await(f, late.reply);
        assert_true(pending_failed(&late, "ShuttingDown"));
        assert_int_equal(length_at(state_of(f), "cgroups"), 1); /* looking is allowed */
        assert_null(end.reply);

        assert_int_equal(kill(stopped, SIGCONT), 0);
        await(f, end.reply);
        assert_int_equal(number_at(read_ending(f, end.reply).summary, "completed"), 2);
        assert_int_equal(fixture_daemon_status(f), 0);
        assert_nothing_left(f);
        pending_clear(&end);
        pending_clear(&waiting);
        pending_clear(&late);
}

static void test_sigkill_leaves_nothing(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Run run = run_two(f);

        end_daemon(f, SIGKILL, -SIGKILL);
        await_run_end(&run);
        assert_nothing_left(f);

        fixture_start_daemon(f);
        assert_int_equal(number_at(state_of(f), "step_index"), 0);
        add(f, "{'name': 'foo'}");
        assert_int_equal(number_at(end_step(f).summary, "completed"), 1);
}

/* Nobody is left to remove the directories; the next daemon does. */
static void test_sigkill_of_all(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Run run = run_two(f);

        add(f, "{'name': 'a/b'}");
        assert_int_equal(kill(f->daemon.pid, SIGSTOP), 0); /* it must not see the executor's end */
        assert_int_equal(kill(run.executor, SIGKILL), 0);
        end_daemon(f, SIGKILL, -SIGKILL);
        await_run_end(&run);
        assert_int_equal(waitpid(run.executor, NULL, 0), run.executor);

        fixture_start_daemon(f);
        add(f, "{'name': 'foo'}");
        assert_int_equal(number_at(end_step(f).summary, "workers"), 1);
        assert_nothing_left(f);
}

static void test_bus_gone(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Run run = run_two(f);

        assert_int_equal(kill(f->bus.pid, SIGKILL), 0);
        assert_int_equal(fixture_daemon_status(f), EX_UNAVAILABLE);
        await_run_end(&run);
        assert_nothing_left(f);
}

/* ---- leaving when idle ---- */

static const FixtureOptions idle = { .config = "[Daemon]\nIdleExitSec=1\n" };

static void test_idle_exit(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&idle);

        assert_int_equal(fixture_daemon_status(f), 0);
}

static void test_no_exit_while_something_runs(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&idle);
        JsonNode *r = add_to_backdrop(f, "{'name': 'foo'}");

        assert_false(process_ends_within(&f->daemon, 1500));
        kill(pid_at(r, "works.0.pids.0"), SIGKILL); /* the cgroup is still there */
        assert_false(process_ends_within(&f->daemon, 1500));
        teardown(f);
        assert_int_equal(fixture_daemon_status(f), 0);
        assert_nothing_left(f);
}

/* Somebody who looks every now and then keeps it. */
static void test_a_call_puts_the_exit_off(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&idle);
        gint64 begin = g_get_monotonic_time();

        while (g_get_monotonic_time() - begin < 2 * G_USEC_PER_SEC) {
                assert_false(process_ends_within(&f->daemon, 300));
                state_of(f);
        }
        assert_int_equal(fixture_daemon_status(f), 0);
}

static void test_zero_means_never(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        assert_false(process_ends_within(&f->daemon, 1500));
}

/* The service manager has been told already, and there is no way back: a change is to be asked for again,
 * which starts a new daemon. The bus is held up, so that the call falls into that gap. */
static void test_call_while_the_name_is_given_back(G_GNUC_UNUSED void **state) {
        Fixture *f =
                fixture_start(&(FixtureOptions){ .config = "[Daemon]\nIdleExitSec=1\n", .notify = true });
        Pending change;

        await_notification(f, "READY=1");
        assert_int_equal(kill(f->bus.pid, SIGSTOP), 0);
        send_pending(f, &change, request(f, "AddCgroupDef", "[{'name': 'foo'}, {}]"));
        while (sd_bus_process(f->client, NULL) > 0)
                ;
        assert_int_equal(sd_bus_flush(f->client) >= 0, 1);
        await_notification(f, "STOPPING=1");
        assert_int_equal(kill(f->bus.pid, SIGCONT), 0);
        assert_int_equal(fixture_daemon_status(f), 0);
        await(f, change.reply);
        if (!pending_failed(&change, "ShuttingDown"))
                fail_msg("%s", sd_bus_message_get_error(change.reply)->name);
        pending_clear(&change);
        assert_nothing_left(f);
}

/* ---- starting ---- */

static void test_second_daemon(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *errors = NULL;

        add(f, "{'name': 'foo'}");
        assert_int_equal(fixture_run_daemon(f, &errors, "--bus-address", f->address, "--cgroup-root", f->root,
                                            "--executor", g_getenv("KT_EXECUTOR"), "--config", f->config,
                                            NULL),
                         EX_UNAVAILABLE);
        assert_non_null(strstr(errors, KT_BUS_NAME));
        assert_null(strstr(errors, "File exists"));
        assert_int_equal(number_at(end_step(f).summary, "completed"), 1); /* the first one's is untouched */
}

static void test_root_that_is_none(G_GNUC_UNUSED void **state) {
        static const char *const roots[] = { "/proc", "/nonexistent", "relative/path", "/" };
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });

        for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
                g_autofree char *errors = NULL;
                int status = fixture_run_daemon(f, &errors, "--bus-address", f->address, "--cgroup-root",
                                                roots[i], "--config", f->config, NULL);

                assert_int_equal(status, EX_UNAVAILABLE);
                assert_non_null(strstr(errors, roots[i]));
                assert_non_null(strstr(errors, "not an existing cgroup v2 directory"));
        }
}

static void test_configuration(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *text, *found;
        } files[] = {
                { "[Daemon]\nIdleExitSecs=5\n", "did you mean IdleExitSec?" },
                { "[Deamon]\n", "unknown section [Deamon]" },
                { "[Daemon]\nMaxWorkers=5\n", "belongs into [Limits]" },
                { "[Limits]\nMaxWorkers=0\n", "MaxWorkers=0 is not a number from 1" },
                { "[Scenario]\nStopTimeoutSec=5s\n", "StopTimeoutSec=5s" },
                { "IdleExitSec=5\n", "ktsetupd.conf" },
        };
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *errors = NULL;

                write_file(f->config, files[i].text);
                assert_int_equal(fixture_run_daemon(f, &errors, "--bus-address", f->address, "--cgroup-root",
                                                    f->root, "--config", f->config, NULL),
                                 EX_CONFIG);
                if (!strstr(errors, files[i].found) || !strstr(errors, f->config))
                        fail_msg("no '%s' in: %s", files[i].found, errors);
        }
}

static void test_command_line(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        g_autofree char *unknown = NULL, *extra = NULL, *missing = NULL, *nobus = NULL;

        assert_int_equal(fixture_run_daemon(f, &unknown, "--sesion", NULL), EX_USAGE);
        assert_non_null(strstr(unknown, "--sesion"));
        assert_int_equal(fixture_run_daemon(f, &extra, "stray", NULL), EX_USAGE);
        assert_non_null(strstr(extra, "stray"));
        assert_int_equal(fixture_run_daemon(f, &missing, "--config", "/nonexistent.conf", NULL), EX_CONFIG);
        assert_non_null(strstr(missing, "/nonexistent.conf"));
        assert_int_equal(fixture_run_daemon(f, &nobus, "--config", f->config, "--bus-address",
                                            "unix:path=/nonexistent", NULL),
                         EX_UNAVAILABLE);
        assert_non_null(strstr(nobus, "bus"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_sigterm_in_the_middle_of_a_run, fixture_teardown),
                cmocka_unit_test_teardown(test_calls_during_shutdown, fixture_teardown),
                cmocka_unit_test_teardown(test_sigkill_leaves_nothing, fixture_teardown),
                cmocka_unit_test_teardown(test_sigkill_of_all, fixture_teardown),
                cmocka_unit_test_teardown(test_bus_gone, fixture_teardown),
                cmocka_unit_test_teardown(test_idle_exit, fixture_teardown),
                cmocka_unit_test_teardown(test_no_exit_while_something_runs, fixture_teardown),
                cmocka_unit_test_teardown(test_a_call_puts_the_exit_off, fixture_teardown),
                cmocka_unit_test_teardown(test_zero_means_never, fixture_teardown),
                cmocka_unit_test_teardown(test_call_while_the_name_is_given_back, fixture_teardown),
                cmocka_unit_test_teardown(test_second_daemon, fixture_teardown),
                cmocka_unit_test_teardown(test_root_that_is_none, fixture_teardown),
                cmocka_unit_test_teardown(test_configuration, fixture_teardown),
                cmocka_unit_test_teardown(test_command_line, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
