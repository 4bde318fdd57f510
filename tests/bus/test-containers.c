/* SPDX-License-Identifier: GPL-2.0-only */

/* Workers that are threads of one named process, beside workers that are processes. */

#include "client.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "dbus/names.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO

/* ---- what the kernel says ---- */

static char *proc_line(pid_t pid, const char *file, const char *prefix) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file), *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return g_strdup("(gone)");
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, prefix))
                        return g_strdup(g_strstrip(*line + strlen(prefix)));
        return g_strdup("(none)");
}

static void assert_comm(pid_t pid, const char *expected) {
        g_autofree char *comm = proc_line(pid, "comm", "");

        assert_string_equal(comm, expected);
}

static int by_number(const void *a, const void *b) {
        return *(const pid_t *)a - *(const pid_t *)b;
}

/* Sorted, "1 2 3". Takes the array. */
static char *sorted_ids(GArray *ids) {
        g_autoptr(GArray) own = ids;
        GString *text = g_string_new(NULL);

        g_array_sort(own, by_number);
        for (guint i = 0; i < own->len; i++)
                g_string_append_printf(text, "%s%d", i ? " " : "", g_array_index(own, pid_t, i));
        return g_string_free(text, FALSE);
}

static void append_id(GArray *ids, const char *text) {
        pid_t id = (pid_t)atoi(text);

        if (id > 0)
                g_array_append_val(ids, id);
}

static char *processes_in(Fixture *f, const char *cgroup) {
        g_autofree char *directory = below(f, cgroup), *text = NULL;
        g_autofree char *file = g_build_filename(directory, "cgroup.procs", NULL);
        GArray *ids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_auto(GStrv) lines = NULL;

        assert_true(g_file_get_contents(file, &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                append_id(ids, *line);
        return sorted_ids(ids);
}

static char *entries_of(pid_t pid, const char *directory) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, directory);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        GArray *ids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        const char *name;

        while (dir && (name = g_dir_read_name(dir)))
                append_id(ids, name);
        return sorted_ids(ids);
}

static guint open_files(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        guint n = 0;

        assert_non_null(dir);
        while (g_dir_read_name(dir))
                n++;
        return n;
}

/* Beyond the standard three; what it opens in /proc to look at itself comes and goes. */
static guint inherited_files(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        guint n = 0;

        assert_non_null(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);
                g_autofree char *target = g_file_read_link(file, NULL);
                n += target && atoi(name) > STDERR_FILENO && !g_str_has_prefix(target, "/proc/");
        }
        return n;
}

/* ---- what the daemon says ---- */

static char *place(const char *format, guint work, guint worker) {
        g_auto(GStrv) parts = g_strsplit(format, "#", -1);
        g_autofree char *w = g_strdup_printf("%u", work), *n = g_strdup_printf("%u", worker);

        return g_strconcat(parts[0], w, parts[1], parts[2] ? n : NULL, parts[2], NULL);
}

static void assert_nothing_exists(Fixture *f) {
        g_autofree char *left = directories_below(f->root);

        assert_string_equal(left, "");
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

/* Until all workers of the first cgroup have done something. */
static void await_iterations(Fixture *f, const JsonNode *result) {
        uint64_t until = fixture_deadline();
        guint works = length_at((JsonNode *)result, "works");

        for (guint w = 0; w < works; w++) {
                g_autofree char *count = place("works.#.workers", w, 0);
                for (guint i = 0; i < number_at((JsonNode *)result, count); i++) {
                        g_autofree char *at_state = place("cgroups.0.works.#.workers.#.iterations", w, i);
                        while (number_at(state_of(f), at_state) == 0)
                                assert_true((uint64_t)g_get_monotonic_time() < until);
                }
        }
}

/* One leader with exactly these threads, all of them its own. */
static void check_leader(pid_t leader, const char *pcomm, GArray *tids) {
        g_autofree char *tasks = entries_of(leader, "task"), *expected = NULL;
        GArray *all = g_array_new(FALSE, FALSE, sizeof(pid_t));

        for (guint i = 0; i < tids->len; i++) {
                pid_t tid = g_array_index(tids, pid_t, i);
                g_autofree char *group = proc_line(tid, "status", "Tgid:");
                assert_int_equal(atoi(group), leader);
                assert_int_not_equal(tid, leader);
        }
        g_array_append_val(all, leader);
        g_array_append_vals(all, tids->data, tids->len);
        expected = sorted_ids(all);
        assert_string_equal(tasks, expected);
        assert_comm(leader, pcomm);
}

static void append_tids(GArray *tids, JsonNode *result, guint work) {
        g_autofree char *list = place("works.#.tids", work, 0);

        for (guint i = 0; i < length_at(result, list); i++) {
                g_autofree char *one = place("works.#.tids.#", work, i);
                pid_t tid = pid_at(result, one);
                g_array_append_val(tids, tid);
        }
}

static const char mixture[] = "{'name': 'foo', 'works': ["
                              " {'pcomm': 'alpha', 'workers': 2, 'comm': 'one'},"
                              " {'workers': 2},"
                              " {'pcomm': 'beta', 'work_type': 'YieldHeavy'},"
                              " {'work_type': 'YieldHeavy'},"
                              " {'pcomm': 'alpha', 'work_type': 'Bursty',"
                              "  'params': {'burst_duration': '1ms', 'sleep_duration': '1ms'}}]}";

static const struct {
        const char *type, *pcomm;
        guint workers;
} mixed[] = {
        { "SpinWait", "alpha", 2 }, { "SpinWait", NULL, 2 },  { "YieldHeavy", "beta", 1 },
        { "YieldHeavy", NULL, 1 },  { "Bursty", "alpha", 1 },
};

/* The cgroup has a process for each worker that is one, and one for each leader, and no more. */
static void check_processes(Fixture *f, JsonNode *r) {
        g_autofree char *found = processes_in(f, "foo"), *expected = NULL;
        GArray *all = g_array_new(FALSE, FALSE, sizeof(pid_t));
        static const char *const pids[] = { "works.0.pids.0", "works.1.pids.0", "works.1.pids.1",
                                            "works.2.pids.0", "works.3.pids.0" };

        for (size_t i = 0; i < G_N_ELEMENTS(pids); i++) {
                pid_t pid = pid_at(r, pids[i]);
                g_array_append_val(all, pid);
        }
        expected = sorted_ids(all);
        assert_string_equal(found, expected);
}

static void check_results(JsonNode *r) {
        assert_int_equal(length_at(r, "works"), G_N_ELEMENTS(mixed));
        for (guint w = 0; w < G_N_ELEMENTS(mixed); w++) {
                g_autofree char *path = g_strdup_printf("works.%u", w);
                JsonNode *work = at(r, path);
                assert_int_equal(number_at(work, "work_index"), w);
                assert_string_equal(text_at(work, "work_type"), mixed[w].type);
                assert_int_equal(number_at(work, "workers"), mixed[w].workers);
                assert_int_equal(length_at(work, "pids"), mixed[w].pcomm ? 1 : mixed[w].workers);
                assert_int_equal(has(work, "pcomm"), mixed[w].pcomm != NULL);
                assert_int_equal(has(work, "tids"), mixed[w].pcomm != NULL);
        }
        assert_int_equal(pid_at(r, "works.0.pids.0"), pid_at(r, "works.4.pids.0"));
}

static void check_report(JsonNode *report, JsonNode *r) {
        assert_int_equal(length_at(report, "cgroups.0.works"), G_N_ELEMENTS(mixed));
        for (guint w = 0; w < G_N_ELEMENTS(mixed); w++) {
                g_autofree char *path = g_strdup_printf("cgroups.0.works.%u", w);
                g_autofree char *ids = place(mixed[w].pcomm ? "works.#.tids" : "works.#.pids", w, 0);
                JsonNode *work = at(report, path);
                assert_int_equal(number_at(work, "work_index"), w);
                assert_string_equal(text_at(work, "work_type"), mixed[w].type);
                assert_int_equal(length_at(work, "workers"), mixed[w].workers);
                for (guint i = 0; i < mixed[w].workers; i++) {
                        g_autofree char *index = g_strdup_printf("%u", i);
                        JsonNode *worker = at(at(work, "workers"), index);
                        assert_int_equal(number_at(worker, "tid"), number_at(at(r, ids), index));
                        assert_true(truth_at(worker, "completed"));
                        assert_true(number_at(worker, "iterations") > 0);
                        assert_true(number_at(worker, "work_units") > 0);
                        assert_int_equal(has(worker, "wake_latency_ns"),
                                         g_str_equal(mixed[w].type, "Bursty"));
                        assert_false(has(worker, "phase_slices"));
                }
                if (mixed[w].pcomm) {
                        g_autofree char *leader = place("works.#.pids.0", w, 0);
                        assert_string_equal(text_at(work, "pcomm"), mixed[w].pcomm);
                        assert_int_equal(number_at(work, "leader_pid"), pid_at(r, leader));
                }
        }
}

/* work:P3 work:P6 work:P7: processes and leaders with their threads, in one cgroup, from birth to report */
static void test_processes_and_leaders(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, mixture);
        pid_t alpha = pid_at(r, "works.0.pids.0"), beta = pid_at(r, "works.2.pids.0");
        g_autoptr(GArray) of_alpha = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_autoptr(GArray) of_beta = g_array_new(FALSE, FALSE, sizeof(pid_t));
        Ending e;

        check_results(r);
        check_processes(f, r);
        append_tids(of_alpha, r, 0);
        append_tids(of_alpha, r, 4);
        append_tids(of_beta, r, 2);
        assert_int_equal(of_alpha->len, 3);
        check_leader(alpha, "alpha", of_alpha);
        check_leader(beta, "beta", of_beta);
        assert_comm(g_array_index(of_alpha, pid_t, 0), "one");
        assert_comm(g_array_index(of_alpha, pid_t, 1), "one");
        await_property(f, SCENARIO_PATH, "Workers", "7");
        assert_int_equal(number_at(state_of(f), "cgroups.0.works.4.leader_pid"), alpha);
        assert_int_equal(number_at(state_of(f), "cgroups.0.works.4.workers.0.pid"), alpha);
        assert_int_equal(number_at(state_of(f), "cgroups.0.works.4.workers.0.tid"),
                         g_array_index(of_alpha, pid_t, 2));

        await_iterations(f, r);
        e = end_step(f);
        assert_int_equal(number_at(e.summary, "workers"), 7);
        assert_int_equal(number_at(e.summary, "completed"), 7);
        assert_json(at(e.summary, "warnings"), "[]");
        check_report(e.report, r);
        assert_true(process_gone(alpha));
        assert_true(process_gone(beta));
        assert_nothing_exists(f);
}

/* ops:J22 ops:J23 work:P1 work:P2: two workers, one process is placed; its own name stays whatever its
 * threads are called */
static void test_one_leader(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *definition, *thread;
        } cases[] = {
                { "{'name': 'foo', 'works': [{'workers': 2, 'pcomm': 'app'}]}", NULL },
                { "{'name': 'foo', 'works': [{'workers': 2, 'pcomm': 'app', 'comm': 'thread'}]}", "thread" },
        };
        Fixture *f = fixture_start(NULL);

        for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
                JsonNode *r = add(f, cases[c].definition);
                g_autoptr(GArray) tids = g_array_new(FALSE, FALSE, sizeof(pid_t));
                pid_t leader = pid_at(r, "works.0.pids.0");
                g_autofree char *expected = g_strdup_printf("%d", leader), *found = processes_in(f, "foo");
                Ending e;

                assert_int_equal(length_at(r, "works.0.pids"), 1);
                assert_string_equal(found, expected);
                append_tids(tids, r, 0);
                assert_int_equal(tids->len, 2);
                check_leader(leader, "app", tids);
                for (guint i = 0; cases[c].thread && i < 2; i++)
                        assert_comm(g_array_index(tids, pid_t, i), cases[c].thread);
                e = end_step(f);
                assert_int_equal(length_at(e.report, "cgroups.0.works.0.workers"), 2);
                assert_int_equal(number_at(e.summary, "completed"), 2);
        }
        assert_nothing_exists(f);
}

/* ops:J24 */
static void test_with_and_without(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = at(call(f, "ApplySetup",
                              "[[{'name': 'led', 'works': [{'workers': 2, 'pcomm': 'app'}]},"
                              "  {'name': 'free', 'works': [{'workers': 2}]}], {}]"),
                         "0");
        g_autofree char *led = processes_in(f, "led"), *alone = processes_in(f, "free");
        g_autofree char *leader = g_strdup_printf("%d", pid_at(r, "0.works.0.pids.0"));
        g_auto(GStrv) pids = g_strsplit(alone, " ", -1);

        assert_string_equal(led, leader);
        assert_int_equal(g_strv_length(pids), 2);
        assert_int_equal(length_at(r, "0.works.0.pids"), 1);
        assert_int_equal(length_at(r, "1.works.0.pids"), 2);
        end_step(f);
}

/* work:P4: as many files as before are open when the leader runs, and when it went */
static void test_files_of_a_leader(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        pid_t executor = process_parent(pid_at(add(f, "{'name': 'first'}"), "works.0.pids.0"));
        guint in_daemon = open_files(f->daemon.pid), in_executor = open_files(executor);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 4, 'pcomm': 'app'}]}");
        uint64_t until = fixture_deadline();
        Ending e;

        assert_true(open_files(f->daemon.pid) <= in_daemon + 1);
        assert_true(open_files(executor) <= in_executor + 1);
        while (inherited_files(pid_at(r, "works.0.pids.0")) >
               0) /* the last it closes when the gate is open */
                assert_true((uint64_t)g_get_monotonic_time() < until);
        for (guint i = 0; i < 4; i++) {
                g_autofree char *count = place("cgroups.#.works.0.workers.#.work_units", 1, i);
                while (number_at(state_of(f), count) == 0)
                        assert_true((uint64_t)g_get_monotonic_time() < until);
        }
        e = end_step(f);
        assert_int_equal(length_at(e.report, "cgroups.1.works.0.workers"), 4);
        for (guint i = 0; i < 4; i++) {
                g_autofree char *completed = place("cgroups.#.works.0.workers.#.completed", 1, i);
                g_autofree char *units = place("cgroups.#.works.0.workers.#.work_units", 1, i);
                assert_true(truth_at(e.report, completed));
                assert_true(number_at(e.report, units) > 0);
        }
        assert_true(open_files(f->daemon.pid) <= in_daemon);
}

/* work:P5: a leader without threads is refused like a group without workers, before there is a process */
static void test_no_thread_no_leader(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        guint before;

        ping(f);
        before = open_files(f->daemon.pid);
        assert_refused(
                f,
                call(f, "AddCgroupDef", "[{'name': 'foo', 'works': [{'workers': 0, 'pcomm': 'app'}]}, {}]"),
                "InvalidDefinition", EINVAL, "works[0].workers", NULL);
        assert_int_equal(open_files(f->daemon.pid), before);
        assert_int_equal(length_at(end_step(f).report, "cgroups"), 0);
        assert_nothing_exists(f);
}

/* With its leader every thread dies; each is told, and each keeps what it had counted. */
static void test_killed_leader(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2, 'pcomm': 'app'}, {},"
                             " {'pcomm': 'app', 'work_type': 'YieldHeavy'}]}");
        g_autoptr(GArray) tids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        guint seen = 0;
        Ending e;

        append_tids(tids, r, 0);
        append_tids(tids, r, 2);
        await_iterations(f, r);
        assert_int_equal(kill(pid_at(r, "works.0.pids.0"), SIGKILL), 0);
        for (guint n = 0; n < 3; n++) {
                JsonNode *s = await_signal(f, "WorkerExited", "foo");
                guint work = (guint)number_at(s, "2.work_index"), worker = (guint)number_at(s, "2.worker");
                guint i = work == 0 ? worker : 2;
                assert_int_equal(number_at(s, "1"), g_array_index(tids, pid_t, i));
                assert_string_equal(text_at(s, "2.kind"), "signaled");
                assert_int_equal(number_at(s, "2.value"), SIGKILL);
                assert_string_equal(text_at(s, "2.pcomm"), "app");
                assert_string_equal(text_at(s, "2.work_type"), i == 2 ? "YieldHeavy" : "SpinWait");
                seen |= 1u << i;
        }
        assert_int_equal(seen, 7);
        await_property(f, SCENARIO_PATH, "Workers", "1");
        assert_string_equal(text_at(state_of(f), "cgroups.0.works.2.workers.0.state"), "killed");

        e = end_step(f);
        assert_int_equal(number_at(e.summary, "killed"), 3);
        assert_true(truth_at(e.report, "cgroups.0.works.1.workers.0.completed"));
        for (guint i = 0; i < 3; i++) {
                g_autofree char *path = place("cgroups.0.works.#.workers.#", i < 2 ? 0 : 2, i < 2 ? i : 0);
                JsonNode *worker = at(e.report, path);
                assert_false(truth_at(worker, "completed"));
                assert_json(at(worker, "exit_info"), "{'kind':'signaled','value':9}");
                assert_true(number_at(worker, "iterations") > 0);
                assert_true(null_at(worker, "wall_time_ns"));
                assert_true(null_at(worker, "numa_pages"));
        }
        assert_nothing_exists(f);
}

/* The message names the work whose thread it was, and nothing of the container stays. */
static void test_thread_that_cannot_be_set_up(G_GNUC_UNUSED void **state) {
        long n = sysconf(_SC_NPROCESSORS_CONF); /* the topology has a CPU that the machine has not */
        g_autofree char *topology = g_strdup_printf("numa:1 l3:1 core:%ld pu:1", n + 2);
        g_autofree char *arguments =
                g_strdup_printf("[{'name': 'foo', 'works': [{'pcomm': 'app', 'workers': 2}, {},"
                                " {'pcomm': 'app', 'workers': 2, 'affinity': 'cpus:%ld'}]}, {}]",
                                n);
        Fixture *f = fixture_start(&(FixtureOptions){ .topology = topology });

        assert_refused(f, call(f, "AddCgroupDef", arguments), "WorkersFailed", ECHILD,
                       "works[2]: cgroup 'foo': worker ", "cannot set its affinity: EINVAL", NULL);
        assert_nothing_exists(f);
}

/* ---- works ---- */

/* work:G1 work:G2 work:G3: each worker's report stands with the work it belongs to */
static void test_works_of_a_definition(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *works;
                guint n, workers[4];
        } cases[] = {
                { "{'workers': 2}, {'work_type': 'PipeIo', 'workers': 2}", 2, { 2, 2 } },
                { "{'workers': 1}, {'workers': 2}, {'workers': 3}, {'workers': 4}", 4, { 1, 2, 3, 4 } },
                { "{'workers': 3}", 1, { 3 } },
        };
        Fixture *f = fixture_start(NULL);

        for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
                g_autofree char *definition =
                        g_strdup_printf("{'name': 'foo', 'works': [%s]}", cases[c].works);
                g_autoptr(GArray) pids = pids_of(add(f, definition));
                Ending e = end_step(f);
                guint all = 0;

                assert_int_equal(length_at(e.report, "cgroups.0.works"), cases[c].n);
                for (guint w = 0; w < cases[c].n; w++) {
                        g_autofree char *index = place("cgroups.0.works.#.work_index", w, 0);
                        g_autofree char *workers = place("cgroups.0.works.#.workers", w, 0);
                        assert_int_equal(number_at(e.report, index), w);
                        assert_int_equal(length_at(e.report, workers), cases[c].workers[w]);
                        all += cases[c].workers[w];
                }
                assert_int_equal(pids->len, all);
                assert_int_equal(number_at(e.summary, "completed"), all);
        }
}

/* What a call says of its works' types and numbers, where the definition does not mind. */
static void test_options_of_a_call(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = at(call(f, "ApplySetup",
                              "[[{'name': 'a', 'swappable': true, 'works': [{}, {'workers': 3}]},"
                              "  {'name': 'b'}],"
                              " {'work_type_override': 'PipeIo', 'workers_per_cgroup': 2}]"),
                         "0");
        Ending e;

        assert_string_equal(text_at(r, "0.works.0.work_type"), "PipeIo");
        assert_int_equal(number_at(r, "0.works.0.workers"), 2);
        assert_string_equal(text_at(r, "0.works.1.work_type"), "SpinWait"); /* three are no pairs */
        assert_string_equal(text_at(r, "1.works.0.work_type"), "SpinWait"); /* not swappable */
        assert_int_equal(number_at(r, "1.works.0.workers"), 2);
        await_iterations(f, at(r, "0"));
        e = end_step(f);
        assert_int_equal(number_at(e.summary, "completed"), 7);
        assert_string_equal(text_at(e.report, "cgroups.0.works.0.work_type"), "PipeIo");
        assert_true(has(e.report, "cgroups.0.works.0.workers.1.wake_latency_ns"));
        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'a'}, {'work_type_override': 'PipeIO'}]"),
                       "InvalidDefinition", EINVAL, "work_type_override", "PipeIo", NULL);
        assert_nothing_exists(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_processes_and_leaders, fixture_teardown),
                cmocka_unit_test_teardown(test_one_leader, fixture_teardown),
                cmocka_unit_test_teardown(test_with_and_without, fixture_teardown),
                cmocka_unit_test_teardown(test_files_of_a_leader, fixture_teardown),
                cmocka_unit_test_teardown(test_no_thread_no_leader, fixture_teardown),
                cmocka_unit_test_teardown(test_killed_leader, fixture_teardown),
                cmocka_unit_test_teardown(test_thread_that_cannot_be_set_up, fixture_teardown),
                cmocka_unit_test_teardown(test_works_of_a_definition, fixture_teardown),
                cmocka_unit_test_teardown(test_options_of_a_call, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
