/* SPDX-License-Identifier: GPL-2.0-only */
#include "common/suggest.h"
#include "conformance/conf-topology.h"

static const char *const words[] = { "cpuset", "cpuset_mems", "weight",           "nice",
                                     "io",     "a",           "WorkersPerCgroup", NULL };

static void nearest(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *given, *near;
        } cases[] = {
                { "cpuset", "cpuset" },
                { "CPUSET", "cpuset" },           /* letter case costs nothing */
                { "cpuset-mems", "cpuset_mems" }, /* nor do dashes */
                { "cpu-set", "cpuset" },          /* one letter too many of 7: at most 2 may differ */
                { "cpst", NULL },                 /* two missing of 4: at most 1 */
                { "cpset", "cpuset" },
                { "ncie", "nice" }, /* two swapped are one difference */
                { "wieghd", "weight" },
                { "wieghdd", NULL },
                { "nic", "nice" },
                { "ni", NULL }, /* short words must be equal but for case */
                { "IO", "io" },
                { "i", NULL },
                { "b", NULL },
                { "", NULL },
                { "workers_per_cgroup", "WorkersPerCgroup" },
                { "zzzzzzzz", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                const char *got = suggest_from(cases[i].given, words);
                if (g_strcmp0(got, cases[i].near) != 0)
                        fail_msg("%s: %s", cases[i].given, got ?: "nothing");
        }
}

/* A candidate is not suggested for being short, and nobody meant a kilobyte. */
static void no_nonsense(void **state G_GNUC_UNUSED) {
        static const char *const one[] = { "ab", NULL };
        static const char *const two[] = { "abc", "abd", NULL };
        g_autofree char *huge = g_strnfill(1 << 20, 'w');

        assert_null(suggest_from("xyzxyz", one));
        assert_null(suggest_from(huge, words));
        assert_string_equal(suggest_from("abx", two), "abc"); /* the first of equals */
        assert_null(suggest_from("abx", words));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nearest),
                cmocka_unit_test(no_nonsense),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
