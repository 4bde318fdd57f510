/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <signal.h>
#include <string.h>

#include "dbus/names.h"

/* Exit codes, as ktctl(1) promises them. */
enum { DONE, FAILED, USAGE, UNREACHABLE, INCOMPLETE };

typedef struct Run {
        int status;
        char *output, *errors;
} Run;

static void run_clear(Run *r) {
        g_free(r->output);
        g_free(r->errors);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* `line` is split at blanks; %D is the fixture's directory. */
static Run ktctl_at(const Fixture *f, const char *address, const char *line) {
        g_autoptr(GString) whole = g_string_new(line);
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        Process p;
        Run run;

        g_string_replace(whole, "%D", f->dir, 0);
        g_auto(GStrv) words = g_strsplit(whole->str, " ", -1);
        g_ptr_array_add(argv, (char *)g_getenv("KT_CTL"));
        g_ptr_array_add(argv, (char *)"--address");
        g_ptr_array_add(argv, (char *)address);
        for (size_t i = 0; words[i]; i++)
                g_ptr_array_add(argv, words[i]);
        g_ptr_array_add(argv, NULL);
        p = process_start((const char *const *)argv->pdata, NULL);
        run.status = process_wait(&p);
        run.output = process_output(&p);
        run.errors = process_errors(&p);
        process_clear(&p);
        return run;
}

static Run ktctl(const Fixture *f, const char *line) {
        return ktctl_at(f, f->address, line);
}

/* Runs it and returns its output, which the fixture keeps as JSON. */
static JsonNode *ktctl_json(Fixture *f, int status, const char *line) {
        g_autofree char *with = g_strconcat("--json ", line, NULL);
        g_auto(Run) run = ktctl(f, with);

        if (run.status != status)
                fail_msg("ktctl %s: %d, %s", with, run.status, run.errors);
        return parse_json(f, run.output);
}

static void assert_run(const Run *run, int status, const char *output, const char *errors) {
        if (run->status != status)
                fail_msg("status %d instead of %d: %s%s", run->status, status, run->output, run->errors);
        if (output && !strstr(run->output, output))
                fail_msg("no '%s' in: %s", output, run->output);
        if (errors && !strstr(run->errors, errors))
                fail_msg("no '%s' in: %s", errors, run->errors);
}

static void write_document(const Fixture *f, const char *text) {
        g_autofree char *path = g_build_filename(f->dir, "document.json", NULL);
        g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');

        write_file(path, json);
}

/* ---- a session at a shell ---- */

static void test_from_add_to_teardown(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Run) added = ktctl(f, "add-cgroup foo --workers 2 --comm kt-test");
        g_auto(Run) back = ktctl(f, "add-cgroup back --backdrop --work-type YieldHeavy");
        g_auto(Run) status = ktctl(f, "status");
        g_auto(Run) ended = ktctl(f, "end-step");
        g_auto(Run) after = ktctl(f, "status");
        g_auto(Run) torn = ktctl(f, "teardown");
        g_auto(Run) nothing = ktctl(f, "status");

        assert_run(&added, DONE, "foo", NULL);
        assert_string_equal(added.errors, "");
        assert_run(&back, DONE, "back", NULL);
        assert_run(&status, DONE, "foo", NULL);
        assert_run(&status, DONE, "running", NULL);
        assert_run(&status, DONE, "YieldHeavy", NULL);
        assert_run(&status, DONE, "2 cgroups, 3 workers", NULL);
        assert_run(&ended, DONE, "2 completed, 0 killed", NULL);
        assert_run(&after, DONE, "1 cgroup, 1 worker", NULL);
        assert_run(&torn, DONE, "1 completed, 0 killed", NULL);
        assert_run(&nothing, DONE, "no cgroups", NULL);
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

static void test_options_reach_the_worker(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = ktctl_json(f, DONE, "add-cgroup foo --comm kt-test --nice 7 --workers 1");
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid_at(r, "works.0.pids.0"));
        g_autofree char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_non_null(strstr(text, "(kt-test)"));
        g_auto(GStrv) fields = g_strsplit(strrchr(text, ')') + 2, " ", -1);
        assert_string_equal(fields[16], "7"); /* nice, proc(5) */
}

static void test_whole_groups(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .topology = "numa:2 l3:1 core:2 pu:2" });
        JsonNode *r = ktctl_json(f, DONE,
                                 "add-cgroup foo --nice 3 --work "
                                 "work_type=Bursty,workers=2,affinity=cpus:0,2,params.burst_duration=1ms "
                                 "--work comm=other,workers_pct=0.25 --dry-run");

        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
        assert_string_equal(text_at(r, "works.0.work_type"), "Bursty");
        assert_int_equal(number_at(r, "works.0.workers"), 2);
        assert_string_equal(text_at(r, "works.0.cpus"), "0,2");
        assert_string_equal(text_at(r, "works.1.work_type"), "SpinWait");
        assert_int_equal(number_at(r, "works.1.workers"), 2); /* of 7 usable CPUs */
        r = ktctl_json(f, DONE, "add-cgroup foo --work comm=kt-test,nice=7,workers=1");
        g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid_at(r, "works.0.pids.0")), *comm = NULL;
        assert_true(g_file_get_contents(path, &comm, NULL, NULL));
        assert_string_equal(comm, "kt-test\n");
}

static void test_json(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .topology = "numa:2 l3:1 core:2 pu:2" });
        JsonNode *r;

        assert_int_equal(length_at(ktctl_json(f, DONE, "topology"), "llcs"), 2);
        r = ktctl_json(f, DONE, "add-cgroup foo --workers 2");
        assert_int_equal(length_at(r, "works.0.pids"), 2);
        assert_string_equal(text_at(ktctl_json(f, DONE, "status"), "cgroups.0.name"), "foo");
        r = ktctl_json(f, DONE, "end-step");
        assert_true(truth_at(r, "cgroups.0.works.0.workers.1.completed"));
        assert_string_equal(text_at(ktctl_json(f, DONE, "version"), "Version"), g_getenv("KT_VERSION"));
        assert_int_equal(length_at(ktctl_json(f, DONE, "teardown"), "cgroups"), 0);
}

static void test_topology_table(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .topology = "numa:2 l3:1 core:2 pu:2" });
        g_auto(Run) run = ktctl(f, "topology");

        assert_run(&run, DONE, "0-3", NULL);
        assert_run(&run, DONE, "4-7", NULL);
}

/* ---- documents ---- */

static void test_apply(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r;

        write_document(f, "{'cgroups': [{'name': 'a'}, {'name': 'b', 'works': [{'workers': 2}]}]}");
        r = ktctl_json(f, DONE, "apply %D/document.json --dry-run");
        assert_string_equal(text_at(r, "cgroups.0.actions.0.action"), "mkdir");
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
        r = ktctl_json(f, DONE, "apply %D/document.json --backdrop");
        assert_string_equal(text_at(r, "cgroups.0.target"), "backdrop");
        assert_int_equal(length_at(r, "cgroups.1.works.0.pids"), 2);
        assert_int_equal(length_at(state_of(f), "cgroups"), 2);
}

static void test_apply_standard_input(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *command =
                g_strdup_printf("\"$KT_CTL\" --address %s apply - <%s/document.json", f->address, f->dir);
        const char *const argv[] = { "/bin/sh", "-c", command, NULL };
        g_autofree char *output = NULL;
        Process p;

        write_document(f, "{'cgroups': [{'name': 'a'}]}");
        p = process_start(argv, NULL);
        assert_int_equal(process_wait(&p), DONE);
        output = process_output(&p);
        process_clear(&p);
        assert_non_null(strstr(output, "a"));
        assert_string_equal(text_at(state_of(f), "cgroups.0.name"), "a");
}

static void test_dry_run_prints_the_plan(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Run) run = ktctl(f, "add-cgroup foo --dry-run");

        assert_run(&run, DONE, "mkdir", NULL);
        assert_run(&run, DONE, "spawn", NULL);
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

static void test_report_file(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *path = g_build_filename(f->dir, "report.json", NULL), *text = NULL;

        add(f, "{'name': 'foo'}");
        g_auto(Run) run = ktctl(f, "end-step --report %D/report.json");
        assert_run(&run, DONE, "1 completed", NULL);
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_string_equal(text_at(parse_json(f, text), "cgroups.0.name"), "foo");
}

/* ---- exit codes ---- */

static void test_failures(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *line;
                int status;
                const char *text;
        } lines[] = {
                { "add-cgroup", USAGE, "too few arguments" },
                { "add-cgruop x", USAGE, "did you mean 'add-cgroup'?" },
                { "add-cgroup x --worker 2", USAGE, "did you mean --workers?" },
                { "add-cgroup x --workers two", FAILED, "works[0].workers: " },
                { "add-cgroup x --work wrokers=2", USAGE, "did you mean 'workers'?" },
                { "add-cgroup x --work params.n=2", FAILED, "works[0].params" },
                { "add-cgroup x --workers-per-cgroup 0", FAILED, "workers_per_cgroup" },
                { "add-cgroup x --stall-poll-ms 0", FAILED, "options.stall_poll_ms: 0 is out of range" },
                { "add-cgroup x --stall-poll-ms 1s", FAILED, "options.stall_poll_ms: expected an integer" },
                { "add-cgroup x --stall-monitor no", FAILED, "options.stall_monitor: expected a boolean" },
                { "add-cgroup x --stall-fails bloked", FAILED, "did you mean 'blocked'?" },
                { "apply %D/empty.json --stall-fails starved,all", FAILED, "options.stall_fails[1]: " },
                { "apply %D/empty.json --stall-fail starved", USAGE, "did you mean --stall-fails?" },
                { "apply %D", FAILED, "Is a directory" },
                { "apply /dev/null", FAILED, "line 1, column 1: empty document" },
                { "add-cgroup ../x", FAILED, "[InvalidDefinition]" },
                { "add-cgroup x --affinity nowhere", FAILED, "[InvalidDefinition]" },
                { "--scenario other status", FAILED, "no scenario 'other'" },
                { "apply %D/missing.json", FAILED, "missing.json" },
                { "apply %D/document.json", FAILED, "line 1, column" },
        };
        Fixture *f = fixture_start(NULL);
        g_autofree char *empty = g_build_filename(f->dir, "empty.json", NULL);

        write_document(f, "{cgroups: []}");
        write_file(empty, "{\"cgroups\": []}");
        for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
                g_auto(Run) run = ktctl(f, lines[i].line);
                assert_run(&run, lines[i].status, NULL, lines[i].text);
                assert_string_equal(run.output, "");
        }
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

/* Of every layer that reads a document: its tokens, its structure, its meaning. */
static void test_places_in_documents(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *document, *place;
        } rows[] = {
                { "{'cgroups': [\n  {'name': 'a', 'cpu': {'quota_us': 050}}]}", "line 2, column 37" },
                { "{'cgroups': [\n\n  {'name': 'a' 'cpu': {}}]}", ":3:" },
                { "{'cgroups': [{'name': 'a',\n 'memory': {'max': '256X'}}]}", "cgroups[0].memory.max: " },
        };
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                write_document(f, rows[i].document);
                g_auto(Run) run = ktctl(f, "apply %D/document.json");
                assert_run(&run, FAILED, "", rows[i].place);
        }
}

static void test_failure_as_json(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Run) run = ktctl(f, "--json add-cgroup ../x");

        assert_run(&run, FAILED, NULL, KT_ERROR_PREFIX "InvalidDefinition");
        assert_string_equal(text_at(parse_json(f, run.errors), "error"), KT_ERROR_PREFIX "InvalidDefinition");
}

static void test_unreachable(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        g_auto(Run) no_daemon = ktctl(f, "status");
        g_auto(Run) no_bus = ktctl_at(f, "unix:path=/nonexistent/bus", "status");

        assert_run(&no_daemon, UNREACHABLE, "", "cannot reach the daemon");
        assert_run(&no_bus, UNREACHABLE, "", "cannot connect");
}

static void test_incomplete(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");

        kill(pid_at(r, "works.0.pids.0"), SIGKILL);
        await_signal(f, "WorkerExited", "foo");
        g_auto(Run) run = ktctl(f, "end-step");
        assert_run(&run, INCOMPLETE, "1 completed, 1 killed", NULL);
}

/* ---- stalls ---- */

/* One worker that sleeps for an hour from its first microsecond on. It is not looked at so often that a busy
 * machine, which lets it wait for its CPU before that, would look like a stall. */
#define SLEEPER(options)                                                                                     \
        "add-cgroup w --stall-poll-ms 200" options                                                           \
        " --work-type Bursty --param burst_duration=1us --param sleep_duration=3600s"

static pid_t stalled_worker(Fixture *f, const char *line) {
        pid_t pid = pid_at(ktctl_json(f, DONE, line), "works.0.pids.0");
        JsonNode *stall = await_signal(f, "StallDetected", "w");

        assert_int_equal(number_at(stall, "1"), pid);
        assert_string_equal(text_at(stall, "2"), "sleeping");
        return pid;
}

static void test_a_stall_fails_the_step(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t pid = stalled_worker(f, SLEEPER(""));
        g_autofree char *row = g_strdup_printf("%d  worker 0 (Bursty, work 0)  sleeping  yes    asleep", pid);
        g_autofree char *failure = g_strdup_printf(
                "ktctl: worker 0 (Bursty, work 0), cgroup w, pid %d stalled: sleeping: asleep", pid);
        g_auto(Run) status = ktctl(f, "status");
        g_auto(Run) ended = ktctl(f, "end-step");
        g_auto(Run) after = ktctl(f, "status");

        assert_run(&status, DONE, row, NULL);
        assert_run(&status, DONE, "1 cgroup, 1 worker, 1 stall; stall monitor on.\n", NULL);
        assert_string_equal(status.errors, "");
        assert_run(&ended, INCOMPLETE, row, failure);
        assert_run(&ended, INCOMPLETE, "; 1 stall, 1 failed.\n", NULL);
        assert_run(&after, DONE, "no cgroups; stall monitor off.\n", NULL);
}

/* Of a class that is to fail nothing; and of no class at all. */
static void test_a_stall_is_only_told(G_GNUC_UNUSED void **state) {
        static const char *const lines[] = {
                SLEEPER(" --stall-fails starved,throttled --stall-fails blocked"),
                SLEEPER(" --stall-fails="),
        };
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
                stalled_worker(f, lines[i]);
                g_auto(Run) ended = ktctl(f, "end-step");
                assert_run(&ended, DONE, "(Bursty, work 0)  sleeping  no     asleep", NULL);
                assert_run(&ended, DONE, "; 1 stall, 0 failed.\n", NULL);
                assert_string_equal(ended.errors, "");
        }
}

static void test_the_stall_options_of_a_document(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r;

        write_document(f, "{'cgroups': [{'name': 'w', 'works': [{'work_type': 'Bursty',"
                          "'params': {'burst_duration': '1us', 'sleep_duration': '3600s'}}]}]}");
        ktctl_json(f, DONE, "apply %D/document.json --stall-poll-ms 200 --stall-fails stopped,sleeping");
        await_signal(f, "StallDetected", "w");
        r = ktctl_json(f, DONE, "status"); /* as the daemon said it, all of it */
        assert_false(has(r, "stall_monitor_active"));
        assert_string_equal(text_at(r, "stalls.0.class"), "sleeping");
        assert_int_equal(length_at(r, "stalls.0.samples"), 4);
        assert_non_null(strstr(text_at(r, "stalls.0.status"), "State:"));
        r = ktctl_json(f, INCOMPLETE, "end-step");
        assert_true(truth_at(r, "stalls.0.fails"));
}

static void test_without_the_stall_monitor(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Run) before = ktctl(f, "status");
        g_auto(Run) off = ktctl(f, "add-cgroup off --stall-monitor false");
        g_auto(Run) status = ktctl(f, "status");
        g_auto(Run) payload = ktctl(f, "run-payload --cgroup off -- sleep 100");
        g_auto(Run) decided = ktctl(f, "status");
        g_auto(Run) ended = ktctl(f, "end-step");
        g_auto(Run) on = ktctl(f, "add-cgroup on --stall-monitor true");
        g_auto(Run) watched = ktctl(f, "status");

        assert_run(&before, DONE, "no cgroups; stall monitor off.\n", NULL);
        assert_run(&off, DONE, "off", NULL);
        assert_run(&status, DONE, "1 worker; stall monitor off.\n", NULL);
        assert_run(&payload, DONE, "sleep", NULL);
        assert_run(&decided, DONE, "1 worker, 1 payload; stall monitor off.\n", NULL);
        assert_run(&ended, DONE, "1 completed", NULL);
        assert_run(&on, DONE, "on", NULL);
        assert_run(&watched, DONE, "1 worker; stall monitor on.\n", NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_from_add_to_teardown, fixture_teardown),
                cmocka_unit_test_teardown(test_options_reach_the_worker, fixture_teardown),
                cmocka_unit_test_teardown(test_whole_groups, fixture_teardown),
                cmocka_unit_test_teardown(test_json, fixture_teardown),
                cmocka_unit_test_teardown(test_topology_table, fixture_teardown),
                cmocka_unit_test_teardown(test_apply, fixture_teardown),
                cmocka_unit_test_teardown(test_apply_standard_input, fixture_teardown),
                cmocka_unit_test_teardown(test_dry_run_prints_the_plan, fixture_teardown),
                cmocka_unit_test_teardown(test_report_file, fixture_teardown),
                cmocka_unit_test_teardown(test_failures, fixture_teardown),
                cmocka_unit_test_teardown(test_places_in_documents, fixture_teardown),
                cmocka_unit_test_teardown(test_failure_as_json, fixture_teardown),
                cmocka_unit_test_teardown(test_unreachable, fixture_teardown),
                cmocka_unit_test_teardown(test_incomplete, fixture_teardown),
                cmocka_unit_test_teardown(test_a_stall_fails_the_step, fixture_teardown),
                cmocka_unit_test_teardown(test_a_stall_is_only_told, fixture_teardown),
                cmocka_unit_test_teardown(test_the_stall_options_of_a_document, fixture_teardown),
                cmocka_unit_test_teardown(test_without_the_stall_monitor, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
