/* SPDX-License-Identifier: GPL-2.0-only */

/* Strict JSON: every laxity of json-glib that would silently mean something else is an error that says where.
 */

#include "conformance/conf-topology.h"
#include "model/json-text.h"

#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct {
        const char *text;
        size_t size;
        const char *same; /* as json-glib writes it */
} GOOD[] = {
        { TEXT("{}"), "{}" },
        { TEXT(" \t\r\n[ ]\n"), "[]" },
        { TEXT("7"), "7" },
        { TEXT("\"x\""), "\"x\"" },
        { TEXT("[true,false,null]"), "[true,false,null]" },
        { TEXT("{\"a\":[1,{\"b\":[]}]}"), "{\"a\":[1,{\"b\":[]}]}" },
        { TEXT("[0,-0,-1,10]"), "[0,0,-1,10]" },
        { TEXT("[0.5,1.5e3,1E+2,2e-1,0e1]"), "[0.5,1500.0,100.0,0.20000000000000001,0.0]" },
        { TEXT("[9223372036854775807,-9223372036854775808]"), "[9223372036854775807,-9223372036854775808]" },
        { TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), "[\"\\\"\\\\/\\b\\f\\n\\r\\t\"]" },
        { TEXT("[\"\\u00e9\\ud83d\\ude00\"]"), "[\"\xc3\xa9\xf0\x9f\x98\x80\"]" },
        { TEXT("[\"\xc3\xa9\"]"), "[\"\xc3\xa9\"]" },
        { TEXT("{\"\":1}"), "{\"\":1}" },
        /* the same key in different objects is fine */
        { TEXT("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}"),
          "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}" },
        { TEXT("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]" }, /* 16 levels */
};

static void accepted(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(GOOD); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(JsonNode) node = json_text_parse(GOOD[i].text, GOOD[i].size, &error);
                if (!node)
                        fail_msg("%s: %s", GOOD[i].text, error->message);
                g_autofree char *text = json_to_string(node, FALSE);
                assert_string_equal(text, GOOD[i].same);
        }
}

#define AT(line, column, text) "JSON document, line " #line ", column " #column ": " text
#define NONCHARACTER           "a Unicode noncharacter, which D-Bus does not carry"

/* Faults of the text; the message is exact. */
static const struct {
        const char *text;
        size_t size;
        const char *message;
} MALFORMED[] = {
        { TEXT(""), AT(1, 1, "empty document") },
        { TEXT(" \n"), AT(2, 1, "empty document") },
        /* comments */
        { TEXT("[1] // one"), AT(1, 5, "something follows the end of the document") },
        { TEXT("[1, /* two */ 2]"), AT(1, 5, "unexpected character") },
        { TEXT("{\n  # hash\n}"), AT(2, 3, "unexpected character") },
        /* numbers */
        { TEXT("[010]"), AT(1, 2, "number with leading zeros") },
        { TEXT("[-00.5]"), AT(1, 2, "number with leading zeros") },
        { TEXT("[0x10]"), AT(1, 2, "malformed number (write 256M and the like as text, in quotes)") },
        { TEXT("[256M]"), AT(1, 2, "malformed number (write 256M and the like as text, in quotes)") },
        { TEXT("[1.2.3]"), AT(1, 2, "malformed number (write 256M and the like as text, in quotes)") },
        { TEXT("[1.]"), AT(1, 2, "number without digits after the point") },
        { TEXT("[1e]"), AT(1, 2, "number without digits in its exponent") },
        { TEXT("[1e+]"), AT(1, 2, "number without digits in its exponent") },
        { TEXT("[.5]"), AT(1, 2, "unexpected character") },
        { TEXT("[+5]"), AT(1, 2, "unexpected character") },
        { TEXT("[-]"), AT(1, 2, "'-' without a number") },
        { TEXT("[- 1]"), AT(1, 2, "'-' without a number") },
        { TEXT("[NaN]"), AT(1, 2, "unexpected character") },
        { TEXT("[Infinity]"), AT(1, 2, "unexpected character") },
        { TEXT("[9223372036854775808]"),
          AT(1, 2, "integer that does not fit 64 bits with sign; write it as text, in quotes") },
        { TEXT("[\n\n  -9223372036854775809]"),
          AT(3, 3, "integer that does not fit 64 bits with sign; write it as text, in quotes") },
        /* text */
        { TEXT("['a']"), AT(1, 2, "unexpected character") },
        { TEXT("{a:1}"), AT(1, 2, "unexpected character") },
        { TEXT("[\"a"), AT(1, 4, "text without a closing quote") },
        { TEXT("[\"a\nb\"]"), AT(1, 4, "control character in text; write it as an escape") },
        { TEXT("[\"a\0b\"]"), AT(1, 4, "control character in text; write it as an escape") },
        { TEXT("[\"\\u0000\"]"), AT(1, 9, "text must not contain NUL (\\u0000)") },
        { TEXT("[\"\\x41\"]"), AT(1, 4, "unknown escape sequence") },
        { TEXT("[\"\\\0\"]"), AT(1, 4, "unknown escape sequence") },
        { TEXT("[\"\\"), AT(1, 4, "unknown escape sequence") },
        { TEXT("[\"\\u12"), AT(1, 7, "\\u needs four hexadecimal digits") },
        { TEXT("[\"\\u12g4\"]"), AT(1, 7, "\\u needs four hexadecimal digits") },
        { TEXT("[\"\\ud800\"]"), AT(1, 9, "half of a surrogate pair") },
        { TEXT("[\"\\ud800x\"]"), AT(1, 9, "half of a surrogate pair") },
        { TEXT("[\"\\ud800\\n\"]"), AT(1, 9, "half of a surrogate pair") },
        { TEXT("[\"\\ud800\\u0041\"]"), AT(1, 15, "half of a surrogate pair") },
        { TEXT("[\"\\ude00\\ud83d\"]"), AT(1, 9, "half of a surrogate pair") },
        { TEXT("[\"\xff\"]"), AT(1, 3, "text that is not UTF-8") },
        { TEXT("[\"\xc3\"]"), AT(1, 3, "text that is not UTF-8") },
        /* noncharacters: sd-bus could not send a message that quotes them */
        { TEXT("[\"\\ufffe\"]"), AT(1, 9, NONCHARACTER) },
        { TEXT("[\"\\ufdd0\"]"), AT(1, 9, NONCHARACTER) },
        { TEXT("[\"\\ufdef\"]"), AT(1, 9, NONCHARACTER) },
        { TEXT("[\"\\udbff\\udfff\"]"), AT(1, 15, NONCHARACTER) },
        { TEXT("[\"\xef\xbf\xbf\"]"), AT(1, 3, NONCHARACTER) },
        /* words */
        { TEXT("[TRUE]"), AT(1, 2, "unexpected character") },
        { TEXT("[nul]"), AT(1, 2, "unexpected character") },
        { TEXT("var a = {}"), AT(1, 1, "unexpected character") },
        { TEXT("\xef\xbb\xbf{}"), AT(1, 1, "unexpected character") },
        { TEXT("[\v1]"), AT(1, 2, "unexpected character") },
        /* one document */
        { TEXT("{}{}"), AT(1, 3, "something follows the end of the document") },
        { TEXT("{} 1"), AT(1, 4, "something follows the end of the document") },
        { TEXT("[],"), AT(1, 3, "something follows the end of the document") },
        { TEXT("1 2"), AT(1, 3, "something follows the end of the document") },
        { TEXT("[1]\0"), AT(1, 4, "something follows the end of the document") },
        { TEXT("[1]]"), AT(1, 4, "something follows the end of the document") },
        { TEXT("]"), AT(1, 1, "closing bracket without an opening one") },
        { TEXT("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), AT(1, 17, "nested too deeply") },
        { TEXT("[[[[[[[[{\"a\":[[[[[[[[["), AT(1, 21, "nested too deeply") },
        /* twice the same key, at any depth, however it is spelled */
        { TEXT("{\"a\":1,\"a\":1}"),
          "JSON document: the key 'a' stands twice in one object; remove one of them" },
        { TEXT("{\"x\":[{\"deep\":{\"b\":1,\"c\":2,\"b\":3}}]}"),
          "JSON document: the key 'b' stands twice in one object; remove one of them" },
        { TEXT("{\"a\":1,\"\\u0061\":2}"),
          "JSON document: the key 'a' stands twice in one object; remove one of them" },
        { TEXT("{\"a\":{\"x\":1},\"a\":{\"x\":2}}"),
          "JSON document: the key 'a' stands twice in one object; remove one of them" },
};

static void refused(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(MALFORMED); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(JsonNode) node = json_text_parse(MALFORMED[i].text, MALFORMED[i].size, &error);
                if (node || !error)
                        fail_msg("accepted: %s", MALFORMED[i].text);
                assert_true(g_error_matches(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION));
                assert_string_equal(error->message, MALFORMED[i].message);
        }
}

/* Faults of the structure: json-glib words these, and tells the place. */
static void misplaced(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text;
                size_t size;
        } cases[] = {
                { TEXT("[1,]") },
                { TEXT("{\"a\":1,}") },
                { TEXT("[,1]") },
                { TEXT("[1,,2]") },
                { TEXT("{,}") },
                { TEXT("[1 2]") },
                { TEXT("{\"a\" 1}") },
                { TEXT("{\"a\"}") },
                { TEXT("{\"a\":}") },
                { TEXT("{1:2}") },
                { TEXT("[\"a\":1]") },
                { TEXT("[}") },
                { TEXT("{]") },
                { TEXT("[1") },
                { TEXT("{\"a\":1") },
                { TEXT("{\"a\":1:2}") },
                { TEXT("[truefalse]") },
                { TEXT("[\"a\"\"b\"]") },
                { TEXT("[1\"a\"]") },
                { TEXT("[1-2]") },
                { TEXT(":") },
                { TEXT(",") },
                { TEXT("{\"a\":1 \"b\":2}") },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(JsonNode) node = json_text_parse(cases[i].text, cases[i].size, &error);
                if (node || !error)
                        fail_msg("accepted: %s", cases[i].text);
                assert_invalid(error, "JSON document: ");
        }
}

/* What a message quotes of the text is text again, wherever it was cut; sd-bus would not send it otherwise.
 */
static void quotes_are_text(void **state G_GNUC_UNUSED) {
        for (unsigned length = 0; length < 200; length++) {
                g_autofree char *ascii = g_strnfill(length, 'x');
                g_autofree char *document =
                        g_strdup_printf("{\"%s\u0444\u0444\": \"%s\u0444\u0444\": 1}", ascii, ascii);
                g_autoptr(GError) error = NULL;
                g_autoptr(JsonNode) node = json_text_parse(document, strlen(document), &error);
                assert_null(node);
                assert_true(g_utf8_validate(error->message, -1, NULL));
        }
}

/* The size counts, not a NUL behind the text. */
static void size_counts(void **state G_GNUC_UNUSED) {
        g_autofree char *exact = g_memdup2("[12]junk", 4);
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_text_parse(exact, 4, &error);

        assert_non_null(node);
        assert_int_equal(json_array_get_int_element(json_node_get_array(node), 0), 12);
        assert_null(json_text_parse(exact, 3, &error));
        assert_invalid(error, "JSON document: ");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(accepted),        cmocka_unit_test(refused),     cmocka_unit_test(misplaced),
                cmocka_unit_test(quotes_are_text), cmocka_unit_test(size_counts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
