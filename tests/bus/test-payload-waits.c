/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "dbus/names.h"

/* WaitPayload and KillPayload: who is answered, when, and with what. */

/* A payload that waits at a gate and then exits with 7. */
static pid_t start_gated(Fixture *f, const char *name, const Gate *gate, const char *cgroup) {
        g_autofree char *args = g_strdup_printf("'wait', '%s', 'print', 'through', 'exit', '7'", gate->path);

        return pid_at(run(f, name, args, cgroup), "pid");
}

static void send_wait(Fixture *f, Pending *p, const char *arguments) {
        send_pending(f, p, request(f, "WaitPayload", arguments));
}

static void assert_ended(Fixture *f, Pending *p, const char *result, int exit_code) {
        PayloadEnd e;

        await(f, p->reply);
        e = read_payload_end(f, p->reply);
        assert_string_equal(text_at(e.record, "result"), result);
        assert_int_equal(number_at(e.record, "exit_code"), exit_code);
        payload_end_clear(&e);
        pending_clear(p);
}

/* ---- several ---- */

static void test_two_who_wait(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        Pending waits[2];

        add(f, "{'name': 'keep'}");
        start_gated(f, "x", &gate, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(waits); i++)
                send_wait(f, &waits[i], "['x', {}]");
        ping_and_take(f); /* both have been taken in */
        assert_null(waits[0].reply);
        gate_open(&gate);
        for (size_t i = 0; i < G_N_ELEMENTS(waits); i++) {
                g_auto(PayloadEnd) e = { 0 };
                g_autofree char *text = NULL;

                await(f, waits[i].reply);
                e = read_payload_end(f, waits[i].reply);
                text = stream_text(e.streams[OUT]);
                assert_string_equal(text, "through\n");
                assert_int_equal(number_at(e.record, "exit_code"), 7);
                assert_sealed(e.streams[OUT]);
                pending_clear(&waits[i]);
        }
        assert_refused(f, call(f, "WaitPayload", "['x', {}]"), "NoSuchPayload", ESRCH, "'x'", NULL);
        assert_int_equal(length_at(end_step(f).report, "payloads"), 1); /* one record, not two */
}

/* A wait holds nobody up. */
static void test_calls_go_on_during_a_wait(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_auto(PayloadEnd) other = { 0 };
        Pending wait;

        start_gated(f, "x", &gate, NULL);
        send_wait(f, &wait, "['x', {}]");
        add(f, "{'name': 'a'}");
        run(f, "y", "'exit', '0'", "a");
        other = wait_payload(f, "['y', {}]");
        assert_int_equal(length_at(state_of(f), "cgroups"), 1);
        ping_and_take(f);
        assert_null(wait.reply);
        gate_open(&gate);
        assert_ended(f, &wait, "exited", 7);
}

/* ---- one who leaves ---- */

static int on_gone(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        const char *name, *old, *new;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) > 0 && !new[0])
                *(bool *)userdata = true;
        return 0;
}

static sd_bus *connect_other(const Fixture *f) {
        sd_bus *bus = NULL;

        assert_return_code(sd_bus_new(&bus), 0);
        assert_return_code(sd_bus_set_address(bus, f->address), 0);
        assert_return_code(sd_bus_set_bus_client(bus, true), 0);
        assert_return_code(sd_bus_start(bus), 0);
        return bus;
}

/* Waits from a connection of its own, which it then closes; the bus has told of that. */
static void wait_and_leave(Fixture *f, const char *name) {
        sd_bus *other = connect_other(f);
        g_autofree char *match = NULL;
        sd_bus_slot *slot = NULL;
        const char *unique;
        bool gone = false;

        assert_return_code(sd_bus_get_unique_name(other, &unique), 0);
        match = g_strdup_printf("type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                "arg0='%s'",
                                unique);
        assert_return_code(sd_bus_add_match(f->client, &slot, match, on_gone, &gone), 0);
        assert_return_code(
                sd_bus_call_method_async(other, NULL, KT_BUS_NAME, KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO,
                                         KT_SCENARIO_INTERFACE, "WaitPayload", NULL, NULL, "sa{sv}", name, 2,
                                         "timeout", "s", "100ms", "kill", "b", true),
                0);
        assert_return_code(sd_bus_call_method(other, KT_BUS_NAME, KT_BUS_PATH, "org.freedesktop.DBus.Peer",
                                              "Ping", NULL, NULL, ""),
                           0); /* and so the wait has begun */
        sd_bus_flush_close_unref(other);
        await(f, gone);
        sd_bus_slot_unref(slot);
        ping_and_take(f);
}

/* His timeout, which would have killed it, is gone with him. */
static void test_one_who_leaves(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        unsigned descriptors;
        Pending stays;
        pid_t pid;

        pid = start_gated(f, "x", &gate, NULL);
        descriptors = daemon_descriptors(f);
        send_wait(f, &stays, "['x', {}]");
        wait_and_leave(f, "x");
        assert_refused(f, call(f, "WaitPayload", "['x', {'timeout': '300ms'}]"), "TimedOut", ETIMEDOUT, NULL);
        assert_false(process_gone(pid));
        assert_string_equal(text_at(payload_in_state(f, "x", ""), "state"), "running");
        ping_and_take(f);
        assert_null(stays.reply);
        await_descriptors(f->daemon.pid, descriptors);
        gate_open(&gate);
        assert_ended(f, &stays, "exited", 7);
}

/* The only one who waited leaves, and the payload ends then: its result is there for whoever asks later. */
static void test_nobody_waits_any_more(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_auto(PayloadEnd) e = { 0 };

        start_gated(f, "x", &gate, NULL);
        wait_and_leave(f, "x");
        gate_open(&gate);
        await_signal(f, "PayloadExited", "x");
        assert_string_equal(text_at(payload_in_state(f, "x", ""), "state"), "exited");
        e = wait_payload(f, "['x', {}]");
        assert_string_equal(text_at(e.record, "result"), "exited");
}

/* ---- asked late ---- */

/* res:R124: looking at a running one fails and changes nothing; at one that has exited it gives the result;
 * and after that there is nothing more to ask for. */
static void test_only_to_look(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_auto(PayloadEnd) e = { 0 };
        pid_t pid = start_gated(f, "x", &gate, NULL);

        for (unsigned i = 0; i < 3; i++)
                assert_refused(f, call(f, "WaitPayload", "['x', {'timeout': 0}]"), "TimedOut", ETIMEDOUT,
                               "'x'", NULL);
        assert_false(process_gone(pid));
        gate_open(&gate);
        await_signal(f, "PayloadExited", "x");
        e = wait_payload(f, "['x', {'timeout': 0}]");
        assert_string_equal(text_at(e.record, "result"), "exited");
        assert_int_equal(number_at(e.record, "exit_code"), 7);
        assert_refused(f, call(f, "WaitPayload", "['x', {'timeout': 0}]"), "NoSuchPayload", ESRCH, "'x'",
                       NULL);
        assert_refused(f, call(f, "WaitPayload", "['x', {}]"), "NoSuchPayload", ESRCH, "'x'", NULL);
        assert_refused(f, call(f, "KillPayload", "['x', {}]"), "NoSuchPayload", ESRCH, "'x'", NULL);
}

/* What killed it was not the call: it had exited before. */
static void test_kill_of_one_that_has_exited(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };

        run(f, "x", "'print', 'last words', 'exit', '3'", NULL);
        await_signal(f, "PayloadExited", "x");
        e = kill_payload(f, "['x', {}]");
        assert_string_equal(text_at(e.record, "result"), "exited");
        assert_int_equal(number_at(e.record, "exit_code"), 3);
        assert_int_equal(number_at(e.record, "stdout.bytes"), strlen("last words\n"));
}

/* ---- timeouts ---- */

static void test_timeout(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        pid_t pid = start_gated(f, "x", &gate, NULL);
        gint64 begin = g_get_monotonic_time();
        g_auto(PayloadEnd) e = { 0 };

        assert_refused(f, call(f, "WaitPayload", "['x', {'timeout': 200000}]"), "TimedOut", ETIMEDOUT, "'x'",
                       "kill", NULL);
        assert_true(g_get_monotonic_time() - begin >= 200000);
        assert_false(process_gone(pid));
        gate_open(&gate);
        e = wait_payload(f, "['x', {'timeout': '600s'}]");
        assert_string_equal(text_at(e.record, "result"), "exited");
}

/* res:R127 */
static void test_timeout_that_kills(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        gint64 begin = g_get_monotonic_time();
        pid_t pid = pid_at(run(f, "x", "'print', 'hello', 'pause'", NULL), "pid");
        g_auto(PayloadEnd) e = wait_payload(f, "['x', {'timeout': '500ms', 'kill': true}]");
        g_autofree char *text = stream_text(e.streams[OUT]);

        assert_true(g_get_monotonic_time() - begin >= 500000);
        assert_string_equal(text_at(e.record, "result"), "timed-out");
        assert_int_equal(number_at(e.record, "exit_code"), -1);
        assert_int_equal(number_at(e.record, "signal"), SIGKILL);
        assert_true(number_at(e.record, "run_us") >= 400000);
        assert_string_equal(text, "hello\n");
        assert_int_equal(kill(-pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

/* Each has a timeout of his own; that of one does not end the wait of another. */
static void test_timeouts_of_several(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        Pending patient, hasty, killer;

        start_gated(f, "x", &gate, NULL);
        send_wait(f, &patient, "['x', {}]");
        send_wait(f, &hasty, "['x', {'timeout': '50ms'}]");
        await(f, hasty.reply);
        assert_true(pending_failed(&hasty, "TimedOut"));
        assert_null(patient.reply);
        send_wait(f, &killer, "['x', {'timeout': '50ms', 'kill': true}]");
        assert_ended(f, &killer, "timed-out", -1);
        assert_ended(f, &patient, "timed-out", -1); /* it learns how it ended, too */
        pending_clear(&hasty);
}

/* ---- somebody else ends it ---- */

static void test_kill_during_a_wait(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_auto(PayloadEnd) e = { 0 };
        Pending wait;

        add(f, "{'name': 'keep'}");
        start_gated(f, "x", &gate, NULL);
        send_wait(f, &wait, "['x', {'timeout': 9223372036854775807, 'kill': true}]");
        e = kill_payload(f, "['x', {}]");
        assert_string_equal(text_at(e.record, "result"), "killed");
        assert_ended(f, &wait, "killed", -1);
        assert_int_equal(length_at(end_step(f).report, "payloads"), 1);
}

static void test_end_during_a_wait(G_GNUC_UNUSED void **state) {
        static const char *const methods[] = { "EndStep", "Teardown" };

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
                Fixture *f = fixture_start(NULL);
                g_auto(Gate) gate = gate_new();
                Pending waits[2], end;
                Ending ending;

                add(f, "{'name': 'a'}");
                start_gated(f, "x", &gate, "a");
                start_gated(f, "y", &gate, NULL);
                send_wait(f, &waits[0], "['x', {}]");
                send_wait(f, &waits[1], "['y', {}]");
                send_pending(f, &end, request(f, methods[i], i ? "[]" : "[{}]"));
                await(f, end.reply);
                ending = read_ending(f, end.reply);
                assert_int_equal(length_at(ending.report, "payloads"), 2);
                assert_ended(f, &waits[0], "killed", -1);
                assert_ended(f, &waits[1], "killed", -1);
                pending_clear(&end);
                if (i + 1 < G_N_ELEMENTS(methods))
                        assert_int_equal(fixture_teardown(NULL), 0);
        }
}

/* Those in a frozen cgroup die of SIGKILL like any other. */
static void test_kill_in_a_frozen_cgroup(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *cgroup = below(f, "a"), *freeze = g_build_filename(cgroup, "cgroup.freeze", NULL);
        g_auto(Gate) gate = gate_new();

        add(f, "{'name': 'a'}");
        for (unsigned i = 0; i < 2; i++) {
                pid_t pid = start_gated(f, "x", &gate, "a");
                g_auto(PayloadEnd) e = { 0 };

                write_file(freeze, "1");
                if (i == 0) {
                        e = kill_payload(f, "['x', {}]");
                        assert_string_equal(text_at(e.record, "result"), "killed");
                        write_file(freeze, "0");
                } else
                        assert_string_equal(text_at(end_step(f).report, "payloads.0.result"), "killed");
                assert_true(process_gone(pid));
        }
}

/* A wait that comes while the end is under way. */
static void test_wait_during_an_end(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(
                &(FixtureOptions){ .config = FIXTURE_CONFIG "[Scenario]\nStopTimeoutSec=600\n" });
        JsonNode *r = add(f, "{'name': 'a', 'works': [{}]}");
        pid_t worker = pid_at(r, "works.0.pids.0"), payload = pid_at(run(f, "x", "'pause'", "a"), "pid");
        Pending wait, kill_call, end;

        process_stop(worker); /* the end waits for it */
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        await_signal(f, "PayloadExited", "x");
        assert_true(process_gone(payload));
        send_wait(f, &wait, "['x', {}]");
        send_pending(f, &kill_call, request(f, "KillPayload", "['x', {}]"));
        ping_and_take(f);
        assert_null(end.reply);
        assert_int_equal(kill(worker, SIGCONT), 0);
        assert_ended(f, &wait, "killed", -1);
        await(f, end.reply);
        assert_int_equal(length_at(read_ending(f, end.reply).report, "payloads"), 1);
        await(f, kill_call.reply); /* planned when its turn came, and then it was gone */
        assert_true(pending_failed(&kill_call, "NoSuchPayload"));
        pending_clear(&kill_call);
        pending_clear(&end);
}

/* ---- daemon and executor ---- */

static void test_daemon_ends_during_a_wait(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *left = NULL;
        int end = process_watch(start_gated(f, "x", &gate, NULL));
        Pending wait;

        send_wait(f, &wait, "['x', {}]");
        ping_and_take(f);
        assert_int_equal(kill(f->daemon.pid, SIGTERM), 0);
        await(f, wait.reply);
        if (pending_failed(&wait, "ShuttingDown"))
                pending_clear(&wait);
        else
                assert_ended(f, &wait, "killed", -1);
        assert_int_equal(fixture_daemon_status(f), 0);
        await_end(end);
        left = directories_below(f->root);
        assert_string_equal(left, "");
}

static void test_executor_dies_during_a_wait(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_auto(PayloadEnd) first = { 0 }, e = { 0 };
        unsigned descriptors;
        Pending waits[2];
        pid_t pid;
        int end;

        run(f, "first", "'exit', '0'", NULL);
        first = wait_payload(f, "['first', {}]");
        teardown(f); /* the executor has gone */
        descriptors = daemon_descriptors(f);
        pid = start_gated(f, "x", &gate, NULL);
        end = process_watch(pid);
        for (size_t i = 0; i < G_N_ELEMENTS(waits); i++)
                send_wait(f, &waits[i], i ? "['x', {'timeout': '3600s', 'kill': true}]" : "['x', {}]");
        ping_and_take(f);
        assert_int_equal(kill(process_parent(pid), SIGKILL), 0);
        for (size_t i = 0; i < G_N_ELEMENTS(waits); i++) {
                await(f, waits[i].reply);
                assert_true(pending_failed(&waits[i], "ExecutorLost"));
                pending_clear(&waits[i]);
        }
        await_end(end);
        assert_int_equal(length_at(state_of(f), "payloads"), 0);
        run(f, "x", "'exit', '0'", NULL); /* and on it goes */
        e = wait_payload(f, "['x', {}]");
        assert_string_equal(text_at(e.record, "result"), "exited");
        teardown(f);
        await_descriptors(f->daemon.pid, descriptors);
}

/* A result that no report has told yet keeps the daemon, which would leave when it has nothing to do. */
static void test_results_keep_the_daemon(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .config = "[Daemon]\nIdleExitSec=1\nPlacementLog=\n" });
        g_auto(PayloadEnd) e = { 0 };

        run(f, "x", "'exit', '4'", NULL);
        e = wait_payload(f, "['x', {}]");
        assert_false(process_ends_within(&f->daemon, 2500));
        assert_int_equal(number_at(end_step(f).report, "payloads.0.exit_code"), 4);
        assert_int_equal(fixture_daemon_status(f), 0);
}

/* ---- many ---- */

enum { MANY = 300, WARM_UP = 20 };

static void test_300_quick_ones(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *children = NULL, *after = NULL;
        unsigned of_daemon = 0, of_executor = 0;
        pid_t executor = 0;

        add_to_backdrop(f, "{'name': 'a', 'works': [{'workers': 1}]}");
        children = processes_below(f->daemon.pid);
        executor = (pid_t)atoi(children);
        for (unsigned i = 0; i < MANY; i++) {
                g_auto(PayloadEnd) e = { 0 };

                if (!run_payload(f, "{'name': 't', 'exec': 'true'}", i % 2 ? "'cgroup': 'a'" : NULL))
                        fail_msg("%u: %s", i, f->error.message);
                e = wait_payload(f, "['t', {}]");
                assert_int_equal(number_at(e.record, "exit_code"), 0);
                g_ptr_array_set_size(f->kept, 0);
                if (i + 1 == WARM_UP) {
                        of_daemon = daemon_descriptors(f);
                        of_executor = count_descriptors(executor);
                }
        }
        await_descriptors(f->daemon.pid, of_daemon);
        await_descriptors(executor, of_executor);
        after = processes_below(f->daemon.pid);
        assert_string_equal(after, children);
        assert_int_equal(number_at(end_step(f).summary, "payloads"), MANY);
}

/* Those that nobody asks for cost descriptors until the end of the step, and none after it. */
static void test_many_at_once(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        unsigned descriptors;

        add_to_backdrop(f, "{'name': 'a'}");
        descriptors = daemon_descriptors(f);
        for (unsigned i = 0; i < 50; i++) {
                g_autofree char *name = g_strdup_printf("p%u", i);
                run(f, name, i % 2 ? "'print', 'x'" : "'pause'", i % 3 ? NULL : "a");
        }
        assert_int_equal(length_at(end_step(f).report, "payloads"), 50);
        await_descriptors(f->daemon.pid, descriptors);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_two_who_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_calls_go_on_during_a_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_one_who_leaves, payloads_teardown),
                cmocka_unit_test_teardown(test_nobody_waits_any_more, payloads_teardown),
                cmocka_unit_test_teardown(test_only_to_look, payloads_teardown),
                cmocka_unit_test_teardown(test_kill_of_one_that_has_exited, payloads_teardown),
                cmocka_unit_test_teardown(test_timeout, payloads_teardown),
                cmocka_unit_test_teardown(test_timeout_that_kills, payloads_teardown),
                cmocka_unit_test_teardown(test_timeouts_of_several, payloads_teardown),
                cmocka_unit_test_teardown(test_kill_during_a_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_end_during_a_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_kill_in_a_frozen_cgroup, payloads_teardown),
                cmocka_unit_test_teardown(test_wait_during_an_end, payloads_teardown),
                cmocka_unit_test_teardown(test_daemon_ends_during_a_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_executor_dies_during_a_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_results_keep_the_daemon, payloads_teardown),
                cmocka_unit_test_teardown(test_300_quick_ones, payloads_teardown),
                cmocka_unit_test_teardown(test_many_at_once, payloads_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
