/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <signal.h>
#include <string.h>

#include "dbus/names.h"

/* Exit codes, as ktctl(1) promises them. */
enum { DONE, FAILED, USAGE, UNREACHABLE };

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO
#define READY         "monitoring scenario default\n"

/* Waits until one of its streams has the text, as long as it lives. */
static void await_text(const Process *p, char *(*stream)(const Process *p), const char *text) {
        for (uint64_t until = fixture_deadline();;) {
                bool ended = process_ends_within(p, 10);
                g_autofree char *so_far = stream(p);

                if (strstr(so_far, text))
                        return;
                if (ended || (uint64_t)g_get_monotonic_time() > until)
                        fail_msg("%s, but no '%s' in: %s", ended ? "ended" : "still there", text, so_far);
        }
}

/* Up to two more options. */
static Process monitor_at(const char *address, const char *first, const char *second) {
        const char *const argv[] = { g_getenv("KT_CTL"),    "--address", address, "monitor", first,
                                     first ? second : NULL, NULL };
        Process p = process_start(argv, (const char *[]){ "TZ=UTC", NULL });

        await_text(&p, process_errors, READY);
        return p;
}

static Process monitor(const Fixture *f, const char *first, const char *second) {
        return monitor_at(f->address, first, second);
}

/* Ends it by a signal; returns its output. */
static char *interrupt(Process *p, int number) {
        g_autofree char *errors = NULL;
        char *output;

        kill(p->pid, number);
        assert_int_equal(process_wait(p), DONE);
        errors = process_errors(p);
        assert_string_equal(errors, READY);
        output = process_output(p);
        process_clear(p);
        return output;
}

/* What the daemon would send, sent by us under its name. */
static void serve(Fixture *f) {
        assert_return_code(sd_bus_request_name(f->client, KT_BUS_NAME, 0), 0);
}

static void emit(Fixture *f, const char *member, const char *text) {
        assert_return_code(
                sd_bus_emit_signal(f->client, SCENARIO_PATH, KT_SCENARIO_INTERFACE, member, "s", text), 0);
}

/* ---- what is printed ---- */

/* The parts occur in this order. */
static void assert_order(const char *text, ...) {
        const char *part, *at = text;
        va_list parts;

        va_start(parts, text);
        while ((part = va_arg(parts, const char *))) {
                at = strstr(at, part);
                if (!at)
                        fail_msg("no '%s' in its place: %s", part, text);
        }
        va_end(parts);
}

static void test_a_step(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Process p = monitor(f, NULL, NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        g_autofree char *pid = g_strdup_printf("cgroup=foo pid=%d ", pid_at(r, "works.0.pids.0"));
        g_autofree char *output = NULL;

        await_text(&p, process_output, "Workers=2 "); /* before there is another number to tell */
        kill(pid_at(r, "works.0.pids.0"), SIGKILL);
        await_text(&p, process_output, "kind=signaled value=9 "); /* each line comes at once */
        end_step(f);
        await_text(&p, process_output, " StepIndex=1 ");
        output = interrupt(&p, SIGINT);
        assert_order(output, "  CgroupAdded        name=foo path=/", "  PropertiesChanged  ",
                     "Workers=2 Payloads=0 StallMonitorActive=true\n", "  WorkerExited       ", pid,
                     "  CgroupRemoved      name=foo path=/", "  StepEnded          step_index=0 ",
                     "completed=1 killed=1 ", NULL);
        assert_non_null(strstr(output, "Cgroups=foo "));
        assert_null(strchr(output, '\x1b'));
}

/* The first line of that signal whose value at `path`, as JSON, is `value`. */
static JsonNode *find_line(Fixture *f, const char *output, const char *signal, const char *path,
                           const char *value) {
        g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

        for (size_t i = 0; lines[i] && *lines[i]; i++) {
                JsonNode *line = parse_json(f, lines[i]);
                g_autofree char *text = has(line, path) ? json_to_string(at(line, path), FALSE) : NULL;
                if (g_str_equal(text_at(line, "signal"), signal) && !g_strcmp0(text, value))
                        return line;
        }
        fail_msg("no %s with %s in: %s", signal, value, output);
        return NULL;
}

static void test_json(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Process p = monitor(f, "--json", NULL);
        g_autofree char *output = NULL;
        JsonNode *line;
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = NULL;

        add(f, "{'name': 'foo'}");
        await_text(&p, process_output, "\"Workers\":1");
        output = interrupt(&p, SIGTERM);
        line = find_line(f, output, "CgroupAdded", "name", "\"foo\"");
        assert_string_equal(text_at(line, "scenario"), "default");
        assert_true(g_str_has_suffix(text_at(line, "path"), "/foo"));
        time = g_date_time_new_from_iso8601(text_at(line, "time"), utc);
        assert_non_null(time);
        assert_int_equal(strlen(text_at(line, "time")), strlen("2023-11-14T22:13:20.000042Z"));
        line = find_line(f, output, "PropertiesChanged", "changed_properties.Cgroups", "[\"foo\"]");
        assert_string_equal(text_at(line, "interface_name"), KT_SCENARIO_INTERFACE);
        assert_json(at(line, "invalidated_properties"), "[]");
}

/* Asleep from its first microsecond on. */
static const char sleeper[] =
        "[{'name': 'foo', 'works': [{'work_type': 'Bursty',"
        "'params': {'burst_duration': '1us', 'sleep_duration': '3600s'}}]}, {'stall_poll_ms': 200}]";

/* In one line what there is to know; in JSON all. */
static void test_a_stall(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Process p = monitor(f, NULL, NULL), q = monitor(f, "--json", NULL);
        pid_t pid;
        g_autofree char *head = NULL, *output = NULL, *json = NULL;
        JsonNode *r, *line;

        r = call(f, "AddCgroupDef", sleeper);
        assert_non_null(r);
        pid = pid_at(r, "0.works.0.pids.0");
        await_text(&p, process_output, " StallMonitorActive=true\n");
        await_text(&p, process_output, "cause=\"asleep");
        await_text(&q, process_output, "StallDetected");
        output = interrupt(&p, SIGINT);
        json = interrupt(&q, SIGINT);
        head = g_strdup_printf("  StallDetected      cgroup=foo pid=%d class=sleeping tid=%d "
                               "work_type=Bursty work_index=0 worker=0 fails=true cause=\"asleep",
                               pid, pid);
        assert_non_null(strstr(output, head));
        assert_null(strstr(output, "nr_switches"));
        line = find_line(f, json, "StallDetected", "class", "\"sleeping\"");
        assert_string_equal(text_at(line, "cgroup"), "foo");
        assert_int_equal(number_at(line, "pid"), pid);
        assert_int_equal(length_at(line, "details.samples"), 4);
        assert_true(has(line, "details.status"));
}

static void test_the_daemon_comes_and_goes(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        Process p = monitor(f, NULL, NULL);
        g_autofree char *output = NULL;

        fixture_start_daemon(f);
        await_text(&p, process_output, "the daemon is there\n");
        kill(f->daemon.pid, SIGTERM);
        assert_int_equal(fixture_daemon_status(f), 0);
        await_text(&p, process_output, "the daemon is gone\n");
        fixture_start_daemon(f);
        add(f, "{'name': 'foo'}"); /* the subscription outlives the daemon */
        await_text(&p, process_output, "name=foo");
        output = interrupt(&p, SIGTERM);
        assert_order(output, "is there\n", "is gone\n", "is there\n", "CgroupAdded", NULL);
}

/* Signals that this client has never heard of, one with an argument that JSON has no form for. */
static void test_a_later_daemon(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        Process p = monitor(f, "--json", NULL);
        g_autofree char *output = NULL;
        g_auto(GStrv) lines = NULL;
        JsonNode *line;

        serve(f);
        assert_return_code(sd_bus_emit_signal(f->client, SCENARIO_PATH, "org.ktstr.Setup1.Later", "Stalled",
                                              "sa{sv}t", "foo", 1, "class", "s", "starved", UINT64_MAX),
                           0);
        assert_return_code(sd_bus_emit_signal(f->client, SCENARIO_PATH, KT_SCENARIO_INTERFACE, "Odd", "s(ss)",
                                              "a", "b", "c"),
                           0);
        await_text(&p, process_output, "Odd");
        output = interrupt(&p, SIGTERM);
        lines = g_strsplit(output, "\n", -1);
        line = parse_json(f, lines[1]); /* after NameOwnerChanged */
        assert_string_equal(text_at(line, "signal"), "Stalled");
        assert_string_equal(text_at(line, "arg0"), "foo");
        assert_string_equal(text_at(line, "arg1.class"), "starved");
        assert_string_equal(text_at(line, "arg2"), "18446744073709551615");
        line = parse_json(f, lines[2]);
        assert_string_equal(text_at(line, "arg0"), "a");
        assert_true(null_at(line, "arg1"));
}

/* Only the owner of the name is listened to, and only this scenario. */
static void test_others_are_not_heard(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        Process p = monitor(f, NULL, NULL);
        g_autofree char *output = NULL;

        emit(f, "CgroupAdded", "forged");
        serve(f);
        assert_return_code(sd_bus_emit_signal(f->client, KT_SCENARIO_PREFIX "/other", KT_SCENARIO_INTERFACE,
                                              "CgroupAdded", "s", "elsewhere"),
                           0);
        emit(f, "CgroupAdded", "true");
        await_text(&p, process_output, "name=true");
        output = interrupt(&p, SIGTERM);
        assert_null(strstr(output, "forged"));
        assert_null(strstr(output, "elsewhere"));
}

/* ---- how it ends ---- */

static void test_count(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        Process p = monitor(f, "--count", "2");
        g_autofree char *output = NULL;

        serve(f);
        for (int i = 0; i < 3; i++)
                emit(f, "CgroupAdded", "foo");
        assert_int_equal(process_wait(&p), DONE);
        output = process_output(&p);
        process_clear(&p);
        g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
        assert_int_equal(g_strv_length(lines), 3);
        assert_non_null(strstr(lines[0], "NameOwnerChanged"));
        assert_non_null(strstr(lines[1], "CgroupAdded"));
}

static void test_the_bus_goes(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        g_autofree char *config = g_strdup_printf("--config-file=%s/bus.conf", f->dir);
        g_autofree char *address = g_strdup_printf("unix:path=%s/other-bus", f->dir);
        g_autofree char *option = g_strconcat("--address=", address, NULL), *errors = NULL;
        const char *const argv[] = { g_getenv("KT_DBUS_DAEMON"), "--nofork", "--nopidfile", config, option,
                                     "--print-address",          NULL };
        Process bus = process_start(argv, NULL), p;

        await_text(&bus, process_output, "unix:path=");
        p = monitor_at(address, NULL, NULL);
        kill(bus.pid, SIGKILL);
        assert_int_equal(process_wait(&p), UNREACHABLE);
        errors = process_errors(&p);
        assert_non_null(strstr(errors, "the bus has closed the connection"));
        process_clear(&p);
        process_clear(&bus);
}

static void test_nobody_takes_the_lines(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        g_autofree char *command =
                g_strdup_printf("exec \"$KT_CTL\" --address %s monitor >/dev/full", f->address);
        g_autofree char *errors = NULL;
        Process p = process_start((const char *[]){ "/bin/sh", "-c", command, NULL }, NULL);

        await_text(&p, process_errors, READY);
        serve(f);
        assert_int_equal(process_wait(&p), FAILED);
        errors = process_errors(&p);
        assert_non_null(strstr(errors, "cannot write to standard output"));
        process_clear(&p);
}

static void test_no_legend(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        const char *const argv[] = { g_getenv("KT_CTL"), "--address", f->address, "--no-legend",
                                     "monitor",          "--count",   "1",        NULL };
        g_autofree char *errors = NULL;
        Process p = process_start(argv, NULL);

        /* Nothing tells when it listens: make lines until it has had one. */
        for (uint64_t until = fixture_deadline(); !process_ends_within(&p, 20);) {
                assert_true((uint64_t)g_get_monotonic_time() < until);
                serve(f);
                assert_return_code(sd_bus_release_name(f->client, KT_BUS_NAME), 0);
        }
        assert_int_equal(process_wait(&p), DONE);
        errors = process_errors(&p);
        assert_string_equal(errors, "");
        process_clear(&p);
}

static void test_unreachable(G_GNUC_UNUSED void **state) {
        const char *const argv[] = { g_getenv("KT_CTL"), "--address", "unix:path=/nonexistent/bus", "monitor",
                                     NULL };
        g_autofree char *errors = NULL;
        Process p = process_start(argv, NULL);

        assert_int_equal(process_wait(&p), UNREACHABLE);
        errors = process_errors(&p);
        assert_non_null(strstr(errors, "cannot connect"));
        assert_null(strstr(errors, READY));
        process_clear(&p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_a_step, fixture_teardown),
                cmocka_unit_test_teardown(test_json, fixture_teardown),
                cmocka_unit_test_teardown(test_a_stall, fixture_teardown),
                cmocka_unit_test_teardown(test_the_daemon_comes_and_goes, fixture_teardown),
                cmocka_unit_test_teardown(test_a_later_daemon, fixture_teardown),
                cmocka_unit_test_teardown(test_others_are_not_heard, fixture_teardown),
                cmocka_unit_test_teardown(test_count, fixture_teardown),
                cmocka_unit_test_teardown(test_the_bus_goes, fixture_teardown),
                cmocka_unit_test_teardown(test_nobody_takes_the_lines, fixture_teardown),
                cmocka_unit_test_teardown(test_no_legend, fixture_teardown),
                cmocka_unit_test(test_unreachable),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
