/* SPDX-License-Identifier: GPL-2.0-only */

/* Which files a definition writes, in which order, with which content. */

#include "plan-fixture.h"

static const struct {
        const char *body, *writes;
} WRITES[] = {
        /* ops:J4 ops:J17 res:R65: nothing asked for, nothing written */
        { "'works':[{}]", "" },
        /* res:R22 res:R55 ops:J3 */
        { "'cpuset':'cpus:0,1,2,3'", "write a/cpuset.cpus 0-3\n" },
        { "'cpuset':'cpus:0,2'", "write a/cpuset.cpus 0,2\n" },
        { "'cpuset':'disjoint:1/3'", "write a/cpuset.cpus 1\n" },
        /* ops:I20: mems without cpuset */
        { "'cpuset_mems':'0'", "write a/cpuset.mems 0\n" },
        /* res:R23 */
        { "'cpu':{'quota_us':50000,'period_us':100000}", "write a/cpu.max 50000 100000\n" },
        { "'cpu':{}", "write a/cpu.max max 100000\n" },
        { "'cpu':{'period_us':'20ms'}", "write a/cpu.max max 20000\n" },
        /* ops:I15 ops:J11 */
        { "'cpu':{'quota_us':'50%'}", "write a/cpu.max 50000 100000\n" },
        { "'cpu':{'quota_us':'75%'}", "write a/cpu.max 75000 100000\n" },
        { "'cpu':{'quota_us':'200%'}", "write a/cpu.max 200000 100000\n" },
        { "'cpu':{'quota_us':'12.5%'}", "write a/cpu.max 12500 100000\n" },
        { "'cpu':{'quota_us':'50%','period_us':20000}", "write a/cpu.max 10000 20000\n" },
        { "'cpu':{'period_us':20000,'quota_us':'50%'}", "write a/cpu.max 10000 20000\n" },
        { "'cpu':{'quota_us':'33.333%','period_us':1000}", "write a/cpu.max 333 1000\n" },
        /* ops:I16 */
        { "'cpu':{'quota_us':'7.5ms','period_us':'10ms'}", "write a/cpu.max 7500 10000\n" },
        { "'cpu':{'quota_us':'7500999ns','period_us':'0.01s'}", "write a/cpu.max 7500 10000\n" },
        { "'cpu':{'quota_us':30000,'period_us':10000}", "write a/cpu.max 30000 10000\n" },
        /* ops:I17 */
        { "'cpu':{'weight':200,'quota_us':'max','period_us':20000}",
          "write a/cpu.weight 200\nwrite a/cpu.max max 20000\n" },
        /* res:R24 res:R66 */
        { "'cpu':{'weight':250}", "write a/cpu.weight 250\nwrite a/cpu.max max 100000\n" },
        { "'io':{'weight':500}", "write a/io.weight 500\n" },
        { "'io':{'weight':750}", "write a/io.weight 750\n" },
        { "'io':{}", "" },
        /* res:R25 res:R65 ops:J12 */
        { "'memory':{'max':1048576}",
          "write a/memory.max 1048576\nwrite a/memory.high max\nwrite a/memory.low 0\n" },
        { "'memory':{'high':524288}",
          "write a/memory.max max\nwrite a/memory.high 524288\nwrite a/memory.low 0\n" },
        { "'memory':{'low':2048}",
          "write a/memory.max max\nwrite a/memory.high max\nwrite a/memory.low 2048\n" },
        /* ops:I18: one block, whatever the order in the document */
        { "'memory':{'low':'1K','high':'1.5M','max':'1G'}",
          "write a/memory.max 1073741824\nwrite a/memory.high 1572864\nwrite a/memory.low 1024\n" },
        /* ops:I19 */
        { "'memory':{}", "write a/memory.max max\nwrite a/memory.high max\nwrite a/memory.low 0\n" },
        { "'memory':{'max':'max','high':'max','low':0}",
          "write a/memory.max max\nwrite a/memory.high max\nwrite a/memory.low 0\n" },
        /* ops:J16 */
        { "'memory':{'swap_max':2097152}", "write a/memory.max max\nwrite a/memory.high max\n"
                                           "write a/memory.low 0\nwrite a/memory.swap.max 2097152\n" },
        { "'memory':{'swap_max':'max'}", "write a/memory.max max\nwrite a/memory.high max\n"
                                         "write a/memory.low 0\nwrite a/memory.swap.max max\n" },
        /* res:R26 ops:J18 ops:I24 */
        { "'pids':{'max':1024}", "write a/pids.max 1024\n" },
        { "'pids':{'max':512}", "write a/pids.max 512\n" },
        { "'pids':{}", "write a/pids.max max\n" },
        { "'pids':{'max':'max'}", "write a/pids.max max\n" },
        /* res:R27 */
        { "'pids':{'max':'18446744073709551615'}", "write a/pids.max 18446744073709551615\n" },
        { "'memory':{'swap_max':'18446744073709551615'}",
          "write a/memory.max max\nwrite a/memory.high max\nwrite a/memory.low 0\n"
          "write a/memory.swap.max 18446744073709551615\n" },
};

static void contents(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(WRITES); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", WRITES[i].body);
                desk_must_plan(d, SLOT_STEP, list, __LINE__);
                g_autofree char *got = desk_actions_of(d, "write");
                if (strcmp(got, WRITES[i].writes) != 0)
                        fail_msg("%s: got\n%s", WRITES[i].body, got);
        }
}

#define EVERYTHING                                                                                           \
        "'works':[{'workers':2},{'work_type':'YieldHeavy'}],'pids':{'max':64},'io':{'weight':300},"          \
        "'memory':{'swap_max':0,'max':'256M'},'cpu':{'quota_us':'75%','weight':200},"                        \
        "'cpuset_mems':'0','cpuset':'cpus:0-1'"

/* ops:J13 ops:J5 ops:J6 ops:J8 ops:J10 res:R56 res:R58: one order whatever the order of the document: every
 * write before the first worker, none of them tolerated, and the gates open last */
static void order(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_planned(d, "[{'name':'a'," EVERYTHING "}]",
                       "enable . +cpuset +cpu +memory +pids +io\n"
                       "mkdir a\n"
                       "write a/cpuset.cpus 0-1\n"
                       "write a/cpuset.mems 0\n"
                       "write a/cpu.weight 200\n"
                       "write a/cpu.max 75000 100000\n"
                       "write a/memory.max 268435456\n"
                       "write a/memory.high max\n"
                       "write a/memory.low 0\n"
                       "write a/memory.swap.max 0\n"
                       "write a/io.weight 300\n"
                       "write a/pids.max 64\n"
                       "spawn a #1 SpinWait 2 on 0-1\n"
                       "spawn a #2 YieldHeavy 1 on 0-1\n"
                       "phase 1\n"
                       "release #1\n"
                       "release #2\n");
        assert_planned(d, "[{'name':'a'}]", "mkdir a\nspawn a #1 SpinWait 1 on 0-3\nphase 1\nrelease #1\n");
}

/* What was written is also what the books say. */
static void books(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const CgroupState *c;
        const KnobValue *k;

        desk_has(d, SLOT_STEP, "[{'name':'a','cpuset':'cpus:0-1','pids':{'max':7}}]");
        c = scenario_find_cgroup(d->scenario, "a");
        assert_set(c->cpuset, "0-1");
        assert_int_equal(c->knobs->len, 2);
        k = c->knobs->pdata[0];
        assert_string_equal(k->file, "cpuset.cpus");
        assert_string_equal(k->value, "0-1");
        k = c->knobs->pdata[1];
        assert_string_equal(k->file, "pids.max");
        assert_string_equal(k->value, "7");
}

/* Each write tells which key of the definition it serves. */
static void origins(void **state G_GNUC_UNUSED) {
        static const char *const expected[] = {
                "cgroups[0].cpuset",       "cgroups[0].cpuset_mems",     "cgroups[0].cpu.weight",
                "cgroups[0].cpu.quota_us", "cgroups[0].memory.max",      "cgroups[0].memory.high",
                "cgroups[0].memory.low",   "cgroups[0].memory.swap_max", "cgroups[0].io.weight",
                "cgroups[0].pids.max",
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        size_t n = 0;

        desk_must_plan(d, SLOT_STEP, "[{'name':'a'," EVERYTHING "}]", __LINE__);
        for (guint i = 0; i < d->plan->actions->len; i++) {
                const PlanAction *a = d->plan->actions->pdata[i];
                if (a->kind != ACTION_WRITE)
                        continue;
                assert_true(n < G_N_ELEMENTS(expected));
                assert_string_equal(a->origin, expected[n++]);
        }
        assert_int_equal(n, G_N_ELEMENTS(expected));
}

/* A limit that cannot hold the cgroup's own workers can only fail. A leader is a task too. */
static void pids_for_its_workers(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_STEP, "[{'name':'a','pids':{'max':3},'works':[{'workers':2},{}]}]", __LINE__);
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','pids':{'max':2},'works':[{'workers':2},{}]}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].pids.max: cgroup 'a': pids.max 2",
                           "3 workers; set it to 3 or more");

#define LED "'works':[{'workers':2,'pcomm':'p'},{},{'pcomm':'q'},{'pcomm':'p'}]"
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','pids':{'max':7}," LED "}]", __LINE__);
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','pids':{'max':6}," LED "}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].pids.max: cgroup 'a': pids.max 6",
                           "5 workers and the leader of each pcomm (2); set it to 7 or more");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(contents),
                cmocka_unit_test(order),
                cmocka_unit_test(books),
                cmocka_unit_test(origins),
                cmocka_unit_test(pids_for_its_workers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
