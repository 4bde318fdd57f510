/* SPDX-License-Identifier: GPL-2.0-only */

/* Beyond the cases: strictness, hostile output, exact comparison, what the record has, what a failure says.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dbus/json-write.h"
#include "payload/payload-result.h"

static PayloadBytes bytes(const char *text) {
        return (PayloadBytes){ text, strlen(text) };
}

static Metrics *metrics_of(PayloadBytes text) {
        g_autoptr(PayloadDef) def = payload_def_new("p", "p");

        def->output = PAYLOAD_OUTPUT_JSON;
        return payload_metrics(def, text, bytes(""));
}

static const Metric *nth(const Metrics *metrics, guint i) {
        assert_true(i < metrics->list->len);
        return &g_array_index(metrics->list, Metric, i);
}

/* ---- what is JSON ---- */

static void strictly_json(void **state G_GNUC_UNUSED) {
        static const char *const sound[] = {
                "1",
                "-1",
                "0.5",
                "1e5",
                "\"\"",
                "true",
                "null",
                "[ ]",
                "{ }",
                " [1 , 2 ] ",
                "\"\x7f\"",
                "\"\\u00e9\"",
                "\"\\ud800\\udc00\"",
                "[\r\n\t1]",
                "\"\\b\\f\\n\\r\\t\\/\"",
                "{\"a\":1,\"a\":2}",
                "\"\xff\"",
                "\"\xef\xbf\xbe\"",
                "\"\\u0000\"",
        };
        static const char *const unsound[] = {
                "",
                " ",
                "01",
                "-",
                "+1",
                ".5",
                "1.",
                "1.e5",
                "1e",
                "1e+",
                "0x10",
                "1_000",
                "NaN",
                "Infinity",
                "-Inf",
                "tru",
                "True",
                "nullx",
                "1 2",
                "[1,]",
                "[,1]",
                "[1 2]",
                "{,}",
                "{\"a\"}",
                "{\"a\":}",
                "{a:1}",
                "{'a':1}",
                "{\"a\":1,}",
                "[1}",
                "{\"a\":1]",
                "[",
                "]",
                "{",
                "\"",
                "\"\\\"",
                "\"\\x\"",
                "\"\\u12\"",
                "\"\\u12g4\"",
                "\"\\ud800\"",
                "\"\\udc00\"",
                "\"\\ud800\\ud800\"",
                "\"\\ud800x\"",
                "\"\n\"",
                "\"\t\"",
                "[1]//c",
                "/**/1",
                "[1]\v",
                "[\u00a01]",
                "{1:2}",
                "{\"a\" 1}",
                "[1:2]",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(sound); i++)
                if (!payload_walk_json(bytes(sound[i]), NULL, NULL))
                        fail_msg("refused: %s", sound[i]);
        for (size_t i = 0; i < G_N_ELEMENTS(unsound); i++)
                if (payload_walk_json(bytes(unsound[i]), NULL, NULL))
                        fail_msg("taken: %s", unsound[i]);
}

static void check_region(PayloadBytes text, size_t from, size_t size) {
        PayloadBytes region;

        assert_true(payload_find_json(text, &region));
        assert_int_equal(region.data - text.data, from);
        assert_int_equal(region.size, size);
}

static void regions(void **state G_GNUC_UNUSED) {
        PayloadBytes region;

        check_region(bytes("  [1] "), 2, 3);
        check_region(bytes("\f 42\n"), 2, 2);
        check_region(bytes("x {\"a\":[1]} ] y"), 2, 9);
        check_region(bytes("\xc2\xa0[1]"), 2, 3);
        check_region(bytes("\"a {\\\"b\\\":1}\""), 0, 13); /* text is a document, too */
        assert_false(payload_find_json((PayloadBytes){ NULL, 0 }, &region));
}

/* NUL ends nothing, and bytes that are no UTF-8 become U+FFFD. */
static void bytes_of_all_kinds(void **state G_GNUC_UNUSED) {
        static const char text[] = "\0\0start\0[ok\xff] {";
        static const char document[] =
                "\0x\xff{\"a\xff\xc3\":1,\"b\\u0000\\uffff\xef\xb7\x90\":2,\"\xe2\x82\":3}\0";
        g_autoptr(Metrics) none = metrics_of((PayloadBytes){ text, sizeof(text) - 1 });
        g_autoptr(Metrics) some = metrics_of((PayloadBytes){ document, sizeof(document) - 1 });

        assert_int_equal(none->list->len, 0);
        assert_int_equal(some->list->len, 3);
        assert_string_equal(nth(some, 0)->name, "a\ufffd\ufffd");
        assert_string_equal(nth(some, 1)->name, "b\ufffd\ufffd\ufffd");
        assert_string_equal(nth(some, 2)->name, "\ufffd\ufffd");
}

/* ---- what is too much ---- */

static char *many(const char *one, const char *between, unsigned n) {
        GString *text = g_string_new("[");

        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(text, "%s%s", i ? between : "", one);
        g_string_append_c(text, ']');
        return g_string_free(text, FALSE);
}

static void too_many(void **state G_GNUC_UNUSED) {
        g_autofree char *all = many("1", ",", METRICS_MAX), *more = many("1", ",", METRICS_MAX + 1);
        g_autofree char *wrong = many("1", ",", METRICS_MAX + 5), *objects = many("{\"k\":[]}", ",", 100000);
        g_autoptr(Metrics) fit = metrics_of(bytes(all)), cut = metrics_of(bytes(more)), none = NULL,
                           empty = NULL;

        assert_int_equal(fit->list->len, METRICS_MAX);
        assert_false(fit->truncated);
        assert_int_equal(cut->list->len, METRICS_MAX);
        assert_true(cut->truncated);
        assert_string_equal(nth(cut, METRICS_MAX - 1)->name, "9999");
        wrong[strlen(wrong) - 1] = '}'; /* no document, be it after thousands of numbers */
        none = metrics_of(bytes(wrong));
        assert_int_equal(none->list->len, 0);
        assert_false(none->truncated);
        empty = metrics_of(bytes(objects));
        assert_int_equal(empty->list->len, 0);
}

static void check_name_of(size_t length, bool kept) {
        g_autofree char *key = g_strnfill(length, 'k'), *text = g_strdup_printf("{\"%s\":1,\"a\":[2]}", key);
        g_autoptr(Metrics) metrics = metrics_of(bytes(text));

        assert_int_equal(metrics->list->len, kept ? 2 : 1);
        assert_int_equal(metrics->truncated, !kept);
        assert_string_equal(nth(metrics, 0)->name, kept ? key : "a.0");
}

/* Below one long key there would be ten thousand long names. */
static void too_long(void **state G_GNUC_UNUSED) {
        g_autofree char *key = g_strnfill(1 << 20, 'k'), *numbers = many("1", ",", METRICS_MAX);
        g_autofree char *text = g_strdup_printf("{\"%s\":%s,\"n\":5}", key, numbers);
        g_autoptr(Metrics) metrics = metrics_of(bytes(text));

        check_name_of(METRIC_NAME_MAX, true);
        check_name_of(METRIC_NAME_MAX + 1, false);
        check_name_of(METRIC_NAME_MAX * 10, false);
        assert_int_equal(metrics->list->len, 1);
        assert_string_equal(nth(metrics, 0)->name, "n");
        assert_true(metrics->truncated);
}

static void too_large(void **state G_GNUC_UNUSED) {
        g_autofree char *digits = g_strnfill(400, '9'),
                        *text = g_strdup_printf("[1e999,%s,-1e400,7]", digits);
        g_autoptr(Metrics) metrics = metrics_of(bytes(text));

        assert_int_equal(metrics->list->len, 1);
        assert_string_equal(nth(metrics, 0)->name, "3");
        assert_true(metrics->truncated);
}

/* ---- the record ---- */

static JsonObject *round_trip(const Metrics *metrics, guint i, JsonNode **ret) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
        g_autofree char *text = NULL;

        json_node_take_array(node, metrics_to_json(metrics));
        text = json_write(node, false);
        *ret = json_from_string(text, NULL);
        assert_non_null(*ret);
        return json_array_get_object_element(json_node_get_array(*ret), i);
}

static void record(void **state G_GNUC_UNUSED) {
        g_autoptr(Metrics) metrics =
                metrics_of(bytes("[9007199254740993,-9223372036854775808,0.1,18446744073709551615,1."
                                 "7976931348623157e308,5e-324,-0,1e22]"));
        g_autoptr(JsonNode) node = NULL;
        JsonObject *o = round_trip(metrics, 3, &node);
        JsonArray *a = json_node_get_array(node);

#define VALUE(i) json_object_get_member(json_array_get_object_element(a, (i)), "value")
        assert_int_equal(json_node_get_int(VALUE(0)), 9007199254740993);
        assert_int_equal(json_node_get_int(VALUE(1)), INT64_MIN);
        assert_true(json_node_get_double(VALUE(2)) == 0.1);
        assert_true(json_node_get_double(VALUE(4)) == 1.7976931348623157e308);
        assert_true(json_node_get_double(VALUE(5)) == 5e-324);
        assert_true(json_node_get_double(VALUE(7)) == 1e22);
        assert_true(json_node_get_double(VALUE(6)) == 0 && signbit(json_node_get_double(VALUE(6))));
        assert_true(json_node_get_value_type(VALUE(0)) == G_TYPE_INT64);
        assert_true(json_node_get_value_type(VALUE(2)) == G_TYPE_DOUBLE);
#undef VALUE
        assert_true(json_object_get_double_member(o, "value") == 0x1p64);
        assert_string_equal(json_object_get_string_member(o, "value_text"), "18446744073709551615");
        assert_string_equal(json_object_get_string_member(o, "stream"), "stdout");
        assert_string_equal(json_object_get_string_member(o, "name"), "3");
        assert_string_equal(json_object_get_string_member(o, "unit"), "");
        assert_string_equal(json_object_get_string_member(o, "polarity"), "unknown");
        assert_false(json_object_has_member(json_array_get_object_element(a, 0), "value_text"));
        assert_false(json_object_has_member(o, "target"));
}

/* ---- verdicts ---- */

static char *judge_one(CheckKind kind, const char *metric, double low, double high, PayloadOutput output,
                       const char *out) {
        g_autoptr(PayloadDef) def = payload_def_new("p", "p");
        PayloadCheck *check = g_new0(PayloadCheck, 1);
        g_autoptr(Metrics) metrics = NULL;
        g_auto(GStrv) failures = NULL;

        def->output = output;
        *check = (PayloadCheck){ .kind = kind, .low = low, .high = high };
        check->metric = g_strdup(metric);
        check->text = g_strdup("C");
        g_ptr_array_add(def->checks, check);
        metrics = payload_metrics(def, bytes(out), bytes(""));
        failures = payload_judge(def, 0, metrics, bytes(""));
        assert_true(g_strv_length(failures) <= 1);
        return g_strdup(failures[0] ?: "");
}

/* No bound is a rounded one. */
static void exact_bounds(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *value;
                double bound;
                int order; /* of value to bound */
        } cases[] = {
                { "9007199254740993", 0x1p53, 1 },
                { "9007199254740992", 0x1p53, 0 },
                { "-9007199254740993", -0x1p53, -1 },
                { "9223372036854775807", 0x1p63, -1 },
                { "9223372036854775808", 0x1p63, 0 },
                { "9223372036854775809", 0x1p63, 1 },
                { "18446744073709551615", 0x1p64, -1 },
                { "18446744073709551615", 18446744073709549568., 1 },
                { "18446744073709551615", -1, 1 },
                { "18446744073709551615", INFINITY, -1 },
                { "18446744073709551616", 0x1p64, 0 },
                { "-9223372036854775808", -0x1p63, 0 },
                { "-9223372036854775807", -0x1p63, 1 },
                { "-9223372036854775808", -0x1p64, 1 },
                { "0", -INFINITY, 1 },
                { "0", INFINITY, -1 },
                { "0", -0., 0 },
                { "5", 5.5, -1 },
                { "6", 5.5, 1 },
                { "-5", -5.5, 1 },
                { "-6", -5.5, -1 },
                { "0", 0.5, -1 },
                { "0", -0.5, 1 },
                { "5.5", 5.5, 0 },
                { "5.25", 5.5, -1 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                double b = cases[i].bound;
                g_autofree char *low = judge_one(CHECK_MIN, "", b, 0, PAYLOAD_OUTPUT_JSON, cases[i].value);
                g_autofree char *high = judge_one(CHECK_MAX, "", 0, b, PAYLOAD_OUTPUT_JSON, cases[i].value);
                if (!!*low != (cases[i].order < 0) || !!*high != (cases[i].order > 0))
                        fail_msg("case %zu: %s against %.17g: <%s> <%s>", i, cases[i].value, b, low, high);
        }
}

/* What is found is quoted as it was, and what is missing explained. */
static void sentences(void **state G_GNUC_UNUSED) {
        static const struct {
                PayloadOutput output;
                const char *out, *failure;
        } cases[] = {
                { PAYLOAD_OUTPUT_JSON, "{\"iops\":0.1}",
                  "the metric 'iops' is 0.1, which is below the bound of the check 'C'" },
                { PAYLOAD_OUTPUT_JSON, "{\"iops\":1e-300}",
                  "the metric 'iops' is 1e-300, which is below the bound of the check 'C'" },
                { PAYLOAD_OUTPUT_JSON, "{\"iops\":1,\"iops\":6}",
                  "the metric 'iops' is 1, which is below the bound of the check 'C'" },
                { PAYLOAD_OUTPUT_JSON, "{\"iops\":6,\"iops\":1}", "" },
                { PAYLOAD_OUTPUT_JSON, "{\"ipos\":6,\"other\":1}",
                  "no metric 'iops', which the check 'C' needs; did you mean 'ipos'?" },
                { PAYLOAD_OUTPUT_JSON, "{\"IOPS\":6}",
                  "no metric 'iops', which the check 'C' needs; did you mean 'IOPS'?" },
                { PAYLOAD_OUTPUT_JSON, "{\"lat\":6}", "no metric 'iops', which the check 'C' needs" },
                { PAYLOAD_OUTPUT_JSON, "{\"iops\":1e999,\"lat\":6}",
                  "no metric 'iops', which the check 'C' needs; not all numbers of the output became "
                  "metrics" },
                { PAYLOAD_OUTPUT_JSON, "{\"iops\":\"5\"}",
                  "no metric 'iops', which the check 'C' needs; there is no JSON with numbers in the "
                  "output" },
                { PAYLOAD_OUTPUT_EXIT_CODE, "{\"iops\":6}",
                  "no metric 'iops', which the check 'C' needs; with output 'exit-code' there are none, "
                  "'json' reads them" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *got = judge_one(CHECK_MIN, "iops", 5, 0, cases[i].output, cases[i].out);
                assert_string_equal(got, cases[i].failure);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(strictly_json),
                cmocka_unit_test(regions),
                cmocka_unit_test(bytes_of_all_kinds),
                cmocka_unit_test(too_many),
                cmocka_unit_test(too_long),
                cmocka_unit_test(too_large),
                cmocka_unit_test(record),
                cmocka_unit_test(exact_bounds),
                cmocka_unit_test(sentences),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
