/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stall/proc-sched.h"
#include "stall/stall-payload.h"
#include "stall-crowd.h"

typedef struct Rig {
        char *root;
        Scenario *scenario;
        GPtrArray *children; /* pids */
} Rig;

static int set_up(void **state) {
        Rig *r = g_new0(Rig, 1);

        r->root = crowd_tree_new();
        r->scenario = scenario_new("default");
        r->children = g_ptr_array_new();
        *state = r;
        return 0;
}

static int tear_down(void **state) {
        Rig *r = *state;

        for (guint i = 0; i < r->children->len; i++)
                child_end(GPOINTER_TO_INT(r->children->pdata[i]));
        g_ptr_array_unref(r->children);
        scenario_free(r->scenario);
        crowd_tree_free(r->root);
        g_free(r);
        return 0;
}

static pid_t child(Rig *r, ChildKind kind) {
        pid_t pid = child_start(kind);

        g_ptr_array_add(r->children, GINT_TO_POINTER(pid));
        return pid;
}

/* ---- what is cheap ---- */

static void the_use_of_its_cgroup(void **state) {
        Rig *r = *state;
        const PayloadState *p = crowd_add_payload(r->scenario, "p", "", child(r, CHILD_STOPPED));
        PayloadUse use = { 0 };

        crowd_put(r->root, "@payload-1", "cpu.stat", "usage_usec 18446744073709551615\nuser_usec 1\n");
        assert_false(stall_payload_moved(p, r->root, &use)); /* nobody knows what was before */
        assert_false(stall_payload_moved(p, r->root, &use));
        crowd_put(r->root, "@payload-1", "cpu.stat", "usage_usec 18446744073709551614\nuser_usec 1\n");
        assert_true(stall_payload_moved(p, r->root, &use));
        assert_false(stall_payload_moved(p, r->root, &use));
        crowd_put(r->root, "@payload-1", "cpu.stat", "user_usec 9\n");
        assert_false(stall_payload_moved(p, r->root, &use));
        crowd_put(r->root, "@payload-1", "cpu.stat", "usage_usec 7\n");
        assert_false(stall_payload_moved(p, r->root, &use)); /* the last look knew nothing */
        crowd_put(r->root, "@payload-1", "cpu.stat", "usage_usec 8\n");
        assert_true(stall_payload_moved(p, r->root, &use));
}

static void no_cgroup_any_more(void **state) {
        Rig *r = *state;
        const PayloadState *p = crowd_add_payload(r->scenario, "p", "", child(r, CHILD_STOPPED));
        PayloadUse use = { 0 };

        assert_false(stall_payload_moved(p, r->root, &use));
        assert_false(use.known);
}

/* In a cgroup that it shares: what the others use says nothing of it. */
static void the_use_of_its_process(void **state) {
        Rig *r = *state;
        const PayloadState *stopped = crowd_add_payload(r->scenario, "s", "a", child(r, CHILD_STOPPED)),
                           *busy = crowd_add_payload(r->scenario, "b", "a", child(r, CHILD_SPINNING));
        gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
        PayloadUse use = { 0 }, stopped_use = { 0 };

        crowd_put(r->root, "a", "cpu.stat", "usage_usec 1\n");
        stall_payload_moved(stopped, r->root, &stopped_use);
        stall_payload_moved(busy, r->root, &use);
        crowd_put(r->root, "a", "cpu.stat", "usage_usec 2\n");
        while (!stall_payload_moved(busy, r->root, &use)) {
                assert_true(g_get_monotonic_time() < until);
                child_await_progress(busy->pid); /* its use is told in ticks of 10 ms */
        }
        assert_false(stall_payload_moved(stopped, r->root, &stopped_use));
        assert_true(stopped_use.known);
}

/* ---- all its threads ---- */

static StallSample sample_of(pid_t pid) {
        StallSample s = { 0 };

        assert_int_equal(proc_sched_read(pid, pid, &s), 0);
        return s;
}

static void assert_sum(const Rig *r, const PayloadState *p, const pid_t *pids, size_t n) {
        StallSample sum = { 0 }, got = { 0 };

        for (size_t i = 0; i < n; i++) {
                StallSample one = sample_of(pids[i]);
                sum.switches += one.switches;
                sum.runtime_ns += one.runtime_ns;
        }
        assert_int_equal(stall_payload_sample(p, r->root, &got), 0);
        assert_true(got.switches == sum.switches);
        assert_true(got.runtime_ns == sum.runtime_ns);
}

static void list(const Rig *r, const char *cgroup, const pid_t *pids, size_t n) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%d\n", pids[i]);
        crowd_put(r->root, cgroup, "cgroup.procs", text->str);
}

/* Leader, one of its process group, one of another. */
static void three(Rig *r, pid_t ret[3]) {
        for (unsigned i = 0; i < 3; i++)
                ret[i] = child(r, CHILD_STOPPED);
        assert_int_equal(setpgid(ret[0], ret[0]), 0);
        assert_int_equal(setpgid(ret[1], ret[0]), 0);
        assert_int_equal(setpgid(ret[2], ret[2]), 0);
}

static void all_of_its_own_cgroup(void **state) {
        Rig *r = *state;
        pid_t pids[3];

        three(r, pids);
        list(r, "@payload-1", pids, 3);
        assert_sum(r, crowd_add_payload(r->scenario, "p", "", pids[0]), pids, 3);
}

static void its_process_group_of_a_shared_one(void **state) {
        Rig *r = *state;
        PayloadState *p;
        pid_t pids[3];

        three(r, pids);
        list(r, "a", pids, 3);
        p = crowd_add_payload(r->scenario, "p", "a", pids[0]);
        assert_sum(r, p, pids, 2);
        p->def->parent_process_group = true; /* it has no group of its own to be known by */
        assert_sum(r, p, pids, 1);
}

static void a_leader_that_left_the_cgroup(void **state) {
        Rig *r = *state;
        pid_t pids[3];

        three(r, pids);
        list(r, "a", pids + 1, 2);
        assert_sum(r, crowd_add_payload(r->scenario, "p", "a", pids[0]), pids, 2);
        assert_sum(r, crowd_add_payload(r->scenario, "q", "gone", pids[0]), pids, 1);
}

static void nobody_is_left(void **state) {
        Rig *r = *state;
        pid_t pid = child_start(CHILD_STOPPED);
        const PayloadState *p = crowd_add_payload(r->scenario, "p", "", pid),
                           *unstarted = crowd_add_payload(r->scenario, "u", "a", 0);
        StallSample sum = { 0 };
        PayloadUse use = { 0 };

        child_end(pid);
        assert_int_equal(stall_payload_sample(p, r->root, &sum), -ESRCH);
        crowd_put(r->root, "@payload-1", "cgroup.procs", "");
        assert_int_equal(stall_payload_sample(p, r->root, &sum), -ESRCH);
        crowd_put(r->root, "a", "cgroup.procs", "");
        assert_int_equal(stall_payload_sample(unstarted, r->root, &sum), -ESRCH);
        assert_false(stall_payload_moved(unstarted, r->root, &use));
        assert_true(sum.switches == 0 && sum.runtime_ns == 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(the_use_of_its_cgroup),
                CASE(no_cgroup_any_more),
                CASE(the_use_of_its_process),
                CASE(all_of_its_own_cgroup),
                CASE(its_process_group_of_a_shared_one),
                CASE(a_leader_that_left_the_cgroup),
                CASE(nobody_is_left),
        };
        return cmocka_run_group_tests_name("stall-payload", tests, NULL, NULL);
}
