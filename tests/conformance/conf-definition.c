/* SPDX-License-Identifier: GPL-2.0-only */

/* What a definition means before it meets a machine: names, defaults, merging, ranges. */

#include "model/cgroup-name.h"
#include "plan-fixture.h"

static GPtrArray *definitions(const char *list) {
        g_autoptr(JsonNode) node = json_quoted(list);
        g_autoptr(GError) error = NULL;
        GPtrArray *defs = decode_definitions(node, "cgroups", &error);

        if (!defs)
                fail_msg("%s: %s", list, error->message);
        return defs;
}

static const WorkSpec *work_of(const GPtrArray *defs, guint index) {
        const CgroupDef *def = defs->pdata[0];

        assert_true(index < def->works->len);
        return def->works->pdata[index];
}

static WorkerAttributes merged(const GPtrArray *defs, guint index) {
        const CgroupDef *def = defs->pdata[0];

        return worker_attributes_merge(&work_of(defs, index)->own, &def->defaults);
}

/* ---- names ---- */

/* res:R31 */
static void good_names(void **state G_GNUC_UNUSED) {
        static const char *const names[] = {
                "cg_0",         "cg-1",  "cg.0",    "cg_0/narrow", "level1/level2/level3",
                "a.b.c",        "x",     "a b",     "\xc3\xa9",    "cgroup",
                "supervisor-2", "a/sup", "cpu.max", "a/supervisor"
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(GError) error = NULL;
                if (!cgroup_name_check(names[i], &error))
                        fail_msg("%s", error->message);
        }
}

/* res:R30 res:R32: the check comes before any action, so nothing was touched; ops:I12 a name is mandatory */
static void bad_names(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *name, *fragment;
        } cases[] = {
                { "", "is empty" },
                { "/abs", "starts with '/'" },
                { ".hidden", "leading-dot component" },
                { "..", "'..' component" },
                { "a/..", "'..' component" },
                { "../escape", "'..' component" },
                { ".", "'.' component" },
                { "a//b", "empty path component" },
                { "a/", "empty path component" },
                { "ok/.dotfile", "leading-dot component" },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'%s'}]", cases[i].name);
                g_autofree char *quoted = g_strdup_printf("cgroup name '%s'", cases[i].name);
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_INVALID_DEFINITION,
                                   "cgroups[0].name: ", quoted, cases[i].fragment);
        }
        assert_not_planned(d, SLOT_STEP, "[{'pids':{}}]", KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0]: a definition needs a name");
}

/* ---- worker groups ---- */

/* work:C1 ops:I10 ops:I13 ops:I20 */
static void defaults(void **state G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) defs = definitions("[{'name':'a','cpuset_mems':'0','cpu':{},'nice':5}]");
        const CgroupDef *def = defs->pdata[0];
        const WorkSpec *work = work_of(defs, 0);

        assert_int_equal(def->works->len, 1);
        assert_int_equal(work->work_type, WORK_SPIN_WAIT);
        assert_false(work->workers.set);
        assert_false(work->has_workers_pct);
        assert_false(work->has_sched_policy);
        assert_null(work->affinity);
        assert_null(work->mem_policy);
        assert_int_equal(work->mpol_flags, 0);
        assert_false(work->own.nice.set || work->own.uid.set || work->own.gid.set || work->own.numa_node.set);
        assert_null(work->own.comm);
        assert_int_equal(merged(defs, 0).nice.value, 5); /* the phantom group takes the definition's */

        assert_null(def->cpuset);
        assert_set(def->cpuset_mems, "0");
        assert_true(def->cpu.present);
        assert_int_equal(def->cpu.period_us, 100000);
        assert_false(def->cpu.quota_us.set || def->cpu.weight.set);
        assert_false(def->memory.present || def->io.present || def->pids.present);
}

#define ALL_DEFAULTS "'nice':5,'comm':'tick','uid':7,'gid':8,'numa_node':1"

/* ops:I1 ops:I2 ops:I3 ops:I4 ops:I5 ops:I11 */
static void defaults_before_and_after(void **state G_GNUC_UNUSED) {
        static const char *const lists[] = {
                "[{'name':'a'," ALL_DEFAULTS ",'works':[{},{}]}]",
                "[{'name':'a','works':[{},{}]," ALL_DEFAULTS "}]",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
                g_autoptr(GPtrArray) defs = definitions(lists[i]);
                for (guint w = 0; w < 4; w++) { /* twice each: merging changes nothing */
                        WorkerAttributes m = merged(defs, w % 2);
                        assert_true(m.nice.set && m.uid.set && m.gid.set && m.numa_node.set);
                        assert_int_equal(m.nice.value, 5);
                        assert_string_equal(m.comm, "tick");
                        assert_int_equal(m.uid.value, 7);
                        assert_int_equal(m.gid.value, 8);
                        assert_int_equal(m.numa_node.value, 1);
                }
        }
}

/* ops:I6 ops:I7 */
static void own_value_wins(void **state G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) defs =
                definitions("[{'name':'a'," ALL_DEFAULTS ",'works':[{'nice':0,'comm':'tock','uid':0},"
                            "{'gid':0,'numa_node':0}]}]");
        WorkerAttributes first = merged(defs, 0), second = merged(defs, 1);

        assert_true(first.nice.set && first.uid.set);
        assert_int_equal(first.nice.value, 0);
        assert_string_equal(first.comm, "tock");
        assert_int_equal(first.uid.value, 0);
        assert_int_equal(first.gid.value, 8);
        assert_int_equal(first.numa_node.value, 1);
        assert_int_equal(second.nice.value, 5);
        assert_string_equal(second.comm, "tick");
        assert_int_equal(second.uid.value, 7);
        assert_int_equal(second.gid.value, 0);
        assert_int_equal(second.numa_node.value, 0);
}

/* ops:I25 ops:I26 */
static void groups_in_order(void **state G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) defs = definitions(
                "[{'name':'a','works':[{'workers':3},{'work_type':'Bursty'},{'work_type':'YieldHeavy'}]}]");
        g_autoptr(GPtrArray) one = definitions("[{'name':'a','works':[{'work_type':'Bursty'}]}]");

        assert_int_equal(((CgroupDef *)defs->pdata[0])->works->len, 3);
        assert_int_equal(work_of(defs, 0)->workers.value, 3);
        assert_int_equal(work_of(defs, 1)->work_type, WORK_BURSTY);
        assert_int_equal(work_of(defs, 2)->work_type, WORK_YIELD_HEAVY);
        assert_int_equal(((CgroupDef *)one->pdata[0])->works->len, 1); /* no phantom group */
}

/* ops:H9: the fraction is kept as given, no count appears */
static void percentage_is_kept(void **state G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) defs = definitions("[{'name':'a','works':[{'workers_pct':0.34}]}]");

        assert_true(work_of(defs, 0)->has_workers_pct);
        assert_true(work_of(defs, 0)->workers_pct == 0.34);
        assert_false(work_of(defs, 0)->workers.set);
}

/* Also for parameters that are left out. */
static void parameters(void **state G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) defs =
                definitions("[{'name':'a','works':[{'work_type':'Bursty'},"
                            "{'params':{'sleep_duration':'2s','burst_duration':1500},'work_type':'Bursty'},"
                            "{'work_type':'Bursty','params':{'sleep_duration':0}}]}]");

        assert_int_equal(work_of(defs, 0)->params[0], 50000000);
        assert_int_equal(work_of(defs, 0)->params[1], 100000000);
        assert_int_equal(work_of(defs, 1)->params[0], 1500000); /* a number counts microseconds */
        assert_int_equal(work_of(defs, 1)->params[1], 2000000000);
        assert_int_equal(work_of(defs, 2)->params[0], 50000000);
        assert_int_equal(work_of(defs, 2)->params[1], 0);
}

/* ---- refusals ---- */

static const struct {
        const char *body, *path, *fragment, *second;
} REFUSED[] = {
        /* work:C3 res:R63 ops:H21 */
        { "'works':[{'workers':0}]", "works[0].workers", "0 is out of range 1..", "vacuous" },
        /* ops:J25 */
        { "'works':[{'pcomm':'lead','workers':0}]", "works[0].workers", "0 is out of range 1..", "vacuous" },
        /* work:C4 */
        { "'works':[{},{'workers':0}]", "works[1].workers", "0 is out of range 1..", "vacuous" },
        /* work:C5 */
        { "'works':[{'workers':0,'mem_policy':'bind:'}]", "works[0].workers", "0 is out of range", "" },
        { "'works':[{'mem_policy':'bind:'},{'workers':0}]", "works[1].workers", "0 is out of range", "" },
        /* ops:H15 ops:H18 work:C9 res:R64 */
        { "'works':[{'workers':2,'workers_pct':0.5}]", "works[0]", "workers (2)", "workers_pct (0.5)" },
        { "'cpuset':'range:0-0.1','works':[{'workers_pct':0.5,'workers':2}]", "works[0]", "workers (2)",
          "workers_pct (0.5)" },
        /* ops:J14 res:R67 */
        { "'cpu':{'weight':0}", "cpu.weight", "0 is out of range 1..10000", "cpu.weight" },
        { "'cpu':{'weight':10001}", "cpu.weight", "10001 is out of range 1..10000", "cpu.weight" },
        /* ops:J15 */
        { "'cpu':{'period_us':0}", "cpu.period_us", "0 is too small", "period must be > 0" },
        { "'cpu':{'quota_us':0}", "cpu.quota_us", "0 is too small", "\"max\" for no limit" },
        { "'cpu':{'quota_us':'0%'}", "cpu.quota_us", "'0%' is too small", "the quota must be > 0" },
        /* ops:J19 */
        { "'pids':{'max':0}", "pids.max", "pids.max must be > 0", "\"max\" for no limit" },
        /* ops:J20 */
        { "'io':{'weight':0}", "io.weight", "0 is out of range 1..10000", "io.weight" },
        { "'io':{'weight':10001}", "io.weight", "10001 is out of range 1..10000", "io.weight" },
        /* work:C8 ops:I14 (NUL never gets this far: test-json-text) */
        { "'comm':''", "comm", "'' has 0 bytes", "1 to 15" },
        { "'comm':'sixteen-bytes-ab'", "comm", "'sixteen-bytes-ab' has 16 bytes", "1 to 15" },
        { "'works':[{'comm':'sixteen-bytes-ab'}]", "works[0].comm", "has 16 bytes", "1 to 15" },
        { "'works':[{'pcomm':''}]", "works[0].pcomm", "'' has 0 bytes", "1 to 15" },
        { "'works':[{'pcomm':'sixteen-bytes-ab'}]", "works[0].pcomm", "has 16 bytes", "1 to 15" },
        { "'comm':'\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f'", "comm", "has 16 bytes",
          "1 to 15" },
        /* work:C15: of two, the burst's */
        { "'works':[{'work_type':'IdleChurn','params':{'burst_duration':0}}]",
          "works[0].params.burst_duration", "burst_duration 0s is out of range 1ns..", "pure sleep" },
        { "'works':[{'work_type':'IdleChurn','params':{'sleep_duration':0}}]",
          "works[0].params.sleep_duration", "sleep_duration 0s is out of range 1ns..", "SpinWait" },
        { "'works':[{'work_type':'IdleChurn','params':{'sleep_duration':0,'burst_duration':0}}]",
          "works[0].params.burst_duration", "burst_duration 0s is out of range 1ns..", "pure sleep" },
        /* work:C17: in another group than the first */
        { "'works':[{},{'work_type':'IdleChurn','params':{'burst_duration':0}}]",
          "works[1].params.burst_duration", "burst_duration 0s is out of range 1ns..", "pure sleep" },
};

static void refusals(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", REFUSED[i].body);
                g_autofree char *place = g_strdup_printf("cgroups[0].%s: cgroup 'a': ", REFUSED[i].path);
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_INVALID_DEFINITION, place,
                                   REFUSED[i].fragment, REFUSED[i].second);
        }
}

/* work:C8 work:C15 ops:I14 ops:J21 */
static void just_allowed(void **state G_GNUC_UNUSED) {
        static const char *const bodies[] = {
                "'comm':'fifteen-bytes-a'",
                "'comm':'\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f\xd1\x8f'",
                "'io':{'weight':1}",
                "'io':{'weight':10000}",
                "'cpu':{'weight':1}",
                "'cpu':{'weight':10000}",
                "'pids':{'max':1}",
                "'nice':-20",
                "'nice':19",
                "'uid':4294967294",
                "'works':[{'pcomm':'fifteen-bytes-a'}]",
                ("'works':[{'work_type':'IdleChurn',"
                 "'params':{'burst_duration':'1ns','sleep_duration':'1ns'}}]"),
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", bodies[i]);
                desk_must_plan(d, SLOT_STEP, list, __LINE__);
        }
}

/* work:C7: whose workers are threads makes no difference to what is checked */
static void memory_policy_of_threads(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_not_planned(d, SLOT_STEP, "[{'name':'a','works':[{'pcomm':'lead','mem_policy':'bind:'}]}]",
                           KT_ERROR_INVALID_DEFINITION, "cgroups[0].works[0].mem_policy: ", "'bind:'",
                           "at least one NUMA node");
}

/* A boolean is a boolean in every door; what is not given keeps the catalogue's value. */
static void boolean_parameters(void **state G_GNUC_UNUSED) {
        static const char *const values[] = { "", "'precise_timing':false", "'precise_timing':true" };
        const WorkType *type = work_type_get(WORK_IDLE_CHURN);

        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
                g_autofree char *list = g_strdup_printf(
                        "[{'name':'a','works':[{'work_type':'IdleChurn','params':{%s}}]}]", values[i]);
                g_autoptr(GPtrArray) defs = definitions(list);
                unsigned p = 0;
                while (p < type->n_params && !g_str_equal(type->params[p].key, "precise_timing"))
                        p++;
                assert_true(p < type->n_params && type->params[p].kind == PARAM_BOOLEAN);
                assert_int_equal(work_of(defs, 0)->params[p], i == 0 ? type->params[p].fallback : i - 1);
        }
}

/* work:N2 work:N3: exact lookup, and the nearest name */
static void work_types(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *given, *near;
        } cases[] = {
                { "spinwait", "SpinWait" },
                { "SPINWAIT", "SpinWait" },
                { "Spin-Wait", "SpinWait" },
                { "SpinWait ", "SpinWait" }, /* blanks are a near miss too */
                { "yieldheavy", "YieldHeavy" },
                { "Burst", "Bursty" },
                { "pipeio", "PipeIo" },
                { "FutexPingpong", "FutexPingPong" },
                { "idle_churn", "IdleChurn" },
                { "Sequence", NULL },
                { "Custom", NULL },
                { "cpu", NULL },
                { "nonexistent", NULL },
                { "Cpu Spin", NULL },
                { " ", NULL },
                { "", NULL },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list =
                        g_strdup_printf("[{'name':'a','works':[{'work_type':'%s'}]}]", cases[i].given);
                const char *near = cases[i].near;
                g_autofree char *expected = g_strdup_printf(
                        "cgroups[0].works[0].work_type: cgroup 'a': unknown work type '%s'; %s%s%s: "
                        "SpinWait, YieldHeavy, Mixed, Bursty, PipeIo, FutexPingPong, IdleChurn",
                        cases[i].given, near ? "did you mean '" : "known work types", near ?: "",
                        near ? "'? Known work types" : "");
                desk_must_refuse(d, SLOT_STEP, list, __LINE__);
                check_text(d->error->message, expected, __LINE__);
        }
        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a','works':[{'work_type':'%s'}]}]",
                                                        work_type_get(i)->name);
                g_autoptr(GPtrArray) defs = definitions(list);
                assert_int_equal(work_of(defs, 0)->work_type, i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_names),         cmocka_unit_test(bad_names),
                cmocka_unit_test(defaults),           cmocka_unit_test(defaults_before_and_after),
                cmocka_unit_test(own_value_wins),     cmocka_unit_test(groups_in_order),
                cmocka_unit_test(percentage_is_kept), cmocka_unit_test(parameters),
                cmocka_unit_test(refusals),           cmocka_unit_test(just_allowed),
                cmocka_unit_test(work_types),         cmocka_unit_test(memory_policy_of_threads),
                cmocka_unit_test(boolean_parameters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
