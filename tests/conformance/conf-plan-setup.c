/* SPDX-License-Identifier: GPL-2.0-only */

/* Where cgroups come to stand: collisions, controllers on the way, what a cpuset resolves to. */

#include "plan-fixture.h"

/* ---- lists ---- */

/* res:R54 res:R8 ops:J1 ops:J2 ops:K3 ops:K6 res:R61 */
static void lists(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_planned(d, "[]", "");
        assert_planned(d, "[{'name':'b'},{'name':'a','works':[{'workers':2}]}]",
                       "mkdir b\n"
                       "spawn b #1 SpinWait 1 on 0-3\n"
                       "mkdir a\n"
                       "spawn a #2 SpinWait 2 on 0-3\n"
                       "phase 1\n"
                       "release #1\n"
                       "release #2\n");
        assert_int_equal(d->plan->cgroups->len, 2);
        assert_string_equal(((CgroupState *)d->plan->cgroups->pdata[0])->name, "b");
        assert_null(((CgroupState *)d->plan->cgroups->pdata[0])->cpuset);
}

/* Each action tells which definition it serves. The gates come after everything, so with the last one: the
 * lists of the definitions, one after the other, are the plan. */
static void actions_know_their_definition(void **state G_GNUC_UNUSED) {
        static const int expected[] = { 0, 0, 0, 0, 1, 1, 1, 1, 1 };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_planned(d, "[{'name':'a','pids':{}},{'name':'b'}]",
                       "enable . +pids\n"
                       "mkdir a\n"
                       "write a/pids.max max\n"
                       "spawn a #1 SpinWait 1 on 0-3\n"
                       "mkdir b\n"
                       "spawn b #2 SpinWait 1 on 0-3\n"
                       "phase 1\n"
                       "release #1\n"
                       "release #2\n");
        for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
                assert_int_equal(((PlanAction *)d->plan->actions->pdata[i])->def, expected[i]);
}

/* Worker groups have ids that no group of this scenario ever had. */
static void group_ids_go_on(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'a','works':[{},{}]}]");
        g_ptr_array_set_size(d->scenario->groups, 0);
        g_ptr_array_set_size(d->scenario->cgroups, 0);
        assert_planned(d, "[{'name':'a'}]", "mkdir a\nspawn a #3 SpinWait 1 on 0-3\nphase 1\nrelease #3\n");
}

/* ---- collisions ---- */

/* res:R68 ops:J9 ops:K4 */
static void collisions(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_BACKDROP, "[{'name':'back'}]");
        desk_has(d, SLOT_STEP, "[{'name':'step'},{'name':'p/q/r'}]");
        assert_not_planned(d, SLOT_STEP, "[{'name':'new'},{'name':'back'}]", KT_ERROR_CGROUP_EXISTS,
                           "cgroups[1].name: cgroup 'back': ", "collides", "tracked in the backdrop");
        assert_not_planned(d, SLOT_STEP, "[{'name':'step'}]", KT_ERROR_CGROUP_EXISTS,
                           "cgroups[0].name: cgroup 'step': ", "collides", "tracked in the step");
        assert_not_planned(d, SLOT_BACKDROP, "[{'name':'step'}]", KT_ERROR_CGROUP_EXISTS, "collides",
                           "tracked in the step");
        assert_not_planned(d, SLOT_STEP, "[{'name':'x'},{'name':'x'}]", KT_ERROR_CGROUP_EXISTS,
                           "cgroups[1].name: cgroup 'x': ", "collides");
        assert_not_planned(d, SLOT_STEP, "[{'name':'p/q'}]", KT_ERROR_CGROUP_EXISTS,
                           "cgroups[0].name: cgroup 'p/q': ", "as the parent of other cgroups");
        assert_not_planned(d, SLOT_STEP, "[{'name':'n/m'},{'name':'n'}]", KT_ERROR_CGROUP_EXISTS,
                           "cgroups[1].name: cgroup 'n': ", "as the parent of other cgroups");
}

/* What stays cannot be below what goes. */
static void backdrop_below_step(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'s'},{'name':'way/t'}]");
        desk_has(d, SLOT_BACKDROP, "[{'name':'b'}]");
        assert_not_planned(d, SLOT_BACKDROP, "[{'name':'s/x/y'}]", KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].name: cgroup 's/x/y': ", "parent 's' goes at the end of the step");
        desk_must_plan(d, SLOT_STEP, "[{'name':'s/x'},{'name':'b/x'}]", __LINE__);
        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'b/x'},{'name':'way/u'}]", __LINE__);
}

/* ---- controllers ---- */

/* res:R9 ops:C16 ops:C17: only what is needed, once for all, and only what is not there yet */
static void smallest_set(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body, *enabled;
        } cases[] = {
                { "'cpuset':'llc:0','memory':{}", "enable . +cpuset +memory\n" },
                { "'cpuset_mems':'0'", "enable . +cpuset\n" },
                { "'cpuset':'llc:0'", "enable . +cpuset\n" },
                { "'cpu':{}", "enable . +cpu\n" },
                { "'memory':{}", "enable . +memory\n" },
                { "'io':{}", "enable . +io\n" },
                { "'pids':{}", "enable . +pids\n" },
                { "'nice':1", "" },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                desk_must_plan(d, SLOT_STEP, list, __LINE__);
                assert_actions(d, "enable", cases[i].enabled);
        }
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','cpu':{}},{'name':'b','cpu':{},'io':{}},{'name':'c'}]",
                       __LINE__);
        assert_actions(d, "enable", "enable . +cpu\nenable . +io\n");
        desk_has(d, SLOT_STEP, "[{'name':'a','cpu':{}}]");
        assert_int_equal(d->scenario->root_enabled, CONTROLLER_CPU);
        desk_must_plan(d, SLOT_STEP, "[{'name':'b','cpu':{},'pids':{}}]", __LINE__);
        assert_actions(d, "enable", "enable . +pids\n");
}

/* res:R10: names the controller and what there is; nothing is planned, so nothing was written */
static void controller_missing(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body, *place, *controller, *option;
        } cases[] = {
                { "'cpuset':'llc:0'", "cgroups[0].cpuset: ", "controller cpuset is not available",
                  "CONFIG_CPUSETS" },
                { "'cpuset_mems':'0'", "cgroups[0].cpuset: ", "controller cpuset is not available",
                  "CONFIG_CPUSETS" },
                { "'cpu':{}", "cgroups[0].cpu: ", "controller cpu is not available", "CONFIG_CGROUP_SCHED" },
                { "'pids':{}", "cgroups[0].pids: ", "controller pids is not available",
                  "CONFIG_CGROUP_PIDS" },
                { "'io':{}", "cgroups[0].io: ", "controller io is not available", "CONFIG_BLK_CGROUP" },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        d->context.controllers = CONTROLLER_MEMORY;
        desk_must_plan(d, SLOT_STEP, "[{'name':'a','memory':{}}]", __LINE__);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                assert_not_planned(d, SLOT_STEP, list, KT_ERROR_CONTROLLER_UNAVAILABLE, cases[i].place,
                                   cases[i].controller, cases[i].option,
                                   "/r/cgroup.controllers offers 'memory'", "cgroup 'a'");
        }
        d->context.controllers = 0;
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','memory':{}}]", KT_ERROR_CONTROLLER_UNAVAILABLE,
                           "CONFIG_MEMCG", "offers ''");
}

/* ---- nested names ---- */

/* res:R2 res:R12 res:R43: at every level from the root of the scenario down, nowhere above; before the
 * directory that needs it */
static void enabled_on_the_way(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_planned(d, "[{'name':'a/b/c','cpuset':'cpus:0','pids':{'max':9}}]",
                       "enable . +cpuset +pids\n"
                       "mkdir a\n"
                       "enable a +cpuset +pids\n"
                       "mkdir a/b\n"
                       "enable a/b +cpuset +pids\n"
                       "mkdir a/b/c\n"
                       "write a/b/c/cpuset.cpus 0\n"
                       "write a/b/c/pids.max 9\n"
                       "spawn a/b/c #1 SpinWait 1 on 0\n"
                       "phase 1\n"
                       "release #1\n");
        assert_planned(d, "[{'name':'a/b'}]",
                       "mkdir a\nmkdir a/b\nspawn a/b #1 SpinWait 1 on 0-3\nphase 1\nrelease #1\n");
}

/* A second cgroup below the same parents adds what is missing only, in one call and in the next. */
static void siblings(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_STEP, "[{'name':'p/a','cpu':{}},{'name':'p/b','cpu':{},'io':{}}]", __LINE__);
        assert_actions(d, "enable", "enable . +cpu\nenable p +cpu\nenable . +io\nenable p +io\n");
        assert_actions(d, "mkdir", "mkdir p\nmkdir p/a\nmkdir p/b\n");

        desk_has(d, SLOT_STEP, "[{'name':'p/a','cpu':{}}]");
        assert_int_equal(scenario_find_cgroup(d->scenario, "p")->enabled, CONTROLLER_CPU);
        assert_true(scenario_find_cgroup(d->scenario, "p")->implicit);
        desk_has(d, SLOT_STEP, "[{'name':'p/b','cpu':{},'memory':{}}]");
        assert_int_equal(scenario_find_cgroup(d->scenario, "p")->enabled, CONTROLLER_CPU | CONTROLLER_MEMORY);
        assert_int_equal(scenario_find_cgroup(d->scenario, "p/b")->enabled, 0);
        desk_must_plan(d, SLOT_STEP, "[{'name':'p/c','memory':{},'cpu':{}}]", __LINE__);
        assert_actions(d, "enable", "");
        assert_actions(d, "mkdir", "mkdir p/c\n");
}

/* A cgroup with workers gives no controllers to children. */
static void no_internal_processes(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_not_planned(d, SLOT_STEP, "[{'name':'a'},{'name':'a/b','pids':{},'cpu':{}}]",
                           KT_ERROR_INVALID_DEFINITION,
                           "cgroups[1].name: cgroup 'a/b': ", "parent 'a' holds workers",
                           "controllers cpu pids", "no internal processes");
        desk_has(d, SLOT_STEP, "[{'name':'a','cpu':{}}]");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a/x/y','io':{}}]", KT_ERROR_INVALID_DEFINITION,
                           "parent 'a' holds workers");
        /* Without limits of its own the child needs nothing from it. */
        assert_planned(d, "[{'name':'a/b'}]", "mkdir a/b\nspawn a/b #2 SpinWait 1 on 0-3\nrelease #2\n");
}

/* ---- cpusets ---- */

/* ops:K7 res:R55: the set is written and kept with the cgroup, and governs what is below */
static void cpuset_is_kept(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        desk_has(d, SLOT_BACKDROP, "[{'name':'a','cpuset':'numa:1'}]");
        assert_set(scenario_find_cgroup(d->scenario, "a")->cpuset, "4-7");
        assert_planned(d, "[{'name':'a/b/c','works':[{'workers_pct':0.5,'affinity':'single'}]}]",
                       "mkdir a/b\nmkdir a/b/c\nspawn a/b/c #2 SpinWait 2 on 4\nphase 1\nrelease #2\n");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a/b','works':[{'mem_policy':'bind:0'}]}]",
                           KT_ERROR_INVALID_DEFINITION, "works[0].mem_policy: ", "[0]", "{1}");
}

/* res:R57 ops:J7 */
static void cpuset_out_of_range(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_not_planned(d, SLOT_STEP, "[{'name':'a','cpuset':'llc:99'}]", KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].cpuset: cgroup 'a': ", "'llc:99' is not valid", "out of range");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','cpuset':'cpus:0,99'}]", KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].cpuset: cgroup 'a': ", "is not valid", "99");
}

/* A set that came out empty has better things to say than the check of its numbers. */
static void cpuset_empty(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *body, *fragments[3];
        } cases[] = {
                /* ops:H19 */
                { "'cpuset':'range:0-0.1'", { "'range:0-0.1' resolved to 0 CPUs" } },
                { "'cpuset':'cpus:'", { "resolved to 0 CPUs" } },
                { "'cpuset':'disjoint:0/0'", { "resolved to 0 CPUs" } },
                { "'cpuset':'range:0.8-0.2','works':[{'workers':2}]", { "resolved to 0 CPUs" } },
                /* ops:H16 ops:K8 res:R64 */
                { "'cpuset':'range:0-0.1','works':[{'workers_pct':0.9}]",
                  { "size 0", "works[0] workers_pct 0.9" } },
                /* ops:H17 */
                { "'cpuset':'range:0-0.1','works':[{'workers_pct':0.3},{'workers':1},{'workers_pct':0.7},"
                  "{'workers_pct':0.5}]",
                  { "works[0] workers_pct 0.3", "works[2] workers_pct 0.7", "works[3] workers_pct 0.5" } },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", cases[i].body);
                const char *const *f = cases[i].fragments;
                desk_must_refuse(d, SLOT_STEP, list, __LINE__);
                if (!strstr(cases[i].body, "pct"))
                        assert_null(strstr(d->error->message, "workers_pct"));
                else
                        assert_null(strstr(d->error->message, "resolved to 0 CPUs"));
                assert_refused(d->error, KT_ERROR_EMPTY_CPUSET, "cgroups[0].cpuset: cgroup 'a': ", f[0],
                               f[1] ?: "", f[2] ?: "");
        }
}

static void mems(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(TWO_LLCS_8);

        desk_must_plan(d, SLOT_STEP, "[{'name':'a','cpuset_mems':'0-1'}]", __LINE__);
        assert_actions(d, "write", "write a/cpuset.mems 0-1\n");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','cpuset_mems':'0,7'}]", KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].cpuset_mems: cgroup 'a': ", "nodes 7 do not exist");
        assert_not_planned(d, SLOT_STEP, "[{'name':'a','cpuset_mems':''}]", KT_ERROR_INVALID_DEFINITION,
                           "cgroups[0].cpuset_mems: cgroup 'a': ", "is empty");
}

/* ---- phases ---- */

/* The first workers of a step begin its phase, once; those of the backdrop begin none. */
static void phases(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "");
        desk_has(d, SLOT_BACKDROP, "[{'name':'a'}]");
        desk_must_plan(d, SLOT_STEP, "[]", __LINE__);
        assert_actions(d, "phase", "");
        desk_must_plan(d, SLOT_STEP, "[{'name':'b'},{'name':'c'}]", __LINE__);
        assert_actions(d, "phase", "phase 1\n");
        desk_has(d, SLOT_STEP, "[{'name':'b'}]");
        desk_must_plan(d, SLOT_STEP, "[{'name':'c'}]", __LINE__);
        assert_actions(d, "phase", "");
        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'c'}]", __LINE__);
        assert_actions(d, "phase", "");
}

/* Steps count on. A cgroup that an end could not remove is no step that has begun. */
static void phase_of_a_later_step(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        d->scenario->step_index = 4;
        desk_has(d, SLOT_STEP, "[{'name':'left'}]");
        g_ptr_array_set_size(d->scenario->groups, 0);
        desk_must_plan(d, SLOT_STEP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "phase 5\n");
        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "");
}

/* With nothing left the executor went, and the next one knows of no step before. */
static void backdrop_after_a_step(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        d->scenario->step_index = 1;
        desk_must_plan(d, SLOT_BACKDROP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "phase between\n");
        desk_must_plan(d, SLOT_STEP, "[{'name':'a'}]", __LINE__);
        assert_actions(d, "phase", "phase 2\n");
}

/* ---- limits ---- */

/* Decision 25: a ceiling is checked before anything is touched. */
static void ceilings(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        d->context.limits = (PlanLimits){ .max_cgroups = 4, .max_workers = 6 };
        desk_has(d, SLOT_BACKDROP, "[{'name':'p/a'},{'name':'b','works':[{'workers':3}]}]");
        desk_must_plan(d, SLOT_STEP, "[{'name':'c','works':[{},{}]}]", __LINE__); /* 4 cgroups, 6 workers */
        assert_not_planned(d, SLOT_STEP, "[{'name':'c/d'}]", KT_ERROR_LIMIT_EXCEEDED, "5 cgroups",
                           "MaxCgroups", "allows 4");
        assert_not_planned(d, SLOT_STEP, "[{'name':'c','works':[{},{},{}]}]", KT_ERROR_LIMIT_EXCEEDED,
                           "cgroups[0].works[2].workers: cgroup 'c': ", "7 workers", "MaxWorkers",
                           "allows 6");
        assert_not_planned(d, SLOT_STEP, "[{'name':'c','works':[{'workers':7}]}]", KT_ERROR_LIMIT_EXCEEDED,
                           "workers 7 is over the limit of 6");
        assert_not_planned(d, SLOT_STEP, "[{'name':'c','works':[{'workers_pct':1e100}]}]",
                           KT_ERROR_LIMIT_EXCEEDED,
                           "cgroups[0].works[0].workers_pct: cgroup 'c': ", "workers_pct 1e+100");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lists),
                cmocka_unit_test(actions_know_their_definition),
                cmocka_unit_test(group_ids_go_on),
                cmocka_unit_test(collisions),
                cmocka_unit_test(backdrop_below_step),
                cmocka_unit_test(smallest_set),
                cmocka_unit_test(controller_missing),
                cmocka_unit_test(enabled_on_the_way),
                cmocka_unit_test(siblings),
                cmocka_unit_test(no_internal_processes),
                cmocka_unit_test(cpuset_is_kept),
                cmocka_unit_test(cpuset_out_of_range),
                cmocka_unit_test(cpuset_empty),
                cmocka_unit_test(mems),
                cmocka_unit_test(phases),
                cmocka_unit_test(phase_of_a_later_step),
                cmocka_unit_test(backdrop_after_a_step),
                cmocka_unit_test(ceilings),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
