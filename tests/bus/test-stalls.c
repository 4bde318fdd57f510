/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "dbus/names.h"

/* The period of the daemon's environment: four samples take 300 ms. */
#define POLL_MS "100"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO
/* One short burst, and then a futex that nobody wakes before the stop. */
#define SLEEPER "{'work_type': 'Bursty', 'params': {'burst_duration': '1us', 'sleep_duration': '3600s'}}"

/* ---- looking ---- */

static JsonNode *add_with(Fixture *f, const char *definition, const char *options) {
        g_autofree char *arguments = g_strdup_printf("[%s, %s]", definition, options);
        JsonNode *answer = call(f, "AddCgroupDef", arguments);

        if (!answer)
                fail_msg("%s: %s", f->error.name, f->error.message);
        return at(answer, "0");
}

static bool is_active(Fixture *f) {
        bool active = json_node_get_boolean(
                property(f, SCENARIO_PATH, KT_SCENARIO_INTERFACE, "StallMonitorActive"));

        assert_true(truth_at(state_of(f), "stall_monitor.active") == active);
        return active;
}

static int64_t ticks(Fixture *f) {
        return number_at(state_of(f), "stall_monitor.ticks");
}

static bool all_run(JsonNode *works) {
        g_autoptr(GList) list = json_array_get_elements(json_node_get_array(works));

        for (GList *w = list; w; w = w->next)
                for (guint i = 0; i < length_at(w->data, "workers"); i++) {
                        g_autofree char *path = g_strdup_printf("workers.%u.iterations", i);
                        if (number_at(w->data, path) == 0)
                                return false;
                }
        return true;
}

/* One that has not come to its first instruction is not watched: who stops workers lets them begin before. */
static void await_start(Fixture *f, const char *cgroup) {
        JsonNode *s = state_of(f);
        guint at_index = 0;

        while (true) {
                g_autofree char *path = g_strdup_printf("cgroups.%u.name", at_index);
                if (g_str_equal(text_at(s, path), cgroup))
                        break;
                at_index++;
        }
        g_autofree char *works = g_strdup_printf("cgroups.%u.works", at_index);
        look_until(all_run(at(state_of(f), works)));
}

static pid_t one_worker(Fixture *f, const char *cgroup) {
        g_autofree char *definition = g_strdup_printf("{'name': '%s', 'works': [{'workers': 1}]}", cgroup);
        pid_t pid = pid_at(add(f, definition), "works.0.pids.0");

        await_start(f, cgroup);
        return pid;
}

/* There is no event for a tick in which nothing happens. */
static void let_tick(Fixture *f, unsigned n) {
        int64_t until = ticks(f) + n;

        look_until(ticks(f) >= until);
}

/* Long enough for a second report, if there were to be one. */
static void assert_quiet(Fixture *f, const char *cgroup) {
        let_tick(f, 10);
        ping(f);
        assert_false(has_signal(f, "StallDetected", cgroup));
}

static JsonNode *await_stall(Fixture *f, const char *cgroup, pid_t pid, const char *class) {
        JsonNode *told = await_signal(f, "StallDetected", cgroup);

        assert_int_equal(number_at(told, "1"), pid);
        assert_string_equal(text_at(told, "2"), class);
        assert_string_equal(text_at(told, "3.class"), class);
        return at(told, "3");
}

static void await_moves(Fixture *f, const char *path) {
        int64_t before = number_at(state_of(f), path);

        look_until(number_at(state_of(f), path) > before);
}

/* ---- telling ---- */

static void test_stopped_worker(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = one_worker(f, "foo");
        JsonNode *details, *s;
        Ending e;

        assert_true(is_active(f));
        assert_int_equal(number_at(state_of(f), "stall_monitor.poll_ms"), atoi(POLL_MS));
        process_stop(pid);
        details = await_stall(f, "foo", pid, "stopped");
        assert_int_equal(number_at(details, "pid"), pid);
        assert_int_equal(number_at(details, "tid"), pid);
        assert_string_equal(text_at(details, "cgroup"), "foo");
        assert_string_equal(text_at(details, "work_type"), "SpinWait");
        assert_int_equal(number_at(details, "work_index"), 0);
        assert_int_equal(number_at(details, "worker"), 0);
        assert_string_equal(text_at(details, "state"), "T");
        assert_int_equal(length_at(details, "samples"), 4);
        assert_true(truth_at(details, "fails"));
        assert_non_null(strstr(text_at(details, "cause"), "SIGCONT"));
        assert_true(text_at(details, "wchan")[0] != '[');
        assert_false(has(details, "runnable_on_its_cpus.incomplete") &&
                     g_str_equal(text_at(details, "runnable_on_its_cpus.incomplete"), "not asked for"));
        assert_quiet(f, "foo");

        s = state_of(f);
        assert_int_equal(length_at(s, "stalls"), 1);
        assert_int_equal(number_at(s, "stalls.0.pid"), pid);
        kill(pid, SIGCONT);
        e = end_step(f);
        assert_int_equal(length_at(e.report, "stalls"), 1);
        assert_string_equal(text_at(e.report, "stalls.0.class"), "stopped");
        assert_int_equal(number_at(e.summary, "stalls"), 1);
        assert_int_equal(number_at(e.summary, "stalls_failed"), 1);
        assert_false(truth_at(e.summary, "passed"));
        assert_non_null(strstr(text_at(e.summary, "failures.0"), "stopped by a signal"));
        assert_false(is_active(f));
        assert_int_equal(length_at(state_of(f), "stalls"), 0);
}

static void test_second_stall(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = one_worker(f, "foo");
        Ending e;

        process_stop(pid);
        await_stall(f, "foo", pid, "stopped");
        kill(pid, SIGCONT);
        await_moves(f, "cgroups.0.works.0.workers.0.iterations");
        process_stop(pid);
        await_stall(f, "foo", pid, "stopped");
        assert_quiet(f, "foo");
        kill(pid, SIGCONT);
        e = end_step(f);
        assert_int_equal(number_at(e.summary, "stalls"), 2);
        assert_int_equal(length_at(e.summary, "failures"), 2);
}

static void test_asleep(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = pid_at(add(f, "{'name': 'foo', 'works': [" SLEEPER "]}"), "works.0.pids.0");
        JsonNode *details = await_stall(f, "foo", pid, "sleeping");

        assert_string_equal(text_at(details, "work_type"), "Bursty");
        assert_non_null(strstr(text_at(details, "cause"), "asleep in "));
        assert_quiet(f, "foo");
}

/* A worker whose partner stands looks from time to time whether it is to stop: it wakes, and is not told. */
static void test_partner_of_a_stopped_one(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'work_type': 'FutexPingPong', 'workers': 2}, "
                             "{'work_type': 'PipeIo', 'workers': 2}]}");
        pid_t first = pid_at(r, "works.0.pids.0"), second = pid_at(r, "works.1.pids.1");
        JsonNode *told;

        await_start(f, "foo");
        process_stop(first);
        process_stop(second);
        for (unsigned i = 0; i < 2; i++) {
                told = await_signal(f, "StallDetected", "foo");
                assert_string_equal(text_at(told, "2"), "stopped");
                assert_true(number_at(told, "1") == first || number_at(told, "1") == second);
        }
        assert_quiet(f, "foo");
        kill(first, SIGCONT);
        kill(second, SIGCONT);
}

/* By its own id, not by its leader's. */
static void test_thread(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r =
                add(f, "{'name': 'foo', 'works': [{'work_type': 'SpinWait', 'workers': 1, 'pcomm': 'box'}, "
                       "{'work_type': 'Bursty', 'workers': 1, 'pcomm': 'box', 'params': "
                       "{'burst_duration': '1us', 'sleep_duration': '3600s'}}]}");
        JsonNode *details = await_stall(f, "foo", pid_at(r, "works.0.pids.0"), "sleeping");

        assert_int_equal(number_at(details, "tid"), number_at(r, "works.1.tids.0"));
        assert_int_equal(number_at(details, "work_index"), 1);
        assert_int_equal(number_at(details, "worker"), 0);
        assert_quiet(f, "foo");
}

static void test_payloads(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *idle, *details;

        one_worker(f, "foo");
        call(f, "RunPayload",
             "[{'payload': {'name': 'busy', 'exec': 'sh', 'args': ['-c', 'while :; do :; done']}}, {}]");
        idle = at(call(f, "RunPayload",
                       "[{'payload': {'name': 'idle', 'exec': 'sleep', 'args': ['100']}}, {}]"),
                  "0");
        details = await_stall(f, NULL, pid_at(idle, "pid"), "sleeping");
        assert_string_equal(text_at(details, "payload"), "idle");
        assert_false(has(details, "work_type"));
        assert_quiet(f, NULL);
        assert_non_null(strstr(text_at(end_step(f).summary, "failures.0"), "payload idle"));
}

/* ---- options ---- */

static void test_classes_that_fail(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *options;
                bool fails;
        } rows[] = {
                { "{'stall_fails': []}", false },
                { "{'stall_fails': ['starved', 'blocked']}", false },
                { "{'stall_fails': ['starved', 'sleeping']}", true },
                { "{}", true },
        };
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                JsonNode *r = add_with(f, "{'name': 'foo', 'works': [" SLEEPER "]}", rows[i].options);
                Ending e;
                assert_true(truth_at(await_stall(f, "foo", pid_at(r, "works.0.pids.0"), "sleeping"),
                                     "fails") == rows[i].fails);
                e = end_step(f);
                assert_int_equal(number_at(e.summary, "stalls"), 1);
                assert_int_equal(number_at(e.summary, "stalls_failed"), rows[i].fails);
                assert_int_equal(length_at(e.summary, "failures"), rows[i].fails);
                assert_true(truth_at(e.summary, "passed") == !rows[i].fails);
                assert_true(truth_at(e.report, "stalls.0.fails") == rows[i].fails);
        }
}

static void test_without_the_monitor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add_with(f, "{'name': 'foo', 'works': [" SLEEPER "]}", "{'stall_monitor': false}");

        assert_false(is_active(f));
        assert_false(has(state_of(f), "stall_monitor.ticks"));
        /* Nothing happens here, so time is all there is to wait for: three windows. */
        g_usleep(3 * 400000);
        ping(f);
        assert_false(has_signal(f, "StallDetected", NULL));
        assert_true(pid_at(r, "works.0.pids.0") > 0);
        assert_true(truth_at(end_step(f).summary, "passed"));
}

static void test_period_of_a_call(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        add_with(f, "{'name': 'foo', 'works': [{'workers': 1}]}", "{'stall_poll_ms': 1234}");
        assert_int_equal(number_at(state_of(f), "stall_monitor.poll_ms"), 1234);
        add_with(f, "{'name': 'bar', 'works': [{'workers': 1}]}", "{'stall_poll_ms': 77}");
        assert_int_equal(number_at(state_of(f), "stall_monitor.poll_ms"), 1234); /* the first call says it */
        end_step(f);
        add(f, "{'name': 'foo', 'works': [{'workers': 1}]}");
        assert_int_equal(number_at(state_of(f), "stall_monitor.poll_ms"), atoi(POLL_MS));
}

/* ---- its life ---- */

static void test_backdrop(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = pid_at(add_to_backdrop(f, "{'name': 'back', 'works': [" SLEEPER "]}"), "works.0.pids.0");

        assert_false(is_active(f));
        one_worker(f, "foo");
        assert_true(is_active(f));
        await_property(f, SCENARIO_PATH, "StallMonitorActive", "true");
        await_stall(f, "back", pid, "sleeping"); /* it is watched from now on */
        assert_int_equal(length_at(end_step(f).report, "stalls"), 1);
        assert_false(is_active(f));
        one_worker(f, "foo");
        await_stall(f, "back", pid, "sleeping"); /* once in each step */
        assert_true(truth_at(teardown(f).summary, "passed") == false);
        assert_false(is_active(f));
}

/* Whoever comes after the start is watched as well. */
static void test_later_calls(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        one_worker(f, "foo");
        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *name = g_strdup_printf("later%u", i);
                g_autofree char *definition = g_strdup_printf("{'name': '%s', 'works': [" SLEEPER "]}", name);
                await_stall(f, name, pid_at(add(f, definition), "works.0.pids.0"), "sleeping");
        }
        assert_int_equal(number_at(end_step(f).summary, "stalls"), 3);
}

static void test_frozen(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = one_worker(f, "foo");
        g_autofree char *freeze = below(f, "foo/cgroup.freeze");

        write_file(freeze, "1");
        assert_quiet(f, "foo");
        write_file(freeze, "0");
        assert_quiet(f, "foo");
        process_stop(pid);
        await_stall(f, "foo", pid, "stopped");
        kill(pid, SIGCONT);
}

/* Three samples were the same when the step ends: the last look takes the fourth. The period is long, so that
 * there is time between two ticks to do so. */
static void test_last_look(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add_with(f, "{'name': 'foo', 'works': [{'workers': 1}]}", "{'stall_poll_ms': 1000}");
        pid_t pid = pid_at(r, "works.0.pids.0");
        int64_t seen;
        Pending end;
        Ending e;

        await_moves(f, "cgroups.0.works.0.workers.0.iterations");
        process_stop(pid);
        seen = ticks(f);
        look_until(ticks(f) >= seen + 4); /* one saw that it had moved */
        g_usleep(600000);                 /* samples nearer than half a period count for nothing */
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        await_stall(f, "foo", pid, "stopped");
        assert_null(end.reply);
        kill(pid, SIGCONT);
        await(f, end.reply);
        e = read_ending(f, end.reply);
        assert_int_equal(length_at(e.report, "stalls"), 1);
        assert_false(truth_at(e.summary, "passed"));
        pending_clear(&end);
}

static void test_killed_worker(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        pid_t told = pid_at(r, "works.0.pids.0"), silent = pid_at(r, "works.0.pids.1");

        one_worker(f, "bar");
        await_start(f, "foo");
        process_stop(told);
        await_stall(f, "foo", told, "stopped");
        kill(told, SIGKILL);
        kill(silent, SIGKILL);
        await_signal(f, "WorkerExited", "foo");
        await_signal(f, "WorkerExited", "foo");
        assert_quiet(f, "foo");
        assert_int_equal(number_at(end_step(f).summary, "stalls"), 1);
}

/* ---- an executor that does not answer ---- */

static const FixtureOptions long_stop = { .config = FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=600\n" };

/* A worker that stands, in "foo", and whose executor stands, too. */
static pid_t stop_both(Fixture *f, pid_t *ret_executor) {
        pid_t pid = one_worker(f, "foo");

        *ret_executor = process_parent(pid);
        process_stop(*ret_executor);
        process_stop(pid);
        return pid;
}

static void test_stopped_executor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        pid_t executor, pid = stop_both(f, &executor);
        JsonNode *details = await_stall(f, "foo", pid, "stopped");

        assert_string_equal(text_at(details, "state"), "T");
        assert_string_equal(text_at(details, "wchan"), "[unreadable: not asked for]");
        assert_string_equal(text_at(details, "runnable_on_its_cpus.incomplete"), "not asked for");
        assert_false(has(details, "stack"));
        ping(f);
        assert_int_equal(length_at(state_of(f), "stalls"), 1);
        kill(executor, SIGCONT);
        kill(pid, SIGCONT);
        assert_int_equal(number_at(end_step(f).summary, "stalls"), 1);
}

static void test_end_of_the_daemon_meanwhile(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        pid_t executor, pid = stop_both(f, &executor);

        let_tick(f, 5); /* a report is on its way by now, or was told just so */
        kill(f->daemon.pid, SIGTERM);
        kill(pid, SIGCONT);
        kill(executor, SIGCONT);
        assert_int_equal(fixture_daemon_status(f), 0);
}

/* The step ends with a last look, for which the executor is asked; it ends instead. What was told of the step
 * goes with everything else. */
static void test_executor_that_dies_during_the_last_look(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t first = one_worker(f, "first"), executor;
        Pending end;

        process_stop(first);
        await_stall(f, "first", first, "stopped");
        stop_both(f, &executor);
        let_tick(f, 5);
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        ping(f);
        assert_null(end.reply);
        kill(executor, SIGKILL);
        await(f, end.reply);
        assert_true(pending_failed(&end, "ExecutorLost"));
        pending_clear(&end);
        assert_false(is_active(f));
        assert_int_equal(length_at(state_of(f), "stalls"), 0);
        one_worker(f, "foo");
        assert_true(is_active(f));
        assert_int_equal(number_at(end_step(f).summary, "stalls"), 0);
}

/* ---- many ---- */

enum { MANY = 2000, PINGS = 200 };

static int by_value(const void *a, const void *b) {
        gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
        return (x > y) - (x < y);
}

static void test_ping_beside_2000_workers(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        gint64 took[PINGS];

        add_with(f,
                 "{'name': 'foo', 'works': [{'work_type': 'Bursty', 'workers': 2000, 'params': "
                 "{'burst_duration': '1us', 'sleep_duration': '3600s'}}]}",
                 "{'stall_fails': []}");
        await_signal(f, "StallDetected", "foo"); /* the first of all of them */
        for (unsigned i = 0; i < PINGS; i++) {
                took[i] = g_get_monotonic_time();
                ping(f);
                took[i] = g_get_monotonic_time() - took[i];
        }
        qsort(took, PINGS, sizeof(took[0]), by_value);
        print_message("Ping while %d workers are told: median %" G_GINT64_FORMAT
                      " us, slowest %" G_GINT64_FORMAT " us\n",
                      MANY, took[PINGS / 2], took[PINGS - 1]);
        assert_true(took[PINGS / 2] < 50000);
        look_until(length_at(state_of(f), "stalls") == MANY);
        assert_int_equal(number_at(end_step(f).summary, "stalls"), MANY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_stopped_worker, fixture_teardown),
                cmocka_unit_test_teardown(test_second_stall, fixture_teardown),
                cmocka_unit_test_teardown(test_asleep, fixture_teardown),
                cmocka_unit_test_teardown(test_partner_of_a_stopped_one, fixture_teardown),
                cmocka_unit_test_teardown(test_thread, fixture_teardown),
                cmocka_unit_test_teardown(test_payloads, fixture_teardown),
                cmocka_unit_test_teardown(test_classes_that_fail, fixture_teardown),
                cmocka_unit_test_teardown(test_without_the_monitor, fixture_teardown),
                cmocka_unit_test_teardown(test_period_of_a_call, fixture_teardown),
                cmocka_unit_test_teardown(test_backdrop, fixture_teardown),
                cmocka_unit_test_teardown(test_later_calls, fixture_teardown),
                cmocka_unit_test_teardown(test_frozen, fixture_teardown),
                cmocka_unit_test_teardown(test_last_look, fixture_teardown),
                cmocka_unit_test_teardown(test_killed_worker, fixture_teardown),
                cmocka_unit_test_teardown(test_stopped_executor, fixture_teardown),
                cmocka_unit_test_teardown(test_end_of_the_daemon_meanwhile, fixture_teardown),
                cmocka_unit_test_teardown(test_executor_that_dies_during_the_last_look, fixture_teardown),
                cmocka_unit_test_teardown(test_ping_beside_2000_workers, fixture_teardown),
        };

        assert_true(g_setenv("KTSTR_STALL_POLL_MS", POLL_MS, TRUE)); /* what the daemon inherits */
        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
