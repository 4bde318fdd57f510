/* SPDX-License-Identifier: GPL-2.0-only */
#include "machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "dbus/names.h"
#include "payload-client.h"

/* Applying and ending over and over, with calls that fail in between, must cost nothing that stays. */

#define LIGHT "'work_type': 'Bursty', 'params': {'burst_duration': '1ms', 'sleep_duration': '50ms'}"

enum {
        CYCLES = 200,
        WARM_UP = 50,
        VALGRIND_CYCLES = 10,
        /* The heap's top moves by a few pages with the order of frees, and by none on most runs; a report
         * that leaked with each cycle (some 2 KiB) would grow the rest by twice as much. */
        GROWTH_KB = 256,
};

/* ---- one cycle ---- */

static void fail_in_plan(Fixture *f) {
        assert_refused(f, call(f, "ApplySetup", "[[{'name': 'p'}, {'name': 'q', 'nice': 99}], {}]"),
                       "InvalidDefinition", EINVAL, "definitions[1].nice", NULL);
}

static void fail_on_name(Fixture *f) {
        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'back'}, {}]"), "CgroupExists", EEXIST, NULL);
}

/* At the last of its definitions: directories and workers have to go again. */
static void fail_in_kernel(Fixture *f) {
        g_autofree char *file = g_build_filename(f->root, "cgroup.max.descendants", NULL);

        write_file(file, "4");
        assert_refused(f,
                       call(f, "ApplySetup",
                            "[[{'name': 'r', 'works': [{" LIGHT ", 'workers': 2}]}, {'name': 's'}, {'name': "
                            "'t'}], {}]"),
                       "KernelRefused", EIO, "definitions[", NULL);
        write_file(file, "max");
}

static void fail_in_document(Fixture *f) {
        assert_refused(f, call_json(f, "{\"cgroups\": [", "{}"), "InvalidDefinition", EINVAL, "JSON", NULL);
}

static void fail_to_start(Fixture *f) {
        assert_refused(f,
                       call(f, "AddCgroupDef",
                            "[{'name': 'r', 'works': [{" LIGHT "}], 'payload': {'name': 'p', 'exec': "
                            "'/nonexistent/program'}}, {}]"),
                       "PayloadFailed", ENOEXEC, "/nonexistent/program", NULL);
}

/* One that runs until it is ended, and one that is waited for, killed, looked at or forgotten. */
static void run_payloads(Fixture *f, unsigned n) {
        g_auto(PayloadEnd) e = { 0 };

        assert_non_null(
                run_payload(f, "{'name': 'long', 'exec': 'sleep', 'args': ['1000']}", "'cgroup': 'a/b'"));
        assert_non_null(run_payload(f,
                                    "{'name': 'brief', 'exec': 'echo', 'args': ['[1, 2.5]'], 'output': "
                                    "'json', 'metrics': ['0=higher-better,ms'], 'checks': ['min:1=3']}",
                                    NULL));
        if (n % 4 == 0)
                e = wait_payload(f, "['brief', {}]");
        else if (n % 4 == 1)
                e = kill_payload(f, "['brief', {}]");
        else if (n % 4 == 2) {
                g_auto(PayloadView) v = view_payload(f, "['brief', {}]");
                g_autofree char *text = await_text(&v, OUT, "\n");
                assert_string_equal(text, "[1, 2.5]\n");
                assert_refused(f, call(f, "WaitPayload", "['long', {'timeout': 0}]"), "TimedOut", ETIMEDOUT,
                               NULL);
        }
}

/* What was kept for this test's own use; it would grow with the number of cycles. */
static void forget(Fixture *f) {
        signals_forget(f);
        g_ptr_array_set_size(f->kept, 0);
}

static void cycle(Fixture *f, unsigned n) {
        static void (*const failures[])(Fixture * f) = { fail_in_plan, fail_on_name, fail_in_kernel,
                                                         fail_in_document, fail_to_start };

        add_to_backdrop(f, "{'name': 'back', 'works': [{" LIGHT "}]}");
        failures[n % G_N_ELEMENTS(failures)](f);
        add(f, "{'name': 'a/b', 'works': [{" LIGHT ", 'workers': 3, 'affinity': 'single'}, {" LIGHT "}]}");
        assert_non_null(call(f, "AddCgroupDef", "[{'name': 'dry'}, {'dry_run': true}]"));
        run_payloads(f, n);
        if (n % 2)
                end_step(f);
        teardown(f);
        forget(f);
}

/* ---- what may grow ---- */

typedef struct Usage {
        unsigned descriptors, mappings, matches;
        uint64_t rss_kb;
} Usage;

static unsigned count_entries(pid_t pid, const char *directory) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, directory);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        assert_non_null(dir);
        while (g_dir_read_name(dir))
                n++;
        return n;
}

/* memfds of arenas and status pages stay mapped after their descriptor is closed. */
static unsigned count_mapped_memfds(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid), *text = NULL;
        unsigned n = 0;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        for (const char *p = text; (p = strstr(p, "/memfd:")); p++)
                n++;
        return n;
}

static uint64_t rss_kb(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/status", pid), *text = NULL;
        const char *line;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "VmRSS:");
        assert_non_null(line);
        return strtoull(line + strlen("VmRSS:"), NULL, 10);
}

/* As the bus itself counts them, for the owner of the service's name. */
static unsigned count_matches(Fixture *f) {
        const char *key;
        g_autoptr(sd_bus_message) reply = NULL;
        uint32_t n = G_MAXUINT32;

        if (sd_bus_call_method(f->client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus.Debug.Stats", "GetConnectionStats", NULL, &reply, "s",
                               KT_BUS_NAME) < 0)
                return 0; /* a bus that was built without statistics */
        assert_true(sd_bus_message_enter_container(reply, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(reply, "s", &key) > 0);
                if (g_str_equal(key, "MatchRules"))
                        assert_true(sd_bus_message_read(reply, "v", "u", &n) > 0);
                else
                        assert_true(sd_bus_message_skip(reply, "v") > 0);
                sd_bus_message_exit_container(reply);
        }
        return n;
}

static Usage usage_of(Fixture *f) {
        return (Usage){ .descriptors = count_entries(f->daemon.pid, "fd"),
                        .mappings = count_mapped_memfds(f->daemon.pid),
                        .matches = count_matches(f),
                        .rss_kb = rss_kb(f->daemon.pid) };
}

static void assert_gone(Fixture *f) {
        g_auto(Machine) m = machine_look(f);

        assert_string_equal(m.directories, "");
        assert_string_equal(m.processes, "");
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
        forget(f);
}

static void test_cycles(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        gint64 begin = g_get_monotonic_time();
        Usage warm = { 0 }, end;

        for (unsigned n = 0; n < CYCLES; n++) {
                cycle(f, n);
                if (n + 1 == WARM_UP)
                        warm = usage_of(f);
        }
        assert_gone(f);
        end = usage_of(f);
        print_message("%u cycles in %.1f s; descriptors %u, memfd mappings %u, match rules %u, RSS %" PRIu64
                      " KiB and %" PRIu64 " KiB\n",
                      CYCLES, (double)(g_get_monotonic_time() - begin) / 1e6, end.descriptors, end.mappings,
                      end.matches, warm.rss_kb, end.rss_kb);
        assert_int_equal(end.descriptors, warm.descriptors);
        assert_int_equal(end.mappings, 0);
        assert_int_equal(end.matches, warm.matches);
        if (!FIXTURE_SANITIZED) /* which keeps what was freed for a while, to find its users */
                assert_in_range(end.rss_kb, 0, warm.rss_kb + GROWTH_KB);
}

/* ---- valgrind ---- */

/* Whatever it finds is an exit status that the fixture does not take. */
static void test_valgrind(G_GNUC_UNUSED void **state) {
        g_autofree char *valgrind = g_find_program_in_path("valgrind");
        const char *const under[] = { "/usr/bin/env", /* it is a script in some places */
                                      valgrind,
                                      "--quiet",
                                      "--leak-check=full",
                                      "--errors-for-leak-kinds=definite,possible",
                                      "--error-exitcode=88",
                                      NULL };
        Fixture *f;

        if (!valgrind || FIXTURE_SANITIZED) {
                print_message("skipped: %s\n", valgrind ? "the sanitizers look" : "there is no valgrind");
                g_clear_pointer(&valgrind, g_free); /* skip() does not come back */
                skip();
        }
        f = fixture_start(&(FixtureOptions){ .under = under });
        for (unsigned n = 0; n < VALGRIND_CYCLES; n++)
                cycle(f, n);
        assert_gone(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_cycles, fixture_teardown),
                cmocka_unit_test_teardown(test_valgrind, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
