/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <signal.h>

#include "dbus/names.h"

static const FixtureOptions long_stop = { .config = FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=600\n" };

/* ---- calls at the same time ---- */

enum { CALLS = 20 };

static void test_calls_are_answered_in_order(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Pending calls[CALLS];
        JsonNode *s;

        for (unsigned i = 0; i < CALLS; i++) {
                g_autofree char *arguments = g_strdup_printf("[{'name': 'g%02u'}, {}]", i);
                send_pending(f, &calls[i], request(f, "AddCgroupDef", arguments));
        }
        await(f, calls[CALLS - 1].reply);
        s = state_of(f);
        assert_int_equal(length_at(s, "cgroups"), CALLS);
        for (unsigned i = 1; i < CALLS; i++)
                assert_int_equal(calls[i].order, calls[0].order + i);
        for (unsigned i = 0; i < CALLS; i++) {
                g_autofree char *name = g_strdup_printf("g%02u", i);
                g_autofree char *place = g_strdup_printf("cgroups.%u.name", i);

                assert_non_null(calls[i].reply);
                assert_false(sd_bus_message_is_method_error(calls[i].reply, NULL));
                assert_string_equal(text_at(s, place), name);
                pending_clear(&calls[i]);
        }
        assert_int_equal(number_at(end_step(f).summary, "completed"), CALLS);
}

/* Each call is planned when its turn comes: of two that want one name, the first gets it. */
static void test_calls_are_planned_in_turn(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Pending first, second, end, third;

        send_pending(f, &first, request(f, "AddCgroupDef", "[{'name': 'x'}, {}]"));
        send_pending(f, &second, request(f, "AddCgroupDef", "[{'name': 'x'}, {}]"));
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        send_pending(f, &third, request(f, "AddCgroupDef", "[{'name': 'x'}, {}]"));
        await(f, third.reply);
        assert_false(sd_bus_message_is_method_error(first.reply, NULL));
        assert_true(pending_failed(&second, "CgroupExists"));
        assert_false(sd_bus_message_is_method_error(end.reply, NULL));
        assert_false(sd_bus_message_is_method_error(third.reply, NULL));
        pending_clear(&first);
        pending_clear(&second);
        pending_clear(&end);
        pending_clear(&third);
}

static void test_loop_goes_on_while_a_step_ends(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        pid_t stopped = pid_at(r, "works.0.pids.0");
        Pending end;

        process_stop(stopped);
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        await_signal(f, "WorkerExited", "foo");
        for (unsigned i = 0; i < 50; i++) {
                ping(f);
                assert_int_equal(length_at(state_of(f), "cgroups"), 1);
                topology_of(f);
        }
        assert_null(end.reply);
        assert_int_equal(kill(stopped, SIGCONT), 0);
        await(f, end.reply);
        assert_int_equal(number_at(read_ending(f, end.reply).summary, "completed"), 2);
        pending_clear(&end);
}

/* Who called and left the bus gets no answer; what he asked for is carried out all the same. */
static void test_caller_that_leaves(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&long_stop);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        pid_t stopped = pid_at(r, "works.0.pids.0");
        sd_bus *other = NULL;

        process_stop(stopped);
        assert_return_code(sd_bus_new(&other), 0);
        assert_return_code(sd_bus_set_address(other, f->address), 0);
        assert_return_code(sd_bus_set_bus_client(other, true), 0);
        assert_return_code(sd_bus_start(other), 0);
        assert_return_code(sd_bus_call_method_async(other, NULL, KT_BUS_NAME,
                                                    KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO,
                                                    KT_SCENARIO_INTERFACE, "EndStep", NULL, NULL, "a{sv}", 0),
                           0);
        assert_return_code(sd_bus_flush(other), 0);
        await_signal(f, "WorkerExited", "foo");
        sd_bus_close_unref(other);
        assert_int_equal(kill(stopped, SIGCONT), 0);
        await_signal(f, "StepEnded", NULL);
        add(f, "{'name': 'foo'}");
}

/* ---- many ---- */

enum { CGROUPS = 100, GROUPS = 2, WORKERS = 500 };

static const FixtureOptions limits = {
        .config = FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=60\n[Limits]\nMaxCgroups=100\nMaxWorkers=500\n",
};

/* 100 cgroups with two groups of 2 and 3 workers that sleep most of the time. */
static char *many_definitions(void) {
        GString *text = g_string_new("[[");

        for (unsigned i = 0; i < CGROUPS; i++)
                g_string_append_printf(
                        text,
                        "%s{'name': 'g%u', 'works': [{'work_type': 'Bursty', 'workers': 2, 'params': "
                        "{'burst_duration': '100us', 'sleep_duration': '1s'}}, {'work_type': 'Bursty', "
                        "'workers': 3, 'params': {'burst_duration': '100us', 'sleep_duration': '1s'}}]}",
                        i ? ", " : "", i);
        g_string_append(text, "], {}]");
        return g_string_free(text, FALSE);
}

static void test_500_workers(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&limits);
        g_autofree char *arguments = many_definitions();
        JsonNode *results = call(f, "ApplySetup", arguments);
        Ending e;

        if (!results)
                fail_msg("%s: %s", f->error.name, f->error.message);
        assert_int_equal(length_at(results, "0"), CGROUPS);
        assert_int_equal(length_at(results, "0.99.works.1.pids"), 3);
        await_property(f, KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO, "Workers", "500");

        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'more'}, {}]"), "LimitExceeded", EDQUOT,
                       "MaxWorkers", "500", NULL);
        e = end_step(f);
        assert_int_equal(number_at(e.summary, "cgroups"), CGROUPS);
        assert_int_equal(number_at(e.summary, "workers"), WORKERS);
        assert_int_equal(number_at(e.summary, "completed"), WORKERS);
        assert_int_equal(length_at(e.report, "cgroups"), CGROUPS);
        assert_int_equal(length_at(e.report, "cgroups.50.works"), GROUPS);
}

static void test_limit_counts_what_runs(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .config = FIXTURE_CONFIG "[Limits]\nMaxWorkers=5\n" });

        add(f, "{'name': 'a', 'works': [{'workers': 3}]}");
        add_to_backdrop(f, "{'name': 'b', 'works': [{'workers': 2}]}");
        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'c'}, {}]"), "LimitExceeded", EDQUOT,
                       "6 workers", "MaxWorkers", NULL);
        end_step(f);
        add(f, "{'name': 'c', 'works': [{'workers': 3}]}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_calls_are_answered_in_order, fixture_teardown),
                cmocka_unit_test_teardown(test_calls_are_planned_in_turn, fixture_teardown),
                cmocka_unit_test_teardown(test_loop_goes_on_while_a_step_ends, fixture_teardown),
                cmocka_unit_test_teardown(test_caller_that_leaves, fixture_teardown),
                cmocka_unit_test_teardown(test_500_workers, fixture_teardown),
                cmocka_unit_test_teardown(test_limit_counts_what_runs, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
