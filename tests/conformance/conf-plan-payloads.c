/* SPDX-License-Identifier: GPL-2.0-only */

/* Payloads: what may be started where, which one is meant, and what is planned for it. */

#include "model/decode-payload.h"
#include "plan-fixture.h"

static const PlanPayload *planned_payload(const Desk *d, guint index) {
        assert_true(index < d->plan->payloads->len);
        return d->plan->payloads->pdata[index];
}

/* The request for the step is planned as exactly these actions. */
#define assert_run(desk, request, expected)                                                                  \
        do {                                                                                                 \
                desk_must_run((desk), SLOT_STEP, (request), __LINE__);                                       \
                g_autofree char *got_ = desk_actions(desk);                                                  \
                check_text(got_, (expected), __LINE__);                                                      \
        } while (0)

static void set_args(PayloadDef *def, const char *words) {
        g_strfreev(def->args);
        def->args = g_strsplit(words, " ", -1);
}

/* ---- what is asked for ---- */

/* ops:A7: arguments are kept, after those of the definition; no cgroup is none */
static void arguments(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        set_args(desk_defines(d, "fio", "/usr/bin/fio"), "--rw read");
        desk_must_run(d, SLOT_STEP, "{'payload':'fio','args':['x']}", __LINE__);
        assert_string_equal(d->request->choice->name, "fio");
        assert_int_equal(g_strv_length(d->request->args), 1);
        assert_string_equal(d->request->args[0], "x");
        assert_null(d->request->cgroup);
        assert_string_equal(planned_payload(d, 0)->state->args[0], "x");
        assert_string_equal(planned_payload(d, 0)->state->cgroup, "");
        assert_actions(d, "payload", "payload @payload-1 fio#1: /usr/bin/fio --rw read x\n");
        desk_must_run(d, SLOT_STEP, "{'payload':'fio'}", __LINE__);
        assert_int_equal(g_strv_length(planned_payload(d, 0)->state->args), 0);
        assert_actions(d, "payload", "payload @payload-1 fio#1: /usr/bin/fio --rw read\n");
}

/* ops:A8. The name of the cgroup as it was given, and nothing else is touched. */
static void in_a_cgroup(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_STEP, "[{'name':'c'},{'name':'a/b.1'}]");
        assert_run(d, "{'payload':'fio','cgroup':'c'}", "payload c fio#1: fio\n");
        assert_string_equal(d->request->cgroup, "c");
        assert_string_equal(planned_payload(d, 0)->state->cgroup, "c");
        assert_run(d, "{'payload':'fio','cgroup':'a/b.1'}", "payload a/b.1 fio#1: fio\n");
        assert_int_equal(planned_payload(d, 0)->state->origin, PAYLOAD_OF_CALL);
}

/* One of its own, which is not one of the scenario's: all that the payload leaves behind can be found. */
static void without_a_cgroup(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        assert_run(d, "{'payload':'fio'}", "mkdir @payload-1\npayload @payload-1 fio#1: fio\n");
        assert_int_equal(d->plan->cgroups->len, 0);
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        assert_run(d, "{'payload':{'name':'two','exec':'/bin/two'}}",
                   "mkdir @payload-2\npayload @payload-2 two#2: /bin/two\n");
        assert_false(scenario_is_empty(d->scenario));
}

/* Ids are of one life, as those of worker groups. */
static void ids_go_on(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        scenario_clear(d->scenario);
        assert_run(d, "{'payload':'fio'}", "mkdir @payload-2\npayload @payload-2 fio#2: fio\n");
}

/* A payload of the backdrop stays; what is started by a step ends with it, wherever it lives. */
static void slots(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_BACKDROP, "[{'name':'back'}]");
        desk_has(d, SLOT_STEP, "[{'name':'step'}]");
        desk_must_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'back'}", __LINE__);
        assert_int_equal(planned_payload(d, 0)->state->slot, SLOT_STEP);
        desk_must_run(d, SLOT_BACKDROP, "{'payload':'fio','cgroup':'back'}", __LINE__);
        assert_int_equal(planned_payload(d, 0)->state->slot, SLOT_BACKDROP);
        desk_must_run(d, SLOT_BACKDROP, "{'payload':'fio'}", __LINE__);
        assert_not_run(d, SLOT_BACKDROP, "{'payload':'fio','cgroup':'step'}", KT_ERROR_INVALID_DEFINITION,
                       "cgroup: 'step' goes at the end of the step", "target step");
}

/* The executor of a scenario that had nothing left is new: it is told that there was a step before. */
static void after_a_step(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        d->scenario->step_index = 1;
        assert_run(d, "{'payload':'fio'}",
                   "phase between\nmkdir @payload-1\npayload @payload-1 fio#1: fio\n");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        assert_run(d, "{'payload':{'name':'two','exec':'two'}}",
                   "mkdir @payload-2\npayload @payload-2 two#2: two\n");
        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "");
        desk_must_plan(d, SLOT_STEP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "phase 2\n");
}

/* ---- refused ---- */

/* Decision 10. */
static void unknown_names(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        payload_set_add(d->payloads, "/p/torn.payload", "torn", NULL, "no Exec");
        assert_not_run(d, SLOT_STEP, "{'payload':'fioo'}", KT_ERROR_NO_SUCH_PAYLOAD,
                       "payload: unknown payload 'fioo'", "did you mean 'fio'?");
        assert_not_run(d, SLOT_STEP, "{'payload':'torn'}", KT_ERROR_NO_SUCH_PAYLOAD,
                       "payload: ", "/p/torn.payload", "no Exec");
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'web'}", KT_ERROR_NO_SUCH_CGROUP,
                       "cgroup: unknown cgroup 'web'", "the scenario has none", "leave `cgroup` out");
        desk_has(d, SLOT_STEP, "[{'name':'web-1'},{'name':'p/q'}]");
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'web-2'}", KT_ERROR_NO_SUCH_CGROUP,
                       "cgroup: unknown cgroup 'web-2'", "did you mean 'web-1'?", "web-1, p/q");
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'p'}", KT_ERROR_INVALID_DEFINITION,
                       "cgroup: 'p' is there only as the parent", "no internal processes");
        assert_not_run(d, SLOT_STEP, "{'payload':{'name':'x','exec':'x','user':'nobdy'}}",
                       KT_ERROR_INVALID_DEFINITION, "payload: payload 'x': user: unknown user 'nobdy'");
}

/* A message is no place for a long list. */
static void many_cgroups(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        for (unsigned i = 0; i < 20; i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'cell-%02u'}]", i);
                desk_has(d, SLOT_STEP, list);
        }
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'web'}", KT_ERROR_NO_SUCH_CGROUP, "cell-00",
                       "cell-19");
        desk_has(d, SLOT_STEP, "[{'name':'cell-20'}]");
        desk_must_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'cell-2O'}", __LINE__);
        assert_null(strstr(d->error->message, "cell-05"));
        assert_refused(d->error, KT_ERROR_NO_SUCH_CGROUP, "did you mean 'cell-20'? The scenario has 21; ");
}

/* The flags of the call, the cgroup, the name, how many there are, the user. */
static void what_is_said_first(void **state G_GNUC_UNUSED) {
        static const char *const flags[] = { "rw", NULL };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        PayloadDef *fio = desk_defines(d, "fio", "fio");

        desk_has(d, SLOT_STEP, "[{'name':'a'},{'name':'b'}]");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio','cgroup':'a'}");
        fio->known_flags = g_strdupv((char **)flags);
        fio->user = g_strdup("nobdy");
        d->context.limits.max_payloads = 1;
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','args':['--rw','--bs'],'cgroup':'none'}",
                       KT_ERROR_INVALID_DEFINITION, "args: ", "fio", "--bs");
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','args':['--rw=x'],'cgroup':'none'}",
                       KT_ERROR_NO_SUCH_CGROUP, "'none'");
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'a'}", KT_ERROR_PAYLOAD_EXISTS, "'a'");
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'b'}", KT_ERROR_LIMIT_EXCEEDED,
                       "payload: the scenario would have 2 payloads", "MaxPayloads", "allows 1");
        d->context.limits.max_payloads = 2;
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'b'}", KT_ERROR_INVALID_DEFINITION,
                       "payload: payload 'fio': user: unknown user 'nobdy'");
        g_free(fio->user);
        fio->user = g_strdup("nobody");
        desk_must_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'b'}", __LINE__);
}

/* ---- one of a name in a cgroup ---- */

/* ops:O8 ops:O9 ops:O10 res:R143 */
static void duplicates(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        desk_must_not_run(d, SLOT_STEP, "{'payload':'fio'}", __LINE__);
        assert_null(strstr(d->error->message, "''"));
        assert_refused(d->error, KT_ERROR_PAYLOAD_EXISTS, "payload: payload 'fio' (no cgroup)",
                       "started by RunPayload", "running already", "WaitPayload", "KillPayload");
        assert_int_equal(d->scenario->payloads->len, 1);

        desk_has(d, SLOT_BACKDROP, "[{'name':'a','payload':'fio'},{'name':'b'}]");
        assert_int_equal(d->scenario->payloads->len, 2);
        assert_not_run(d, SLOT_STEP, "{'payload':'fio','cgroup':'a'}", KT_ERROR_PAYLOAD_EXISTS,
                       "payload 'fio' in cgroup 'a'", "started by the definition of cgroup 'a'",
                       "running already");
        assert_int_equal(d->scenario->payloads->len, 2);
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio','cgroup':'b'}");
        assert_int_equal(d->scenario->payloads->len, 3);
        assert_not_run(d, SLOT_BACKDROP, "{'payload':'fio','cgroup':'b'}", KT_ERROR_PAYLOAD_EXISTS,
                       "payload 'fio' in cgroup 'b'", "started by RunPayload");
        desk_must_run(d, SLOT_STEP, "{'payload':{'name':'other','exec':'fio'},'cgroup':'b'}", __LINE__);
}

/* Decision 15. It is there until somebody asks for its result, and the message says that it has exited. */
static void exited(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        PayloadState *there;

        desk_defines(d, "fio", "fio");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        there = d->scenario->payloads->pdata[0];
        there->exit = g_new0(WirePayloadExit, 1);
        assert_not_run(d, SLOT_STEP, "{'payload':'fio'}", KT_ERROR_PAYLOAD_EXISTS,
                       "payload 'fio' (no cgroup)", "has exited", "nobody has asked for its result");
        assert_true(scenario_address_payload(d->scenario, &(PayloadAddress){ .name = (char *)"fio" },
                                             "WaitPayload", NULL) == there);
}

/* ---- which one is meant ---- */

/* What the call's options make of the name. */
static PayloadState *address(Desk *d, const char *name, const char *options, const char *verb) {
        g_autoptr(JsonNode) node = json_quoted(options);
        g_auto(PayloadOptions) decoded = { 0 };
        PayloadAddress meant = { .name = (char *)name };

        g_clear_error(&d->error);
        if (g_str_equal(verb, "WaitPayload") ? !decode_wait_options(node, &decoded, &d->error)
                                             : !decode_address_options(node, &decoded, &d->error))
                fail_msg("%s: %s", options, d->error->message);
        meant.cgroup = decoded.cgroup;
        return scenario_address_payload(d->scenario, &meant, verb, &d->error);
}

static const char *const VERBS[] = { "WaitPayload", "KillPayload" };

/* ops:A9: by name no cgroup is meant; by name in a cgroup both are */
static void options(void **state G_GNUC_UNUSED) {
        g_auto(PayloadOptions) wait = { 0 }, kill = { 0 }, bare_wait = { 0 }, bare_kill = { 0 };
        g_autoptr(JsonNode) in_c = json_quoted("{'cgroup':'c'}"), none = json_quoted("{}");

        assert_true(decode_wait_options(in_c, &wait, NULL));
        assert_string_equal(wait.cgroup, "c");
        assert_true(decode_address_options(in_c, &kill, NULL));
        assert_string_equal(kill.cgroup, "c");
        assert_true(decode_wait_options(none, &bare_wait, NULL));
        assert_null(bare_wait.cgroup);
        assert_true(decode_address_options(none, &bare_kill, NULL));
        assert_null(bare_kill.cgroup);
}

/* ops:O5 ops:O6 */
static void nobody_there(void **state G_GNUC_UNUSED) {
        static const char *const before[] = { "before waiting", "before killing" };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_STEP, "[{'name':'a','payload':'fio'}]");
        for (size_t i = 0; i < G_N_ELEMENTS(VERBS); i++) {
                assert_null(address(d, "ghost", "{}", VERBS[i]));
                assert_null(strstr(d->error->message, "did you mean"));
                assert_null(strstr(d->error->message, before[1 - i]));
                assert_refused(d->error, KT_ERROR_NO_SUCH_PAYLOAD, VERBS[i], "no payload 'ghost'",
                               "RunPayload", before[i]);
                assert_null(address(d, "fi0", "{}", VERBS[i]));
                assert_refused(d->error, KT_ERROR_NO_SUCH_PAYLOAD, "no payload 'fi0'; did you mean 'fio'?",
                               before[i]);
                assert_null(address(d, "ghost", "{'cgroup':'a'}", VERBS[i]));
                assert_refused(d->error, KT_ERROR_NO_SUCH_PAYLOAD, "no payload 'ghost' in cgroup 'a'",
                               before[i]);
                assert_null(address(d, "fio", "{'cgroup':''}", VERBS[i]));
                assert_null(strstr(d->error->message, "''"));
                assert_refused(d->error, KT_ERROR_NO_SUCH_PAYLOAD,
                               "no payload 'fio' (no cgroup); those of that name: 'a'", before[i]);
        }
}

/* ops:O13: a single one is found by its name wherever it is, of the step or of the backdrop */
static void the_only_one(void **state G_GNUC_UNUSED) {
        static const Slot slots_[] = { SLOT_STEP, SLOT_BACKDROP };

        for (size_t i = 0; i < G_N_ELEMENTS(slots_); i++) {
                g_autoptr(Desk) d = desk_new(ONE_LLC_4);

                desk_defines(d, "fio", "fio");
                desk_defines(d, "two", "two");
                desk_has(d, slots_[i], "[{'name':'a','payload':'fio'}]");
                desk_has_payload(d, slots_[i], "{'payload':'two'}");
                for (size_t v = 0; v < G_N_ELEMENTS(VERBS); v++) {
                        assert_true(address(d, "fio", "{}", VERBS[v]) == d->scenario->payloads->pdata[0]);
                        assert_true(address(d, "two", "{}", VERBS[v]) == d->scenario->payloads->pdata[1]);
                }
        }
}

/* ops:O12 ops:O14 res:R144 */
static void several(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_BACKDROP, "[{'name':'a','payload':'fio'},{'name':'b','payload':'fio'}]");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        for (size_t i = 0; i < G_N_ELEMENTS(VERBS); i++) {
                g_autofree char *qualified = g_strdup_printf("%s \"fio\" {\"cgroup\": \"a\"}", VERBS[i]);

                assert_null(address(d, "fio", "{}", VERBS[i]));
                assert_null(strstr(d->error->message, VERBS[1 - i]));
                assert_null(strstr(d->error->message, "\"\""));
                assert_refused(d->error, KT_ERROR_AMBIGUOUS_PAYLOAD, VERBS[i], "3 payloads are named 'fio'",
                               "(no cgroup), 'a', 'b'", qualified, "--cgroup a");
                assert_int_equal(d->scenario->payloads->len, 3);
                assert_true(address(d, "fio", "{'cgroup':'b'}", VERBS[i]) == d->scenario->payloads->pdata[1]);
                assert_true(address(d, "fio", "{'cgroup':''}", VERBS[i]) == d->scenario->payloads->pdata[2]);
        }
}

/* ops:O17 */
static void how_a_cgroup_is_shown(void **state G_GNUC_UNUSED) {
        g_autofree char *none = payload_cgroup_text(""), *one = payload_cgroup_text("x");

        assert_string_equal(none, "(no cgroup)");
        assert_string_equal(one, "'x'");
}

/* ---- the end of one ---- */

/* ops:O11: nothing is planned for the others. One that had a cgroup to itself takes it along. */
static void end_of_one(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_STEP, "[{'name':'a','payload':'fio'},{'name':'b','payload':'fio'}]");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        desk_plans_payload_end(d, "fio", "b");
        assert_actions(d, "", "?end-payload b fio#2\n");
        assert_int_equal(d->plan->endings->len, 1);
        assert_int_equal(g_array_index(d->plan->endings, uint32_t, 0), 2);
        desk_plans_payload_end(d, "fio", "");
        assert_actions(d, "", "?end-payload @payload-3 fio#3\n?rmdir @payload-3\n");
        assert_int_equal(g_array_index(d->plan->endings, uint32_t, 0), 3);
        assert_int_equal(d->plan->removals->len, 0);
}

/* ---- the payload of a definition ---- */

/* Workers run before a payload begins, and there are workers even when none are given: those that a
 * definition without works has. */
static void of_definitions(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        set_args(desk_defines(d, "fio", "fio"), "--rw read");
        assert_planned(d,
                       "[{'name':'a','payload':'fio'},{'name':'b'},"
                       "{'name':'p/c','payload':{'name':'two','exec':'/bin/two'},'works':[{'workers':2}]}]",
                       "mkdir a\n"
                       "spawn a #1 SpinWait 1 on 0-3\n"
                       "mkdir b\n"
                       "spawn b #2 SpinWait 1 on 0-3\n"
                       "mkdir p\n"
                       "mkdir p/c\n"
                       "spawn p/c #3 SpinWait 2 on 0-3\n"
                       "phase 1\n"
                       "release #1\n"
                       "release #2\n"
                       "release #3\n"
                       "payload a fio#1: fio --rw read\n"
                       "payload p/c two#2: /bin/two\n");
        assert_int_equal(d->plan->payloads->len, 2);
        assert_int_equal(planned_payload(d, 1)->state->origin, PAYLOAD_OF_DEFINITION);
        assert_int_equal(planned_payload(d, 1)->state->slot, SLOT_STEP);
        assert_string_equal(planned_payload(d, 1)->state->directory, "p/c");
        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'a','payload':'fio'}]", __LINE__);
        assert_int_equal(planned_payload(d, 0)->state->slot, SLOT_BACKDROP);
}

/* After the gates, and so with the last definition; the place is that of the definition that wants it. */
static void place_of_definitions(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const PlanAction *a;

        desk_defines(d, "fio", "fio");
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','payload':'fio'},{'name':'b'}]", __LINE__);
        a = d->plan->actions->pdata[d->plan->actions->len - 1];
        assert_int_equal(a->kind, ACTION_PAYLOAD);
        assert_int_equal(a->def, 1);
        assert_string_equal(a->origin, "cgroups[0].payload");
}

/* Nothing of the call is planned. */
static void refused_definitions(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        assert_not_planned(d, SLOT_STEP, "[{'name':'x'},{'name':'a','cpuset':'llc:9','payload':'fioo'}]",
                           KT_ERROR_NO_SUCH_PAYLOAD,
                           "cgroups[1].payload: cgroup 'a': unknown payload 'fioo'; did you mean 'fio'?");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','payload':{'name':'p','exec':'p','user':'nobdy'}}]",
                           KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].payload: cgroup 'a': payload 'p': user: unknown user 'nobdy'");
        d->context.limits.max_payloads = 1;
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','payload':'fio'},{'name':'b','payload':'fio'}]",
                           KT_ERROR_LIMIT_EXCEEDED, "cgroups[1].payload: cgroup 'b': ", "2 payloads",
                           "allows 1");
        desk_has(d, SLOT_STEP, "[{'name':'a','payload':'fio'}]");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','payload':'fio'}]", KT_ERROR_CGROUP_EXISTS,
                           "cgroups[0].name: cgroup 'a': ");
}

/* A payload is a task as a worker is. */
static void pids(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','pids':{'max':3},'payload':'fio','works':[{'workers':2}]}]", __LINE__);
        assert_not_planned(d, SLOT_STEP,
                           "[{'name':'a','pids':{'max':2},'payload':'fio','works':[{'workers':2}]}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].pids.max: cgroup 'a': ",
                           "no room for its 2 workers and its payload; set it to 3 or more");
        assert_not_planned(d, SLOT_STEP,
                           "[{'name':'a','pids':{'max':3},'payload':'fio','works':[{'workers':2,"
                           "'pcomm':'p'}]}]",
                           KT_ERROR_INVALID_DEFINITION,
                           "2 workers and the leader of each pcomm (1) and its payload; set it to 4 or more");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','pids':{'max':1},'works':[{'workers':2}]}]",
                           KT_ERROR_INVALID_DEFINITION, "its 2 workers; set it to 2 or more");
}

/* ---- how a dry run shows it ---- */

static void shown(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        g_autoptr(JsonNode) start = json_quoted("[{'action':'mkdir','path':'/r/@payload-1'},"
                                                "{'action':'payload','path':'/r/@payload-1','payload':'fio',"
                                                "'argv':['fio','--bs','4k']}]");
        g_autoptr(JsonNode) end = json_quoted("[{'action':'end-payload','path':'/r/@payload-1',"
                                              "'payload':'fio'},{'action':'rmdir','path':'/r/@payload-1'}]");
        g_autoptr(JsonNode) got = json_node_new(JSON_NODE_ARRAY);

        desk_defines(d, "fio", "fio");
        desk_must_run(d, SLOT_STEP, "{'payload':'fio','args':['--bs','4k']}", __LINE__);
        json_node_take_array(got, plan_actions_to_json(d->plan, &d->context, -1));
        assert_true(json_node_equal(got, start));
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio','args':['--bs','4k']}");
        desk_plans_payload_end(d, "fio", "");
        json_node_take_array(got, plan_actions_to_json(d->plan, &d->context, -1));
        assert_true(json_node_equal(got, end));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(arguments),
                cmocka_unit_test(in_a_cgroup),
                cmocka_unit_test(without_a_cgroup),
                cmocka_unit_test(ids_go_on),
                cmocka_unit_test(slots),
                cmocka_unit_test(after_a_step),
                cmocka_unit_test(unknown_names),
                cmocka_unit_test(many_cgroups),
                cmocka_unit_test(what_is_said_first),
                cmocka_unit_test(duplicates),
                cmocka_unit_test(exited),
                cmocka_unit_test(options),
                cmocka_unit_test(nobody_there),
                cmocka_unit_test(the_only_one),
                cmocka_unit_test(several),
                cmocka_unit_test(how_a_cgroup_is_shown),
                cmocka_unit_test(end_of_one),
                cmocka_unit_test(of_definitions),
                cmocka_unit_test(place_of_definitions),
                cmocka_unit_test(refused_definitions),
                cmocka_unit_test(pids),
                cmocka_unit_test(shown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
