/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define LIGHT "'work_type': 'Bursty', 'params': {'burst_duration': '1ms', 'sleep_duration': '50ms'}"

/* What a payload leaves behind goes with it, and nothing else does. */

/* A payload with company: a child in its process group and an orphan in a session of its own. */
typedef struct Company {
        pid_t leader;
        int ends[3]; /* of leader, child and orphan */
} Company;

static Company start_company(Fixture *f, const Gate *gate, const char *cgroup) {
        g_autofree char *args = g_strdup_printf("'later', '%s', 'never', 'orphan', 'pause'", gate->path);
        pid_t pid = pid_at(run(f, "x", args, cgroup), "pid");
        g_auto(PayloadView) v = view_payload(f, "['x', {}]");
        g_autofree char *orphan = await_text(&v, OUT, "\n"), *child = processes_below(pid);

        return (Company){ pid,
                          { process_watch(pid), process_watch((pid_t)atoi(child)),
                            process_watch((pid_t)atoi(orphan)) } };
}

static void await_company(const Company *c) {
        for (size_t i = 0; i < G_N_ELEMENTS(c->ends); i++)
                await_end(c->ends[i]);
}

/* All of it has gone with the call. */
static void assert_company_gone(const Company *c) {
        assert_int_equal(kill(-c->leader, 0), -1);
        assert_int_equal(errno, ESRCH);
        await_company(c);
}

/* res:R125 */
static void test_all_of_it_is_ended(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();

        add_to_backdrop(f, "{'name': 'a', 'works': [{" LIGHT ", 'workers': 2}]}");
        for (unsigned i = 0; i < 4; i++) {
                Company c = start_company(f, &gate, i % 2 ? "a" : NULL);
                g_auto(PayloadEnd) e = { 0 };

                if (i < 2) {
                        e = kill_payload(f, "['x', {}]");
                        assert_string_equal(text_at(e.record, "result"), "killed");
                        assert_int_equal(number_at(e.record, "signal"), SIGKILL);
                        assert_int_equal(number_at(e.record, "exit_code"), -1);
                } else {
                        Ending ending = end_step(f);
                        assert_string_equal(text_at(ending.report, "payloads.0.result"), "killed");
                }
                assert_company_gone(&c);
                assert_int_equal(length_at(state_of(f), "payloads"), 0);
        }
        assert_int_equal(number_at(teardown(f).summary, "completed"), 2); /* the workers were let alone */
}

/* What the leader left behind goes on until somebody asks for the result. */
static void test_leftovers_go_with_the_wait(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL;
        pid_t orphan;
        int end;

        run(f, "x", "'orphan'", NULL);
        await_signal(f, "PayloadExited", "x");
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                text = await_text(&v, OUT, "\n");
        }
        orphan = (pid_t)atoi(text);
        assert_false(process_gone(orphan));
        end = process_watch(orphan);
        e = wait_payload(f, "['x', {}]");
        await_end(end);
        assert_string_equal(text_at(e.record, "result"), "exited");
        assert_int_equal(number_at(e.record, "exit_code"), 0);
}

/* It has cleared its environment and left the process group, beside workers: nobody but this payload can have
 * started what the executor inherits. */
static void test_leftovers_without_a_mark(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL;
        pid_t orphan;

        add(f, "{'name': 'a', 'works': [{" LIGHT ", 'workers': 2}]}");
        assert_non_null(run_payload(f,
                                    "{'name': 'x', 'exec': 'env', 'args': ['-i', 'setsid', 'sh', '-c', "
                                    "'sleep 1000 & echo $!']}",
                                    "'cgroup': 'a'"));
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                text = await_text(&v, OUT, "\n");
        }
        orphan = (pid_t)atoi(text);
        assert_false(process_gone(orphan));
        e = wait_payload(f, "['x', {}]");
        assert_true(process_gone(orphan));
        assert_int_equal(number_at(end_step(f).summary, "completed"), 2);
}

/* Another payload in the same cgroup, and what that has left behind, are not touched. */
static void test_neighbours_are_let_alone(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *text = NULL;
        g_auto(PayloadEnd) e = { 0 };
        pid_t leader, orphan;
        Company c;

        add(f, "{'name': 'a', 'works': [{" LIGHT ", 'workers': 2}]}");
        leader = pid_at(run(f, "y", "'orphan', 'pause'", "a"), "pid");
        {
                g_auto(PayloadView) v = view_payload(f, "['y', {}]");
                text = await_text(&v, OUT, "\n");
        }
        orphan = (pid_t)atoi(text);
        c = start_company(f, &gate, "a");
        e = kill_payload(f, "['x', {}]");
        assert_company_gone(&c);
        assert_false(process_gone(leader));
        assert_false(process_gone(orphan));
        assert_string_equal(text_at(payload_in_state(f, "y", "a"), "state"), "running");
        assert_int_equal(number_at(end_step(f).summary, "completed"), 2);
        assert_true(process_gone(orphan));
}

/* Somebody who was there before, and was moved in from elsewhere. */
static void test_a_stranger_is_let_alone(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *cgroup = below(f, "a"), *procs = g_build_filename(cgroup, "cgroup.procs", NULL);
        Process stranger = process_start((const char *[]){ payload_program(), "pause", NULL }, NULL);
        g_autofree char *pid = g_strdup_printf("%d", stranger.pid);
        g_auto(PayloadEnd) e = { 0 };

        add(f, "{'name': 'a'}");
        run(f, "x", "'pause'", "a");
        write_file(procs, pid);
        e = kill_payload(f, "['x', {}]");
        assert_false(process_gone(stranger.pid));
        end_step(f); /* moves him out */
        assert_false(process_gone(stranger.pid));
        process_clear(&stranger);
}

/* In the process group of the executor, which must not be hit. */
static void test_leftovers_in_the_group_of_the_executor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'later', '%s', 'never', 'orphan', 'pause'", gate.path);
        g_autofree char *before = NULL, *after = NULL, *text = NULL;
        g_auto(PayloadEnd) e = { 0 };

        add(f, "{'name': 'keep', 'works': [{" LIGHT ", 'workers': 2}]}");
        before = processes_below(f->daemon.pid);
        run_with(f, "x", args, "'process_group': 'parent'");
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                text = await_text(&v, OUT, "\n");
        }
        e = kill_payload(f, "['x', {}]");
        after = processes_below(f->daemon.pid);
        assert_string_equal(after, before);
}

/* Below a cgroup that the payload has made for itself. */
static void check_nested(Fixture *f, const char *cgroup, const char *directory) {
        g_autofree char *args = g_strdup_printf("'nest', '%s', 'pause'", f->root);
        g_autofree char *text = NULL, *path = below(f, directory);
        g_auto(PayloadEnd) e = { 0 };
        int end;

        run(f, "x", args, cgroup);
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                text = await_text(&v, OUT, "\n");
        }
        end = process_watch((pid_t)atoi(text));
        e = kill_payload(f, "['x', {}]");
        await_end(end);
        assert_json(at(end_step(f).summary, "warnings"), "[]");
        assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_leftovers_in_a_cgroup_of_its_own_making(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        add_to_backdrop(f, "{'name': 'keep', 'works': [{" LIGHT "}]}");
        check_nested(f, NULL, "@payload-1");
        add(f, "{'name': 'a', 'works': [{" LIGHT "}]}");
        check_nested(f, "a", "a");
}

/* Teardown takes along what it finds. */
static void test_nested_at_teardown(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *args = g_strdup_printf("'nest', '%s'", f->root), *left = NULL;

        add(f, "{'name': 'a'}");
        run(f, "x", args, "a");
        run(f, "y", args, NULL);
        await_signal(f, "PayloadExited", "x");
        await_signal(f, "PayloadExited", "y");
        assert_json(at(teardown(f).summary, "warnings"), "[]");
        left = directories_below(f->root);
        assert_string_equal(left, "");
}

/* One that is never the same process for long: each forks the next and is gone. */
static void test_one_that_hops(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        add_to_backdrop(f, "{'name': 'a', 'works': [{" LIGHT "}]}");
        for (unsigned i = 0; i < 2; i++) {
                g_auto(Machine) before = machine_look(f);
                g_auto(PayloadEnd) e = { 0 };

                run(f, "x", "'hop'", i ? "a" : NULL);
                await_signal(f, "PayloadExited", "x");
                e = wait_payload(f, "['x', {}]");
                assert_string_equal(text_at(e.record, "result"), "exited");
                machine_assert_same(f, &before, "a payload that hops");
                assert_json(at(end_step(f).summary, "warnings"), "[]");
        }
}

/* ---- with executor and daemon ---- */

static void test_with_the_executor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();

        for (unsigned i = 0; i < 2; i++) {
                Company c;

                add(f, "{'name': 'a'}");
                c = start_company(f, &gate, i ? "a" : NULL);
                assert_int_equal(kill(process_parent(c.leader), SIGKILL), 0);
                await_company(&c);
                await_signal(f, "CgroupRemoved", "a");
        }
}

static void test_with_the_daemon(G_GNUC_UNUSED void **state) {
        static const int numbers[] = { SIGTERM, SIGKILL };

        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
                Fixture *f = fixture_start(NULL);
                g_auto(Gate) gate = gate_new();
                int watch, executor;
                Company c;

                add(f, "{'name': 'a'}");
                c = start_company(f, &gate, i ? "a" : NULL);
                executor = process_watch(process_parent(c.leader));
                watch = removal_watch(f->scenario);
                assert_int_equal(kill(f->daemon.pid, numbers[i]), 0);
                assert_int_equal(fixture_daemon_status(f), numbers[i] == SIGKILL ? -SIGKILL : 0);
                await_company(&c);
                await_removal(watch, f->scenario);
                await_end(executor);
                if (i + 1 < G_N_ELEMENTS(numbers))
                        assert_int_equal(fixture_teardown(NULL), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_all_of_it_is_ended, payloads_teardown),
                cmocka_unit_test_teardown(test_leftovers_go_with_the_wait, payloads_teardown),
                cmocka_unit_test_teardown(test_leftovers_without_a_mark, payloads_teardown),
                cmocka_unit_test_teardown(test_neighbours_are_let_alone, payloads_teardown),
                cmocka_unit_test_teardown(test_a_stranger_is_let_alone, payloads_teardown),
                cmocka_unit_test_teardown(test_leftovers_in_the_group_of_the_executor, payloads_teardown),
                cmocka_unit_test_teardown(test_leftovers_in_a_cgroup_of_its_own_making, payloads_teardown),
                cmocka_unit_test_teardown(test_nested_at_teardown, payloads_teardown),
                cmocka_unit_test_teardown(test_one_that_hops, payloads_teardown),
                cmocka_unit_test_teardown(test_with_the_executor, payloads_teardown),
                cmocka_unit_test_teardown(test_with_the_daemon, payloads_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
