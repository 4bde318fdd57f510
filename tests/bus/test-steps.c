/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "dbus/names.h"
#include "wire/arena.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO

static void assert_born_in(Fixture *f, pid_t pid, const char *name) {
        g_autofree char *found = process_cgroup(pid);
        g_autofree char *expected = g_build_filename(f->hierarchy, KT_DEFAULT_SCENARIO, name, NULL);

        assert_string_equal(found, expected);
}

static void assert_nothing_exists(Fixture *f) {
        g_autofree char *left = directories_below(f->root);

        assert_string_equal(left, "");
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

static JsonNode *scenario_property(Fixture *f, const char *name) {
        return property(f, SCENARIO_PATH, KT_SCENARIO_INTERFACE, name);
}

/* ---- one definition ---- */

/* ops:J5 ops:K3 ops:K6 */
static void test_add_places_workers(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}, {'work_type': 'YieldHeavy'}]}");
        g_autofree char *path = below(f, "foo");
        g_autoptr(GArray) pids = pids_of(r);

        assert_string_equal(text_at(r, "name"), "foo");
        assert_string_equal(text_at(r, "path"), path);
        assert_string_equal(text_at(r, "target"), "step");
        assert_string_equal(text_at(r, "cpuset"), "");
        assert_int_equal(length_at(r, "works"), 2);
        assert_string_equal(text_at(r, "works.0.work_type"), "SpinWait");
        assert_int_equal(number_at(r, "works.0.workers"), 2);
        assert_string_equal(text_at(r, "works.1.work_type"), "YieldHeavy");
        assert_string_equal(text_at(r, "works.1.placement"), "born");
        assert_false(has(r, "actions"));
        assert_int_equal(pids->len, 3);
        for (guint i = 0; i < pids->len; i++)
                assert_born_in(f, g_array_index(pids, pid_t, i), "foo");
        assert_json(at(state_of(f), "cgroups.0.name"), "'foo'");
}

static void test_a_definition_without_works_has_a_worker(G_GNUC_UNUSED void **state) { /* ops:J10 */
        Fixture *f = fixture_start(NULL);

        assert_int_equal(length_at(add(f, "{'name': 'foo'}"), "works.0.pids"), 1);
}

/* work:S11 */
static void test_counters_move_while_they_run(G_GNUC_UNUSED void **state) {
        static const char place[] = "cgroups.0.works.0.workers.1.iterations";
        Fixture *f = fixture_start(NULL);
        uint64_t until = fixture_deadline();
        int64_t first, now;

        add(f, "{'name': 'foo', 'works': [{'workers': 2, 'work_type': 'YieldHeavy'}]}");
        first = number_at(state_of(f), place);
        do {
                now = number_at(state_of(f), place);
                assert_true((uint64_t)g_get_monotonic_time() < until);
        } while (now == first);
        assert_true(now > first);
        assert_string_equal(text_at(state_of(f), "cgroups.0.works.0.workers.1.state"), "running");
}

static void test_signals_of_a_step(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *path = below(f, "a/b");

        add(f, "{'name': 'a/b', 'works': [{'workers': 2}]}");
        assert_string_equal(text_at(await_signal(f, "CgroupAdded", "a/b"), "1"), path);
        await_property(f, SCENARIO_PATH, "Cgroups", "['a/b']");
        await_property(f, SCENARIO_PATH, "Workers", "2");
        assert_json(scenario_property(f, "Cgroups"), "['a/b']");
        assert_json(scenario_property(f, "Workers"), "2");
        /* The parent made on the way is no cgroup of the caller's. */
        assert_false(has_signal(f, "CgroupAdded", "a"));

        signals_forget(f);
        end_step(f);
        assert_string_equal(text_at(await_signal(f, "CgroupRemoved", "a/b"), "1"), path);
        assert_int_equal(number_at(at(await_signal(f, "StepEnded", NULL), "1"), "workers"), 2);
        await_property(f, SCENARIO_PATH, "StepIndex", "1");
        await_property(f, SCENARIO_PATH, "Cgroups", "[]");
        await_property(f, SCENARIO_PATH, "Workers", "0");
        assert_false(has_signal(f, "CgroupRemoved", "a"));
        assert_nothing_exists(f);
}

/* Every worker's end is told, and before the answer. */
static void test_worker_exited_for_each(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autoptr(GArray) pids = pids_of(add(f, "{'name': 'foo', 'works': [{'workers': 3}]}"));
        guint seen = 0;

        end_step(f);
        for (guint i = 0; i < pids->len; i++) {
                JsonNode *s = await_signal(f, "WorkerExited", "foo");
                for (guint p = 0; p < pids->len; p++)
                        seen += number_at(s, "1") == g_array_index(pids, pid_t, p);
                assert_string_equal(text_at(s, "2.kind"), "exited");
                assert_int_equal(number_at(s, "2.value"), 0);
                assert_string_equal(text_at(s, "2.work_type"), "SpinWait");
        }
        assert_int_equal(seen, 3);
}

/* ---- the end of a step ---- */

static void check_worker(Fixture *f, JsonNode *worker, pid_t pid) {
        static const char *const counters[] = { "iterations", "work_units", "wall_time_ns", "cpu_time_ns" };
        g_autofree char *cgroup = g_build_filename(f->hierarchy, KT_DEFAULT_SCENARIO, "foo", NULL);

        assert_int_equal(number_at(worker, "tid"), pid);
        assert_true(truth_at(worker, "completed"));
        assert_true(null_at(worker, "exit_info"));
        for (size_t i = 0; i < G_N_ELEMENTS(counters); i++)
                if (number_at(worker, counters[i]) <= 0)
                        fail_msg("%s is not above 0", counters[i]);
        assert_true(text_at(worker, "cpus_used")[0]);
        assert_string_equal(text_at(worker, "born_in"), cgroup);
        assert_int_equal(length_at(worker, "migrations"),
                         MIN(number_at(worker, "migration_count"), ARENA_MIGRATIONS));
        assert_true(number_at(worker, "off_cpu_ns") >= 0 && number_at(worker, "max_gap_ms") >= 0);
}

static void await_iterations(Fixture *f, guint workers) {
        uint64_t until = fixture_deadline();

        for (guint i = 0; i < workers; i++) {
                g_autofree char *place = g_strdup_printf("cgroups.0.works.0.workers.%u.iterations", i);
                while (number_at(state_of(f), place) == 0)
                        assert_true((uint64_t)g_get_monotonic_time() < until);
        }
}

/* work:S1 work:S2 work:S20 */
static void test_end_step_reports_and_removes(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'foo', 'works': [{'workers': 2}]}");
        Ending e;

        await_iterations(f, 2);
        e = end_step(f);
        assert_int_equal(number_at(e.summary, "step_index"), 0);
        assert_int_equal(number_at(e.summary, "cgroups"), 1);
        assert_int_equal(number_at(e.summary, "workers"), 2);
        assert_int_equal(number_at(e.summary, "completed"), 2);
        assert_int_equal(number_at(e.summary, "killed"), 0);
        assert_json(at(e.summary, "warnings"), "[]");
        assert_string_equal(text_at(e.report, "scenario"), KT_DEFAULT_SCENARIO);
        assert_int_equal(number_at(e.report, "step_index"), 0);
        assert_string_equal(text_at(e.report, "cgroups.0.name"), "foo");
        assert_string_equal(text_at(e.report, "cgroups.0.works.0.work_type"), "SpinWait");
        assert_int_equal(length_at(e.report, "cgroups.0.works.0.workers"), 2);
        check_worker(f, at(e.report, "cgroups.0.works.0.workers.0"), pid_at(r, "works.0.pids.0"));
        check_worker(f, at(e.report, "cgroups.0.works.0.workers.1"), pid_at(r, "works.0.pids.1"));
        for (guint i = 0; i < 2; i++)
                assert_true(process_gone(pid_at(r, i ? "works.0.pids.1" : "works.0.pids.0")));
        assert_nothing_exists(f);
}

static void test_samples_of_bursty(G_GNUC_UNUSED void **state) {
        static const char place[] = "cgroups.0.works.0.workers.0.wake_latency_ns";
        Fixture *f = fixture_start(NULL);
        Ending e;

        add(f, "{'name': 'foo', 'works': [{'work_type': 'Bursty', 'params': {'burst_duration': '1ms', "
               "'sleep_duration': 1000}}]}");
        await_iterations(f, 1);
        e = end_step(f);
        assert_true(number_at(at(e.report, place), "count") > 0);
        assert_true(number_at(at(e.report, place), "max") >= number_at(at(e.report, place), "p50"));
}

static void test_steps_are_counted(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        for (unsigned i = 0; i < 3; i++) {
                add(f, "{'name': 'foo'}"); /* the name is free again */
                assert_int_equal(number_at(state_of(f), "step_index"), i);
                assert_int_equal(number_at(end_step(f).summary, "step_index"), i);
        }
        assert_json(scenario_property(f, "StepIndex"), "3");
}

static void test_an_empty_step_ends_as_well(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Ending e = end_step(f);

        assert_int_equal(number_at(e.summary, "workers"), 0);
        assert_int_equal(length_at(e.report, "cgroups"), 0);
        assert_int_equal(length_at(teardown(f).report, "cgroups"), 0);
}

/* ---- many definitions ---- */

/* Results without what is different in each run. */
static char *without_pids(JsonNode *results) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < json_array_get_length(json_node_get_array(results)); i++) {
                g_autofree char *index = g_strdup_printf("%u", i);
                JsonNode *r = at(results, index);
                for (guint w = 0; w < length_at(r, "works"); w++) {
                        g_autofree char *work = g_strdup_printf("works.%u", w);
                        g_autofree char *pids = g_strconcat(work, ".pids", NULL);
                        g_string_append_printf(text, "%u pids ", length_at(r, pids));
                        json_object_remove_member(json_node_get_object(at(r, work)), "pids");
                }
                g_autofree char *rest = json_to_string(r, FALSE);
                g_string_append(text, rest);
        }
        return g_strdup(text->str);
}

static const char three[] = "[{'name': 'a', 'works': [{'workers': 2, 'nice': 5}]},"
                            " {'name': 'b', 'cpuset': 'cpus:0', 'works': [{'work_type': 'Bursty'}]},"
                            " {'name': 'c/d', 'comm': 'kt-worker'}]";

/* The same definitions without the one that needs a controller, where there is none. */
static char *definitions(Fixture *f) {
        g_autoptr(GString) text = g_string_new(three);
        g_autofree char *controllers =
                json_to_string(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "Controllers"), FALSE);

        if (!strstr(controllers, "cpuset"))
                g_string_replace(text, " 'cpuset': 'cpus:0',", "", 0);
        return g_strdup(text->str);
}

/* ops:J2 */
static void test_setup_and_json_give_the_same(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *defs = definitions(f);
        g_autofree char *arguments = g_strdup_printf("[%s, {}]", defs);
        g_autofree char *document = g_strdelimit(g_strdup_printf("{'cgroups': %s}", defs), "'", '"');
        g_autofree char *by_setup = NULL, *by_json = NULL;
        JsonNode *answer;

        answer = call(f, "ApplySetup", arguments);
        assert_non_null(answer);
        assert_int_equal(length_at(answer, "0"), 3);
        assert_string_equal(text_at(answer, "0.0.name"), "a");
        assert_string_equal(text_at(answer, "0.2.name"), "c/d");
        by_setup = without_pids(at(answer, "0"));
        end_step(f);

        answer = call_json(f, document, "{}");
        assert_non_null(answer);
        by_json = without_pids(at(parse_json(f, text_at(answer, "0")), "cgroups"));
        assert_string_equal(by_setup, by_json);
}

static void test_no_definition_makes_nothing(G_GNUC_UNUSED void **state) { /* ops:J1 */
        Fixture *f = fixture_start(NULL);

        assert_int_equal(length_at(call(f, "ApplySetup", "[[], {}]"), "0"), 0);
        assert_json(parse_json(f, text_at(call_json(f, "{\"cgroups\": []}", "{}"), "0")), "{'cgroups':[]}");
        assert_nothing_exists(f);
}

static void test_backdrop_outlives_the_step(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *back = add_to_backdrop(f, "{'name': 'back'}");
        pid_t pid = pid_at(back, "works.0.pids.0");
        Ending e;

        add(f, "{'name': 'front'}");
        assert_string_equal(text_at(back, "target"), "backdrop");
        e = end_step(f);
        assert_int_equal(length_at(e.report, "cgroups"), 1);
        assert_string_equal(text_at(e.report, "cgroups.0.name"), "front");
        assert_born_in(f, pid, "back");
        assert_json(scenario_property(f, "Cgroups"), "['back']");
        assert_string_equal(text_at(state_of(f), "cgroups.0.slot"), "backdrop");

        e = teardown(f);
        assert_int_equal(number_at(e.summary, "workers"), 1);
        assert_string_equal(text_at(e.report, "cgroups.0.name"), "back");
        assert_true(process_gone(pid));
        assert_nothing_exists(f);
}

static void test_teardown_takes_the_step_too(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        add_to_backdrop(f, "{'name': 'back'}");
        add(f, "{'name': 'front'}");
        assert_int_equal(number_at(teardown(f).summary, "completed"), 2);
        assert_nothing_exists(f);
}

/* A cgroup in which somebody else has put something stays in the books, and goes when it can. */
static void test_what_cannot_be_removed_stays_in_the_books(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *alien = below(f, "foo/alien");
        Ending e;

        add(f, "{'name': 'foo'}");
        add(f, "{'name': 'bar'}");
        assert_int_equal(g_mkdir(alien, 0755), 0);
        e = end_step(f);
        assert_true(length_at(e.summary, "warnings") > 0);
        assert_non_null(strstr(text_at(e.summary, "warnings.0"), "foo"));
        assert_int_equal(number_at(e.summary, "completed"), 2);
        assert_json(scenario_property(f, "Cgroups"), "['foo']");
        assert_false(has_signal(f, "CgroupRemoved", "foo"));

        assert_int_equal(rmdir(alien), 0);
        assert_int_equal(length_at(end_step(f).summary, "warnings"), 0);
        assert_nothing_exists(f);
}

/* ---- phases ---- */

/* Three times further: the first count may be from before, at the next one the worker has looked at the
 * phase, and at the third it has worked in it. */
static void await_progress(Fixture *f, guint workers) {
        uint64_t until = fixture_deadline();

        for (guint i = 0; i < workers; i++) {
                g_autofree char *place = g_strdup_printf("cgroups.0.works.0.workers.%u.iterations", i);
                for (unsigned step = 0; step < 3; step++) {
                        int64_t before = number_at(state_of(f), place);
                        while (number_at(state_of(f), place) == before)
                                assert_true((uint64_t)g_get_monotonic_time() < until);
                }
        }
}

static int64_t sum_of_slices(JsonNode *worker, const char *key) {
        int64_t sum = 0;

        for (guint i = 0; i < length_at(worker, "phase_slices"); i++) {
                g_autofree char *place = g_strdup_printf("phase_slices.%u.%s", i, key);
                sum += number_at(worker, place);
        }
        return sum;
}

static void check_slices(JsonNode *worker, const char *const *phases) {
        static const char *const counters[] = { "iterations", "work_units", "migration_count" };

        assert_true(truth_at(worker, "completed"));
        assert_int_equal(length_at(worker, "phase_slices"), g_strv_length((char **)phases));
        for (guint i = 0; phases[i]; i++) {
                g_autofree char *place = g_strdup_printf("phase_slices.%u", i);
                JsonNode *slice = at(worker, place);
                assert_json(at(slice, "phase"), phases[i]);
                assert_true(number_at(slice, "iterations") > 0);
                assert_true(number_at(slice, "wall_time_ns") > 0);
                assert_true(number_at(slice, "off_cpu_ns") <= number_at(slice, "wall_time_ns"));
                assert_true(text_at(slice, "cpus_used")[0]);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(counters); i++)
                assert_int_equal(sum_of_slices(worker, counters[i]), number_at(worker, counters[i]));
        assert_false(has(worker, "phases_closed"));
}

/* work:F1: what outlives a step tells for each what it did in it; all of it together is what it did */
static void test_slices_of_the_backdrop(G_GNUC_UNUSED void **state) {
        static const char *const phases[] = { "0", "1", "null", "2", "null", NULL };
        Fixture *f = fixture_start(NULL);
        Ending e;

        add_to_backdrop(f, "{'name': 'back', 'works': [{'workers': 2}]}");
        await_progress(f, 2);
        for (unsigned step = 0; step < 2; step++) {
                add(f, "{'name': 'front'}");
                add(f, "{'name': 'more'}"); /* of the same step, and so of the same phase */
                await_progress(f, 2);
                e = end_step(f);
                assert_false(has(e.report, "cgroups.0.works.0.workers.0.phase_slices"));
                await_progress(f, 2);
        }
        e = teardown(f);
        assert_int_equal(length_at(e.report, "cgroups"), 1);
        check_slices(at(e.report, "cgroups.0.works.0.workers.0"), phases);
        check_slices(at(e.report, "cgroups.0.works.0.workers.1"), phases);
        assert_nothing_exists(f);
}

/* Threads as well, and from the phase on that they were born in. */
static void test_slices_of_threads(G_GNUC_UNUSED void **state) {
        static const char *const between[] = { "null", "2", NULL };
        Fixture *f = fixture_start(NULL);
        Ending e;

        add(f, "{'name': 'front'}");
        end_step(f); /* nothing is left: the executor goes, and a new one comes */
        add_to_backdrop(f, "{'name': 'back', 'works': [{'workers': 2, 'pcomm': 'app'}]}");
        await_progress(f, 2);
        add(f, "{'name': 'front'}");
        await_progress(f, 2);
        e = teardown(f);
        assert_string_equal(text_at(e.report, "cgroups.0.name"), "back");
        check_slices(at(e.report, "cgroups.0.works.0.workers.0"), between);
        check_slices(at(e.report, "cgroups.0.works.0.workers.1"), between);
}

/* One that never saw a change has its only phase. */
static void test_slice_of_one_phase(G_GNUC_UNUSED void **state) {
        static const char *const first[] = { "1", NULL };
        Fixture *f = fixture_start(NULL);

        add(f, "{'name': 'front'}");
        await_progress(f, 1);
        add_to_backdrop(f, "{'name': 'back'}");
        for (uint64_t until = fixture_deadline();
             number_at(state_of(f), "cgroups.1.works.0.workers.0.iterations") == 0;)
                assert_true((uint64_t)g_get_monotonic_time() < until);
        check_slices(at(teardown(f).report, "cgroups.1.works.0.workers.0"), first);
}

/* ---- dry run ---- */

/* The lists of the definitions, one after the other, are the plan: the gates open when all workers stand. */
static void assert_actions(JsonNode *results, const char *const *expected) {
        for (guint r = 0; r < json_array_get_length(json_node_get_array(results)); r++) {
                g_autofree char *list = g_strdup_printf("%u.actions", r);
                for (guint i = 0; i < length_at(results, list); i++) {
                        g_autofree char *place = g_strdup_printf("%s.%u.action", list, i);
                        assert_string_equal(text_at(results, place), *expected++ ?: "nothing more");
                }
        }
        assert_null(*expected);
}

static void test_dry_run_touches_nothing(G_GNUC_UNUSED void **state) {
        static const char *const plan[] = { "mkdir", "spawn",   "mkdir",   "spawn",
                                            "phase", "release", "release", NULL };
        Fixture *f = fixture_start(NULL);
        g_autofree char *path = below(f, "a"), *children_file = NULL, *children = NULL;
        JsonNode *r;

        r = at(call(f, "ApplySetup",
                    "[[{'name': 'a', 'works': [{'workers': 3}]}, {'name': 'b'}], {'dry_run': true}]"),
               "0");
        assert_actions(r, plan);
        assert_string_equal(text_at(r, "0.actions.0.path"), path);
        assert_int_equal(number_at(r, "0.actions.1.works.0.workers"), 3);
        assert_false(has(r, "0.works.0.pids"));

        children_file = g_strdup_printf("/proc/%d/task/%d/children", f->daemon.pid, f->daemon.pid);
        if (g_file_get_contents(children_file, &children, NULL, NULL))
                assert_string_equal(children, "");
        assert_false(has_signal(f, "CgroupAdded", NULL));
        assert_nothing_exists(f);
}

static void test_dry_run_beside_what_runs(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *before = NULL, *after = NULL;

        add(f, "{'name': 'a'}");
        before = directories_below(f->root);
        assert_non_null(call(f, "AddCgroupDef", "[{'name': 'b'}, {'dry_run': true, 'target': 'backdrop'}]"));
        after = directories_below(f->root);
        assert_string_equal(before, after);
        assert_json(scenario_property(f, "Cgroups"), "['a']");
        /* It is refused just as the real one would be. */
        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'a'}, {'dry_run': true}]"), "CgroupExists",
                       EEXIST, "'a'", NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_add_places_workers, fixture_teardown),
                cmocka_unit_test_teardown(test_a_definition_without_works_has_a_worker, fixture_teardown),
                cmocka_unit_test_teardown(test_counters_move_while_they_run, fixture_teardown),
                cmocka_unit_test_teardown(test_signals_of_a_step, fixture_teardown),
                cmocka_unit_test_teardown(test_worker_exited_for_each, fixture_teardown),
                cmocka_unit_test_teardown(test_end_step_reports_and_removes, fixture_teardown),
                cmocka_unit_test_teardown(test_samples_of_bursty, fixture_teardown),
                cmocka_unit_test_teardown(test_steps_are_counted, fixture_teardown),
                cmocka_unit_test_teardown(test_an_empty_step_ends_as_well, fixture_teardown),
                cmocka_unit_test_teardown(test_setup_and_json_give_the_same, fixture_teardown),
                cmocka_unit_test_teardown(test_no_definition_makes_nothing, fixture_teardown),
                cmocka_unit_test_teardown(test_backdrop_outlives_the_step, fixture_teardown),
                cmocka_unit_test_teardown(test_teardown_takes_the_step_too, fixture_teardown),
                cmocka_unit_test_teardown(test_what_cannot_be_removed_stays_in_the_books, fixture_teardown),
                cmocka_unit_test_teardown(test_slices_of_the_backdrop, fixture_teardown),
                cmocka_unit_test_teardown(test_slices_of_threads, fixture_teardown),
                cmocka_unit_test_teardown(test_slice_of_one_phase, fixture_teardown),
                cmocka_unit_test_teardown(test_dry_run_touches_nothing, fixture_teardown),
                cmocka_unit_test_teardown(test_dry_run_beside_what_runs, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
