/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dbus/bus-json.h"
#include "common/cleanup.h"

/* The two forms of a value against each other, without any bus: a connection that nobody answers is enough to
 * make messages. */
typedef struct Place {
        sd_bus *bus;
        int other;
} Place;

static int set_up(void **state) {
        Place *p = g_new0(Place, 1);
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -1;
        p->other = pair[1];
        *state = p;
        return sd_bus_new(&p->bus) < 0 || sd_bus_set_fd(p->bus, pair[0], pair[0]) < 0 ||
               sd_bus_start(p->bus) < 0;
}

static int tear_down(void **state) {
        Place *p = *state;

        sd_bus_close_unref(p->bus);
        close(p->other);
        g_free(p);
        return 0;
}

static sd_bus_message *new_message(void **state) {
        sd_bus_message *m = NULL;

        assert_return_code(sd_bus_message_new_signal(((Place *)*state)->bus, &m, "/a", "a.b", "C"), 0);
        return m;
}

static void seal(sd_bus_message *m) {
        static uint64_t cookie;

        assert_return_code(sd_bus_message_seal(m, ++cookie, 0), 0);
        assert_return_code(sd_bus_message_rewind(m, true), 0);
}

/* Seals the message, and takes the next value of it. */
static char *read_text(sd_bus_message *m) {
        g_autofree char *path = NULL;
        g_autoptr(JsonNode) node = NULL;

        seal(m);
        assert_return_code(bus_json_read(m, &node, &path), 0);
        assert_null(path);
        assert_int_equal(sd_bus_message_at_end(m, true), 1);
        return json_to_string(node, FALSE);
}

static void assert_reads(void **state, const char *expected, const char *types, ...) {
        g_autoptr(sd_bus_message) m = new_message(state);
        g_autofree char *text = NULL;
        va_list arguments;

        va_start(arguments, types);
        assert_return_code(sd_bus_message_appendv(m, types, arguments), 0);
        va_end(arguments);
        text = read_text(m);
        assert_string_equal(text, expected);
}

static void test_basic_types(void **state) {
        assert_reads(state, "255", "y", 255);
        assert_reads(state, "-32768", "n", -32768);
        assert_reads(state, "65535", "q", 65535);
        assert_reads(state, "-2147483648", "i", INT32_MIN);
        assert_reads(state, "4294967295", "u", UINT32_MAX);
        assert_reads(state, "-9223372036854775808", "x", INT64_MIN);
        assert_reads(state, "9223372036854775807", "t", (uint64_t)INT64_MAX);
        assert_reads(state, "true", "b", 1);
        assert_reads(state, "false", "b", 0);
        assert_reads(state, "0.5", "d", 0.5);
        assert_reads(state, "\"a \\\"b\\\"\"", "s", "a \"b\"");
        assert_reads(state, "\"/a/b\"", "o", "/a/b");
        assert_reads(state, "\"a{sv}\"", "g", "a{sv}");
        assert_reads(state, "5", "v", "y", 5);
}

static void test_large_numbers_become_text(void **state) {
        assert_reads(state, "\"9223372036854775808\"", "t", (uint64_t)INT64_MAX + 1);
        assert_reads(state, "\"18446744073709551615\"", "t", UINT64_MAX);
}

static void test_containers(void **state) {
        assert_reads(state, "{}", "a{sv}", 0);
        assert_reads(state, "[]", "as", 0);
        assert_reads(state, "[1,2]", "ai", 2, 1, 2);
        assert_reads(state, "[[1],[]]", "aai", 2, 1, 1, 0);
        assert_reads(state, "[{\"k\":1},{}]", "aa{sv}", 2, 1, "k", "i", 1, 0);
        assert_reads(state, "{\"a\":\"x\",\"b\":{\"c\":[true,2.5]}}", "a{sv}", 2, "a", "s", "x", "b", "a{sv}",
                     1, "c", "av", 2, "b", 1, "d", 2.5);
        assert_reads(state, "{\"a\":1}", "a{si}", 1, "a", 1);
}

/* ---- and back ---- */

static void assert_round_trip(void **state, const char *text, const char *signature) {
        g_autoptr(sd_bus_message) m = new_message(state);
        g_autoptr(JsonNode) node = json_from_string(text, NULL);
        g_autofree char *back = NULL;

        assert_return_code(bus_json_append_object(m, json_node_get_object(node)), 0);
        assert_string_equal(sd_bus_message_get_signature(m, true), "a{sv}");
        back = read_text(m);
        assert_string_equal(back, text);

        /* The type of the first member's value, for callers in typed languages. */
        assert_return_code(sd_bus_message_rewind(m, true), 0);
        assert_return_code(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        assert_return_code(sd_bus_message_enter_container(m, 'e', "sv"), 0);
        assert_return_code(sd_bus_message_skip(m, "s"), 0);
        assert_int_equal(sd_bus_message_verify_type(m, 'v', signature), 1);
}

static void test_round_trips(void **state) {
        static const struct {
                const char *text, *signature;
        } values[] = {
                { "{\"k\":\"text\"}", "s" },
                { "{\"k\":-5}", "x" },
                { "{\"k\":0.25}", "d" },
                { "{\"k\":true}", "b" },
                { "{\"k\":[]}", "as" },
                { "{\"k\":[1,2,3]}", "ax" },
                { "{\"k\":[\"a\",\"b\"]}", "as" },
                { "{\"k\":[0.5]}", "ad" },
                { "{\"k\":[false]}", "ab" },
                { "{\"k\":[1,\"a\",false,{\"x\":1},[2]]}", "av" },
                { "{\"k\":[[1],[\"a\"]]}", "av" },
                { "{\"k\":[{\"a\":1},{}]}", "aa{sv}" },
                { "{\"k\":{\"a\":{\"b\":{\"c\":[]}}}}", "a{sv}" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
                assert_round_trip(state, values[i].text, values[i].signature);
}

static void test_list_of_objects(void **state) {
        static const char text[] = "[{\"a\":1},{\"b\":[{\"c\":\"d\"}]}]";
        g_autoptr(sd_bus_message) m = new_message(state);
        g_autoptr(JsonNode) node = json_from_string(text, NULL);
        g_autofree char *back = NULL;

        assert_return_code(bus_json_append_objects(m, json_node_get_array(node)), 0);
        assert_string_equal(sd_bus_message_get_signature(m, true), "aa{sv}");
        back = read_text(m);
        assert_string_equal(back, text);
}

static void test_null_has_no_form(void **state) {
        g_autoptr(sd_bus_message) m = new_message(state);
        g_autoptr(JsonNode) node = json_from_string("{\"k\":null}", NULL);

        assert_int_equal(bus_json_append_object(m, json_node_get_object(node)), -EBADMSG);
}

/* ---- what has no JSON form ---- */

static void assert_fails(sd_bus_message *m, int error, const char *place) {
        g_autofree char *path = NULL;
        g_autoptr(JsonNode) node = NULL;

        seal(m);
        assert_int_equal(bus_json_read(m, &node, &path), error);
        assert_null(node);
        if (place)
                assert_string_equal(path, place);
        else
                assert_null(path);
}

static void assert_refuses(void **state, int error, const char *place, const char *types, ...) {
        g_autoptr(sd_bus_message) m = new_message(state);
        va_list arguments;

        va_start(arguments, types);
        assert_return_code(sd_bus_message_appendv(m, types, arguments), 0);
        va_end(arguments);
        assert_fails(m, error, place);
}

static void test_refusals_name_the_place(void **state) {
        assert_refuses(state, -EBADMSG, NULL, "(i)", 1);
        assert_refuses(state, -EBADMSG, NULL, "a{is}", 1, 5, "x");
        assert_refuses(state, -EBADMSG, "[0]", "a(i)", 1, 1);
        assert_refuses(state, -EBADMSG, "k", "a{sv}", 1, "k", "(i)", 1);
        assert_refuses(state, -EBADMSG, "a.b", "a{sv}", 1, "a", "a{sv}", 1, "b", "a{us}", 0);
        assert_refuses(state, -EBADMSG, "a[1].b", "a{sv}", 1, "a", "aa{sv}", 2, 0, 1, "b", "(s)", "x");
        assert_refuses(state, -ENOTUNIQ, "a", "a{sv}", 2, "a", "i", 1, "a", "i", 2);
        assert_refuses(state, -ENOTUNIQ, "x[0].a", "a{sv}", 1, "x", "aa{sv}", 1, 2, "a", "i", 1, "a", "i", 2);
}

static sd_bus_message *nested(void **state, unsigned variants) {
        sd_bus_message *m = new_message(state);

        for (unsigned i = 0; i < variants; i++)
                assert_return_code(sd_bus_message_open_container(m, 'v', i + 1 < variants ? "v" : "i"), 0);
        assert_return_code(sd_bus_message_append(m, "i", 5), 0);
        for (unsigned i = 0; i < variants; i++)
                assert_return_code(sd_bus_message_close_container(m), 0);
        return m;
}

static void test_nesting(void **state) {
        g_autoptr(sd_bus_message) deep = nested(state, 16), deeper = nested(state, 17);
        g_autofree char *text = read_text(deep);

        assert_string_equal(text, "5");
        assert_fails(deeper, -EBADMSG, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_basic_types, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_large_numbers_become_text, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_containers, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_round_trips, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_list_of_objects, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_null_has_no_form, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refusals_name_the_place, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_nesting, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
