/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "dbus/names.h"

/* What was there before the call: it must be just as it was after one that failed. */
typedef struct Before {
        char *directories, *cgroups;
        pid_t executor;
} Before;

static char *cgroups_of(Fixture *f) {
        return json_to_string(
                property(f, KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO, KT_SCENARIO_INTERFACE, "Cgroups"),
                FALSE);
}

static Before look(Fixture *f, JsonNode *running) {
        signals_forget(f);
        return (Before){ .directories = directories_below(f->root),
                         .cgroups = cgroups_of(f),
                         .executor = running ? process_parent(pid_at(running, "works.0.pids.0")) : 0 };
}

static guint count_children(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid), *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return 0;
        g_auto(GStrv) pids = g_strsplit(g_strstrip(text), " ", -1);
        return pids[0] && pids[0][0] ? g_strv_length(pids) : 0;
}

static void assert_as_before(Fixture *f, Before *b) {
        g_autofree char *directories = directories_below(f->root), *cgroups = cgroups_of(f);

        assert_string_equal(directories, b->directories);
        assert_string_equal(cgroups, b->cgroups);
        ping(f);
        assert_false(has_signal(f, "CgroupAdded", NULL));
        assert_false(has_signal(f, "WorkerExited", NULL));
        if (b->executor)
                assert_int_equal(count_children(b->executor), 1); /* the worker of the backdrop */
        else
                assert_int_equal(count_children(f->daemon.pid), 0);
        g_free(b->directories);
        g_free(b->cgroups);
}

/* ---- refused by the plan ---- */

static void test_third_fails_in_the_plan(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Before b = look(f, NULL);

        assert_refused(
                f,
                call(f, "ApplySetup",
                     "[[{'name': 'a'}, {'name': 'b'}, {'name': 'c', 'works': [{'numa_node': 99}]}], {}]"),
                "InvalidDefinition", EINVAL, "definitions[2].works[0]", "'c'", "99", NULL);
        assert_as_before(f, &b);
}

/* Nothing is created where the reference leaves the directory. */
static void test_plan_failure_leaves_the_backdrop(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Before b = look(f, add_to_backdrop(f, "{'name': 'back'}"));

        assert_refused(
                f,
                call_json(f, "{\"cgroups\": [{\"name\": \"a\"}, {\"name\": \"b\", \"pids\": {\"max\": 0}}]}",
                          "{}"),
                "InvalidDefinition", EINVAL, "cgroups[1].pids.max", "> 0", NULL);
        assert_as_before(f, &b);
}

/* ---- refused by the kernel ---- */

/* Only so many cgroups below the fixture's: the scenario's own, and what the test leaves for definitions. */
static void limit_descendants(Fixture *f, const char *n) {
        g_autofree char *file = g_build_filename(f->root, "cgroup.max.descendants", NULL);

        write_file(file, n);
}

static void test_third_refused_by_the_kernel(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *path = below(f, "c");
        Before b = look(f, NULL);

        limit_descendants(f, "3");
        assert_refused(f,
                       call(f, "ApplySetup",
                            "[[{'name': 'a', 'works': [{'workers': 3}]}, {'name': 'b'}, {'name': 'c'}], {}]"),
                       "KernelRefused", EIO, "definitions[2]", "cgroup 'c'", "EAGAIN",
                       "cgroup.max.descendants", "use fewer", path, NULL);
        assert_as_before(f, &b);
        limit_descendants(f, "max");
        add(f, "{'name': 'c'}");
}

static void test_kernel_failure_leaves_the_backdrop(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *back = add_to_backdrop(f, "{'name': 'back'}");
        pid_t worker = pid_at(back, "works.0.pids.0");
        Before b = look(f, back);

        limit_descendants(f, "4");
        assert_refused(f, call(f, "ApplySetup", "[[{'name': 'a'}, {'name': 'b'}, {'name': 'c'}], {}]"),
                       "KernelRefused", EIO, "definitions[2]", NULL);
        assert_false(process_gone(worker));
        assert_as_before(f, &b);
        limit_descendants(f, "max");
}

/* A directory that the daemon did not make is not its own to use. */
static void test_third_is_there_already(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *alien = below(f, "c");
        JsonNode *back = add_to_backdrop(f, "{'name': 'back'}");
        Before b;

        assert_int_equal(g_mkdir(alien, 0755), 0);
        b = look(f, back);
        assert_refused(f, call(f, "ApplySetup", "[[{'name': 'a/x'}, {'name': 'b'}, {'name': 'c'}], {}]"),
                       "CgroupExists", EEXIST, "definitions[2]", "cgroup 'c'", "EEXIST", alien,
                       "another name", NULL);
        assert_as_before(f, &b);
        assert_int_equal(rmdir(alien), 0); /* still the test's */
}

/* A topology with a CPU that the machine does not have: the plan takes it, and the kernel does not. */
static Fixture *start_with_a_cpu_too_many(char **ret_cpus) {
        long n = sysconf(_SC_NPROCESSORS_CONF);
        g_autofree char *topology = g_strdup_printf("numa:1 l3:1 core:%ld pu:1", n + 2);

        *ret_cpus = g_strdup_printf("cpus:%ld", n);
        return fixture_start(&(FixtureOptions){ .topology = topology });
}

static void test_third_has_workers_that_fail(G_GNUC_UNUSED void **state) {
        g_autofree char *cpus = NULL, *arguments = NULL;
        Fixture *f = start_with_a_cpu_too_many(&cpus);
        Before b = look(f, NULL);

        arguments = g_strdup_printf("[[{'name': 'a', 'works': [{'workers': 3}]}, {'name': 'b'}, "
                                    "{'name': 'c', 'works': [{}, {'workers': 2, 'affinity': '%s'}]}], {}]",
                                    cpus);
        assert_refused(f, call(f, "ApplySetup", arguments), "WorkersFailed", ECHILD,
                       "definitions[2].works[1]", "cgroup 'c'", "affinity", "EINVAL", NULL);
        assert_as_before(f, &b);
}

/* The path in the message is that of the way the definition came. */
static void test_origin_of_each_call(G_GNUC_UNUSED void **state) {
        g_autofree char *cpus = NULL, *document = NULL, *arguments = NULL;
        Fixture *f = start_with_a_cpu_too_many(&cpus);
        Before b = look(f, NULL);

        document = g_strdup_printf("{\"cgroups\": [{\"name\": \"a\", \"works\": [{\"affinity\": \"%s\"}]}]}",
                                   cpus);
        assert_refused(f, call_json(f, document, "{}"), "WorkersFailed", ECHILD,
                       "cgroups[0].works[0]: cgroup 'a'", NULL);
        arguments = g_strdup_printf("[{'name': 'a', 'works': [{'affinity': '%s'}]}, {}]", cpus);
        assert_refused(f, call(f, "AddCgroupDef", arguments), "WorkersFailed", ECHILD, NULL);
        assert_true(g_str_has_prefix(f->error.message, "works[0]: cgroup 'a'"));
        assert_as_before(f, &b);
}

/* ---- collisions ---- */

static void assert_taken(Fixture *f, const char *arguments, const char *slot) {
        Before b = look(f, NULL);

        b.executor = process_parent(pid_at(state_of(f), "cgroups.0.works.0.workers.0.pid"));
        assert_refused(f, call(f, "AddCgroupDef", arguments), "CgroupExists", EEXIST, "'x'", slot,
                       "another name", NULL);
        assert_as_before(f, &b);
}

static void test_name_of_the_backdrop_is_taken(G_GNUC_UNUSED void **state) { /* ops:J9 ops:K4 */
        Fixture *f = fixture_start(NULL);

        add_to_backdrop(f, "{'name': 'x'}");
        assert_taken(f, "[{'name': 'x'}, {}]", "backdrop");
        assert_taken(f, "[{'name': 'x'}, {'target': 'backdrop'}]", "backdrop");
}

static void test_name_of_the_step_is_taken(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        add(f, "{'name': 'x'}");
        assert_taken(f, "[{'name': 'x'}, {}]", "step");
        assert_taken(f, "[{'name': 'x'}, {'target': 'backdrop'}]", "step");
}

static void test_name_twice_in_a_list(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Before b = look(f, NULL);

        assert_refused(f, call(f, "ApplySetup", "[[{'name': 'x'}, {'name': 'y'}, {'name': 'x'}], {}]"),
                       "CgroupExists", EEXIST, "definitions[2].name", "'x'", NULL);
        assert_as_before(f, &b);
}

/* A parent made on the way is a name that is taken, too. */
static void test_name_of_a_parent_is_taken(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        add(f, "{'name': 'x/y'}");
        assert_taken(f, "[{'name': 'x'}, {}]", "parent");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_third_fails_in_the_plan, fixture_teardown),
                cmocka_unit_test_teardown(test_plan_failure_leaves_the_backdrop, fixture_teardown),
                cmocka_unit_test_teardown(test_third_refused_by_the_kernel, fixture_teardown),
                cmocka_unit_test_teardown(test_kernel_failure_leaves_the_backdrop, fixture_teardown),
                cmocka_unit_test_teardown(test_third_is_there_already, fixture_teardown),
                cmocka_unit_test_teardown(test_third_has_workers_that_fail, fixture_teardown),
                cmocka_unit_test_teardown(test_origin_of_each_call, fixture_teardown),
                cmocka_unit_test_teardown(test_name_of_the_backdrop_is_taken, fixture_teardown),
                cmocka_unit_test_teardown(test_name_of_the_step_is_taken, fixture_teardown),
                cmocka_unit_test_teardown(test_name_twice_in_a_list, fixture_teardown),
                cmocka_unit_test_teardown(test_name_of_a_parent_is_taken, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
