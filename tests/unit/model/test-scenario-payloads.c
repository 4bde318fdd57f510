/* SPDX-License-Identifier: GPL-2.0-only */

/* What the books keep of payloads. */

#include "conformance/conf-topology.h"
#include "model/scenario.h"

static PayloadState *add(Scenario *s, const char *name, const char *cgroup, Slot slot) {
        PayloadDef *def = payload_def_new(name, name);
        PayloadState *p = payload_state_new(s->next_payload_id++, def, cgroup);

        payload_def_unref(def);
        p->slot = slot;
        g_ptr_array_add(s->payloads, p);
        return p;
}

static void directories(void **state G_GNUC_UNUSED) {
        g_autoptr(Scenario) s = scenario_new("s");
        const PayloadState *placed = add(s, "fio", "a/b", SLOT_STEP), *alone = add(s, "fio", "", SLOT_STEP);

        assert_int_equal(placed->id, 1);
        assert_string_equal(placed->directory, "a/b");
        assert_false(payload_state_is_alone(placed));
        assert_int_equal(alone->id, 2);
        assert_string_equal(alone->directory, "@payload-2");
        assert_true(payload_state_is_alone(alone));
}

/* The definition lives as long as what runs by it. */
static void arguments(void **state G_GNUC_UNUSED) {
        static const char *const own[] = { "--rw", "read", NULL }, *const more[] = { "--bs=4k", "", NULL };
        PayloadDef *def = payload_def_new("fio", "/usr/bin/fio");
        g_autoptr(PayloadState) p = payload_state_new(1, def, "");
        g_auto(GStrv) bare = payload_state_argv(p), argv = NULL;

        assert_int_equal(g_strv_length(bare), 1);
        assert_string_equal(bare[0], "/usr/bin/fio");
        g_strfreev(def->args);
        def->args = g_strdupv((char **)own);
        payload_def_unref(def);
        g_strfreev(p->args);
        p->args = g_strdupv((char **)more);
        argv = payload_state_argv(p);
        assert_int_equal(g_strv_length(argv), 5);
        assert_string_equal(argv[0], "/usr/bin/fio");
        assert_string_equal(argv[1], "--rw");
        assert_string_equal(argv[2], "read");
        assert_string_equal(argv[3], "--bs=4k");
        assert_string_equal(argv[4], "");
}

static void found_again(void **state G_GNUC_UNUSED) {
        g_autoptr(Scenario) s = scenario_new("s");
        PayloadState *placed = add(s, "fio", "a", SLOT_BACKDROP), *alone = add(s, "fio", "", SLOT_STEP);

        assert_ptr_equal(scenario_find_payload(s, 1), placed);
        assert_ptr_equal(scenario_find_payload(s, 2), alone);
        assert_null(scenario_find_payload(s, 3));
        assert_ptr_equal(scenario_payload_at(s, "fio", "a"), placed);
        assert_ptr_equal(scenario_payload_at(s, "fio", ""), alone);
        assert_null(scenario_payload_at(s, "fio", "b"));
        assert_null(scenario_payload_at(s, "fi", "a"));
}

static void texts(void **state G_GNUC_UNUSED) {
        g_autoptr(Scenario) s = scenario_new("s");
        PayloadState *p = add(s, "fio", "a", SLOT_STEP);
        g_autofree char *of_definition = payload_origin_text(p), *of_call = NULL;
        g_autofree char *in_a = payload_place_text("a"), *nowhere = payload_place_text("");

        p->origin = PAYLOAD_OF_CALL;
        of_call = payload_origin_text(p);
        assert_string_equal(of_definition, "the definition of cgroup 'a'");
        assert_string_equal(of_call, "RunPayload");
        assert_string_equal(in_a, "in cgroup 'a'");
        assert_string_equal(nowhere, "(no cgroup)");
}

/* A payload needs its executor until its end, when it has exited, too; a record needs none, and outlives it.
 */
static void emptiness(void **state G_GNUC_UNUSED) {
        g_autoptr(Scenario) s = scenario_new("s");

        assert_true(scenario_is_empty(s));
        assert_int_equal(scenario_live_payloads(s), 0);
        scenario_add_record(s, SLOT_BACKDROP, json_object_new());
        assert_true(scenario_is_empty(s));
        assert_int_equal(((PayloadRecord *)s->records->pdata[0])->slot, SLOT_BACKDROP);
        add(s, "fio", "", SLOT_STEP)->exit = g_new0(WirePayloadExit, 1);
        assert_false(scenario_is_empty(s));
        assert_int_equal(scenario_live_payloads(s), 0);
        add(s, "fio", "a", SLOT_STEP);
        assert_int_equal(scenario_live_payloads(s), 1);
        scenario_clear(s);
        assert_true(scenario_is_empty(s));
        assert_int_equal(s->records->len, 1);
        assert_int_equal(s->next_payload_id, 3); /* ids go on */
}

static void address(Scenario *s, const char *cgroup, const char *verb, GError **error) {
        PayloadAddress meant = { .name = (char *)"fio", .cgroup = (char *)cgroup };

        assert_null(scenario_address_payload(s, &meant, verb, error));
}

/* The whole of it, once: the other tests look at parts. */
static void sentences(void **state G_GNUC_UNUSED) {
        g_autoptr(Scenario) s = scenario_new("s");
        g_autoptr(GError) none = NULL, other = NULL, two = NULL;

        address(s, NULL, "GetPayloadOutput", &none);
        assert_string_equal(
                none->message,
                "GetPayloadOutput: the scenario has no payload 'fio'; start it with RunPayload, or "
                "as `payload` of the definition of its cgroup, before asking for its output");
        add(s, "fio", "", SLOT_BACKDROP);
        address(s, "b", "WaitPayload", &other);
        assert_string_equal(
                other->message,
                "WaitPayload: the scenario has no payload 'fio' in cgroup 'b'; those of that "
                "name: (no cgroup); start it with RunPayload, or as `payload` of the definition of "
                "its cgroup, before waiting");
        add(s, "fio", "a", SLOT_STEP);
        address(s, NULL, "KillPayload", &two);
        assert_string_equal(
                two->message,
                "KillPayload: 2 payloads are named 'fio': 'a', (no cgroup); say before killing "
                "which one, as in KillPayload \"fio\" {\"cgroup\": \"a\"}, or --cgroup a of ktctl");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(directories), cmocka_unit_test(arguments), cmocka_unit_test(found_again),
                cmocka_unit_test(texts),       cmocka_unit_test(emptiness), cmocka_unit_test(sentences),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
