/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "dbus/names.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO
#define LIGHT         "'work_type': 'Bursty', 'params': {'burst_duration': '1ms', 'sleep_duration': '50ms'}"

static char *hierarchy_of(const Fixture *f, const char *cgroup) {
        return g_strdup_printf("0::%s/" KT_DEFAULT_SCENARIO "/%s", f->hierarchy, cgroup);
}

static char *first_line(int fd) {
        char *text = stream_text(fd);

        text[strcspn(text, "\n")] = '\0';
        return text;
}

static void assert_bare(Fixture *f) {
        g_autofree char *left = directories_below(f->root);

        assert_string_equal(left, "");
        assert_int_equal(length_at(state_of(f), "payloads"), 0);
}

/* ---- where it is born ---- */

/* ops:J27 ops:O2 */
static void test_payload_of_a_definition(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("where", "'cgroup', 'pause'", NULL), *path = below(f, "a");
        g_autofree char *definition = g_strdup_printf(
                "{'name': 'a', 'works': [{" LIGHT ", 'workers': 2}], 'payload': %s}", payload);
        JsonNode *r = add(f, definition), *p;
        g_autofree char *expected = hierarchy_of(f, "a"), *cgroup = NULL, *text = NULL;
        g_auto(PayloadView) v = view_payload(f, "['where', {}]");
        pid_t pid = pid_at(r, "payload.pid");

        assert_string_equal(text_at(r, "payload.payload"), "where");
        assert_string_equal(text_at(r, "payload.cgroup"), "a");
        assert_string_equal(text_at(r, "payload.path"), path);
        assert_string_equal(text_at(r, "payload.target"), "step");
        assert_string_equal(text_at(r, "payload.argv.0"), payload_program());
        assert_string_equal(text_at(r, "payload.argv.1"), "cgroup");
        text = await_text(&v, OUT, "\n");
        assert_string_equal(g_strchomp(text), expected);
        cgroup = process_cgroup(pid);
        assert_string_equal(cgroup, expected + strlen("0::"));
        p = payload_in_state(f, "where", "a");
        assert_non_null(p);
        assert_string_equal(text_at(p, "state"), "running");
        assert_string_equal(text_at(p, "origin"), "definition");
        assert_string_equal(text_at(p, "slot"), "step");
        assert_int_equal(number_at(p, "pid"), pid);
        assert_int_equal(length_at(r, "works.0.pids"), 2);
        end_step(f);
        assert_true(process_gone(pid));
        assert_bare(f);
}

/* The gates of the workers are open before the program is started. */
static void test_order_of_a_set_up(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("late", "'pause'", NULL);
        g_autofree char *arguments =
                g_strdup_printf("[[{'name': 'a', 'works': [{}], 'payload': %s}, {'name': "
                                "'b', 'works': [{}]}], {'dry_run': true}]",
                                payload);
        JsonNode *answer = call(f, "ApplySetup", arguments), *actions;
        guint released = 0, started = 0;

        assert_non_null(answer);
        for (guint d = 0; d < 2; d++) {
                g_autofree char *list = g_strdup_printf("0.%u.actions", d);
                actions = at(answer, list);
                for (guint i = 0; i < json_array_get_length(json_node_get_array(actions)); i++) {
                        g_autofree char *place = g_strdup_printf("%u.action", i);
                        const char *action = text_at(actions, place);
                        released += g_str_equal(action, "release");
                        if (g_str_equal(action, "payload")) {
                                started++;
                                assert_int_equal(released, 2);
                        }
                }
        }
        assert_int_equal(started, 1);
        assert_false(has(answer, "0.0.payload.pid"));
        assert_string_equal(text_at(answer, "0.0.payload.payload"), "late");
        assert_bare(f);
}

static void test_payload_without_a_cgroup(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'cgroup', 'wait', '%s'", gate.path);
        JsonNode *r = run(f, "alone", args, NULL);
        g_autofree char *path = below(f, "@payload-1"), *expected = hierarchy_of(f, "@payload-1");
        g_autofree char *line = NULL;
        g_auto(PayloadEnd) e = { 0 };
        int watch = removal_watch(f->scenario);

        assert_string_equal(text_at(r, "payload"), "alone");
        assert_string_equal(text_at(r, "cgroup"), "");
        assert_string_equal(text_at(r, "path"), path);
        assert_string_equal(text_at(r, "target"), "step");
        assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));
        assert_int_equal(length_at(state_of(f), "cgroups"), 0); /* it is no cgroup of the caller's */
        gate_open(&gate);
        e = wait_payload(f, "['alone', {}]");
        line = first_line(e.streams[OUT]);
        assert_string_equal(line, expected);
        assert_string_equal(text_at(e.record, "cgroup"), "");
        assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
        await_removal(watch, f->scenario); /* nothing else is there, so the executor goes, too */
        assert_bare(f);
}

static void test_dry_run(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("x", "'pause'", NULL);
        g_autofree char *arguments =
                g_strdup_printf("[{'payload': %s, 'args': ['more']}, {'dry_run': true}]", payload);
        JsonNode *answer = call(f, "RunPayload", arguments);

        assert_non_null(answer);
        assert_false(has(answer, "0.pid"));
        assert_int_equal(length_at(answer, "0.argv"), 3);
        assert_true(length_at(answer, "0.actions") > 0);
        assert_bare(f);
}

/* ---- what it finds ---- */

/* The daemon's own conversation with its service manager is not the payload's. */
static void test_service_manager_is_the_daemons(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .notify = true });
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL;

        run(f, "x", "'environment', 'NOTIFY_SOCKET', 'environment', 'LISTEN_FDS'", NULL);
        e = wait_payload(f, "['x', {}]");
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, "(not set)\n(not set)\n");
}

static void test_what_a_payload_finds(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("self",
                                                "'environment', 'KTSETUP_PAYLOAD', 'environment', "
                                                "'KTSETUP_PAYLOAD_ID', 'environment', 'COLOUR', 'directory', "
                                                "'stdin', 'descriptors', 'status', 'SigBlk', 'status', "
                                                "'SigIgn', 'print', 'of the definition'",
                                                "'environment': ['COLOUR=green and blue'], "
                                                "'working_directory': '/usr'");
        JsonNode *r = run_payload(f, payload, "'args': ['print', 'of the call']");
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL, *errors = NULL;

        assert_non_null(r);
        assert_int_equal(length_at(r, "argv"), 18);
        assert_string_equal(text_at(r, "argv.15"), "of the definition");
        assert_string_equal(text_at(r, "argv.17"), "of the call");
        e = wait_payload(f, "['self', {}]");
        text = stream_text(e.streams[OUT]);
        errors = stream_text(e.streams[ERR]);
        assert_string_equal(errors, "");
        assert_string_equal(text, "self\ndefault-1\ngreen and blue\n/usr\n/dev/null\n0\n"
                                  "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                                  "of the definition\nof the call\n");
}

static void test_working_directory_by_default(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL;

        run(f, "x", "'directory'", NULL);
        e = wait_payload(f, "['x', {}]");
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, "/\n");
}

/* A bare name is looked up in PATH: in the definition's own, when it has one. */
static void test_path_of_the_definition(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *dir = g_path_get_dirname(payload_program());
        g_autofree char *base = g_path_get_basename(payload_program());
        g_autofree char *payload =
                g_strdup_printf("{'name': 'x', 'exec': '%s', 'args': ['print', 'found'], 'environment': "
                                "['PATH=/nowhere:%s']}",
                                base, dir);
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL;

        if (!run_payload(f, payload, NULL))
                fail_msg("%s", f->error.message);
        e = wait_payload(f, "['x', {}]");
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, "found\n");
}

/* res:R126: 'parent' leaves it in the executor's process group; else it leads one of its own. */
static void test_process_groups(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };
        pid_t pid, executor;

        add(f, "{'name': 'keep'}");
        pid = pid_at(run(f, "own", "'family', 'pause'", NULL), "pid");
        executor = process_parent(pid);
        assert_int_equal(getpgid(pid), pid);
        pid = pid_at(run_with(f, "parent", "'family', 'pause'", "'process_group': 'parent'"), "pid");
        assert_int_equal(getpgid(pid), getpgid(executor));
        assert_int_not_equal(getpgid(pid), pid);
        e = kill_payload(f, "['parent', {}]");
        assert_string_equal(text_at(e.record, "result"), "killed");
        assert_true(process_gone(pid));
        assert_false(process_gone(executor));
}

static void test_user(G_GNUC_UNUSED void **state) {
        static const char *const users[] = { "'nobody'", "'65534'", "65534" };
        static const char ids[] = "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n";
        Fixture *f = fixture_start(NULL);

        if (geteuid() != 0) {
                print_message("skipped: only root can start a payload as somebody else\n");
                skip();
        }
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
                g_autofree char *user = g_strdup_printf("'user': %s", users[i]), *text = NULL;
                g_auto(PayloadEnd) e = { 0 };

                run_with(f, "x", "'status', 'Uid', 'status', 'Gid'", user);
                e = wait_payload(f, "['x', {}]");
                text = stream_text(e.streams[OUT]);
                assert_string_equal(text, ids);
        }
}

/* ---- flags ---- */

/* ops:O19 ops:O20 ops:O21 ops:O22 ops:O23 */
static void test_known_flags(G_GNUC_UNUSED void **state) {
        static const char *const good[] = { "'--rw'", "'--rw=randread'", "'file', '-s', '--', '--=v'", "" };
        static const char *const bad[] = { "'--bs'", "'--bs=4k'", "'--rw', '--bs', '--other'" };
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload =
                payload_text("x", "'exit', '0', '--not-of-the-call'", "'known_flags': ['rw', 'runtime']");

        for (size_t i = 0; i < G_N_ELEMENTS(good) + G_N_ELEMENTS(bad); i++) {
                bool known = i < G_N_ELEMENTS(good);
                g_autofree char *args =
                        g_strdup_printf("'args': [%s]", known ? good[i] : bad[i - G_N_ELEMENTS(good)]);
                JsonNode *r = run_payload(f, payload, args);
                g_auto(PayloadEnd) e = { 0 };

                if (known) {
                        if (!r)
                                fail_msg("%s: %s", args, f->error.message);
                        e = wait_payload(f, "['x', {}]");
                        continue;
                }
                assert_refused(f, r, "InvalidDefinition", EINVAL, "'x'", "--bs", "rw", "runtime", NULL);
                assert_null(strstr(f->error.message, "--other"));
        }
        assert_bare(f);
}

/* ops:O24 */
static void test_without_a_list_any_flag_passes(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("x", "'exit', '0'", NULL);
        g_auto(PayloadEnd) e = { 0 };

        assert_non_null(run_payload(f, payload, "'args': ['--whatever', '--x=y']"));
        e = wait_payload(f, "['x', {}]");
        assert_true(truth_at(e.record, "passed"));
}

/* ---- how it ends ---- */

/* Where the kernel lets a process be born in a cgroup, it is. */
static const char *placement_here(Fixture *f) {
        g_autofree char *quirks =
                json_to_string(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "KernelQuirks"), FALSE);

        return strstr(quirks, "no-clone-into-cgroup") ? "moved" : "born";
}

static void test_exit_codes_and_signals(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *args, *result;
                int exit_code, signal;
        } ends[] = { { "'exit', '0'", "exited", 0, 0 },
                     { "'exit', '3'", "exited", 3, 0 },
                     { "'exit', '255'", "exited", 255, 0 },
                     { "'signal', '15'", "signaled", -1, SIGTERM },
                     { "'signal', '9'", "signaled", -1, SIGKILL } };
        Fixture *f = fixture_start(NULL);
        const char *placement;

        add(f, "{'name': 'keep'}");
        placement = placement_here(f);
        for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
                pid_t pid = pid_at(run(f, "x", ends[i].args, NULL), "pid");
                g_auto(PayloadEnd) e = wait_payload(f, "['x', {}]");

                assert_string_equal(text_at(e.record, "payload"), "x");
                assert_string_equal(text_at(e.record, "result"), ends[i].result);
                assert_string_equal(text_at(e.record, "origin"), "call");
                assert_string_equal(text_at(e.record, "slot"), "step");
                assert_string_equal(text_at(e.record, "argv.0"), payload_program());
                assert_string_equal(text_at(e.record, "placement"), placement);
                assert_int_equal(number_at(e.record, "pid"), pid);
                assert_int_equal(number_at(e.record, "exit_code"), ends[i].exit_code);
                assert_int_equal(has(e.record, "signal"), ends[i].signal != 0);
                if (ends[i].signal)
                        assert_int_equal(number_at(e.record, "signal"), ends[i].signal);
                assert_true(number_at(e.record, "run_us") > 0);
                assert_true(number_at(e.record, "rusage.max_rss_kib") > 0);
                assert_int_equal(number_at(e.record, "oom_kills"), 0);
                assert_true(truth_at(e.record, "passed")); /* no check was asked for */
                assert_json(at(e.record, "failures"), "[]");
                assert_json(at(e.record, "metrics"), "[]");
                assert_true(process_gone(pid));
        }
}

/* res:R123 */
static void test_programs_of_the_system(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) good = { 0 }, bad = { 0 }, killed = { 0 };

        assert_non_null(run_payload(f, "{'name': 't', 'exec': 'true'}", NULL));
        assert_non_null(run_payload(f, "{'name': 'f', 'exec': 'false', 'checks': ['exit-code:0']}", NULL));
        good = wait_payload(f, "['t', {}]");
        assert_int_equal(number_at(good.record, "exit_code"), 0);
        bad = wait_payload(f, "['f', {}]");
        assert_int_equal(number_at(bad.record, "exit_code"), 1);
        assert_false(truth_at(bad.record, "passed"));
        assert_int_equal(length_at(bad.record, "failures"), 1);
        assert_non_null(run_payload(f, "{'name': 's', 'exec': 'sleep', 'args': ['60']}", NULL));
        killed = kill_payload(f, "['s', {}]");
        assert_int_equal(number_at(killed.record, "exit_code"), -1);
        assert_true(truth_at(killed.record, "passed"));
}

/* ---- what is told ---- */

static void test_signal_and_property(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'wait', '%s', 'exit', '7'", gate.path);
        pid_t pid;
        JsonNode *s, *p;

        add(f, "{'name': 'a'}");
        pid = pid_at(run(f, "x", args, "a"), "pid");
        await_property(f, SCENARIO_PATH, "Payloads", "1");
        assert_json(property(f, SCENARIO_PATH, KT_SCENARIO_INTERFACE, "Payloads"), "1");
        signals_forget(f);
        gate_open(&gate);
        s = await_signal(f, "PayloadExited", "x"); /* nobody has to ask for it */
        assert_string_equal(text_at(s, "1"), "a");
        assert_int_equal(number_at(s, "2"), pid);
        assert_string_equal(text_at(s, "3.result"), "exited");
        assert_int_equal(number_at(s, "3.exit_code"), 7);
        assert_true(number_at(s, "3.run_us") > 0);
        assert_int_equal(number_at(s, "3.oom_kills"), 0);
        assert_false(has(s, "3.signal"));
        await_property(f, SCENARIO_PATH, "Payloads", "0");
        p = payload_in_state(f, "x", "a");
        assert_non_null(p);
        assert_string_equal(text_at(p, "state"), "exited");
        assert_string_equal(text_at(p, "result"), "exited");
        assert_int_equal(number_at(p, "exit_code"), 7);
        assert_true(number_at(p, "run_us") > 0);
        assert_int_equal(number_at(p, "stdout.bytes"), 0);
}

static void test_signal_of_a_death(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *s;

        run(f, "x", "'signal', '10'", NULL);
        s = await_signal(f, "PayloadExited", "x");
        assert_string_equal(text_at(s, "1"), "");
        assert_string_equal(text_at(s, "3.result"), "signaled");
        assert_int_equal(number_at(s, "3.exit_code"), -1);
        assert_int_equal(number_at(s, "3.signal"), SIGUSR1);
}

/* ---- reports ---- */

/* ops:O18: one that has exited before the end of the step is told like the others. */
static void test_report_and_summary(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) waited = { 0 };
        JsonNode *s;
        Ending e;

        add(f, "{'name': 'a'}");
        run_with(f, "good", "'exit', '0'", "'checks': ['exit-code:0']");
        waited = wait_payload(f, "['good', {}]");
        run_with(f, "bad", "'error', 'out of luck', 'exit', '42'", "'checks': ['exit-code:0']");
        await_signal(f, "PayloadExited", "bad");
        run(f, "busy", "'pause'", "a");
        e = end_step(f);
        assert_int_equal(number_at(e.summary, "payloads"), 3);
        assert_int_equal(number_at(e.summary, "payloads_failed"), 1);
        assert_false(truth_at(e.summary, "passed"));
        assert_int_equal(length_at(e.summary, "failures"), 1);
        assert_non_null(strstr(text_at(e.summary, "failures.0"), "'bad'"));
        assert_non_null(strstr(text_at(e.summary, "failures.0"), "42"));
        assert_non_null(strstr(text_at(e.summary, "failures.0"), "out of luck"));
        assert_int_equal(length_at(e.report, "payloads"), 3);
        assert_string_equal(text_at(e.report, "payloads.0.payload"), "good"); /* asked for first */
        s = await_signal(f, "StepEnded", NULL);
        assert_int_equal(number_at(s, "1.payloads"), 3);
        assert_false(truth_at(s, "1.passed"));
        assert_int_equal(length_at(s, "1.failures"), 1);
        assert_bare(f);
}

static void test_a_step_without_failures_passes(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Ending e;

        run_with(f, "x", "'exit', '1'", "'checks': ['exit-code:1']");
        await_signal(f, "PayloadExited", "x");
        e = end_step(f);
        assert_true(truth_at(e.summary, "passed"));
        assert_int_equal(number_at(e.summary, "payloads_failed"), 0);
        assert_json(at(e.summary, "failures"), "[]");
        assert_string_equal(text_at(e.report, "payloads.0.result"), "exited");
        assert_int_equal(number_at(e.report, "payloads.0.exit_code"), 1);
        e = end_step(f); /* the next step starts clean */
        assert_int_equal(number_at(e.summary, "payloads"), 0);
        assert_true(truth_at(e.summary, "passed"));
        assert_json(at(e.report, "payloads"), "[]");
}

/* With nothing left the executor goes; what was told of the payload stays until the step ends. */
static void test_record_outlives_the_executor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'wait', '%s', 'exit', '5'", gate.path);
        g_auto(PayloadEnd) waited = { 0 };
        int executor;
        Ending e;

        executor = process_watch(
                process_parent(pid_at(run_with(f, "x", args, "'checks': ['exit-code:0']"), "pid")));
        gate_open(&gate);
        waited = wait_payload(f, "['x', {}]");
        await_end(executor);
        e = end_step(f);
        assert_int_equal(length_at(e.report, "payloads"), 1);
        assert_int_equal(number_at(e.report, "payloads.0.exit_code"), 5);
        assert_int_equal(number_at(e.summary, "payloads_failed"), 1);
        assert_false(truth_at(e.summary, "passed"));
        assert_json(at(end_step(f).report, "payloads"), "[]"); /* once */
}

static void test_backdrop_payload_outlives_a_step(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *payload = payload_text("back", "'pause'", NULL);
        g_autofree char *arguments = g_strdup_printf("[{'payload': %s}, {'target': 'backdrop'}]", payload);
        g_autofree char *definition = g_strdup_printf("{'name': 'a', 'payload': %s}", payload);
        JsonNode *answer = call(f, "RunPayload", arguments);
        pid_t first, second;
        Ending e;

        assert_non_null(answer);
        assert_string_equal(text_at(answer, "0.target"), "backdrop");
        first = pid_at(answer, "0.pid");
        second = pid_at(add_to_backdrop(f, definition), "payload.pid");
        run(f, "brief", "'exit', '0'", NULL);
        e = end_step(f);
        assert_int_equal(length_at(e.report, "payloads"), 1);
        assert_string_equal(text_at(e.report, "payloads.0.payload"), "brief");
        assert_false(process_gone(first));
        assert_false(process_gone(second));
        assert_string_equal(text_at(payload_in_state(f, "back", "a"), "slot"), "backdrop");
        e = teardown(f);
        assert_int_equal(length_at(e.report, "payloads"), 2);
        assert_string_equal(text_at(e.report, "payloads.0.slot"), "backdrop");
        assert_string_equal(text_at(e.report, "payloads.1.result"), "killed");
        assert_int_equal(number_at(e.summary, "payloads"), 2);
        assert_true(process_gone(first) && process_gone(second));
        assert_bare(f);
}

/* res:R146: what goes wrong later does not touch a payload that runs. */
static void test_a_failure_leaves_payloads_alone(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = pid_at(run(f, "x", "'pause'", NULL), "pid");

        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'a', 'nice': 99}, {}]"), "InvalidDefinition",
                       EINVAL, NULL);
        assert_refused(f, run_payload(f, "{'name': 'y', 'exec': '/nonexistent'}", NULL), "PayloadFailed",
                       ENOEXEC, NULL);
        assert_false(process_gone(pid));
        assert_string_equal(text_at(payload_in_state(f, "x", ""), "state"), "running");
        assert_string_equal(text_at(teardown(f).report, "payloads.0.result"), "killed");
        assert_true(process_gone(pid));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_payload_of_a_definition, payloads_teardown),
                cmocka_unit_test_teardown(test_order_of_a_set_up, payloads_teardown),
                cmocka_unit_test_teardown(test_payload_without_a_cgroup, payloads_teardown),
                cmocka_unit_test_teardown(test_dry_run, payloads_teardown),
                cmocka_unit_test_teardown(test_what_a_payload_finds, payloads_teardown),
                cmocka_unit_test_teardown(test_service_manager_is_the_daemons, payloads_teardown),
                cmocka_unit_test_teardown(test_working_directory_by_default, payloads_teardown),
                cmocka_unit_test_teardown(test_path_of_the_definition, payloads_teardown),
                cmocka_unit_test_teardown(test_process_groups, payloads_teardown),
                cmocka_unit_test_teardown(test_user, payloads_teardown),
                cmocka_unit_test_teardown(test_known_flags, payloads_teardown),
                cmocka_unit_test_teardown(test_without_a_list_any_flag_passes, payloads_teardown),
                cmocka_unit_test_teardown(test_exit_codes_and_signals, payloads_teardown),
                cmocka_unit_test_teardown(test_programs_of_the_system, payloads_teardown),
                cmocka_unit_test_teardown(test_signal_and_property, payloads_teardown),
                cmocka_unit_test_teardown(test_signal_of_a_death, payloads_teardown),
                cmocka_unit_test_teardown(test_report_and_summary, payloads_teardown),
                cmocka_unit_test_teardown(test_a_step_without_failures_passes, payloads_teardown),
                cmocka_unit_test_teardown(test_record_outlives_the_executor, payloads_teardown),
                cmocka_unit_test_teardown(test_backdrop_payload_outlives_a_step, payloads_teardown),
                cmocka_unit_test_teardown(test_a_failure_leaves_payloads_alone, payloads_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
