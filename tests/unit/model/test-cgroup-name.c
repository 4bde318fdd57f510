/* SPDX-License-Identifier: GPL-2.0-only */
#include "conformance/conf-topology.h"
#include "model/cgroup-name.h"

/* One spelling for each cgroup, and none of the kernel's or the executor's own; res:R30 and res:R31 stand in
 * conf-definition. */
static void rules(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *name, *fragment; /* NULL: good */
        } cases[] = {
                { "cgroup.procs", "starts with 'cgroup.'" },
                { "a/cgroup.x", "starts with 'cgroup.'" },
                { "a.cgroup.x", NULL },
                { "a\nb", "contains a newline" },
                { "@runner", "starts with '@'" },
                { "a/@b", NULL },
                { "supervisor", "'supervisor'" },
                { "supervisor/a", "'supervisor'" },
                { "supervisors", NULL },
                { "a/supervisor", NULL },
                { "//", "starts with '/'" },
                { "a/./b", "'.' component" },
                { "a/...", "leading-dot component" },
                { "a..b", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                bool good = cgroup_name_check(cases[i].name, &error);
                if (good != !cases[i].fragment)
                        fail_msg("%s", cases[i].name);
                if (!good)
                        assert_invalid(error, "cgroup name '", cases[i].fragment);
        }
}

static void lengths(void **state G_GNUC_UNUSED) {
        g_autofree char *longest = g_strnfill(255, 'n'), *longer = g_strnfill(256, 'n');
        g_autofree char *nested = g_strconcat("a/", longest, NULL);
        g_autoptr(GString) path = g_string_new(longest);
        g_autoptr(GError) error = NULL;

        assert_true(cgroup_name_check(longest, &error));
        assert_true(cgroup_name_check(nested, &error));
        assert_false(cgroup_name_check(longer, &error));
        assert_invalid(error, "more than 255 bytes");
        while (path->len + 256 <= 2048)
                g_string_append_printf(path, "/%s", longest); /* 8 components: 2047 bytes */
        assert_int_equal(path->len, 2047);
        assert_true(cgroup_name_check(path->str, &error));
        g_string_overwrite(path, 2046, "/x");
        assert_int_equal(path->len, 2048);
        assert_true(cgroup_name_check(path->str, &error));
        g_string_append_c(path, 'x');
        assert_false(cgroup_name_check(path->str, &error));
        assert_invalid(error, "longer than 2048 bytes");
}

static void parents(void **state G_GNUC_UNUSED) {
        g_autofree char *none = cgroup_name_parent("a"), *one = cgroup_name_parent("a/b"),
                        *two = cgroup_name_parent("a/b/c");

        assert_null(none);
        assert_string_equal(one, "a");
        assert_string_equal(two, "a/b");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rules),
                cmocka_unit_test(lengths),
                cmocka_unit_test(parents),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
