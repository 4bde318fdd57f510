/* SPDX-License-Identifier: GPL-2.0-only */
#include "machine.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dbus/bus-json.h"
#include "dbus/names.h"

/* Every rule of a definition, broken once. The rows are in invalid-definitions.json:
 *
 *   rule         what is broken, in words
 *   error        name of the D-Bus error
 *   at           where, as the message begins with it: relative to the definition, or as it is for a document
 *   words        what else the message must contain: value, rule, remedy
 *   definition | definitions (the last is wrong) | document (text, for ApplyJSON alone)
 *   options      of the call; `at` is as it is then, when it begins with "options"
 *   needs        a controller without which the rule does not come to bear: where it is missing that is the
 *                error, and the VM suite has the row with it
 *   only         the one call that can express it
 *
 * All are tried on a machine with 2 NUMA nodes, 2 LLCs and 8 CPUs, these limits, and these cgroups. */
static const FixtureOptions options = {
        .topology = "numa:2 l3:1 core:2 pu:2",
        .config = FIXTURE_CONFIG "[Limits]\nMaxCgroups=12\nMaxWorkers=60\nMaxDocumentBytes=4000\n",
};

#define LIGHT "'works': [{'work_type': 'Bursty', 'params': {'burst_duration': '1ms'}}]"

enum { ROWS_BETWEEN_CALLS = 10, MIN_ROWS = 150 };

static void make_the_step(Fixture *f) {
        add(f, "{'name': 'taken', " LIGHT "}");
        add(f, "{'name': 'way/leaf', " LIGHT "}");
}

static void call_that_works(Fixture *f) {
        add(f, "{'name': 'good', " LIGHT "}");
        end_step(f);
        make_the_step(f);
}

/* ---- a row ---- */

typedef struct Row {
        JsonObject *object;
        const char *rule, *error, *at, *needs, *only;
} Row;

static Row row_of(JsonNode *node) {
        JsonObject *o = json_node_get_object(node);

        return (Row){ .object = o,
                      .rule = json_object_get_string_member(o, "rule"),
                      .error = json_object_get_string_member(o, "error"),
                      .at = json_object_get_string_member(o, "at"),
                      .needs = json_object_get_string_member_with_default(o, "needs", NULL),
                      .only = json_object_get_string_member_with_default(o, "only", NULL) };
}

/* The list of definitions; NULL when the row is a document. */
static JsonArray *definitions_of(const Row *row) {
        JsonArray *list;

        if (json_object_has_member(row->object, "definitions"))
                return json_array_ref(json_object_get_array_member(row->object, "definitions"));
        if (!json_object_has_member(row->object, "definition"))
                return NULL;
        list = json_array_new();
        json_array_add_element(list, json_node_copy(json_object_get_member(row->object, "definition")));
        return list;
}

static JsonObject *options_of(const Row *row) {
        return json_object_has_member(row->object, "options")
                       ? json_object_ref(json_object_get_object_member(row->object, "options"))
                       : json_object_new();
}

/* ---- the doors ---- */

static sd_bus_message *by_json(Fixture *f, const Row *row, JsonArray *definitions) {
        sd_bus_message *m = request(f, "ApplyJSON", "[]");
        g_autofree char *text = NULL;

        if (definitions) {
                g_autoptr(JsonNode) list = json_node_init_array(json_node_alloc(), definitions);
                g_autofree char *cgroups = json_to_string(list, FALSE);
                text = g_strdup_printf("{\"cgroups\": %s}", cgroups);
        } else
                text = g_strdup(json_object_get_string_member(row->object, "document"));
        assert_return_code(sd_bus_message_append(m, "s", text), 0);
        return m;
}

static sd_bus_message *by_list(Fixture *f, G_GNUC_UNUSED const Row *row, JsonArray *definitions) {
        sd_bus_message *m = request(f, "ApplySetup", "[]");

        assert_return_code(bus_json_append_objects(m, definitions), 0);
        return m;
}

static sd_bus_message *by_one(Fixture *f, G_GNUC_UNUSED const Row *row, JsonArray *definitions) {
        sd_bus_message *m = request(f, "AddCgroupDef", "[]");

        assert_return_code(bus_json_append_object(m, json_array_get_object_element(definitions, 0)), 0);
        return m;
}

static const struct {
        const char *method, *list; /* what the path of a definition begins with; NULL: there is one only */
        sd_bus_message *(*request)(Fixture *f, const Row *row, JsonArray *definitions);
} doors[] = { { "ApplyJSON", "cgroups", by_json },
              { "ApplySetup", "definitions", by_list },
              { "AddCgroupDef", NULL, by_one } };

static bool goes_through(const Row *row, size_t door, JsonArray *definitions) {
        if (row->only)
                return g_str_equal(row->only, doors[door].method);
        if (!definitions)
                return door == 0;
        return doors[door].list || json_array_get_length(definitions) == 1;
}

/* ---- what the message must say ---- */

/* "cgroups[1].works[0].nice: " */
static char *beginning(const Row *row, size_t door, JsonArray *definitions) {
        const char *at = row->at;

        if (!definitions || g_str_has_prefix(at, "options"))
                return g_strdup(at);
        if (!doors[door].list)
                return at[0] ? g_strconcat(at, ": ", NULL) : g_strdup("");
        if (g_str_equal(row->error, "LimitExceeded") && !at[0]) /* of the scenario, not of a definition */
                return g_strdup("");
        return g_strdup_printf("%s[%u]%s%s: ", doors[door].list, json_array_get_length(definitions) - 1,
                               at[0] ? "." : "", at);
}

static void check_words(const Row *row, const char *method, const char *message, GString *problems) {
        JsonArray *words = json_object_get_array_member(row->object, "words");

        for (guint i = 0; i < json_array_get_length(words); i++)
                if (!strstr(message, json_array_get_string_element(words, i)))
                        g_string_append_printf(problems, "%s, %s: no '%s' in: %s\n", row->rule, method,
                                               json_array_get_string_element(words, i), message);
}

static void check_error(Fixture *f, const Row *row, size_t door, JsonArray *definitions, GString *problems) {
        g_autofree char *name = g_strconcat(KT_ERROR_PREFIX, row->error, NULL);
        g_autofree char *begins = beginning(row, door, definitions);

        if (!sd_bus_error_has_name(&f->error, name) || !g_str_has_prefix(f->error.message, begins))
                g_string_append_printf(problems, "%s, %s: not '%s' and '%s' but %s: %s\n", row->rule,
                                       doors[door].method, row->error, begins, f->error.name,
                                       f->error.message);
        check_words(row, doors[door].method, f->error.message, problems);
}

static void check_unavailable(Fixture *f, const Row *row, GString *problems) {
        if (!sd_bus_error_has_name(&f->error, KT_ERROR_PREFIX "ControllerUnavailable") ||
            !strstr(f->error.message, row->needs))
                g_string_append_printf(problems, "%s: the controller %s is missing, but: %s\n", row->rule,
                                       row->needs, f->error.message);
}

static void try_row(Fixture *f, const Row *row, bool missing, GString *problems) {
        g_autoptr(JsonArray) definitions = definitions_of(row);
        g_autoptr(JsonObject) of_call = options_of(row);
        g_auto(Machine) before = machine_look(f);

        for (size_t door = 0; door < G_N_ELEMENTS(doors); door++) {
                if (!goes_through(row, door, definitions))
                        continue;
                sd_bus_message *m = doors[door].request(f, row, definitions);
                assert_return_code(bus_json_append_object(m, of_call), 0);
                if (send_request(f, m))
                        fail_msg("%s: %s takes it", row->rule, doors[door].method);
                if (missing)
                        check_unavailable(f, row, problems);
                else
                        check_error(f, row, door, definitions, problems);
        }
        machine_assert_same(f, &before, row->rule);
}

/* ---- the table ---- */

static JsonNode *read_table(Fixture *f) {
        const char *path = g_getenv("KT_TABLE");
        g_autofree char *text = NULL;

        if (!path || !g_file_get_contents(path, &text, NULL, NULL))
                fail_msg("KT_TABLE is not set to the table: run this by meson test");
        return parse_json(f, text);
}

static void test_table(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&options);
        JsonArray *rows = json_node_get_array(read_table(f));
        g_autofree char *offered =
                json_to_string(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "Controllers"), FALSE);
        g_autoptr(GString) problems = g_string_new(NULL);
        unsigned n = json_array_get_length(rows), n_missing = 0;

        add_to_backdrop(f, "{'name': 'base', " LIGHT "}");
        make_the_step(f);
        for (unsigned i = 0; i < n; i++) {
                Row row = row_of(json_array_get_element(rows, i));
                bool missing = row.needs && !strstr(offered, row.needs);
                n_missing += missing;
                try_row(f, &row, missing, problems);
                if (i % ROWS_BETWEEN_CALLS == ROWS_BETWEEN_CALLS - 1)
                        call_that_works(f);
        }
        call_that_works(f);
        teardown(f);
        print_message("%u rows, of which %u lack their controller here\n", n, n_missing);
        assert_true(n >= MIN_ROWS);
        fputs(problems->str, stderr); /* more than cmocka prints */
        assert_int_equal(problems->len, 0);
}

/* ---- numbers that JSON has no text for ---- */

static void test_not_finite(G_GNUC_UNUSED void **state) {
        const double values[] = { NAN, INFINITY, -INFINITY };
        Fixture *f = fixture_start(&options);
        g_auto(Machine) before = machine_look(f);

        for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
                sd_bus_message *m = request(f, "AddCgroupDef", "[]");
                assert_return_code(sd_bus_message_append(m, "a{sv}a{sv}", 2, "name", "s", "x", "works",
                                                         "aa{sv}", 1, 1, "workers_pct", "d", values[i], 0),
                                   0);
                assert_refused(f, send_request(f, m), "InvalidDefinition", EINVAL,
                               "works[0].workers_pct: ", "not a finite fraction", NULL);
                machine_assert_same(f, &before, "not finite");
        }
        add(f, "{'name': 'good', " LIGHT "}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_table, fixture_teardown),
                cmocka_unit_test_teardown(test_not_finite, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
