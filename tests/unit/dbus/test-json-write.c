/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dbus/json-write.h"

static void check_double(double value, const char *expected) {
        g_autoptr(JsonNode) node = json_node_init_double(json_node_alloc(), value), again = NULL;
        g_autofree char *text = json_write(node, false);

        assert_string_equal(text, expected);
        again = json_from_string(text, NULL);
        assert_non_null(again);
        assert_true(json_node_get_double(again) == value);
}

static void doubles(void **state G_GNUC_UNUSED) {
        check_double(0, "0.0");
        check_double(-1.5, "-1.5");
        check_double(100, "100.0");
        check_double(9e18, "9e+18");
        check_double(-1e22, "-1e+22");
        check_double(1.5e300, "1.5000000000000001e+300");
        check_double(0x1p-1074, "4.9406564584124654e-324");
}

static void check_same(const char *text, bool pretty) {
        g_autoptr(JsonNode) node = json_from_string(text, NULL), again = NULL;
        g_autofree char *ours = json_write(node, pretty), *theirs = json_to_string(node, pretty);

        assert_string_equal(ours, theirs);
        again = json_from_string(ours, NULL);
        assert_true(json_node_equal(node, again));
}

/* All else is json-glib's, text that looks like such a number too. */
static void all_else(void **state G_GNUC_UNUSED) {
        static const char text[] =
                "{\"1e+22.0\":\"\\\\\\\"1e+22.0\\\\\",\"a\":[true,false,null,1.0,-5],\"e\":"
                "{\"e5.0\":\"e5.0\",\"\\u00e9\":\"1e+22.0\"}}";

        check_same(text, false);
        check_same(text, true);
}

static void among_others(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) node =
                json_from_string("[true,1e22,\"1e+22.0\",[-1e-23,{\"e\":1e30}],0.5]", NULL);
        g_autofree char *text = json_write(node, false);

        assert_string_equal(text, "[true,1e+22,\"1e+22.0\",[-9.9999999999999996e-24,{\"e\":1e+30}],0.5]");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(doubles),
                cmocka_unit_test(all_else),
                cmocka_unit_test(among_others),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
