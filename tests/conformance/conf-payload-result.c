/* SPDX-License-Identifier: GPL-2.0-only */

/* What a payload printed, as metrics and as a verdict. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "payload/payload-result.h"

static PayloadDef *json_def(void) {
        PayloadDef *def = payload_def_new("p", "/bin/p");

        def->output = PAYLOAD_OUTPUT_JSON;
        return def;
}

static PayloadBytes bytes(const char *text) {
        return (PayloadBytes){ text, strlen(text) };
}

static void append_value(GString *to, const MetricValue *value) {
        char text[G_ASCII_DTOSTR_BUF_SIZE];

        if (value->kind == METRIC_INT)
                g_string_append_printf(to, "%" G_GINT64_FORMAT, value->i);
        else if (value->kind == METRIC_UINT)
                g_string_append_printf(to, "%" G_GUINT64_FORMAT "u", value->u);
        else
                g_string_append_printf(to, "%sr", g_ascii_formatd(text, sizeof(text), "%.15g", value->d));
}

/* "name=5 other=0.5r": r for what is no integer. */
static char *describe(const Metrics *metrics) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < metrics->list->len; i++) {
                const Metric *metric = &g_array_index(metrics->list, Metric, i);
                g_string_append_printf(text, "%s%s=", i ? " " : "", metric->name);
                append_value(text, &metric->value);
        }
        return g_string_free(text, FALSE);
}

static void check_metrics(const char *text, const char *expected, int line) {
        g_autoptr(PayloadDef) def = json_def();
        g_autoptr(Metrics) metrics = payload_metrics(def, bytes(text), bytes(""));
        g_autofree char *got = describe(metrics);

        if (!g_str_equal(got, expected))
                print_error("line %d: of <%s>\n", line, text);
        assert_string_equal(got, expected);
        assert_false(metrics->truncated);
}
#define assert_metrics(text, expected) check_metrics((text), (expected), __LINE__)

/* ---- where JSON is, and what of it are metrics ---- */

/* res:R133 */
static void numbers_of_a_document(void **state G_GNUC_UNUSED) {
        assert_metrics("{\"iops\":1000,\"lat\":1.5}", "iops=1000 lat=1.5r");
        assert_metrics(" \n{\"iops\":1000}\n\n", "iops=1000");
        assert_metrics("fio-3.36\nstarting 1 process\n{\"iops\":7,\"bw\":8}", "iops=7 bw=8");
        assert_metrics("{\"job\":{\"read\":{\"iops\":3}}}", "job.read.iops=3");
        assert_metrics("{\"p\":[1,2.5]}", "p.0=1 p.1=2.5r");
        assert_metrics("{\"a\":\"5\",\"b\":true,\"c\":false,\"d\":null,\"e\":6}", "e=6");
        assert_metrics("{\"iops\":}", "");
        assert_metrics("{\"iops\":1,}", "");
        assert_metrics("", "");
        assert_metrics(" \n\t ", "");
}

/* res:R134 */
static void where_it_begins_and_ends(void **state G_GNUC_UNUSED) {
        assert_metrics("[1,2,3]", "0=1 1=2 2=3");
        assert_metrics("banner\n[1,2,3]", "0=1 1=2 2=3");
        assert_metrics("x {\"a\":\"}{[\",\"b\":1}", "b=1");
        assert_metrics("x {\"a\":\"say \\\"}\\\"\",\"b\":1} y", "b=1");
        assert_metrics("x {\"a\":\"\\\\\",\"b\":1} y", "b=1");
        assert_metrics("no numbers 42 here", "");
        assert_metrics("x {\"a\":1", "");
        assert_metrics("x [1,2", "");
        assert_metrics("x {\"a\":{\"b\":1}", "");
        assert_metrics("x } {\"a\":1}", "a=1");
}

/* res:R135 */
static void first_bracket_decides(void **state G_GNUC_UNUSED) {
        assert_metrics("[    0.001234] sched: up\n{\"iops\":500}", "0=0.001234r");
        assert_metrics("[FAIL no closer\n{\"iops\":500}", "");
        assert_metrics("[text]\n{\"iops\":500}", "");
        assert_metrics("{text} [5]", "");
        assert_metrics("[FAIL {\"x\":1} ] {\"iops\":500}", "");
}

/* res:R136 */
static void what_follows(void **state G_GNUC_UNUSED) {
        assert_metrics("{\"a\":1}\ndone in 5 s\n", "a=1");
        assert_metrics("{\"a\":1}{\"b\":2}", "a=1");
        assert_metrics("{\"a\":1}\n{\"b\":2}\n", "a=1");
        assert_metrics("{\"a\":1} }]", "a=1");
        assert_metrics("{}\n{\"b\":2}\n", "");
}

/* Integers keep all their digits (which excluded.txt tells of); signs and zeros are kept, too. */
static void numbers(void **state G_GNUC_UNUSED) {
        assert_metrics("[9007199254740993,-9007199254740993]", "0=9007199254740993 1=-9007199254740993");
        assert_metrics("[9223372036854775807,-9223372036854775808]",
                       "0=9223372036854775807 1=-9223372036854775808");
        assert_metrics("[9223372036854775808,18446744073709551615]",
                       "0=9223372036854775808u 1=18446744073709551615u");
        assert_metrics("[18446744073709551616,-9223372036854775809]",
                       "0=1.84467440737096e+19r 1=-9.22337203685478e+18r");
        assert_metrics("[0,-5,-0.5,0.0,0e0]", "0=0 1=-5 2=-0.5r 3=0r 4=0r");
        assert_metrics("[1e3,1E+3,1e-3,1.0]", "0=1000r 1=1000r 2=0.001r 3=1r");
        assert_metrics("[-0,-0.0,1e-999]", "0=-0r 1=-0r 2=0r");
        assert_metrics("42", "=42");
        assert_metrics(" -1.5\n", "=-1.5r");
        assert_metrics("{}", "");
        assert_metrics("[]", "");
        assert_metrics("{\"a\":{},\"b\":[[],{}]}", "");
}

/* res:R138 */
static void names(void **state G_GNUC_UNUSED) {
        assert_metrics("{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":1}}}}}}", "a.b.c.d.e.f=1");
        assert_metrics("{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":3},\"c\":4}", "a.x=1 a.y=2 b.x=3 c=4");
        assert_metrics("{\"data\":[{\"vals\":[1,2]}]}", "data.0.vals.0=1 data.0.vals.1=2");
        assert_metrics("{\"a\":[[[1,2],[3,4]],[[5,6],[7,8]]]}", "a.0.0.0=1 a.0.0.1=2 a.0.1.0=3 a.0.1.1=4 "
                                                                "a.1.0.0=5 a.1.0.1=6 a.1.1.0=7 a.1.1.1=8");
        assert_metrics("{\"a\":1,\"a\":2}", "a=1 a=2");
        assert_metrics("{\"\":1,\"b\":{\"\":2},\"c.d\":3}", "=1 b.=2 c.d=3");
        assert_metrics("{\"\":{\"a\":1,\"\":[2]}}", ".a=1 ..0=2");
        assert_metrics("{\"\\\"\\\\\\/\\u0041\\u00e9\\ud83d\\ude00\":1}", "\"\\/A\u00e9\U0001f600=1");
}

/* ---- depth ---- */

static char *nested(unsigned n, const char *middle) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < n; i++)
                g_string_append(text, i % 2 ? "[" : "{\"k\":");
        g_string_append(text, middle);
        for (unsigned i = n; i-- > 0;)
                g_string_append_c(text, i % 2 ? ']' : '}');
        return g_strdup(text->str);
}

static char *metrics_below(unsigned n, const char *middle) {
        g_autoptr(PayloadDef) def = json_def();
        g_autofree char *text = nested(n, middle);
        g_autoptr(Metrics) metrics = payload_metrics(def, bytes(text), bytes(""));

        return describe(metrics);
}

#define assert_below(n, middle, expected)                                                                    \
        do {                                                                                                 \
                g_autofree char *got_ = metrics_below((n), (middle));                                        \
                assert_string_equal(got_, (expected));                                                       \
        } while (0)

/* res:R139 */
static void depth(void **state G_GNUC_UNUSED) {
        g_autofree char *last = metrics_below(64, "1");

        assert_true(g_str_has_prefix(last, "k.0.k.0.k.0."));
        assert_true(g_str_has_suffix(last, ".k.0=1"));
        assert_int_equal(strlen(last), 64 * 2 - 1 + 2);
        assert_below(65, "1", METRIC_TOO_DEEP "=65");
        assert_below(100, "1", METRIC_TOO_DEEP "=65");
        assert_below(64, "null", "");
        assert_below(65, "null", "");
        /* of 64: siblings of what is too deep stay, and each that is too deep counts once */
        assert_below(63, "{\"x\":{\"y\":[1,2]}}", METRIC_TOO_DEEP "=65");
        assert_below(64, "[1,[2,3],\"s\",null,[4]]",
                     METRIC_TOO_DEEP "=65 " METRIC_TOO_DEEP "=65 " METRIC_TOO_DEEP "=65");
        assert_below(128, "1", METRIC_TOO_DEEP "=65");
        assert_below(129, "1", "");
}

/* ---- streams ---- */

static char *streams(const char *out, const char *err, PayloadOutput output) {
        g_autoptr(PayloadDef) def = json_def();
        g_autoptr(Metrics) metrics = NULL;
        g_autofree char *text = NULL;
        const Metric *first;

        def->output = output;
        metrics = payload_metrics(def, bytes(out), bytes(err));
        text = describe(metrics);
        if (metrics->list->len == 0)
                return g_strdup("none");
        first = &g_array_index(metrics->list, Metric, 0);
        for (guint i = 1; i < metrics->list->len; i++)
                assert_int_equal(g_array_index(metrics->list, Metric, i).stream, first->stream);
        return g_strdup_printf("%s: %s", payload_stream_name(first->stream), text);
}

#define assert_streams(out, err, expected)                                                                   \
        do {                                                                                                 \
                g_autofree char *got_ = streams((out), (err), PAYLOAD_OUTPUT_JSON);                          \
                assert_string_equal(got_, (expected));                                                       \
        } while (0)

/* res:R140 */
static void which_stream(void **state G_GNUC_UNUSED) {
        g_autofree char *none = streams("{\"a\":1}", "{\"b\":2}", PAYLOAD_OUTPUT_EXIT_CODE);

        assert_streams("{\"a\":1,\"c\":3}", "{\"b\":2}", "stdout: a=1 c=3");
        assert_streams("", "{\"b\":2,\"d\":4}", "stderr: b=2 d=4");
        assert_streams("all is well", "{\"b\":2}", "stderr: b=2");
        assert_streams("{\"a\":\"1\"}", "{\"b\":2}", "stderr: b=2");
        assert_streams("[", "{\"b\":2}", "stderr: b=2");
        assert_streams("all is well", "", "none");
        assert_streams("", "", "none");
        assert_streams("{}", "prose", "none");
        assert_string_equal(none, "none");
}

/* ---- hints ---- */

static void add_hint(PayloadDef *def, const char *metric, MetricPolarity polarity, const char *unit) {
        MetricHint *hint = g_new0(MetricHint, 1);

        hint->metric = g_strdup(metric);
        hint->polarity = polarity;
        hint->target = 2.5;
        hint->unit = g_strdup(unit);
        g_ptr_array_add(def->metrics, hint);
}

static void check_hint(JsonArray *metrics, guint i, const char *name, const char *polarity,
                       const char *unit) {
        JsonObject *o = json_array_get_object_element(metrics, i);

        assert_string_equal(json_object_get_string_member(o, "name"), name);
        assert_string_equal(json_object_get_string_member(o, "polarity"), polarity);
        assert_string_equal(json_object_get_string_member(o, "unit"), unit);
        assert_int_equal(json_object_has_member(o, "target"), g_str_equal(polarity, "target"));
}

/* res:R122 */
static void hints(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadDef) def = json_def();
        g_autoptr(Metrics) metrics = NULL;
        g_autoptr(JsonArray) json = NULL;

        add_hint(def, "lat", METRIC_HIGHER_BETTER, "wrong");
        add_hint(def, "nowhere", METRIC_LOWER_BETTER, "s");
        add_hint(def, "temp", METRIC_TARGET, "K");
        add_hint(def, "iops", METRIC_HIGHER_BETTER, "1/s");
        add_hint(def, "lat", METRIC_LOWER_BETTER, "us"); /* the last one wins */
        metrics = payload_metrics(
                def, bytes("{\"iops\":1,\"lat\":2,\"iops.x\":3,\"IOPS\":4,\"iops\":5,\"temp\":6}"),
                bytes(""));
        json = metrics_to_json(metrics);
        assert_int_equal(json_array_get_length(json), 6);
        check_hint(json, 0, "iops", "higher-better", "1/s");
        check_hint(json, 1, "lat", "lower-better", "us");
        check_hint(json, 2, "iops.x", "unknown", "");
        check_hint(json, 3, "IOPS", "unknown", "");
        check_hint(json, 4, "iops", "higher-better", "1/s");
        check_hint(json, 5, "temp", "target", "K");
        assert_true(json_object_get_double_member(json_array_get_object_element(json, 5), "target") == 2.5);
}

/* ---- checks ---- */

static PayloadCheck *add_check(PayloadDef *def, CheckKind kind, const char *text) {
        PayloadCheck *check = g_new0(PayloadCheck, 1);

        check->kind = kind;
        check->text = g_strdup(text);
        g_ptr_array_add(def->checks, check);
        return check;
}

static void need_code(PayloadDef *def, int code) {
        g_autofree char *text = g_strdup_printf("exit-code:%d", code);

        add_check(def, CHECK_EXIT_CODE, text)->exit_code = code;
}

static void need(PayloadDef *def, CheckKind kind, const char *metric, double low, double high) {
        static const char *const names[] = {
                [CHECK_MIN] = "min", [CHECK_MAX] = "max", [CHECK_RANGE] = "range", [CHECK_EXISTS] = "exists"
        };
        g_autofree char *text = g_strdup_printf("%s:%s", names[kind], metric);
        PayloadCheck *check = add_check(def, kind, text);

        check->metric = g_strdup(metric);
        check->low = low;
        check->high = high;
}

/* Failures, a line each. */
static char *judge(const PayloadDef *def, int exit_code, const char *out, const char *err) {
        g_autoptr(Metrics) metrics = payload_metrics(def, bytes(out), bytes(err));
        g_auto(GStrv) failures = payload_judge(def, exit_code, metrics, bytes(err));

        return g_strjoinv("\n", failures);
}

#define assert_judged(def, exit_code, out, err, expected)                                                    \
        do {                                                                                                 \
                g_autofree char *got_ = judge((def), (exit_code), (out), (err));                             \
                assert_string_equal(got_, (expected));                                                       \
        } while (0)

/* res:R117 */
static void exit_codes(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadDef) free_def = json_def(), def = json_def(), killed = json_def();

        assert_judged(free_def, 0, "", "", "");
        assert_judged(free_def, 42, "", "", "");
        assert_judged(free_def, -1, "", "", "");
        need(def, CHECK_MIN, "iops", 5, 0);
        need_code(def, 0);
        need_code(def, 1);
        assert_judged(def, 42, "{\"iops\":1}", "", "exit code 42; the check 'exit-code:0' needs 0");
        assert_judged(def, -1, "{\"iops\":1}", "",
                      "exit code -1 (ended by a signal); the check 'exit-code:0' needs 0");
        assert_judged(def, 0, "{\"iops\":1}", "", "exit code 0; the check 'exit-code:1' needs 1");
        need_code(killed, -1);
        assert_judged(killed, -1, "", "", "");
        assert_judged(killed, 1, "", "",
                      "exit code 1; the check 'exit-code:-1' needs -1 (an end by a signal)");
}

#define WRONG_CODE "exit code 1; the check 'exit-code:0' needs 0"

/* `err` in the failure: what stands behind the label, NULL when there is none. */
static void check_stderr(PayloadBytes err, const char *shown) {
        g_autoptr(PayloadDef) def = payload_def_new("p", "p");
        g_autoptr(Metrics) metrics = payload_metrics(def, bytes(""), err);
        g_autofree char *expected = g_strconcat(WRONG_CODE, shown ? "; stderr: " : "", shown, NULL);
        g_auto(GStrv) failures = NULL;

        need_code(def, 0);
        failures = payload_judge(def, 1, metrics, err);
        assert_int_equal(g_strv_length(failures), 1);
        assert_string_equal(failures[0], expected);
        assert_true(g_utf8_validate(failures[0], -1, NULL));
}

/* `before`, then as many 'x' as make `length` bytes of both. */
static char *filled(const char *before, size_t length) {
        g_autofree char *rest = g_strnfill(length - strlen(before), 'x');

        return g_strconcat(before, rest, NULL);
}

static char *many_replacements(unsigned n) {
        GString *text = g_string_new("...");

        for (unsigned i = 0; i < n; i++)
                g_string_append(text, "\ufffd");
        return g_string_free(text, FALSE);
}

/* res:R118 */
static void end_of_stderr(void **state G_GNUC_UNUSED) {
        static const char invalid[] = "bad \xff\xc3 byte\0nul \xef\xbf\xbe end";
        g_autofree char *kib = g_strnfill(1024, 'x'), *kib_shown = g_strconcat("...", kib, NULL);
        g_autofree char *long_one = g_strnfill(1524, 'x'), *blanks = g_strnfill(3000, '\n');
        g_autofree char *kib_and_blanks = g_strconcat(kib, blanks, NULL);
        /* a character of three bytes, of which 1, 2 and 3 are within the last 1024 */
        g_autofree char *third = filled("ab\u20ac", 5 + 1023), *third_shown = filled("...", 3 + 1023);
        g_autofree char *fourth = filled("ab\U0001f600", 6 + 1021), *fourth_shown = filled("...", 3 + 1021);
        g_autofree char *bare = g_strnfill(2000, '\x80');
        g_autofree char *bare_shown = many_replacements(1021);
        g_autofree char *second = filled("ab\u20ac", 5 + 1022), *second_shown = filled("...", 3 + 1022);
        g_autofree char *whole = filled("ab\u20ac", 5 + 1021), *whole_shown = filled("...\u20ac", 3 + 1024);

        check_stderr(bytes(""), NULL);
        check_stderr(bytes(" \n\t\r\n"), NULL);
        check_stderr(bytes(blanks), NULL);
        check_stderr(bytes("  no such device\n\n"), "  no such device");
        check_stderr(bytes(kib), kib);
        check_stderr(bytes(kib_and_blanks), kib);
        check_stderr(bytes(long_one), kib_shown);
        check_stderr(bytes(third), third_shown);
        check_stderr(bytes(second), second_shown);
        check_stderr(bytes(whole), whole_shown);
        check_stderr(bytes(fourth), fourth_shown);
        check_stderr(bytes(bare), bare_shown);
        check_stderr((PayloadBytes){ invalid, sizeof(invalid) - 1 },
                     "bad \ufffd\ufffd byte\ufffdnul \ufffd end");
}

static void check_not_a_number(CheckKind kind, unsigned n_failures) {
        g_autoptr(PayloadDef) def = json_def();
        g_autoptr(Metrics) metrics = payload_metrics(def, bytes("{\"m\":1.5}"), bytes(""));
        g_auto(GStrv) failures = NULL;

        need(def, kind, "m", 1, 2);
        g_array_index(metrics->list, Metric, 0).value.d = NAN;
        failures = payload_judge(def, 0, metrics, bytes(""));
        assert_int_equal(g_strv_length(failures), n_failures);
        if (n_failures)
                assert_non_null(
                        strstr(failures[0], "the metric 'm' is nan, which is no number for the check"));
}

/* res:R119 */
static void each_kind(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadDef) def = json_def(), exists = json_def();

        need(def, CHECK_MIN, "iops", 5, 0);
        need(def, CHECK_MAX, "lat", 0, 2.5);
        need(def, CHECK_RANGE, "temp", 1, 2);
        assert_judged(def, 0, "{\"iops\":5,\"lat\":2.5,\"temp\":1}", "", "");
        assert_judged(def, 0, "{\"iops\":6,\"lat\":-9,\"temp\":2}", "", "");
        assert_judged(def, 0, "{\"iops\":4,\"lat\":2.75,\"temp\":0.5}", "",
                      "the metric 'iops' is 4, which is below the bound of the check 'min:iops'\n"
                      "the metric 'lat' is 2.75, which is above the bound of the check 'max:lat'\n"
                      "the metric 'temp' is 0.5, which is outside the range of the check 'range:temp'");
        assert_judged(def, 0, "{\"iops\":5,\"lat\":0,\"temp\":3}", "",
                      "the metric 'temp' is 3, which is outside the range of the check 'range:temp'");
        assert_judged(def, 0, "{\"iops\":5,\"temp\":2,\"zzz\":2}", "",
                      "no metric 'lat', which the check 'max:lat' needs");
        check_not_a_number(CHECK_MIN, 1);
        check_not_a_number(CHECK_MAX, 1);
        check_not_a_number(CHECK_RANGE, 1);
        check_not_a_number(CHECK_EXISTS, 0);
        need(exists, CHECK_EXISTS, "m", 0, 0);
        assert_judged(exists, 0, "{\"m\":0}", "", "");
        assert_judged(exists, 0, "{\"m\":-0}", "", "");
        assert_judged(exists, 0, "{\"m\":-0.0}", "", "");
        assert_judged(exists, 0, "{\"other\":0}", "", "no metric 'm', which the check 'exists:m' needs");
}

/* res:R120 */
static void each_on_its_own(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadDef) twice = json_def(), contrary = json_def(), three = json_def();

        need(twice, CHECK_MIN, "m", 5, 0);
        need(twice, CHECK_MIN, "m", 10, 0);
        assert_judged(twice, 0, "{\"m\":7}", "",
                      "the metric 'm' is 7, which is below the bound of the check 'min:m'");
        need(contrary, CHECK_MIN, "m", 10, 0);
        need(contrary, CHECK_MAX, "m", 0, 5);
        assert_judged(contrary, 0, "{\"m\":7}", "",
                      "the metric 'm' is 7, which is below the bound of the check 'min:m'\n"
                      "the metric 'm' is 7, which is above the bound of the check 'max:m'");
        need(three, CHECK_MIN, "m", 10, 0);
        need(three, CHECK_EXISTS, "n", 0, 0);
        need(three, CHECK_RANGE, "m", 0, 5);
        assert_judged(three, 0, "{\"m\":7}", "",
                      "the metric 'm' is 7, which is below the bound of the check 'min:m'\n"
                      "no metric 'n', which the check 'exists:n' needs\n"
                      "the metric 'm' is 7, which is outside the range of the check 'range:m'");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_of_a_document),
                cmocka_unit_test(where_it_begins_and_ends),
                cmocka_unit_test(first_bracket_decides),
                cmocka_unit_test(what_follows),
                cmocka_unit_test(numbers),
                cmocka_unit_test(names),
                cmocka_unit_test(depth),
                cmocka_unit_test(which_stream),
                cmocka_unit_test(hints),
                cmocka_unit_test(exit_codes),
                cmocka_unit_test(end_of_stderr),
                cmocka_unit_test(each_kind),
                cmocka_unit_test(each_on_its_own),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
