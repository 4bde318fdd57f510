/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus-error.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "dbus/names.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO

static const FixtureOptions limited = {
        .topology = "numa:2 l3:1 core:2 pu:2",
        .config = FIXTURE_CONFIG "[Limits]\nMaxCgroups=3\nMaxWorkers=10\nMaxDocumentBytes=500\n",
};

static void assert_nothing_made(Fixture *f) {
        g_autofree char *left = directories_below(f->root);

        assert_string_equal(left, "");
        assert_int_equal(length_at(state_of(f), "cgroups"), 0);
}

/* ---- a table of what is refused ---- */

typedef struct Case {
        const char *method, *arguments;
        const char *error;
        int number;
        const char *texts[3];
} Case;

static const Case cases[] = {
        { "AddCgroupDef", "[{}, {}]", "InvalidDefinition", EINVAL, { "needs a name" } },
        { "AddCgroupDef", "[{'name': ''}, {}]", "InvalidDefinition", EINVAL, { "name: ", "empty" } },
        { "AddCgroupDef", "[{'name': '../x'}, {}]", "InvalidDefinition", EINVAL, { "'../x'", ".." } },
        { "AddCgroupDef", "[{'name': 'supervisor'}, {}]", "InvalidDefinition", EINVAL, { "supervisor" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'wrks': []}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "unknown key 'wrks'", "did you mean 'works'?", "cpuset" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'worker': 1}]}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "works[0]: ", "cgroup 'a'", "did you mean 'workers'?" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'payload': 'x'}, {}]",
          "NoSuchPayload",
          ESRCH,
          { "payload", "'x'" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'work_type': 'SpinWiat'}]}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "works[0].work_type: ", "did you mean 'SpinWait'?" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'workers': 'two'}]}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "works[0].workers: ", "expected an integer, got text" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'workers': 0}]}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "works[0].workers: ", "1.." } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'workers': 1, 'workers_pct': 0.5}]}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "workers_pct", "keep one" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': []}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "works: ", "empty" } },
        { "AddCgroupDef", "[{'name': 5}, {}]", "InvalidDefinition", EINVAL, { "name: ", "expected text" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'nice': 20}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "nice: ", "20 is out of range -20..19" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'comm': 'sixteen-bytes-xx'}, {}]",
          "InvalidDefinition",
          EINVAL,
          { "comm: ", "TASK_COMM_LEN" } },
        { "AddCgroupDef",
          "[{'name': 'a'}, {'dryrun': true}]",
          "InvalidDefinition",
          EINVAL,
          { "options: ", "did you mean 'dry_run'?" } },
        { "AddCgroupDef",
          "[{'name': 'a'}, {'target': 'stage'}]",
          "InvalidDefinition",
          EINVAL,
          { "options.target: ", "backdrop" } },
        { "AddCgroupDef",
          "[{'name': 'a'}, {'dry_run': 1}]",
          "InvalidDefinition",
          EINVAL,
          { "options.dry_run: ", "a boolean" } },
        { "ApplySetup",
          "[[{'name': 'a'}, {'nam': 'b'}], {}]",
          "InvalidDefinition",
          EINVAL,
          { "definitions[1]: ", "did you mean 'name'?" } },
        { "EndStep", "[{'force': true}]", "InvalidDefinition", EINVAL, { "options", "empty dictionary" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'workers': 11}]}, {}]",
          "LimitExceeded",
          EDQUOT,
          { "works[0].workers: ", "cgroup 'a'", "11 is over the limit of 10" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'workers_pct': 1e100}]}, {}]",
          "LimitExceeded",
          EDQUOT,
          { "workers_pct", "the limit is 10" } },
        { "AddCgroupDef",
          "[{'name': 'a', 'works': [{'workers': 2147483647}, {'workers': 2147483647}]}, {}]",
          "LimitExceeded",
          EDQUOT,
          { "limit of 10" } },
        { "AddCgroupDef", "[{'name': 'a/b/c/d'}, {}]", "LimitExceeded", EDQUOT, { "MaxCgroups", "3" } },
};

static void check(Fixture *f, const Case *c) {
        assert_refused(f, call(f, c->method, c->arguments), c->error, c->number, c->texts[0], c->texts[1],
                       c->texts[2], NULL);
}

static void test_refusals(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&limited);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                check(f, &cases[i]);
        assert_nothing_made(f);
}

/* Also those that no call can bring about here. Callers in C go by errno. */
static void test_every_error_has_a_name_and_an_errno(G_GNUC_UNUSED void **state) {
        static const struct {
                KtError code;
                const char *name;
                int number;
        } errors[] = {
                { KT_ERROR_INVALID_DEFINITION, "InvalidDefinition", EINVAL },
                { KT_ERROR_CGROUP_EXISTS, "CgroupExists", EEXIST },
                { KT_ERROR_EMPTY_CPUSET, "EmptyCpuset", EDOM },
                { KT_ERROR_CONTROLLER_UNAVAILABLE, "ControllerUnavailable", EOPNOTSUPP },
                { KT_ERROR_KERNEL_REFUSED, "KernelRefused", EIO },
                { KT_ERROR_WORKERS_FAILED, "WorkersFailed", ECHILD },
                { KT_ERROR_LIMIT_EXCEEDED, "LimitExceeded", EDQUOT },
                { KT_ERROR_TIMED_OUT, "TimedOut", ETIMEDOUT },
                { KT_ERROR_SHUTTING_DOWN, "ShuttingDown", ESHUTDOWN },
                { KT_ERROR_EXECUTOR_LOST, "ExecutorLost", ECONNRESET },
        };

        bus_error_register();
        for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
                g_autoptr(GError) error = g_error_new(KT_ERROR, (gint)errors[i].code, "why");
                g_autofree char *name = g_strconcat(KT_ERROR_PREFIX, errors[i].name, NULL);
                g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;

                assert_int_equal(bus_error_set(&e, error), -errors[i].number);
                assert_string_equal(e.name, name);
                assert_string_equal(e.message, "why");
                assert_int_equal(sd_bus_error_get_errno(&e), errors[i].number);
        }
}

/* A controller that this root does not offer. On a host that offers all of them this is for the VM suite. */
static void test_controller_unavailable(G_GNUC_UNUSED void **state) {
        static const char *const knobs[][2] = {
                { "cpuset", "'cpuset': 'cpus:0'" },       { "cpu", "'cpu': {'weight': 5}" },
                { "memory", "'memory': {'max': '64M'}" }, { "io", "'io': {'weight': 5}" },
                { "pids", "'pids': {'max': 100}" },
        };
        Fixture *f = fixture_start(NULL);
        g_autofree char *offered =
                json_to_string(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "Controllers"), FALSE);

        for (size_t i = 0; i < G_N_ELEMENTS(knobs); i++) {
                g_autofree char *quoted = g_strdup_printf("\"%s\"", knobs[i][0]);
                g_autofree char *arguments = g_strdup_printf("[{'name': 'a', %s}, {}]", knobs[i][1]);
                g_autofree char *text = g_strdup_printf("controller %s", knobs[i][0]);
                if (!strstr(offered, quoted))
                        assert_refused(f, call(f, "AddCgroupDef", arguments), "ControllerUnavailable",
                                       EOPNOTSUPP, "cgroup 'a'", text, f->root, NULL);
        }
        assert_nothing_made(f);
}

/* ---- documents ---- */

static void test_documents(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *text, *found;
        } documents[] = {
                { "{\"cgroups\": [\n  {\"name\": 'a'}]}", "line 2, column 12" },
                { "{\"cgroups\": [", "JSON document" },
                { "", "empty document" },
                { "{} {}", "line 1, column 4" },
                { "{\"cgroups\": [{\"name\": \"a\", \"name\": \"b\"}]}", "'name' stands twice" },
                { "{\"cgroup\": []}", "did you mean 'cgroups'?" },
                { "{}", "needs the key 'cgroups'" },
                { "[]", "expected an object, got a list" },
                { "{\"cgroups\": {}}", "cgroups: expected a list" },
                { "{\"cgroups\": [{\"name\": null}]}", "cgroups[0].name: " },
        };
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(documents); i++)
                assert_refused(f, call_json(f, documents[i].text, "{}"), "InvalidDefinition", EINVAL,
                               documents[i].found, NULL);
        assert_refused(f, call_json(f, "{\"cgroups\": []}", "{'x': 1}"), "InvalidDefinition", EINVAL,
                       "options: ", NULL);
        assert_nothing_made(f);
}

static void test_document_too_large(G_GNUC_UNUSED void **state) {
        static const char shortest[] = "{\"cgroups\": [{\"name\": \"a\"}]}";
        Fixture *f = fixture_start(&limited);
        g_autofree char *fits = g_strnfill(500, ' '), *large = g_strnfill(501, ' ');

        memcpy(fits, shortest, strlen(shortest));
        memcpy(large, shortest, strlen(shortest));
        assert_refused(f, call_json(f, large, "{}"), "LimitExceeded", EDQUOT, "501 bytes", "MaxDocumentBytes",
                       "500", NULL);
        assert_nothing_made(f);
        assert_non_null(call_json(f, fits, "{}"));
}

/* ---- messages that no JSON text can make ---- */

static JsonNode *send_definition(Fixture *f, const char *types, ...) {
        sd_bus_message *m = request(f, "AddCgroupDef", "[]");
        va_list arguments;

        va_start(arguments, types);
        assert_return_code(sd_bus_message_appendv(m, types, arguments), 0);
        va_end(arguments);
        assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
        return send_request(f, m);
}

static void test_key_given_twice(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        assert_refused(f, send_definition(f, "a{sv}", 2, "name", "s", "a", "name", "s", "b"),
                       "InvalidDefinition", EINVAL, "definition.name: the key is given twice", NULL);
        assert_refused(f,
                       send_definition(f, "a{sv}", 2, "name", "s", "a", "works", "aa{sv}", 2, 0, 2, "workers",
                                       "i", 1, "workers", "i", 2),
                       "InvalidDefinition", EINVAL, "definition.works[1].workers: the key is given twice",
                       NULL);
        assert_nothing_made(f);
}

static void test_types_without_a_meaning(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        assert_refused(f, send_definition(f, "a{sv}", 2, "name", "s", "a", "nice", "(i)", 1),
                       "InvalidDefinition", EINVAL, "definition.nice: only text, numbers", NULL);
        assert_refused(f, send_definition(f, "a{sv}", 2, "name", "s", "a", "uid", "h", STDERR_FILENO),
                       "InvalidDefinition", EINVAL, "definition.uid: only text, numbers", NULL);
        assert_refused(f, send_definition(f, "a{sv}", 2, "name", "s", "a", "cpu", "a{is}", 1, 5, "x"),
                       "InvalidDefinition", EINVAL, "definition.cpu: ", "text keys", NULL);
        assert_refused(f, send_definition(f, "a{sv}", 2, "name", "s", "a", "works", "a{sv}", 0),
                       "InvalidDefinition", EINVAL, "works: ", "list", NULL);
        assert_nothing_made(f);
}

static JsonNode *send_workers(Fixture *f, const char *name, const char *type, uint64_t value) {
        sd_bus_message *m = request(f, "AddCgroupDef", "[]");

        assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        assert_return_code(sd_bus_message_append(m, "{sv}", "name", "s", name), 0);
        assert_return_code(sd_bus_message_open_container(m, 'e', "sv"), 0);
        assert_return_code(sd_bus_message_append(m, "s", "works"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'v', "aa{sv}"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'a', "a{sv}"), 0);
        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, "workers", type, value), 0);
        for (unsigned i = 0; i < 4; i++)
                assert_return_code(sd_bus_message_close_container(m), 0);
        assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
        return send_request(f, m);
}

/* A caller's language may know one kind of integer only. */
static void test_every_integer_counts(G_GNUC_UNUSED void **state) {
        static const char *const types[] = { "y", "n", "q", "i", "u", "x", "t" };
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
                assert_int_equal(length_at(send_workers(f, types[i], types[i], 2), "0.works.0.pids"), 2);
        assert_refused(f, send_workers(f, "a", "t", UINT64_MAX), "InvalidDefinition", EINVAL,
                       "works[0].workers: ", NULL);
}

static JsonNode *send_nested(Fixture *f, unsigned depth) {
        sd_bus_message *m = request(f, "AddCgroupDef", "[]");

        assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'e', "sv"), 0);
        assert_return_code(sd_bus_message_append(m, "s", "name"), 0);
        for (unsigned i = 0; i < depth; i++)
                assert_return_code(sd_bus_message_open_container(m, 'v', i + 1 < depth ? "v" : "s"), 0);
        assert_return_code(sd_bus_message_append(m, "s", "a"), 0);
        for (unsigned i = 0; i < depth + 2; i++)
                assert_return_code(sd_bus_message_close_container(m), 0);
        assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
        return send_request(f, m);
}

static void test_nesting(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);

        assert_refused(f, send_nested(f, 40), "InvalidDefinition", EINVAL, "nested at most 16 deep", NULL);
        assert_nothing_made(f);
        assert_non_null(send_nested(f, 3)); /* some bindings wrap variants in variants */
}

/* ---- errors of the bus ---- */

static void test_standard_errors(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *path, *interface, *method, *error;
        } calls[] = {
                { SCENARIO_PATH, KT_SCENARIO_INTERFACE, "AddCgroup", SD_BUS_ERROR_UNKNOWN_METHOD },
                { SCENARIO_PATH, KT_MANAGER_INTERFACE, "GetTopology", SD_BUS_ERROR_UNKNOWN_METHOD },
                { KT_SCENARIO_PREFIX "/nobody", KT_SCENARIO_INTERFACE, "GetState",
                  SD_BUS_ERROR_UNKNOWN_OBJECT },
                { SCENARIO_PATH, KT_SCENARIO_INTERFACE, "AddCgroupDef", SD_BUS_ERROR_INVALID_ARGS },
        };
        Fixture *f = fixture_start(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                sd_bus_error_free(&f->error);
                assert_true(sd_bus_call_method(f->client, KT_BUS_NAME, calls[i].path, calls[i].interface,
                                               calls[i].method, &f->error, NULL, "") < 0);
                assert_string_equal(f->error.name, calls[i].error);
        }
        sd_bus_error_free(&f->error);
        assert_true(sd_bus_set_property(f->client, KT_BUS_NAME, SCENARIO_PATH, KT_SCENARIO_INTERFACE,
                                        "StepIndex", &f->error, "u", 5) < 0);
        assert_string_equal(f->error.name, SD_BUS_ERROR_PROPERTY_READ_ONLY);
}

/* Not the daemon's user, and no CAP_SYS_ADMIN: may look, and change nothing. */
static void test_strangers_may_look_only(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *verb, *argument;
                int status;
        } calls[] = { { "status", NULL, 0 },
                      { "topology", NULL, 0 },
                      { "teardown", NULL, 1 },
                      { "add-cgroup", "x", 1 } };
        Fixture *f = fixture_start(NULL);

        if (geteuid() != 0) {
                print_message("skipped: only root can become a stranger\n");
                skip();
        }
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                const char *const argv[] = { g_getenv("KT_CTL"), "--address",       f->address,
                                             calls[i].verb,      calls[i].argument, NULL };
                Process p = process_start_as(65534, argv, NULL);
                int status = process_wait(&p);
                g_autofree char *errors = process_errors(&p);
                process_clear(&p);
                if (status != calls[i].status || (status && !strstr(errors, "AccessDenied")))
                        fail_msg("%s: %d, %s", calls[i].verb, status, errors);
        }
        assert_nothing_made(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_refusals, fixture_teardown),
                cmocka_unit_test(test_every_error_has_a_name_and_an_errno),
                cmocka_unit_test_teardown(test_controller_unavailable, fixture_teardown),
                cmocka_unit_test_teardown(test_documents, fixture_teardown),
                cmocka_unit_test_teardown(test_document_too_large, fixture_teardown),
                cmocka_unit_test_teardown(test_key_given_twice, fixture_teardown),
                cmocka_unit_test_teardown(test_types_without_a_meaning, fixture_teardown),
                cmocka_unit_test_teardown(test_every_integer_counts, fixture_teardown),
                cmocka_unit_test_teardown(test_nesting, fixture_teardown),
                cmocka_unit_test_teardown(test_standard_errors, fixture_teardown),
                cmocka_unit_test_teardown(test_strangers_may_look_only, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
