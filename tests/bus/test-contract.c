/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <string.h>

#include "common/cleanup.h"
#include "dbus/names.h"

/* ---- introspection ---- */

/* One line for each thing an interface has: "method AddCgroupDef / arg in a{sv} definition". */
typedef struct Reader {
        const char *interface; /* the one to look at */
        bool inside;
        GPtrArray *places; /* element names and attributes on the way down */
        GPtrArray *lines;
} Reader;

static char *describe(const char *element, const char **names, const char **values) {
        static const char *const order[] = { "direction", "type", "access", "name", "value" };
        GString *text = g_string_new(element);

        for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
                for (size_t a = 0; names[a]; a++)
                        if (g_str_equal(names[a], order[i]))
                                g_string_append_printf(text, " %s=%s", names[a], values[a]);
        return g_string_free(text, FALSE);
}

static void on_start(G_GNUC_UNUSED GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, gpointer userdata, G_GNUC_UNUSED GError **error) {
        Reader *r = userdata;
        char *place = describe(element, names, values);
        g_autofree char *wanted = g_strconcat("interface name=", r->interface, NULL);

        if (g_str_equal(element, "interface"))
                r->inside = g_str_equal(place, wanted);
        g_ptr_array_insert(r->places, (int)r->places->len - 1, place);
        if (r->inside)
                g_ptr_array_add(r->lines, g_strjoinv(" / ", (char **)r->places->pdata));
}

static void on_end(G_GNUC_UNUSED GMarkupParseContext *context, const char *element, gpointer userdata,
                   G_GNUC_UNUSED GError **error) {
        Reader *r = userdata;

        g_ptr_array_remove_index(r->places, r->places->len - 2);
        if (g_str_equal(element, "interface"))
                r->inside = false;
}

/* The interface as text, in the order of the document. */
static char *interface_text(const char *xml, const char *interface) {
        static const GMarkupParser parser = { .start_element = on_start, .end_element = on_end };
        g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        Reader r = { .interface = interface, .places = places, .lines = lines };
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, &r, NULL);
        g_autoptr(GError) error = NULL;

        g_ptr_array_add(places, NULL);
        if (!g_markup_parse_context_parse(context, xml, -1, &error) ||
            !g_markup_parse_context_end_parse(context, &error))
                fail_msg("introspection: %s", error->message);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("\n", (char **)lines->pdata);
}

static char *introspect(Fixture *f, const char *path) {
        g_autoptr(sd_bus_message) reply = NULL;
        const char *xml;

        assert_return_code(sd_bus_call_method(f->client, KT_BUS_NAME, path,
                                              "org.freedesktop.DBus.Introspectable", "Introspect", &f->error,
                                              &reply, ""),
                           0);
        assert_return_code(sd_bus_message_read(reply, "s", &xml), 0);
        return g_strdup(xml);
}

static void compare_lines(const char *interface, const char *found, const char *promised) {
        g_auto(GStrv) is = g_strsplit(found, "\n", -1), should = g_strsplit(promised, "\n", -1);

        for (size_t i = 0; is[i] || should[i]; i++)
                if (g_strcmp0(is[i], should[i]) != 0)
                        fail_msg("%s differs from dbus/org.ktstr.Setup1.xml:\n  has      %s\n  promised %s",
                                 interface, is[i] ?: "nothing", should[i] ?: "nothing");
}

static void test_introspection_is_the_contract(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *path, *interface;
        } objects[] = {
                { KT_BUS_PATH, KT_MANAGER_INTERFACE },
                { KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO, KT_SCENARIO_INTERFACE },
        };
        Fixture *f = fixture_start(NULL);
        g_autofree char *contract = NULL;

        assert_true(g_file_get_contents(g_getenv("KT_CONTRACT"), &contract, NULL, NULL));
        for (size_t i = 0; i < G_N_ELEMENTS(objects); i++) {
                g_autofree char *xml = introspect(f, objects[i].path);
                g_autofree char *found = interface_text(xml, objects[i].interface);
                g_autofree char *promised = interface_text(contract, objects[i].interface);

                assert_true(strlen(promised) > 200);
                compare_lines(objects[i].interface, found, promised);
        }
}

static void test_every_scenario_is_a_node(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *xml = introspect(f, KT_SCENARIO_PREFIX);

        assert_non_null(strstr(xml, "<node name=\"" KT_DEFAULT_SCENARIO "\"/>"));
}

/* ---- the manager ---- */

static const FixtureOptions synthetic = { .topology = "numa:2 l3:1 core:2 pu:2" };

static void test_topology(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(&synthetic);
        JsonNode *t = topology_of(f);

        assert_string_equal(text_at(t, "cpus"), "0-7");
        assert_string_equal(text_at(t, "usable"), "0-6"); /* the last one is left to the system */
        assert_int_equal(length_at(t, "llcs"), 2);
        assert_string_equal(text_at(t, "llcs.0.cpus"), "0-3");
        assert_string_equal(text_at(t, "llcs.1.cpus"), "4-7");
        assert_int_equal(number_at(t, "llcs.1.numa_node"), 1);
        assert_int_equal(length_at(t, "llcs.0.cores"), 2);
        assert_int_equal(length_at(t, "numa_nodes"), 2);
        assert_string_equal(text_at(t, "numa_nodes.1.cpus"), "4-7");
        assert_false(truth_at(t, "numa_nodes.0.memory_only"));
        assert_int_equal(length_at(t, "distances"), 2);
        assert_int_equal(length_at(t, "distances.0"), 2);
}

static void test_list_scenarios(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autoptr(sd_bus_message) reply = NULL;
        const char *name, *path;

        assert_return_code(sd_bus_call_method(f->client, KT_BUS_NAME, KT_BUS_PATH, KT_MANAGER_INTERFACE,
                                              "ListScenarios", &f->error, &reply, ""),
                           0);
        assert_return_code(sd_bus_message_enter_container(reply, 'a', "(so)"), 0);
        assert_true(sd_bus_message_read(reply, "(so)", &name, &path) > 0);
        assert_string_equal(name, KT_DEFAULT_SCENARIO);
        assert_string_equal(path, KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO);
        assert_true(sd_bus_message_at_end(reply, false) > 0);
}

/* Those that the directory hands on to the scenarios. */
static JsonNode *usable_controllers(Fixture *f) {
        static const char *const known[] = { "cpuset", "cpu", "io", "memory", "pids", NULL };
        g_autofree char *file = g_build_filename(f->root, "cgroup.subtree_control", NULL), *text = NULL;
        g_autoptr(JsonArray) array = json_array_new();
        JsonNode *node;

        assert_true(g_file_get_contents(file, &text, NULL, NULL));
        g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", -1);
        for (size_t i = 0; known[i]; i++)
                if (g_strv_contains((const char *const *)words, known[i]))
                        json_array_add_string_element(array, known[i]);
        node = json_node_init_array(json_node_alloc(), array);
        g_ptr_array_add(f->kept, node);
        return node;
}

static void test_manager_properties(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *controllers = property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "Controllers");
        g_autofree char *expected = json_to_string(usable_controllers(f), FALSE);

        assert_string_equal(
                json_node_get_string(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "CgroupRoot")), f->root);
        assert_string_equal(json_node_get_string(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "Version")),
                            g_getenv("KT_VERSION"));
        assert_json(controllers, expected);
        assert_json(property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "KernelQuirks"), "[]");
}

static void test_quirks_are_known_after_the_first_use(G_GNUC_UNUSED void **state) {
        static const char *const known[] = { "kill-poisons-clone", "no-clone-into-cgroup", NULL };
        Fixture *f = fixture_start(NULL);
        JsonNode *quirks;

        add(f, "{'name': 'a'}");
        quirks = property(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "KernelQuirks");
        assert_true(JSON_NODE_HOLDS_ARRAY(quirks));
        for (guint i = 0; i < json_array_get_length(json_node_get_array(quirks)); i++) {
                g_autofree char *path = g_strdup_printf("%u", i);
                assert_true(g_strv_contains(known, text_at(quirks, path)));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_introspection_is_the_contract, fixture_teardown),
                cmocka_unit_test_teardown(test_every_scenario_is_a_node, fixture_teardown),
                cmocka_unit_test_teardown(test_topology, fixture_teardown),
                cmocka_unit_test_teardown(test_list_scenarios, fixture_teardown),
                cmocka_unit_test_teardown(test_manager_properties, fixture_teardown),
                cmocka_unit_test_teardown(test_quirks_are_known_after_the_first_use, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
