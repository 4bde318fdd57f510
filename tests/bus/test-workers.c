/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "dbus/names.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO

/* How long the fixture waits for what must not take this long at all. */
#define LONG_STOP FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=600\n"

static const FixtureOptions short_stop = { .config = FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=1\n" };
static const FixtureOptions long_stop = { .config = LONG_STOP };

static void assert_nothing_exists(Fixture *f) {
        g_autofree char *left = directories_below(f->root);

        assert_string_equal(left, "");
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

static void await_iterations(Fixture *f, const char *worker) {
        g_autofree char *place = g_strdup_printf("cgroups.0.works.0.workers.%s.iterations", worker);
        uint64_t until = fixture_deadline();

        while (number_at(state_of(f), place) == 0)
                assert_true((uint64_t)g_get_monotonic_time() < until);
}

/* ---- ends of workers ---- */

static void test_killed_worker_is_told_and_reported(G_GNUC_UNUSED void **state) { /* work:S19 */
        static const char place[] = "cgroups.0.works.0.workers.1";
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 3}]}"), *s, *worker;
        pid_t pid = pid_at(r, "works.0.pids.1");
        Ending e;

        await_iterations(f, "1");
        assert_int_equal(kill(pid, SIGKILL), 0);
        s = await_signal(f, "WorkerExited", "foo");
        assert_int_equal(number_at(s, "1"), pid);
        assert_string_equal(text_at(s, "2.kind"), "signaled");
        assert_int_equal(number_at(s, "2.value"), SIGKILL);
        assert_int_equal(number_at(s, "2.worker"), 1);
        await_property(f, SCENARIO_PATH, "Workers", "2");
        assert_string_equal(text_at(at(state_of(f), place), "state"), "killed");

        e = end_step(f);
        assert_int_equal(number_at(e.summary, "completed"), 2);
        assert_int_equal(number_at(e.summary, "killed"), 1);
        worker = at(e.report, place);
        assert_false(truth_at(worker, "completed"));
        assert_json(at(worker, "exit_info"), "{'kind':'signaled','value':9}");
        assert_true(number_at(worker, "iterations") > 0); /* kept */
        assert_true(null_at(worker, "wall_time_ns"));     /* not known, so not 0 */
        assert_true(truth_at(e.report, "cgroups.0.works.0.workers.0.completed"));
        assert_nothing_exists(f);
}

/* A worker that ends by itself leaves its cgroup, empty, to the end of the step. */
static void test_all_workers_gone(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo'}");

        kill(pid_at(r, "works.0.pids.0"), SIGTERM);
        await_signal(f, "WorkerExited", "foo");
        await_property(f, SCENARIO_PATH, "Workers", "0");
        assert_string_equal(text_at(state_of(f), "cgroups.0.name"), "foo");
        assert_int_equal(number_at(end_step(f).summary, "killed"), 1);
        assert_nothing_exists(f);
}

static void test_stopped_worker_is_killed_at_the_deadline(G_GNUC_UNUSED void **state) {
        static const char place[] = "cgroups.0.works.0.workers";
        Fixture *f = fixture_start(&short_stop);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 3}]}");
        gint64 begin;
        Ending e;

        await_iterations(f, "1");
        process_stop(pid_at(r, "works.0.pids.1"));
        begin = g_get_monotonic_time();
        e = end_step(f);
        assert_true(g_get_monotonic_time() - begin >= G_USEC_PER_SEC);
        assert_int_equal(number_at(e.summary, "completed"), 2);
        assert_json(at(at(e.report, place), "1.exit_info"), "{'kind':'deadline','value':9}");
        assert_true(truth_at(at(e.report, place), "0.completed"));
        assert_false(truth_at(at(e.report, place), "1.completed"));
        assert_true(number_at(at(e.report, place), "1.iterations") > 0);
        assert_true(truth_at(at(e.report, place), "2.completed"));
        assert_nothing_exists(f);
}

/* One deadline for all groups of a call, not one each. */
static void test_one_deadline_for_all(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&short_stop);
        gint64 begin;

        for (unsigned i = 0; i < 8; i++) {
                g_autofree char *definition = g_strdup_printf("{'name': 'g%u'}", i);
                process_stop(pid_at(add(f, definition), "works.0.pids.0"));
        }
        begin = g_get_monotonic_time();
        assert_int_equal(number_at(end_step(f).summary, "killed"), 8);
        assert_true(g_get_monotonic_time() - begin < 7 * G_USEC_PER_SEC);
}

/* A frozen worker sees no stop. Whoever froze the cgroup, the end of the step thaws it. */
static void test_frozen_cgroup_is_thawed(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        g_autofree char *file = below(f, "foo/cgroup.freeze");

        add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        write_file(file, "1");
        assert_int_equal(number_at(end_step(f).summary, "completed"), 2);
}

/* ---- ends of the executor ---- */

static pid_t executor_of(JsonNode *result) {
        pid_t pid = process_parent(pid_at(result, "works.0.pids.0"));

        assert_true(pid > 1);
        return pid;
}

static void test_executor_killed_while_idle(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'a/b', 'works': [{'workers': 2}]}");
        int watch = removal_watch(f->scenario), ends[2];

        add_to_backdrop(f, "{'name': 'back'}");
        signals_forget(f);
        for (unsigned i = 0; i < 2; i++)
                ends[i] = process_watch(pid_at(r, i ? "works.0.pids.1" : "works.0.pids.0"));
        assert_int_equal(kill(executor_of(r), SIGKILL), 0);
        await_signal(f, "CgroupRemoved", "a/b");
        await_signal(f, "CgroupRemoved", "back");
        await_property(f, SCENARIO_PATH, "Cgroups", "[]");
        await_property(f, SCENARIO_PATH, "Workers", "0");
        for (unsigned i = 0; i < 2; i++)
                await_end(ends[i]);
        await_removal(watch, f->scenario);
        assert_nothing_exists(f);

        add(f, "{'name': 'back'}"); /* the name is free, and there is a new executor */
        assert_int_equal(number_at(end_step(f).summary, "completed"), 1);
}

/* The call that comes right after waits until the remains of the old one are gone. */
static void test_call_right_after_a_killed_executor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 5}]}");

        assert_int_equal(kill(executor_of(r), SIGKILL), 0);
        await_signal(f, "CgroupRemoved", "foo");
        r = add(f, "{'name': 'foo'}");
        assert_int_equal(length_at(r, "works.0.pids"), 1);
        assert_int_equal(number_at(end_step(f).summary, "workers"), 1);
        assert_nothing_exists(f);
}

static void test_executor_killed_in_the_middle_of_a_call(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        pid_t executor = executor_of(r);
        Pending end, next;

        process_stop(pid_at(r, "works.0.pids.0")); /* keeps the step from its end */
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        send_pending(f, &next, request(f, "AddCgroupDef", "[{'name': 'foo'}, {}]"));
        await_signal(f, "WorkerExited", "foo"); /* of the other: the end is under way */
        assert_null(end.reply);
        assert_int_equal(kill(executor, SIGKILL), 0);
        await(f, end.reply);
        assert_true(pending_failed(&end, "ExecutorLost"));
        assert_int_equal(sd_bus_message_get_errno(end.reply), ECONNRESET);
        await(f, next.reply);
        assert_false(sd_bus_message_is_method_error(next.reply, NULL));
        assert_true(next.order > end.order);
        pending_clear(&end);
        pending_clear(&next);
        assert_int_equal(number_at(end_step(f).summary, "completed"), 1);
        assert_nothing_exists(f);
}

/* One that hangs is given up: the call is answered, the loop goes on, and nothing of it stays. */
static void test_hung_executor_is_given_up(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo'}");
        int watch = removal_watch(f->scenario);

        signals_forget(f);
        process_stop(executor_of(r));
        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'bar'}, {}]"), "TimedOut", ETIMEDOUT,
                       "no progress", f->scenario, NULL);
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
        await_signal(f, "CgroupRemoved", "foo");
        await_removal(watch, f->scenario);
        add(f, "{'name': 'foo'}");
        assert_int_equal(number_at(end_step(f).summary, "completed"), 1);
}

static void test_hung_executor_does_not_keep_the_daemon(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *left = NULL;

        process_stop(executor_of(add(f, "{'name': 'foo'}")));
        assert_int_equal(kill(f->daemon.pid, SIGTERM), 0);
        assert_int_equal(fixture_daemon_status(f), 0);
        left = directories_below(f->root);
        assert_string_equal(left, "");
}

/* An executor that does not get as far as its first word. */
static void test_executor_that_cannot_start(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *program, *text;
        } executors[] = { { "/nonexistent/executor", "/nonexistent/executor" },
                          { "/bin/false", "status 1" } };

        for (size_t i = 0; i < G_N_ELEMENTS(executors); i++) {
                Fixture *f = fixture_start(&(FixtureOptions){ .executor = executors[i].program });

                for (unsigned n = 0; n < 2; n++) /* the daemon survives it */
                        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'a'}, {}]"), "ExecutorLost",
                                       ECONNRESET, executors[i].text, NULL);
                assert_nothing_exists(f);
                assert_int_equal(fixture_teardown(NULL), 0);
        }
}

/* An executor that ends by itself has removed what it made. Who else lives in its directory is not its prey.
 */
static void test_failing_executor_harms_nobody(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .executor = "/bin/false" });
        const char *const argv[] = { "/bin/sleep", "3600", NULL };
        Process stranger = process_start(argv, NULL);
        g_autofree char *procs = g_build_filename(f->scenario, "cgroup.procs", NULL);
        g_autofree char *pid = g_strdup_printf("%d", stranger.pid);
        JsonNode *answer;

        assert_int_equal(mkdir(f->scenario, 0755), 0);
        write_file(procs, pid);
        answer = call(f, "AddCgroupDef", "[{'name': 'foo'}, {}]");
        assert_refused(f, answer, "ExecutorLost", ECONNRESET, "status 1", NULL);
        assert_false(process_gone(stranger.pid));
        assert_int_equal(kill(stranger.pid, SIGKILL), 0);
        assert_int_equal(process_wait(&stranger), -SIGKILL);
        process_clear(&stranger);
        assert_int_equal(rmdir(f->scenario), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_killed_worker_is_told_and_reported, fixture_teardown),
                cmocka_unit_test_teardown(test_all_workers_gone, fixture_teardown),
                cmocka_unit_test_teardown(test_stopped_worker_is_killed_at_the_deadline, fixture_teardown),
                cmocka_unit_test_teardown(test_one_deadline_for_all, fixture_teardown),
                cmocka_unit_test_teardown(test_frozen_cgroup_is_thawed, fixture_teardown),
                cmocka_unit_test_teardown(test_executor_killed_while_idle, fixture_teardown),
                cmocka_unit_test_teardown(test_call_right_after_a_killed_executor, fixture_teardown),
                cmocka_unit_test_teardown(test_executor_killed_in_the_middle_of_a_call, fixture_teardown),
                cmocka_unit_test_teardown(test_hung_executor_is_given_up, fixture_teardown),
                cmocka_unit_test_teardown(test_hung_executor_does_not_keep_the_daemon, fixture_teardown),
                cmocka_unit_test_teardown(test_executor_that_cannot_start, fixture_teardown),
                cmocka_unit_test_teardown(test_failing_executor_harms_nobody, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
