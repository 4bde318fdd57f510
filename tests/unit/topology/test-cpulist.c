/* SPDX-License-Identifier: GPL-2.0-only */
#include "conformance/conf-topology.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "topology/spec-text.h"

static void refused_lists(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *fragment;
        } cases[] = {
                { "5-2", "'5-2' is a reversed range" },
                { "0,7-3", "'7-3' is a reversed range" },
                { "65536", "above the highest number" },
                { "0-4000000000", "above the highest number" },
                { "99999999999999999999999", "above the highest number" },
                { "0 - 3", "neither a number nor a range" },
                { "0-", "neither" },
                { "-3", "neither" },
                { "+3", "neither" },
                { "0x3", "neither" },
                { "1-2-3", "neither" },
                { "1;2", "neither" },
                { "0-3:2/4", "neither" }, /* the kernel's strides are not part of this */
                { "all", "neither" },
        };
        g_auto(hwloc_bitmap_t) set = set_of("1");

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                if (cpulist_parse(cases[i].text, set, &error))
                        fail_msg("'%s' was accepted", cases[i].text);
                assert_invalid(error, cases[i].fragment, "such as 0-3,5");
                assert_set(set, "1");
        }
}

static void accepted_lists(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *same;
        } cases[] = {
                { "65535", "65535" }, { ",,1,", "1" }, { " ", "" },          { "3,1,2,2", "1-3" },
                { "4-4", "4" },       { "007", "7" },  { "1,\t2\n", "1-2" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(hwloc_bitmap_t) set = set_of("90-99"); /* replaced, not added to */
                assert_true(cpulist_parse(cases[i].text, set, NULL));
                assert_set(set, cases[i].same);
        }
}

static void numbers_saturate(void **state G_GNUC_UNUSED) {
        guint64 n;

        assert_true(spec_parse_number("18446744073709551615", 20, &n) && n == G_MAXUINT64);
        assert_true(spec_parse_number("18446744073709551616", 20, &n) && n == G_MAXUINT64);
        assert_true(spec_parse_number("999999999999999999999999", 24, &n) && n == G_MAXUINT64);
        assert_true(spec_parse_number("123", 2, &n) && n == 12);
        assert_false(spec_parse_number("", 0, &n));
}

/* A caller's megabyte does not come back as a megabyte, nor as half a character. */
static void messages_are_short(void **state G_GNUC_UNUSED) {
        g_autoptr(GString) text = g_string_new("x");
        g_auto(hwloc_bitmap_t) set = bitmap_new();
        g_autoptr(GError) error = NULL;
        g_autofree char *exact = g_strnfill(80, 'a'), *kept = spec_excerpt(exact),
                        *broken = spec_excerpt("\xff");

        for (unsigned i = 0; i < 100000; i++)
                g_string_append(text, "\xe2\x82\xac"); /* euro sign */
        assert_false(cpulist_parse(text->str, set, &error));
        assert_true(strlen(error->message) < 1000);
        assert_true(g_utf8_validate(error->message, -1, NULL));
        assert_string_equal(kept, exact);
        assert_true(g_utf8_validate(broken, -1, NULL));
}

static void fractions_round_trip(void **state G_GNUC_UNUSED) {
        static const struct {
                double value;
                const char *text;
        } cases[] = {
                { 0, "0" },
                { 0.1, "0.1" },
                { 0.5, "0.5" },
                { 1.0 / 3, "0.3333333333333333" },
                { 1e-7, "0.0000001" },
                { -2.5, "-2.5" },
                { 1e21, "1000000000000000000000" },
        };
        g_autoptr(GRand) rng = g_rand_new_with_seed(3);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = spec_format_fraction(cases[i].value);
                assert_string_equal(text, cases[i].text);
        }
        for (unsigned i = 0; i < 2000; i++) {
                double value = ldexp(g_rand_double(rng), g_rand_int_range(rng, -1070, 1020)), back;
                g_autofree char *text = spec_format_fraction(value);
                const char *p = text;
                assert_true(spec_parse_fraction(&p, &back) && !*p);
                assert_true(back == value);
        }
}

/* A locale that writes 0,5: the system's, or one compiled into `directory`. */
static bool use_decimal_comma(const char *directory) {
        g_autofree char *compile = g_strdup_printf("localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8", directory);

        if (setlocale(LC_ALL, "de_DE.UTF-8"))
                return true;
        return system(compile) == 0 && g_setenv("LOCPATH", directory, true) &&
               setlocale(LC_ALL, "de_DE.UTF-8");
}

/* The bus never writes 0,5. */
static void fractions_ignore_the_locale(void **state G_GNUC_UNUSED) {
        g_autofree char *directory = g_dir_make_tmp("kt-locale-XXXXXX", NULL);
        g_autofree char *text = NULL, *remove = g_strconcat("rm -rf ", directory, NULL);
        const char *p = "0.5";
        double value;
        bool there = use_decimal_comma(directory);

        assert_int_equal(system(remove), 0);
        if (!there) {
                print_message(
                        "skipped: localedef cannot make a locale with a decimal comma (package locales)\n");
                skip();
        }
        assert_string_equal(localeconv()->decimal_point, ",");
        assert_true(spec_parse_fraction(&p, &value));
        assert_true(value == 0.5);
        text = spec_format_fraction(value);
        setlocale(LC_ALL, "C");
        assert_string_equal(text, "0.5");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(refused_lists),        cmocka_unit_test(accepted_lists),
                cmocka_unit_test(numbers_saturate),     cmocka_unit_test(messages_are_short),
                cmocka_unit_test(fractions_round_trip), cmocka_unit_test(fractions_ignore_the_locale),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
