/* SPDX-License-Identifier: GPL-2.0-only */
#include <locale.h>
#include <stdlib.h>

#include "conformance/conf-topology.h"
#include "model/payload-text.h"

/* ---- checks ---- */

static const struct {
        const char *text;
        PayloadCheck check;
} CHECKS[] = {
        { "exit-code:0", { .kind = CHECK_EXIT_CODE, .exit_code = 0 } },
        { "exit-code:255", { .kind = CHECK_EXIT_CODE, .exit_code = 255 } },
        { "exit-code:-1", { .kind = CHECK_EXIT_CODE, .exit_code = -1 } },
        { "min:a=1", { .kind = CHECK_MIN, .metric = (char[]){ "a" }, .low = 1 } },
        { "min:a=-.5e-3", { .kind = CHECK_MIN, .metric = (char[]){ "a" }, .low = -.0005 } },
        { "min:a=+2E3", { .kind = CHECK_MIN, .metric = (char[]){ "a" }, .low = 2000 } },
        { "max:jobs.0.read=9.75", { .kind = CHECK_MAX, .metric = (char[]){ "jobs.0.read" }, .high = 9.75 } },
        { "max:a=b:c=7", { .kind = CHECK_MAX, .metric = (char[]){ "a=b:c" }, .high = 7 } }, /* the last '=' */
        { "range:a..b=0.5..1.5",
          { .kind = CHECK_RANGE, .metric = (char[]){ "a..b" }, .low = .5, .high = 1.5 } },
        { "range:x=-2..-1e0", { .kind = CHECK_RANGE, .metric = (char[]){ "x" }, .low = -2, .high = -1 } },
        { "range:x=3..3", { .kind = CHECK_RANGE, .metric = (char[]){ "x" }, .low = 3, .high = 3 } },
        { "exists:a", { .kind = CHECK_EXISTS, .metric = (char[]){ "a" } } },
        { "exists:a=b", { .kind = CHECK_EXISTS, .metric = (char[]){ "a=b" } } },
        /* the number that is the whole document */
        { "min:=5", { .kind = CHECK_MIN, .metric = (char[]){ "" }, .low = 5 } },
        { "range:=0..1", { .kind = CHECK_RANGE, .metric = (char[]){ "" }, .low = 0, .high = 1 } },
        { "exists:", { .kind = CHECK_EXISTS, .metric = (char[]){ "" } } },
        { "min:\xc3\xa9 t\xc3\xa9=1",
          { .kind = CHECK_MIN, .metric = (char[]){ "\xc3\xa9 t\xc3\xa9" }, .low = 1 } },
};

static void checks(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(CHECKS); i++) {
                const PayloadCheck *want = &CHECKS[i].check;
                g_autoptr(GError) error = NULL;
                PayloadCheck *got = payload_check_parse(CHECKS[i].text, &error);
                if (!got)
                        fail_msg("%s", error->message);
                assert_string_equal(got->text, CHECKS[i].text);
                if (got->kind != want->kind || g_strcmp0(got->metric, want->metric) != 0 ||
                    got->exit_code != want->exit_code || got->low != want->low || got->high != want->high)
                        fail_msg("%s: %d '%s' %d %g..%g", CHECKS[i].text, (int)got->kind, got->metric,
                                 (int)got->exit_code, got->low, got->high);
                payload_check_free(got);
        }
}

static const struct {
        const char *text, *start, *fragment;
} WRONG_CHECKS[] = {
        { "",
          "unknown check ''; known checks: exit-code:N, min:METRIC=VALUE, max:METRIC=VALUE, "
          "range:METRIC=LOW..HIGH, exists:METRIC",
          "" },
        { "exitcode:0", "unknown check 'exitcode:0'; did you mean 'exit-code:N'?", "Known checks: " },
        { "exit_code:0", "unknown check 'exit_code:0'; did you mean 'exit-code:N'?", "" },
        { "Min:a=1", "unknown check 'Min:a=1'; did you mean 'min:METRIC=VALUE'?", "" },
        { "a>1", "unknown check 'a>1'; known checks: ", "" },
        { "exit-code", "check 'exit-code' is malformed; it is written exit-code:N, for example exit-code:0",
          "" },
        { "exit-code:", "check 'exit-code:' is malformed; ", "'' is no exit status: 0 to 255, or -1" },
        { "exit-code:256", "check 'exit-code:256' is malformed; ", "'256' is no exit status" },
        { "exit-code:-2", "check ", "'-2' is no exit status" },
        { "exit-code:0x1", "check ", "'0x1' is no exit status" },
        { "exit-code: 1", "check ", "' 1' is no exit status" },
        { "exit-code:1.0", "check ", "'1.0' is no exit status" },
        { "min", "check 'min' is malformed; it is written min:METRIC=VALUE, for example min:", "" },
        { "min:a", "check 'min:a' is malformed; ", "there is no '='" },
        { "max:a", "check 'max:a' is malformed; ", "there is no '='" },
        { "range:a", "check 'range:a' is malformed; ", "there is no '='" },
        { "min:a=", "check 'min:a=' is malformed; ", "'' is not a finite decimal number" },
        { "min:a=1 ", "check ", "'1 ' is not a finite decimal number" },
        { "min:a= 1", "check ", "' 1' is not a finite decimal number" },
        { "min:a=1,5", "check ", "'1,5' is not a finite decimal number" },
        { "min:a=0x10", "check ", "'0x10' is not a finite decimal number" },
        { "min:a=e5", "check ", "'e5' is not a finite decimal number" },
        { "min:a=1e", "check ", "'1e' is not a finite decimal number" },
        { "min:a=--1", "check ", "'--1' is not a finite decimal number" },
        { "min:a=nan", "check ", "'nan' is not a finite decimal number" },
        { "max:a=inf", "check ", "'inf' is not a finite decimal number" },
        { "max:a=-Infinity", "check ", "'-Infinity' is not a finite decimal number" },
        { "max:a=1e999", "check ", "'1e999' is not a finite decimal number" },
        { "range:a=1", "check 'range:a=1' is malformed; ", "there is no '..' between" },
        { "range:a=1..", "check ", "'' is not a finite decimal number" },
        { "range:a=..1", "check ", "'' is not a finite decimal number" },
        { "range:a=1..2..3", "check ", "'2..3' is not a finite decimal number" },
        { "exists", "check 'exists' is malformed; it is written exists:METRIC, for example exists:", "" },
};

static void wrong_checks(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(WRONG_CHECKS); i++) {
                g_autoptr(GError) error = NULL;
                if (payload_check_parse(WRONG_CHECKS[i].text, &error))
                        fail_msg("taken: %s", WRONG_CHECKS[i].text);
                if (!g_str_has_prefix(error->message, WRONG_CHECKS[i].start))
                        fail_msg("%s: %s", WRONG_CHECKS[i].text, error->message);
                assert_invalid(error, WRONG_CHECKS[i].fragment);
        }
}

/* res:R121 */
static void bounds_of_a_range(void **state G_GNUC_UNUSED) {
        static const char *const refused[] = { "range:m=2..1", "range:m=nan..1", "range:m=1..nan",
                                               "range:m=NaN..NaN" };
        g_autoptr(GError) error = NULL;
        PayloadCheck *equal = payload_check_parse("range:m=1.5..1.5", &error);

        assert_non_null(equal);
        assert_true(equal->low == 1.5 && equal->high == 1.5);
        payload_check_free(equal);
        for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
                assert_null(payload_check_parse(refused[i], &error));
                assert_invalid(error, refused[i],
                               i == 0 ? "the low bound 2 is above the high bound 1"
                                      : "is not a finite decimal number");
        }
}

/* ---- metrics ---- */

static const struct {
        const char *text;
        MetricHint hint;
} HINTS[] = {
        { "a=unknown", { (char[]){ "a" }, METRIC_UNKNOWN, 0, (char[]){ "" }, NULL } },
        { "a=higher-better,iops", { (char[]){ "a" }, METRIC_HIGHER_BETTER, 0, (char[]){ "iops" }, NULL } },
        { "a=b=lower-better,MiB, each",
          { (char[]){ "a=b" }, METRIC_LOWER_BETTER, 0, (char[]){ "MiB, each" }, NULL } },
        { "a=target:-2.5e-1,s", { (char[]){ "a" }, METRIC_TARGET, -.25, (char[]){ "s" }, NULL } },
        { "=informational", { (char[]){ "" }, METRIC_INFORMATIONAL, 0, (char[]){ "" }, NULL } },
};

static void hints(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(HINTS); i++) {
                const MetricHint *want = &HINTS[i].hint;
                g_autoptr(GError) error = NULL;
                MetricHint *got = metric_hint_parse(HINTS[i].text, &error);
                if (!got)
                        fail_msg("%s", error->message);
                assert_string_equal(got->metric, want->metric);
                assert_int_equal(got->polarity, want->polarity);
                assert_true(got->target == want->target);
                assert_string_equal(got->unit, want->unit);
                assert_string_equal(got->text, HINTS[i].text);
                metric_hint_free(got);
        }
}

static const struct {
        const char *text, *start, *fragment;
} WRONG_HINTS[] = {
        { "a", "metric 'a' is malformed; it is written METRIC=POLARITY[,UNIT], for example ",
          "there is no '='" },
        { "a=higher-better,", "metric 'a=higher-better,' is malformed; ", "no unit" },
        { "a=",
          "unknown polarity ''; a polarity is one of unknown, higher-better, lower-better, target:VALUE, "
          "informational",
          "" },
        { "a=higher", "unknown polarity 'higher'; a polarity is one of ", "" },
        { "a=higher_better,s", "unknown polarity 'higher_better'; did you mean 'higher-better'?", "" },
        { "a=Target:5", "unknown polarity 'Target:5'; did you mean 'target:VALUE'?", "" },
        { "a=higher-better:5",
          "polarity 'higher-better:5' is malformed; it is written higher-better, for example higher-better",
          "" },
        { "a=target", "polarity 'target' is malformed; it is written target:VALUE, for example target:0.5",
          "" },
        { "a=target:", "polarity 'target:' is malformed; ", "'' is not a finite decimal number" },
        { "a=target:nan", "polarity ", "'nan' is not a finite decimal number" },
        { "a=target:inf", "polarity ", "'inf' is not a finite decimal number" },
        { "a=target:1e999", "polarity ", "'1e999' is not a finite decimal number" },
};

static void wrong_hints(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(WRONG_HINTS); i++) {
                g_autoptr(GError) error = NULL;
                if (metric_hint_parse(WRONG_HINTS[i].text, &error))
                        fail_msg("taken: %s", WRONG_HINTS[i].text);
                if (!g_str_has_prefix(error->message, WRONG_HINTS[i].start))
                        fail_msg("%s: %s", WRONG_HINTS[i].text, error->message);
                assert_invalid(error, WRONG_HINTS[i].fragment);
        }
}

static void polarity_names(void **state G_GNUC_UNUSED) {
        assert_string_equal(metric_polarity_name(METRIC_UNKNOWN), "unknown");
        assert_string_equal(metric_polarity_name(METRIC_HIGHER_BETTER), "higher-better");
        assert_string_equal(metric_polarity_name(METRIC_LOWER_BETTER), "lower-better");
        assert_string_equal(metric_polarity_name(METRIC_TARGET), "target");
        assert_string_equal(metric_polarity_name(METRIC_INFORMATIONAL), "informational");
}

/* One that writes 0,5: the system's, or one compiled into `directory`. */
static bool use_decimal_comma(const char *directory) {
        g_autofree char *compile = g_strdup_printf("localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8", directory);

        if (setlocale(LC_NUMERIC, "de_DE.UTF-8"))
                return true;
        return system(compile) == 0 && g_setenv("LOCPATH", directory, true) &&
               setlocale(LC_NUMERIC, "de_DE.UTF-8");
}

static void numbers_ignore_the_locale(void **state G_GNUC_UNUSED) {
        g_autofree char *directory = g_dir_make_tmp("kt-locale-XXXXXX", NULL);
        g_autofree char *remove = g_strconcat("rm -rf ", directory, NULL);
        bool there = use_decimal_comma(directory);
        PayloadCheck *check, *comma;

        assert_int_equal(system(remove), 0);
        if (!there) {
                print_message(
                        "skipped: localedef cannot make a locale with a decimal comma (package locales)\n");
                skip();
        }
        check = payload_check_parse("min:a=1.5", NULL);
        comma = payload_check_parse("min:a=1,5", NULL);
        setlocale(LC_NUMERIC, "C");
        assert_non_null(check);
        assert_true(check->low == 1.5);
        assert_null(comma);
        payload_check_free(check);
}

/* ---- flags ---- */

static PayloadDef *with_flags(const char *flags) {
        PayloadDef *def = payload_def_new("stress", "stress-ng");

        def->known_flags = flags ? g_strsplit(flags, " ", -1) : NULL;
        return def;
}

static void check_flags(const char *flags, const char *args, const char *fragment, const char *second) {
        g_autoptr(PayloadDef) def = with_flags(flags);
        g_auto(GStrv) list = g_strsplit(args, " ", -1);
        g_autoptr(GError) error = NULL;

        if (payload_check_flags(def, list, &error) != !fragment)
                fail_msg("'%s' of '%s': %s", args, flags, error ? error->message : "taken");
        if (fragment)
                assert_invalid(error, "the payload 'stress' ", fragment, second);
}

static void flags(void **state G_GNUC_UNUSED) {
        check_flags("cpu vm", "--cpu --vm=3", NULL, NULL);
        check_flags("cpu vm", "", NULL, NULL);
        check_flags("cpu", "---cpu", "'---cpu'", "");
        check_flags("cpu", "--CPU", "'--CPU'; did you mean '--cpu'?", "Its known_flags are cpu");
        check_flags("cpu", "-- --vm", "'--vm'", ""); /* it does not end here what is looked at */
        check_flags("", "--vm", "'--vm'", "its known_flags are an empty list; leave the flag out");
        check_flags("", "vm -v", NULL, NULL);
}

/* A message stays one, however long flag and list are. */
static void long_lists_are_cut(void **state G_GNUC_UNUSED) {
        g_autoptr(GString) list = g_string_new("x0");
        g_autofree char *word = g_strnfill(5000, 'w'), *flag = g_strconcat("--", word, NULL);
        g_autoptr(PayloadDef) def = NULL;
        g_autoptr(GError) error = NULL;

        for (unsigned i = 1; i < 5000; i++)
                g_string_append_printf(list, " x%u", i);
        def = with_flags(list->str);
        assert_false(payload_check_flags(def, (char *[]){ flag, NULL }, &error));
        assert_true(strlen(error->message) < 1500);
        assert_invalid(error, "www...'", "x0, x1, ", ", ...; leave the flag out");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(checks),
                cmocka_unit_test(wrong_checks),
                cmocka_unit_test(bounds_of_a_range),
                cmocka_unit_test(hints),
                cmocka_unit_test(wrong_hints),
                cmocka_unit_test(polarity_names),
                cmocka_unit_test(numbers_ignore_the_locale),
                cmocka_unit_test(flags),
                cmocka_unit_test(long_lists_are_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
