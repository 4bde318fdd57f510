/* SPDX-License-Identifier: GPL-2.0-only */

/* The form in which a plan goes to the executor, read back by hand and by the executor's own check. */

#include "plan-check.h"
#include "plan-fixture.h"

static GByteArray *encoded(const Desk *d) {
        GByteArray *bytes = plan_encode(d->plan);
        char reason[WIRE_TEXT];

        if (!plan_check(bytes->data, bytes->len, reason, sizeof(reason)))
                fail_msg("the executor refuses it: %s", reason);
        return bytes;
}

static const void *at(const GByteArray *bytes, uint32_t offset, size_t size, size_t alignment) {
        assert_true(offset >= sizeof(WirePlan));
        assert_true(offset % alignment == 0);
        assert_true(offset + size <= bytes->len);
        return bytes->data + offset;
}

static const char *text_at(const GByteArray *bytes, uint32_t offset) {
        const char *text = at(bytes, offset, 1, 1);

        assert_non_null(memchr(text, '\0', bytes->len - offset));
        return text;
}

static const WirePlan *head_of(const GByteArray *bytes) {
        const WirePlan *head = (const WirePlan *)bytes->data;

        assert_int_equal(head->magic, 0x6b745031);
        assert_int_equal(head->size, bytes->len);
        return head;
}

static const WireAction *action_at(const GByteArray *bytes, guint i) {
        const WirePlan *head = head_of(bytes);
        const WireAction *actions = at(bytes, head->actions, head->n_actions * sizeof(WireAction), 8);

        assert_true(i < head->n_actions);
        return &actions[i];
}

static const WireGroupSpec *group_at(const GByteArray *bytes, guint i) {
        const WirePlan *head = head_of(bytes);
        const WireGroupSpec *groups = at(bytes, head->groups, head->n_groups * sizeof(WireGroupSpec), 8);

        assert_true(i < head->n_groups);
        return &groups[i];
}

static const WirePayloadSpec *payload_at(const GByteArray *bytes, guint i) {
        const WirePlan *head = head_of(bytes);
        const WirePayloadSpec *payloads =
                at(bytes, head->payloads, head->n_payloads * sizeof(WirePayloadSpec), 8);

        assert_true(i < head->n_payloads);
        return &payloads[i];
}

static void check_texts(const GByteArray *bytes, WireTexts texts, const char *const *expected) {
        const uint32_t *offsets = at(bytes, texts.offsets, texts.n * sizeof(uint32_t), 8);

        assert_int_equal(texts.n, g_strv_length((char **)expected));
        for (uint32_t i = 0; i < texts.n; i++)
                assert_string_equal(text_at(bytes, offsets[i]), expected[i]);
}

static void empty_plan(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_STEP, "[]", __LINE__);
        g_autoptr(GByteArray) bytes = encoded(d);
        assert_int_equal(head_of(bytes)->n_actions, 0);
        assert_int_equal(head_of(bytes)->n_groups, 0);
        assert_int_equal(head_of(bytes)->n_payloads, 0);
        assert_int_equal(head_of(bytes)->stop_ms, 5000);
        assert_int_equal(head_of(bytes)->settle_ms, 1000);
}

static const struct {
        ActionKind kind;
        const char *path, *value; /* NULL: none */
        uint32_t group, n_groups, group_id, phase;
} SETUP[] = {
        { ACTION_ENABLE, NULL, "+pids", 0, 0, 0, 0 }, /* the root: no text, or an empty one */
        { ACTION_MKDIR, "a", NULL, 0, 0, 0, 0 },      { ACTION_ENABLE, "a", "+pids", 0, 0, 0, 0 },
        { ACTION_MKDIR, "a/b", NULL, 0, 0, 0, 0 },    { ACTION_WRITE, "a/b/pids.max", "9", 0, 0, 0, 0 },
        { ACTION_SPAWN, "a/b", NULL, 0, 1, 1, 0 },    { ACTION_SPAWN, "a/b", NULL, 1, 2, 2, 0 },
        { ACTION_SPAWN, "a/b", NULL, 3, 1, 3, 0 },    { ACTION_PHASE, NULL, NULL, 0, 0, 0, 1 },
        { ACTION_RELEASE, "a/b", NULL, 0, 0, 1, 0 },  { ACTION_RELEASE, "a/b", NULL, 0, 0, 2, 0 },
        { ACTION_RELEASE, "a/b", NULL, 0, 0, 3, 0 },
};

static void actions(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a/b','pids':{'max':9},'works':["
                       "{'pcomm':'p'},{'pcomm':'q'},{},{'pcomm':'p','workers':2}]}]",
                       __LINE__);
        g_autoptr(GByteArray) bytes = encoded(d);
        assert_int_equal(head_of(bytes)->n_actions, G_N_ELEMENTS(SETUP));
        for (guint i = 0; i < G_N_ELEMENTS(SETUP); i++) {
                const WireAction *a = action_at(bytes, i);
                assert_int_equal(a->kind, SETUP[i].kind);
                assert_int_equal(a->flags, 0);
                assert_string_equal(text_at(bytes, a->path), SETUP[i].path ?: "");
                assert_int_equal(a->group, SETUP[i].group);
                assert_int_equal(a->n_groups, SETUP[i].n_groups);
                assert_int_equal(a->phase, SETUP[i].phase);
                assert_int_equal(a->group_id, SETUP[i].group_id);
                if (SETUP[i].value)
                        assert_string_equal(text_at(bytes, a->value), SETUP[i].value);
                else
                        assert_int_equal(a->value, 0);
        }
}

static void groups(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','works':["
                       "{'affinity':'llc','mem_policy':'bind:1','comm':'exactly-fifteen'},"
                       "{'workers':3,'affinity':'random:1','nice':-5},"
                       "{'work_type':'Bursty'}]}]",
                       __LINE__);
        g_autoptr(GByteArray) bytes = encoded(d);
        const WireGroupSpec *one = group_at(bytes, 0), *three = group_at(bytes, 1),
                            *bursty = group_at(bytes, 2);
        const uint64_t *masks = at(bytes, three->masks, 3 * sizeof(uint64_t), 8);

        assert_int_equal(head_of(bytes)->n_groups, 3);
        assert_int_equal(one->n_workers, 1);
        assert_int_equal(one->n_masks, 1);
        assert_int_equal(*(const uint64_t *)at(bytes, one->masks, sizeof(uint64_t), 8), 0xf);
        assert_int_equal(*(const unsigned long *)at(bytes, one->nodes, sizeof(long), 8), 2);
        assert_int_equal(one->node_words, 1);
        assert_int_equal(one->max_node, 3);
        assert_string_equal(one->comm, "exactly-fifteen");
        assert_int_equal(three->n_masks, 3);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(__builtin_popcountll(masks[i]), 1);
        assert_int_equal(three->nodes, 0);
        assert_int_equal(three->nice, -5);
        assert_int_equal(bursty->masks, 0);
        assert_int_equal(bursty->n_masks, 0);
        assert_int_equal(bursty->work_type, WORK_BURSTY);
        assert_int_equal(bursty->params[1], 100000000);
}

/* The works of a container stand together, each with its own masks and nodes. */
static void containers(void **state G_GNUC_UNUSED) {
        static const struct {
                uint32_t group_id, n_workers;
                const char *pcomm;
        } expected[] = { { 1, 2, "" }, { 2, 1, "p" }, { 2, 3, "p" }, { 3, 1, "q" } };
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        desk_must_plan(d, SLOT_BACKDROP,
                       "[{'name':'a','works':[{'pcomm':'p','mem_policy':'bind:1'},{'pcomm':'q'},"
                       "{'workers':2},{'pcomm':'p','workers':3,'affinity':'random:1'}]}]",
                       __LINE__);
        g_autoptr(GByteArray) bytes = encoded(d);
        assert_int_equal(head_of(bytes)->n_groups, 4);
        assert_int_equal(head_of(bytes)->n_nodes, 2);
        for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
                assert_int_equal(group_at(bytes, i)->group_id, expected[i].group_id);
                assert_int_equal(group_at(bytes, i)->n_workers, expected[i].n_workers);
                assert_string_equal(group_at(bytes, i)->pcomm, expected[i].pcomm);
                assert_int_equal(group_at(bytes, i)->lasting, 1);
        }
        assert_int_equal(*(const unsigned long *)at(bytes, group_at(bytes, 1)->nodes, sizeof(long), 8), 2);
        assert_int_equal(group_at(bytes, 2)->n_masks, 3);
        for (guint i = 0; i < 3; i++)
                assert_int_equal(__builtin_popcountll(((const uint64_t *)at(bytes, group_at(bytes, 2)->masks,
                                                                            3 * sizeof(uint64_t), 8))[i]),
                                 1);
}

static void end_of_a_step(void **state G_GNUC_UNUSED) {
        static const ActionKind kinds[] = { ACTION_PHASE,    ACTION_WRITE,       ACTION_STOP, ACTION_COLLECT,
                                            ACTION_EVACUATE, ACTION_AWAIT_EMPTY, ACTION_RMDIR };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'a'}]");
        desk_plans_end(d, SLOT_STEP);
        g_autoptr(GByteArray) bytes = encoded(d);
        assert_int_equal(head_of(bytes)->n_actions, G_N_ELEMENTS(kinds));
        for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
                assert_int_equal(action_at(bytes, i)->kind, kinds[i]);
                assert_int_equal(action_at(bytes, i)->flags, ACTION_TOLERATE);
        }
        assert_int_equal(action_at(bytes, 0)->phase, PHASE_BETWEEN);
        assert_string_equal(text_at(bytes, action_at(bytes, 1)->path), "a/cgroup.freeze");
        assert_int_equal(action_at(bytes, 2)->group_id, 1);
        assert_int_equal(action_at(bytes, 3)->group_id, 1);
        assert_string_equal(text_at(bytes, action_at(bytes, 6)->path), "a");
}

static char **words(const char *text) {
        return g_strsplit(text, " ", -1);
}

/* All that may be said of one. */
static void define_all(Desk *d) {
        PayloadDef *def = desk_defines(d, "all", "/usr/bin/all");

        g_strfreev(def->args);
        def->args = words("-a --b");
        g_strfreev(def->environment);
        def->environment = words("PATH=/opt KTSETUP_PAYLOAD=mine");
        g_free(def->working_directory);
        def->working_directory = g_strdup("/tmp");
        def->user = g_strdup("nobody");
        def->parent_process_group = true;
}

static void payload_of_a_call(void **state G_GNUC_UNUSED) {
        static const char *const argv[] = { "/usr/bin/all", "-a", "--b", "c", "", NULL };
        static const char *const environment[] = { "KTSETUP_PAYLOAD=all", "PATH=/opt", "KTSETUP_PAYLOAD=mine",
                                                   NULL };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        define_all(d);
        assert_true(desk_runs(d, SLOT_STEP, "{'payload':'all','args':['c','']}"));
        g_autoptr(GByteArray) bytes = encoded(d);
        const WirePayloadSpec *p = payload_at(bytes, 0);
        const uint32_t *groups = at(bytes, p->groups, 2 * sizeof(uint32_t), 8);

        assert_int_equal(head_of(bytes)->n_payloads, 1);
        assert_int_equal(head_of(bytes)->n_groups, 0);
        assert_int_equal(head_of(bytes)->n_actions, 2);
        assert_int_equal(action_at(bytes, 0)->kind, ACTION_MKDIR);
        assert_string_equal(text_at(bytes, action_at(bytes, 0)->path), "@payload-1");
        assert_int_equal(action_at(bytes, 1)->kind, ACTION_PAYLOAD);
        assert_int_equal(action_at(bytes, 1)->flags, 0);
        assert_string_equal(text_at(bytes, action_at(bytes, 1)->path), "@payload-1");
        assert_int_equal(action_at(bytes, 1)->payload, 0);
        assert_int_equal(p->payload_id, 1);
        assert_string_equal(text_at(bytes, p->exec), "/usr/bin/all");
        check_texts(bytes, p->argv, argv);
        check_texts(bytes, p->environment, environment);
        assert_string_equal(text_at(bytes, p->cookie), "KTSETUP_PAYLOAD_ID=desk-1");
        assert_string_equal(text_at(bytes, p->directory), "/tmp");
        assert_int_equal(p->alone, 1);
        assert_int_equal(p->own_group, 0);
        assert_int_equal(p->uid, 65534);
        assert_int_equal(p->gid, 65533);
        assert_int_equal(p->n_groups, 2);
        assert_int_equal(groups[0], 65534);
        assert_int_equal(groups[1], 7);
}

/* Those of a set-up, by index, each with what nobody asked for left as it is. */
static void payloads_of_definitions(void **state G_GNUC_UNUSED) {
        static const char *const argv[] = { "bare", NULL }, *const environment[] = { "KTSETUP_PAYLOAD=bare",
                                                                                     NULL };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        define_all(d);
        desk_defines(d, "bare", "bare");
        desk_has_payload(d, SLOT_STEP, "{'payload':'bare'}");
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','payload':'all'},{'name':'b','payload':'bare'}]",
                       __LINE__);
        g_autoptr(GByteArray) bytes = encoded(d);
        const guint last = head_of(bytes)->n_actions - 1;
        const WirePayloadSpec *p = payload_at(bytes, 1);

        assert_int_equal(head_of(bytes)->n_payloads, 2);
        assert_int_equal(head_of(bytes)->n_groups, 2);
        for (guint i = 0; i < 2; i++) {
                assert_int_equal(action_at(bytes, last - 1 + i)->kind, ACTION_PAYLOAD);
                assert_int_equal(action_at(bytes, last - 1 + i)->payload, i);
                assert_int_equal(payload_at(bytes, i)->payload_id, 2 + i);
                assert_int_equal(payload_at(bytes, i)->alone, 0);
        }
        assert_string_equal(text_at(bytes, action_at(bytes, last)->path), "b");
        check_texts(bytes, p->argv, argv);
        check_texts(bytes, p->environment, environment);
        assert_string_equal(text_at(bytes, p->cookie), "KTSETUP_PAYLOAD_ID=desk-3");
        assert_string_equal(text_at(bytes, p->directory), "/");
        assert_int_equal(p->own_group, 1);
        assert_int_equal(p->uid, WIRE_ID_KEEP);
        assert_int_equal(p->gid, WIRE_ID_KEEP);
        assert_int_equal(p->n_groups, 0);
        assert_int_equal(p->groups, 0);
}

static void end_of_a_payload(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        define_all(d);
        desk_has_payload(d, SLOT_STEP, "{'payload':'all'}");
        desk_plans_payload_end(d, "all", "");
        g_autoptr(GByteArray) bytes = encoded(d);
        assert_int_equal(head_of(bytes)->n_actions, 2);
        assert_int_equal(head_of(bytes)->n_payloads, 0);
        assert_int_equal(action_at(bytes, 0)->kind, ACTION_END_PAYLOAD);
        assert_int_equal(action_at(bytes, 0)->flags, ACTION_TOLERATE);
        assert_int_equal(action_at(bytes, 0)->payload_id, 1);
        assert_string_equal(text_at(bytes, action_at(bytes, 0)->path), "@payload-1");
        assert_int_equal(action_at(bytes, 1)->kind, ACTION_RMDIR);
        assert_int_equal(action_at(bytes, 1)->flags, ACTION_TOLERATE);
        assert_string_equal(text_at(bytes, action_at(bytes, 1)->path), "@payload-1");
}

/* The largest there is: the longest name, a mask for each of many workers, words for node 200. */
static void large(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new("numa:2(indexes=0,200) l3:1 core:50 pu:2");
        g_autofree char *component = g_strnfill(255, 'n'), *list = NULL;

        list = g_strdup_printf("[{'name':'%s/%s/%s','works':[{'workers':200,'affinity':'random:3',"
                               "'mem_policy':'interleave:0,200'}]}]",
                               component, component, component);
        desk_must_plan(d, SLOT_STEP, list, __LINE__);
        g_autoptr(GByteArray) bytes = encoded(d);
        assert_int_equal(head_of(bytes)->n_nodes, 201);
        assert_int_equal(group_at(bytes, 0)->mask_words, 4);
        assert_int_equal(group_at(bytes, 0)->n_masks, 200);
        assert_int_equal(group_at(bytes, 0)->node_words, 4);
        assert_int_equal(group_at(bytes, 0)->max_node, 202);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(empty_plan),
                cmocka_unit_test(actions),
                cmocka_unit_test(groups),
                cmocka_unit_test(containers),
                cmocka_unit_test(end_of_a_step),
                cmocka_unit_test(payload_of_a_call),
                cmocka_unit_test(payloads_of_definitions),
                cmocka_unit_test(end_of_a_payload),
                cmocka_unit_test(large),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
