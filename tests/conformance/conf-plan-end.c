/* SPDX-License-Identifier: GPL-2.0-only */

/* The end of a step and of everything: who is thawed, ended, stopped, collected and removed, in which order.
 */

#include "plan-fixture.h"

#define assert_end(desk, slot, expected)                                                                     \
        do {                                                                                                 \
                desk_plans_end((desk), (slot));                                                              \
                g_autofree char *got_ = desk_actions(desk);                                                  \
                check_text(got_, (expected), __LINE__);                                                      \
        } while (0)

#define BETWEEN      "?phase between\n"
#define THAW(name)   "?write " name "/cgroup.freeze 0\n"
#define REMOVE(name) "?evacuate " name "\n?await-empty " name "\n?rmdir " name "\n"

static void nothing_to_end(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        assert_end(d, SLOT_STEP, "");
        assert_end(d, SLOT_BACKDROP, "");
}

/* ops:K19 res:R46 res:R49 ops:P4: everything is thawed first, then all are asked to stop, then all are
 * collected, then cgroups go, newest first. res:R51 ops:K20: each of it is tried whatever became of the rest.
 */
static void whole_order(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'cg_a'},{'name':'cg_a/sub'},{'name':'cg_b','works':[{},{}]}]");
        assert_end(d, SLOT_STEP,
                   BETWEEN THAW("cg_a") THAW("cg_a/sub")
                           THAW("cg_b") "?stop #1\n?stop #2\n?stop #3\n?stop #4\n"
                                        "?collect #1\n?collect #2\n?collect #3\n?collect #4\n" REMOVE("cg_b")
                                                REMOVE("cg_a/sub") REMOVE("cg_a"));
        assert_int_equal(d->plan->stop_ms, 5000);
        assert_int_equal(d->plan->settle_ms, 1000);
}

/* res:R50: each once, in reverse */
static void newest_first(void **state G_GNUC_UNUSED) {
        static const char *const expected[] = { "c", "b", "a" };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'a'}]");
        desk_has(d, SLOT_STEP, "[{'name':'b'},{'name':'c'}]");
        desk_plans_end(d, SLOT_STEP);
        assert_int_equal(d->plan->removals->len, 3);
        for (guint i = 0; i < 3; i++)
                assert_string_equal(d->plan->removals->pdata[i], expected[i]);
        assert_actions(d, "?rmdir", "?rmdir c\n?rmdir b\n?rmdir a\n");
}

/* What is the backdrop's stays until the very end, which ends the step's too. */
static void step_and_backdrop(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_BACKDROP, "[{'name':'stays'}]");
        desk_has(d, SLOT_STEP, "[{'name':'goes'}]");
        desk_has(d, SLOT_BACKDROP, "[{'name':'late'}]");
        assert_end(d, SLOT_STEP, BETWEEN THAW("goes") "?stop #2\n?collect #2\n" REMOVE("goes"));
        assert_end(d, SLOT_BACKDROP,
                   THAW("stays") THAW("goes") THAW("late") "?stop #1\n?stop #2\n?stop #3\n?collect "
                                                           "#1\n?collect #2\n?collect #3\n" REMOVE("late")
                                                                   REMOVE("goes") REMOVE("stays"));
}

/* Workers of the backdrop learn of a step's end even if nothing of it was ever there. */
static void end_of_an_empty_step(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_BACKDROP, "[{'name':'stays'}]");
        assert_end(d, SLOT_STEP, BETWEEN);
}

/* Parents made on the way have no workers to thaw, and go with the last cgroup below them. */
static void implicit_parents(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'p/q/a'},{'name':'p/b'}]");
        assert_end(d, SLOT_STEP,
                   BETWEEN THAW("p/q/a")
                           THAW("p/b") "?stop #1\n?stop #2\n?collect #1\n?collect #2\n" REMOVE("p/b")
                                   REMOVE("p/q/a") REMOVE("p/q") REMOVE("p"));
}

static void implicit_parent_of_both(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'p/step'}]"); /* makes p */
        desk_has(d, SLOT_BACKDROP, "[{'name':'p/back'},{'name':'pp'}]");
        desk_plans_end(d, SLOT_STEP);
        assert_actions(d, "?rmdir", "?rmdir p/step\n");
        desk_plans_end(d, SLOT_BACKDROP);
        assert_actions(d, "?rmdir", "?rmdir pp\n?rmdir p/back\n?rmdir p/step\n?rmdir p\n");
}

/* "p" is no parent of "pp", which stays. */
static void names_that_only_look_nested(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_STEP, "[{'name':'p/x'}]");
        desk_has(d, SLOT_BACKDROP, "[{'name':'pp'},{'name':'p-q'}]");
        desk_plans_end(d, SLOT_STEP);
        assert_actions(d, "?rmdir", "?rmdir p/x\n?rmdir p\n");
}

/* ---- payloads ---- */

#define END(cgroup, payload) "?end-payload " cgroup " " payload "\n"
#define END_ALONE(id)        "?end-payload @payload-" id " fio#" id "\n?rmdir @payload-" id "\n"

static void assert_endings(const Desk *d, const uint32_t *ids, guint n) {
        assert_int_equal(d->plan->endings->len, n);
        for (guint i = 0; i < n; i++)
                assert_int_equal(g_array_index(d->plan->endings, uint32_t, i), ids[i]);
}

/* After the thaw and before any worker is asked to stop, newest first, running or not; what stays is left
 * alone. One that exited may have left others behind. */
static void payloads_of_a_step(void **state G_GNUC_UNUSED) {
        static const uint32_t ids[] = { 5, 4, 2 };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_BACKDROP, "[{'name':'stays','payload':{'name':'lasting','exec':'x'}}]");
        desk_has(d, SLOT_STEP, "[{'name':'a','payload':'fio'}]");
        desk_has_payload(d, SLOT_BACKDROP, "{'payload':{'name':'alone','exec':'x'}}");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio','cgroup':'stays'}");
        scenario_find_payload(d->scenario, 2)->exit = g_new0(WirePayloadExit, 1);
        assert_end(d, SLOT_STEP,
                   BETWEEN THAW("a") END("stays", "fio#5") END_ALONE("4")
                           END("a", "fio#2") "?stop #2\n?collect #2\n" REMOVE("a"));
        assert_endings(d, ids, G_N_ELEMENTS(ids));
        assert_int_equal(d->plan->removals->len, 1);
}

/* The step's first, then the backdrop's. */
static void payloads_of_everything(void **state G_GNUC_UNUSED) {
        static const uint32_t ids[] = { 4, 2, 3, 1 };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has(d, SLOT_BACKDROP, "[{'name':'stays','payload':'fio'}]");
        desk_has(d, SLOT_STEP, "[{'name':'goes','payload':'fio'}]");
        desk_has_payload(d, SLOT_BACKDROP, "{'payload':'fio'}");
        desk_has_payload(d, SLOT_STEP, "{'payload':{'name':'two','exec':'x'},'cgroup':'stays'}");
        assert_end(d, SLOT_BACKDROP,
                   THAW("stays") THAW("goes") END("stays", "two#4") END("goes", "fio#2") END_ALONE("3") END(
                           "stays", "fio#1") "?stop #1\n?stop #2\n?collect #1\n?collect #2\n" REMOVE("goes")
                           REMOVE("stays"));
        assert_endings(d, ids, G_N_ELEMENTS(ids));
}

/* Without a cgroup of its own making a step has an end all the same. */
static void nothing_but_a_payload(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_defines(d, "fio", "fio");
        desk_has_payload(d, SLOT_STEP, "{'payload':'fio'}");
        assert_end(d, SLOT_STEP, BETWEEN END_ALONE("1"));
        assert_end(d, SLOT_BACKDROP, END_ALONE("1"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_to_end),
                cmocka_unit_test(whole_order),
                cmocka_unit_test(newest_first),
                cmocka_unit_test(step_and_backdrop),
                cmocka_unit_test(end_of_an_empty_step),
                cmocka_unit_test(implicit_parents),
                cmocka_unit_test(implicit_parent_of_both),
                cmocka_unit_test(names_that_only_look_nested),
                cmocka_unit_test(payloads_of_a_step),
                cmocka_unit_test(payloads_of_everything),
                cmocka_unit_test(nothing_but_a_payload),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
