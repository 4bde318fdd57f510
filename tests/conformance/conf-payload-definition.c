/* SPDX-License-Identifier: GPL-2.0-only */

/* What is asked for when a payload is: definitions, requests, and flags that a call may add. */

#include "model/decode-payload.h"
#include "model/json-text.h"
#include "model/payload-text.h"
#include "plan-fixture.h"

static CgroupDef *definition(const char *text, GError **error) {
        g_autoptr(JsonNode) node = json_quoted(text);

        return decode_definition(node, "cgroups[0]", error);
}

/* ops:I27: a payload is a program: there is no other kind of one to be had, by any key */
static void payload_of_a_definition(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgroupDef) none = definition("{'name':'a'}", &error);
        g_autoptr(CgroupDef) named = definition("{'payload':'fio','name':'a'}", &error);
        g_autoptr(CgroupDef) given = definition("{'name':'a','payload':{'name':'n','exec':'sh'}}", &error);

        assert_null(none->payload);
        assert_string_equal(named->payload->name, "fio");
        assert_null(named->payload->def);
        assert_null(given->payload->name);
        assert_string_equal(given->payload->def->name, "n");
        assert_string_equal(given->payload->def->exec, "sh");
        assert_null(definition("{'name':'a','payload':{'name':'n','kind':'scheduler','exec':'sh'}}", &error));
        assert_invalid(error, "cgroups[0].payload: cgroup 'a': unknown key 'kind'; known keys: name, exec, ");
        assert_null(definition("{'name':'a','payload':{'name':'n','scheduler':'scx'}}", &error));
        assert_invalid(error, "cgroups[0].payload: cgroup 'a': unknown key 'scheduler'; known keys: ");
}

static PayloadRequest *request(const char *text, GError **error) {
        g_autoptr(JsonNode) node = json_quoted(text);

        return decode_payload_request(node, error);
}

/* ops:A7 ops:A8 */
static void requests(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadRequest) plain = request("{'payload':'p','args':['x']}", NULL);
        g_autoptr(PayloadRequest) placed = request("{'payload':'p','cgroup':'c'}", NULL);

        assert_string_equal(plain->choice->name, "p");
        assert_string_equal(plain->args[0], "x");
        assert_null(plain->args[1]);
        assert_null(plain->cgroup);
        assert_string_equal(placed->cgroup, "c");
}

/* res:R115: one spelling for each cgroup, so "/workload" is none for "workload"; text has no NUL. Every
 * message says where it stood. */
static void cgroup_of_a_request(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *cgroup, *fragment;
        } refused[] = {
                { "/workload", "starts with '/'; names are relative to the scenario, leave it out" },
                { "../escape", "'..' component" },
                { "a/../b", "'..' component" },
                { "/", "starts with '/'" },
                { "", "is empty" },
        };
        static const char with_nul[] = "{\"payload\":\"p\",\"cgroup\":\"a\\u0000b\"}";
        g_autoptr(PayloadRequest) good = request("{'payload':'p','cgroup':'workload'}", NULL);
        g_autoptr(PayloadRequest) none = request("{'payload':'p'}", NULL);
        g_autoptr(GError) error = NULL;

        assert_string_equal(good->cgroup, "workload");
        assert_null(none->cgroup);
        for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autofree char *text = g_strdup_printf("{'payload':'p','cgroup':'%s'}", refused[i].cgroup);
                g_autofree char *shown =
                        g_strdup_printf("request.cgroup: cgroup name '%s' ", refused[i].cgroup);
                assert_null(request(text, &error));
                assert_invalid(error, shown, refused[i].fragment);
        }
        assert_null(json_text_parse(with_nul, strlen(with_nul), &error));
        assert_invalid(error, "NUL");
}

/* ---- flags ---- */

static bool flags_pass(const char *known, const char *args, GError **error) {
        g_autofree char *list = known ? g_strdup_printf(",'known_flags':%s", known) : g_strdup("");
        g_autofree char *text = g_strdup_printf(
                "{'payload':{'name':'p','exec':'sh','args':['--own']%s},'args':%s}", list, args);
        g_autoptr(PayloadRequest) r = request(text, error);

        assert_non_null(r);
        return payload_check_flags(r->choice->def, r->args, error);
}

/* ops:O19 ops:O20 ops:O21 */
static void flags_that_pass(void **state G_GNUC_UNUSED) {
        static const char *const args[] = {
                "[]",
                "['--x','--long-one']",
                "['--x=v','--x=','--long-one=--x']",
                "['positional','x','-s','-','--','--=v','']",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(args); i++) {
                g_autoptr(GError) error = NULL;
                if (!flags_pass("['x','long-one']", args[i], &error))
                        fail_msg("%s: %s", args[i], error->message);
        }
}

/* ops:O22 ops:O23: flag, payload and list are named, and of two flags the first alone */
static void unknown_flags(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;

        assert_false(flags_pass("['x','long-one']", "['--x','--first=1','a','--second']", &error));
        assert_null(strstr(error->message, "second"));
        assert_invalid(error, "the payload 'p' ", "'--first'", "known_flags are x, long-one");
}

/* ops:O24 */
static void no_list_of_flags(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;

        assert_true(flags_pass(NULL, "['--any','--thing=1','-x','--']", &error));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(payload_of_a_definition), cmocka_unit_test(requests),
                cmocka_unit_test(cgroup_of_a_request),     cmocka_unit_test(flags_that_pass),
                cmocka_unit_test(unknown_flags),           cmocka_unit_test(no_list_of_flags),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
