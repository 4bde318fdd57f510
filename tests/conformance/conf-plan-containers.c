/* SPDX-License-Identifier: GPL-2.0-only */

/* Works whose workers are threads of one leader, and works whose type the call may replace. */

#include "plan-fixture.h"

static const PlanGroup *planned_group(const Desk *d, guint index) {
        assert_true(index < d->plan->groups->len);
        return d->plan->groups->pdata[index];
}

static const WireGroupSpec *spec_of(const PlanGroup *group, guint index) {
        assert_true(index < group->works->len);
        return &((PlanWork *)group->works->pdata[index])->spec;
}

static const WorkState *state_of(const PlanGroup *group, guint index) {
        assert_true(index < group->state->works->len);
        return group->state->works->pdata[index];
}

/* ---- who is started with whom ---- */

/* Those without a leader first, then the leaders as they are first named, each with its works in order. */
static void order(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_planned(d,
                       "[{'name':'a','works':["
                       "{'pcomm':'q','workers':2},{},{'pcomm':'p','affinity':'single'},"
                       "{'work_type':'YieldHeavy'},"
                       "{'pcomm':'q','work_type':'YieldHeavy','workers':3}]},"
                       "{'name':'b','works':[{'pcomm':'q'}]}]",
                       "mkdir a\n"
                       "spawn a #1 SpinWait 1 on 0-3\n"
                       "spawn a #2 YieldHeavy 1 on 0-3\n"
                       "spawn a #3 q: SpinWait 2 on 0-3, YieldHeavy 3 on 0-3\n"
                       "spawn a #4 p: SpinWait 1 on 0\n"
                       "mkdir b\n"
                       "spawn b #5 q: SpinWait 1 on 0-3\n" /* a leader lives in one cgroup */
                       "phase 1\n"
                       "release #1\n"
                       "release #2\n"
                       "release #3\n"
                       "release #4\n"
                       "release #5\n");
}

/* Works keep their place in the definition, and share out the slots of the arena in their order. */
static void slots(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const PlanGroup *q;

        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','works':[{},{'pcomm':'q','workers':2},{},{'pcomm':'q','workers':3}]}]",
                       __LINE__);
        q = planned_group(d, 2);
        assert_string_equal(q->state->pcomm, "q");
        assert_int_equal(q->state->n_workers, 5);
        assert_int_equal(state_of(q, 0)->index, 1);
        assert_int_equal(state_of(q, 0)->first, 0);
        assert_int_equal(state_of(q, 1)->index, 3);
        assert_int_equal(state_of(q, 1)->first, 2);
        assert_int_equal(state_of(q, 1)->n_workers, 3);
        assert_ptr_equal(group_state_find_work(q->state, 1), state_of(q, 0));
        assert_ptr_equal(group_state_find_work(q->state, 2), state_of(q, 1));
        assert_null(group_state_find_work(q->state, 5));
        assert_null(group_state_find_work(q->state, WIRE_LEADER));
        assert_null(planned_group(d, 0)->state->pcomm);
        assert_int_equal(state_of(planned_group(d, 1), 0)->index, 2);
}

/* res:R62: a leader is placed in the way every worker is, by one spawn; what differs is what is spawned */
static void what_the_executor_is_told(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);
        const PlanGroup *g;

        desk_must_plan(d, SLOT_BACKDROP,
                       "[{'name':'a','uid':7,'works':["
                       "{'pcomm':'lead','comm':'one','nice':3,'gid':9},"
                       "{'pcomm':'lead','work_type':'YieldHeavy','workers':2,'gid':9,'uid':7,"
                       "'mem_policy':'bind:1','affinity':'random:1'}]}]",
                       __LINE__);
        assert_actions(d, "spawn", "spawn a #1 lead: SpinWait 1 on 0-7, YieldHeavy 2 on 0-7\n");
        g = planned_group(d, 0);
        for (guint i = 0; i < 2; i++) {
                assert_int_equal(spec_of(g, i)->group_id, 1);
                assert_int_equal(spec_of(g, i)->lasting, 1);
                assert_int_equal(spec_of(g, i)->uid, 7);
                assert_int_equal(spec_of(g, i)->gid, 9);
                assert_string_equal(spec_of(g, i)->pcomm, "lead");
        }
        assert_string_equal(spec_of(g, 0)->comm, "one");
        assert_int_equal(spec_of(g, 0)->nice, 3);
        assert_int_equal(spec_of(g, 0)->n_masks, 0);
        assert_string_equal(spec_of(g, 1)->comm, "");
        assert_int_equal(spec_of(g, 1)->nice_set, 0);
        assert_int_equal(spec_of(g, 1)->n_workers, 2);
        assert_int_equal(spec_of(g, 1)->work_type, WORK_YIELD_HEAVY);
        assert_int_equal(spec_of(g, 1)->n_masks, 2); /* one for each thread */
        assert_int_equal(spec_of(g, 1)->mempolicy_set, 1);

        desk_must_plan(d, SLOT_STEP, "[{'name':'a'}]", __LINE__);
        assert_int_equal(spec_of(planned_group(d, 0), 0)->lasting, 0);
        assert_string_equal(spec_of(planned_group(d, 0), 0)->pcomm, "");
}

/* ops:J25: threads are counted as workers are. work:S23: neither no worker nor a policy that cannot be */
static void refused(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_not_planned(d, SLOT_STEP, "[{'name':'a','works':[{'pcomm':'p','workers':0}]}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].works[0].workers: ", "'a'", "0");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','works':[{'workers':0}]}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].works[0].workers: ", "0");
        d->context.workers_per_cgroup = 0;
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','works':[{'pcomm':'p'}]}]",
                           KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].works[0].workers: cgroup 'a': ", "workers_per_cgroup is 0");
        d->context.workers_per_cgroup = 1;
        /* work:C7 */
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','works':[{'pcomm':'p','mem_policy':'bind:'}]}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].works[0].mem_policy: ", "'bind:'",
                           "at least one NUMA node");
        d->context.limits.max_workers = 5;
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','works':[{'pcomm':'p','workers':5}]}]", __LINE__);
        assert_not_planned(d, SLOT_STEP,
                           "[{'name':'a','works':[{'pcomm':'p','workers':3},{'pcomm':'p','workers':3}]}]",
                           KT_ERROR_LIMIT_EXCEEDED, "cgroups[0].works[1].workers: cgroup 'a': ", "6 workers",
                           "allows 5");
}

/* ops:J26 res:R69 work:P9: a process has one uid and one gid, and not to ask for one is a value, too. The uid
 * is looked at first; works are named by their place in the definition. */
static void one_process_one_user(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body, *path, *fragments[3];
        } cases[] = {
                { "'works':[{'pcomm':'p','uid':1},{'pcomm':'p','uid':2}]",
                  "works[1].uid",
                  { "pcomm 'p'", "works[0] with uid 1 ", "works[1] with uid 2 " } },
                { "'works':[{},{'pcomm':'p','uid':1,'gid':3},{'pcomm':'q'},{'pcomm':'p','uid':1,'gid':4}]",
                  "works[3].gid",
                  { "pcomm 'p'", "works[1] with gid 3 ", "works[3] with gid 4 " } },
                { "'works':[{'pcomm':'p','uid':1,'gid':3},{'pcomm':'p','uid':2,'gid':4}]",
                  "works[1].uid",
                  { "one uid", "same uid", "a pcomm each" } },
                { "'works':[{'pcomm':'p'},{'pcomm':'p','uid':0}]",
                  "works[1].uid",
                  { "works[0] with uid unset", "works[1] with uid 0 " } },
                { "'gid':5,'works':[{'pcomm':'p'},{'pcomm':'p','gid':5},{'pcomm':'p','gid':6}]",
                  "works[2].gid",
                  { "works[0] with gid 5 ", "works[2] with gid 6 " } },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                g_autofree char *place = g_strdup_printf("cgroups[0].%s: cgroup 'a': ", cases[i].path);
                const char *const *f = cases[i].fragments;
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_INVALID_DEFINITION, place, f[0], f[1],
                                   f[2] ?: "");
        }
        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','works':[{'pcomm':'p','uid':1},{'pcomm':'q','uid':2},{'uid':3},"
                       "{'pcomm':'p','uid':1}]}]",
                       __LINE__);
}

/* Memory policies of all works come before anything else of one, each in itself before any against the
 * cpuset; then work after work its count, its type, its affinity; and who shares a process when all that is
 * well. */
static void what_is_said_first(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *works, *path;
        } cases[] = {
                { "{'mem_policy':'bind:1'},{'mem_policy':'bind:'}", "works[1].mem_policy" },
                { "{'workers':300},{'mem_policy':'bind:1'}", "works[1].mem_policy" },
                { "{'affinity':'cpus:9'},{'work_type':'PipeIo','workers':3}", "works[0].affinity" },
                { "{'work_type':'PipeIo','workers':3,'affinity':'cpus:9'},{'workers':300}",
                  "works[0].workers" },
                { "{'pcomm':'p','uid':1},{'pcomm':'p','uid':2},{'affinity':'cpus:9'}", "works[2].affinity" },
        };
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list =
                        g_strdup_printf("[{'name':'a','cpuset':'cpus:0-3','works':[%s]}]", cases[i].works);
                g_autofree char *place = g_strdup_printf("cgroups[0].%s: ", cases[i].path);
                desk_must_refuse(d, SLOT_STEP, list, __LINE__);
                if (!g_str_has_prefix(d->error->message, place))
                        fail_msg("expected %s, got %s", place, d->error->message);
        }
}

/* ---- types that the call replaces ---- */

/* work:C10 */
static void override(void **state G_GNUC_UNUSED) {
        WorkType four = *work_type_get(WORK_PIPE_IO); /* a messenger and three that it wakes */
        const WorkType *pairs = work_type_get(WORK_FUTEX_PING_PONG), *any = work_type_get(WORK_BURSTY);
        const struct {
                const WorkType *override;
                const char *body;
                WorkTypeId expected;
        } cases[] = {
                { any, "'works':[{'workers':3}]", WORK_SPIN_WAIT },
                { any, "'swappable':false,'works':[{'workers':3}]", WORK_SPIN_WAIT },
                { any, "'swappable':true,'works':[{'workers':3}]", WORK_BURSTY },
                { any, "'swappable':true,'works':[{'workers':3,'work_type':'YieldHeavy','pcomm':'p'}]",
                  WORK_BURSTY },
                { NULL, "'swappable':true,'works':[{'workers':3}]", WORK_SPIN_WAIT },
                { pairs, "'swappable':true,'works':[{'workers':3}]", WORK_SPIN_WAIT },
                { pairs, "'swappable':true,'works':[{'workers':4}]", WORK_FUTEX_PING_PONG },
                { pairs, "'swappable':true,'works':[{'workers_pct':1}]", WORK_SPIN_WAIT }, /* 7 usable CPUs */
                { pairs, "'swappable':true,'cpuset':'llc:0','works':[{'workers_pct':1}]",
                  WORK_FUTEX_PING_PONG },
                { &four, "'swappable':true,'works':[{'workers':8}]", WORK_PIPE_IO },
                { &four, "'swappable':true,'works':[{'workers':6}]", WORK_SPIN_WAIT },
        };
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        four.group_size = 4;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                d->context.work_type_override = cases[i].override;
                desk_must_plan(d, SLOT_STEP, list, __LINE__);
                assert_int_equal(spec_of(planned_group(d, 0), 0)->work_type, cases[i].expected);
                assert_int_equal(state_of(planned_group(d, 0), 0)->work_type, cases[i].expected);
        }
}

/* Work by work, with the defaults of the type that comes, and judged by its rules alone. */
static void override_of_each_work(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const WireGroupSpec *bursty;

        d->context.work_type_override = work_type_get(WORK_FUTEX_PING_PONG);
        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','swappable':true,'works':[{'workers':1},{'workers':2}]},"
                       "{'name':'b','works':[{'workers':2}]}]",
                       __LINE__);
        assert_actions(d, "spawn",
                       "spawn a #1 SpinWait 1 on 0-3\n"
                       "spawn a #2 FutexPingPong 2 on 0-3\n"
                       "spawn b #3 SpinWait 2 on 0-3\n");

        d->context.work_type_override = work_type_get(WORK_BURSTY);
        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','swappable':true,'works':[{'work_type':'PipeIo','workers':3},"
                       "{'work_type':'Bursty','workers':1,'params':{'burst_duration':7}}]}]",
                       __LINE__);
        for (guint i = 0; i < 2; i++) {
                bursty = spec_of(planned_group(d, i), 0);
                assert_int_equal(bursty->samples, SAMPLE_WAKE_LATENCY);
                assert_int_equal(bursty->params[0], 50000000);
                assert_int_equal(bursty->params[1], 100000000);
                assert_int_equal(bursty->params[2], 0);
        }
}

/* A type that works in groups takes whole ones; the message says which counts are. */
static void whole_groups(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *work, *path, *fragments[3];
        } cases[] = {
                { "{'work_type':'PipeIo','workers':3}",
                  "works[0].workers",
                  { "PipeIo works in groups of 2", "3 workers are not divisible by 2", "use 2 or 4" } },
                { "{'work_type':'FutexPingPong','workers':7}",
                  "works[0].workers",
                  { "FutexPingPong works in groups of 2", "7 workers are not divisible by 2",
                    "use 6 or 8" } },
                { "{'work_type':'PipeIo'}",
                  "works[0].workers",
                  { "PipeIo works in groups of 2", "1 workers", "use 2 workers" } },
                { "{'work_type':'PipeIo','pcomm':'p','workers_pct':1}",
                  "works[0].workers_pct",
                  { "PipeIo works in groups of 2", "3 workers", "use 2 or 4" } },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a','works':[%s]}]", cases[i].work);
                g_autofree char *place = g_strdup_printf("cgroups[0].%s: cgroup 'a': ", cases[i].path);
                const char *const *f = cases[i].fragments;
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_INVALID_DEFINITION, place, f[0], f[1], f[2]);
        }
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','works':[{'work_type':'PipeIo','workers':4}]}]", __LINE__);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(order),
                cmocka_unit_test(slots),
                cmocka_unit_test(what_the_executor_is_told),
                cmocka_unit_test(refused),
                cmocka_unit_test(one_process_one_user),
                cmocka_unit_test(what_is_said_first),
                cmocka_unit_test(override),
                cmocka_unit_test(override_of_each_work),
                cmocka_unit_test(whole_groups),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
