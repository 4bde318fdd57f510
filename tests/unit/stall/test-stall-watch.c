/* SPDX-License-Identifier: GPL-2.0-only */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stall/stall-watch.h"
#include "stall-crowd.h"
#include "wire/task-stat.h"

/* Ticks come when the test says so, at times that it makes up. */
#define INTERVAL UINT64_C(500000000)

typedef struct Found {
        int pid, tid;
        char *cgroup, *payload, *work_type;
        unsigned worker;
        StallWindow window;
        GArray *before; /* of CpuStat: of the cgroup, those above, the root; those that are known */
} Found;

typedef struct Rig {
        char *root;
        Scenario *scenario;
        StallWatch *watch;
        StallCursor cursor;
        uint64_t now_ns;
        GPtrArray *found;    /* of Found */
        GPtrArray *children; /* pids */
} Rig;

static void found_free(void *p) {
        Found *f = p;

        g_free(f->cgroup);
        g_free(f->payload);
        g_free(f->work_type);
        g_array_unref(f->before);
        g_free(f);
}

static GArray *known_before(GHashTable *before, const char *cgroup) {
        GArray *known = g_array_new(FALSE, FALSE, sizeof(CpuStat));
        g_autofree char *name = g_strdup(cgroup);

        for (;;) {
                const CpuStat *stat = g_hash_table_lookup(before, name);
                char *slash = strrchr(name, '/');
                if (stat)
                        g_array_append_val(known, *stat);
                if (!*name)
                        return known;
                *(slash ?: name) = '\0';
        }
}

static void on_found(void *userdata, const StallSubject *who, const StallWindow *window, GHashTable *before,
                     hwloc_const_bitmap_t cpus) {
        Found *f = g_new0(Found, 1);

        assert_null(cpus); /* none of these works knows its CPUs */
        f->pid = who->pid;
        f->tid = who->tid;
        f->cgroup = g_strdup(who->cgroup);
        f->payload = g_strdup(who->payload);
        f->work_type = g_strdup(who->work_type);
        f->worker = who->worker;
        f->window = *window;
        f->before = known_before(before, who->cgroup);
        g_ptr_array_add(((Rig *)userdata)->found, f);
}

static int set_up(void **state) {
        Rig *r = g_new0(Rig, 1);

        r->root = crowd_tree_new();
        r->scenario = scenario_new("default");
        r->watch = stall_watch_new(r->root, INTERVAL, 4, on_found, r);
        r->now_ns = 1000 * INTERVAL;
        r->found = g_ptr_array_new_with_free_func(found_free);
        r->children = g_ptr_array_new();
        *state = r;
        return 0;
}

static int tear_down(void **state) {
        Rig *r = *state;

        for (guint i = 0; i < r->children->len; i++)
                child_end(GPOINTER_TO_INT(r->children->pdata[i]));
        g_ptr_array_unref(r->children);
        g_ptr_array_unref(r->found);
        stall_watch_free(r->watch);
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

static void end_child(Rig *r, pid_t pid) {
        assert_true(g_ptr_array_remove(r->children, GINT_TO_POINTER(pid)));
        child_end(pid);
}

static GroupState *group_of(Rig *r, const char *cgroup, pid_t pid) {
        GroupState *g = crowd_add_group(r->scenario, cgroup, 1);

        crowd_set_task(g, pid, pid);
        return g;
}

static void begin(Rig *r) {
        r->now_ns += INTERVAL;
        r->cursor = (StallCursor){ 0 };
        stall_watch_begin(r->watch);
}

static bool next(Rig *r) {
        return stall_watch_next(r->watch, r->scenario, &r->cursor, r->now_ns);
}

static void finish(Rig *r) {
        while (next(r))
                ;
        stall_watch_prune(r->watch, r->scenario);
}

static void tick(Rig *r, unsigned n) {
        for (; n > 0; n--) {
                begin(r);
                finish(r);
        }
}

static const Found *found(const Rig *r, unsigned i) {
        assert_true(i < r->found->len);
        return r->found->pdata[i];
}

/* Nothing new in so many ticks, and in the next one the one that is looked at. */
static const Found *found_after(Rig *r, unsigned ticks) {
        guint before = r->found->len;

        tick(r, ticks - 1);
        assert_int_equal(r->found->len, before);
        tick(r, 1);
        assert_int_equal(r->found->len, before + 1);
        return found(r, before);
}

static void assert_quiet(Rig *r, unsigned ticks) {
        guint before = r->found->len;

        tick(r, ticks);
        assert_int_equal(r->found->len, before);
}

/* ---- workers ---- */

static void a_stopped_worker(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        const Found *f;

        group_of(r, "a/b", pid);
        f = found_after(r, 4);
        assert_int_equal(f->pid, pid);
        assert_int_equal(f->tid, pid);
        assert_string_equal(f->cgroup, "a/b");
        assert_string_equal(f->work_type, "SpinWait");
        assert_null(f->payload);
        assert_int_equal(f->window.n, 4);
        assert_true(stall_window_span(&f->window) == 3 * INTERVAL);
        assert_quiet(r, 20);
}

static void progress_and_a_second_stall(void **state) {
        Rig *r = *state;
        GroupState *g = group_of(r, "a", child(r, CHILD_ASLEEP));

        for (unsigned i = 0; i < 12; i++) {
                crowd_move(g, 0);
                assert_quiet(r, 1);
        }
        found_after(r, 4);
        assert_quiet(r, 8);
        crowd_move(g, 0);
        found_after(r, 5); /* the first one sees it move */
        assert_quiet(r, 8);
}

/* A pass may take long, and its counter stands as long: the scheduler knows that it computes. */
static void a_long_pass(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_SPINNING);

        group_of(r, "a", pid);
        for (unsigned i = 0; i < 10; i++) {
                child_await_progress(pid);
                assert_quiet(r, 1);
        }
        child_stop(pid);
        tick(r, 5); /* what it computed until then is one more change, if any */
        assert_int_equal(r->found->len, 1);
}

static void which_worker_of_a_group(void **state) {
        Rig *r = *state;
        GroupState *g = crowd_add_group(r->scenario, "a", 3);
        pid_t pid = child(r, CHILD_STOPPED);

        crowd_set_task(g, pid, pid);
        for (unsigned i = 0; i < 4; i++) {
                crowd_move(g, 0);
                crowd_move(g, 2);
                tick(r, 1);
        }
        assert_int_equal(r->found->len, 1);
        assert_int_equal(found(r, 0)->worker, 1);
}

static void *sleep_for_ever(void *gate) {
        pthread_mutex_t *m = gate;

        pthread_mutex_lock(m);
        pthread_mutex_unlock(m);
        return NULL;
}

/* Its process runs: this test. */
static void a_thread_by_its_own_id(void **state) {
        Rig *r = *state;
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t thread;
        GroupState *g = crowd_add_group(r->scenario, "a", 1);
        TaskStat s = { 0 };
        g_autoptr(GDir) tasks = NULL;
        const char *name;
        int tid = 0;

        pthread_mutex_lock(&gate);
        assert_int_equal(pthread_create(&thread, NULL, sleep_for_ever, &gate), 0);
        tasks = g_dir_open("/proc/self/task", 0, NULL);
        while ((name = g_dir_read_name(tasks)))
                tid = atoi(name) == getpid() ? tid : atoi(name);
        while (task_stat_read(getpid(), tid, &s) == 0 && s.state != 'S')
                usleep(1000);
        crowd_set_task(g, getpid(), tid);
        assert_int_equal(found_after(r, 4)->tid, tid);
        pthread_mutex_unlock(&gate);
        pthread_join(thread, NULL);
}

/* ---- who owes nothing ---- */

static void before_its_start(void **state) {
        static const WorkerState early[] = { WORKER_UNBORN, WORKER_BORN, WORKER_READY, WORKER_REFUSED };
        Rig *r = *state;
        GroupState *g = group_of(r, "a", child(r, CHILD_STOPPED));

        for (size_t i = 0; i < G_N_ELEMENTS(early); i++) {
                atomic_store(&crowd_slot(g, 0)->state, early[i]);
                assert_quiet(r, 6);
        }
        atomic_store(&crowd_slot(g, 0)->state, WORKER_RUNNING);
        found_after(r, 4); /* what came before counts for nothing */
}

static void after_its_end(void **state) {
        Rig *r = *state;
        GroupState *finished = group_of(r, "a", child(r, CHILD_STOPPED)),
                   *killed = group_of(r, "a", child(r, CHILD_STOPPED));

        tick(r, 3);
        atomic_store(&crowd_slot(finished, 0)->state, WORKER_FINISHED);
        atomic_store(&crowd_slot(killed, 0)->exit_kind, WORKER_EXIT_SIGNAL);
        assert_quiet(r, 10);
}

/* Before anybody has told so. */
static void a_worker_that_dies(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED), told = child(r, CHILD_STOPPED);

        group_of(r, "a", told);
        tick(r, 4);
        group_of(r, "a", pid);
        tick(r, 3);
        end_child(r, pid);
        end_child(r, told);
        assert_int_equal(r->found->len, 1);
        assert_quiet(r, 10);
}

static uint64_t start_of(pid_t pid) {
        TaskStat s;

        assert_int_equal(task_stat_read(pid, pid, &s), 0);
        return s.start;
}

/* Two tasks whose start differs, in clock ticks. */
static pid_t later_child(Rig *r, pid_t other) {
        pid_t pid = child(r, CHILD_STOPPED);

        while (start_of(pid) == start_of(other)) {
                end_child(r, pid);
                usleep(1000);
                pid = child(r, CHILD_STOPPED);
        }
        return pid;
}

/* An id that stands for another task now: nothing of the first one's is told of the second. */
static void an_id_that_is_used_again(void **state) {
        Rig *r = *state;
        pid_t first = child(r, CHILD_STOPPED), second = later_child(r, first);
        GroupState *g = group_of(r, "a", first);

        tick(r, 3);
        crowd_set_task(g, second, second);
        tick(r, 1);
        assert_int_equal(r->found->len, 0);
        tick(r, 8);
        assert_int_equal(r->found->len, 1);
        assert_int_equal(found(r, 0)->pid, second);
        assert_true(found(r, 0)->window.start == start_of(second));
        assert_quiet(r, 8);
        crowd_set_task(g, first, first); /* and once more, after a report */
        tick(r, 9);
        assert_int_equal(r->found->len, 2);
        assert_true(found(r, 1)->window.start == start_of(first));
}

/* ---- cgroups ---- */

static void frozen_as_a_file_says(void **state) {
        Rig *r = *state;

        group_of(r, "a", child(r, CHILD_STOPPED));
        crowd_put(r->root, "a", "cgroup.events", "populated 1\nfrozen 1\n");
        assert_quiet(r, 10);
        crowd_put(r->root, "a", "cgroup.events", "populated 1\nfrozen 0\n");
        tick(r, 2);
        crowd_put(r->root, "a", "cgroup.events", "populated 1\nfrozen 1\n");
        assert_quiet(r, 4);
        crowd_put(r->root, "a", "cgroup.events", "populated 1\nfrozen 0\n");
        found_after(r, 4);
}

static bool reads(const char *root, const char *knob, const char *text) {
        g_autofree char *path = g_build_filename(root, knob, NULL), *is = NULL;

        return g_file_get_contents(path, &is, NULL, NULL) && strstr(is, text);
}

static void write_knob(const char *root, const char *knob, const char *text) {
        g_autofree char *path = g_build_filename(root, knob, NULL);
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

/* The scenario's root stands for the cgroup here. */
static void frozen_by_the_kernel(void **state) {
        Rig *r = *state;
        char *root = crowd_real_cgroup();
        pid_t pid = child(r, CHILD_SPINNING);
        g_autofree char *id = g_strdup_printf("%d", pid);

        stall_watch_free(r->watch);
        r->watch = stall_watch_new(root, INTERVAL, 4, on_found, r);
        group_of(r, "", pid);
        write_knob(root, "cgroup.procs", id);
        write_knob(root, "cgroup.freeze", "1");
        while (!reads(root, "cgroup.events", "frozen 1"))
                usleep(1000);
        assert_quiet(r, 10);
        write_knob(root, "cgroup.freeze", "0");
        while (!reads(root, "cgroup.events", "frozen 0"))
                usleep(1000);
        child_stop(pid);
        found_after(r, 4);
        end_child(r, pid);
        assert_int_equal(rmdir(root), 0);
        g_free(root);
}

static void put_throttling(const Rig *r, const char *cgroup, unsigned periods) {
        g_autofree char *text =
                g_strdup_printf("usage_usec 1\nnr_periods %u\nnr_throttled 2\nthrottled_usec 3\n", periods);

        crowd_put(r->root, cgroup, "cpu.stat", text);
}

static unsigned periods_before(const Found *f, guint level) {
        assert_true(level < f->before->len);
        return (unsigned)g_array_index(f->before, CpuStat, level).periods;
}

/* Of the cgroup, of those above, and of the scenario's root: as it was when the task began to stand. */
static void throttling_before(void **state) {
        Rig *r = *state;
        const Found *f;

        g_ptr_array_add(r->scenario->cgroups, cgroup_state_new("a", SLOT_STEP, true));
        group_of(r, "a/b", child(r, CHILD_STOPPED));
        put_throttling(r, "a/b", 10);
        put_throttling(r, "a", 20);
        put_throttling(r, "", 30);
        tick(r, 1);
        put_throttling(r, "a/b", 11);
        put_throttling(r, "a", 21);
        put_throttling(r, "", 31);
        f = found_after(r, 3);
        assert_int_equal(f->before->len, 3);
        assert_int_equal(periods_before(f, 0), 10);
        assert_int_equal(periods_before(f, 1), 20);
        assert_int_equal(periods_before(f, 2), 30);
}

/* Kept for some seconds, so that a period of a second is seen; not for ever. */
static void throttling_long_before(void **state) {
        Rig *r = *state;
        GroupState *g = group_of(r, "a", child(r, CHILD_STOPPED));

        put_throttling(r, "a", 1);
        tick(r, 2);
        crowd_move(g, 0);
        put_throttling(r, "a", 2);
        assert_int_equal(periods_before(found_after(r, 5), 0), 1);
        crowd_move(g, 0);
        tick(r, 20);
        put_throttling(r, "a", 3);
        crowd_move(g, 0);
        put_throttling(r, "a", 4);
        assert_int_equal(periods_before(found_after(r, 5), 0), 4);
}

/* ---- those that come and go ---- */

static void groups_that_go_between_turns(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        GroupState *first = group_of(r, "a", pid), *second = group_of(r, "b", pid);

        group_of(r, "c", pid);
        tick(r, 3);
        begin(r);
        assert_true(next(r)); /* a */
        crowd_remove_group(r->scenario, first);
        crowd_remove_group(r->scenario, second);
        finish(r);
        assert_int_equal(r->found->len, 2);
        assert_string_equal(found(r, 0)->cgroup, "a");
        assert_string_equal(found(r, 1)->cgroup, "c");
        assert_quiet(r, 10);
}

static void a_group_that_goes_halfway(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        GroupState *wide = crowd_add_group(r->scenario, "a", 5);

        crowd_set_task(wide, pid, pid);
        group_of(r, "b", pid);
        tick(r, 3);
        begin(r);
        next(r);
        next(r);
        crowd_remove_group(r->scenario, wide);
        finish(r);
        assert_int_equal(r->found->len, 3);
        assert_string_equal(found(r, 2)->cgroup, "b");
}

/* What comes in the middle of a tick is looked at in it; whoever comes after another in the same cgroup
 * begins anew. */
static void groups_that_come(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        GroupState *first = group_of(r, "a", pid);

        tick(r, 3);
        begin(r);
        next(r);
        assert_int_equal(r->found->len, 1);
        group_of(r, "a", pid);
        finish(r);
        crowd_remove_group(r->scenario, first);
        found_after(r, 3);
        g_ptr_array_set_size(r->scenario->groups, 0);
        assert_quiet(r, 1);
        group_of(r, "a", pid);
        found_after(r, 4);
}

static void a_group_that_is_not_born_yet(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        GroupState *g = group_of(r, "a", pid);
        const ArenaHead *arena = g->arena;

        g->arena = NULL;
        group_of(r, "b", pid);
        assert_string_equal(found_after(r, 4)->cgroup, "b");
        g->arena = arena;
        assert_string_equal(found_after(r, 4)->cgroup, "a");
}

/* ---- payloads ---- */

static void a_payload(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        const Found *f;

        crowd_add_payload(r->scenario, "fio", "", pid);
        crowd_put(r->root, "@payload-1", "cpu.stat", "usage_usec 5\n");
        f = found_after(r, 4);
        assert_int_equal(f->pid, pid);
        assert_string_equal(f->payload, "fio");
        assert_string_equal(f->cgroup, "@payload-1");
        assert_null(f->work_type);
        assert_quiet(r, 8);
        crowd_put(r->root, "@payload-1", "cpu.stat", "usage_usec 6\n");
        found_after(r, 5);
}

static void a_busy_payload(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_SPINNING);

        crowd_add_payload(r->scenario, "busy", "a", pid);
        for (unsigned i = 0; i < 10; i++) {
                child_await_progress(pid);
                assert_quiet(r, 1);
        }
}

static void payloads_that_end(void **state) {
        Rig *r = *state;
        PayloadState *exited = crowd_add_payload(r->scenario, "one", "a", child(r, CHILD_STOPPED));

        crowd_add_payload(r->scenario, "two", "a", child(r, CHILD_STOPPED));
        crowd_add_payload(r->scenario, "frozen", "b", child(r, CHILD_STOPPED));
        crowd_put(r->root, "b", "cgroup.events", "populated 1\nfrozen 1\n");
        tick(r, 3);
        exited->exit = g_new0(WirePayloadExit, 1);
        begin(r);
        next(r);
        g_ptr_array_remove_index(r->scenario->payloads, 1);
        finish(r);
        assert_quiet(r, 6);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_stopped_worker),
                CASE(progress_and_a_second_stall),
                CASE(a_long_pass),
                CASE(which_worker_of_a_group),
                CASE(a_thread_by_its_own_id),
                CASE(before_its_start),
                CASE(after_its_end),
                CASE(a_worker_that_dies),
                CASE(an_id_that_is_used_again),
                CASE(frozen_as_a_file_says),
                CASE(frozen_by_the_kernel),
                CASE(throttling_before),
                CASE(throttling_long_before),
                CASE(groups_that_go_between_turns),
                CASE(a_group_that_goes_halfway),
                CASE(groups_that_come),
                CASE(a_group_that_is_not_born_yet),
                CASE(a_payload),
                CASE(a_busy_payload),
                CASE(payloads_that_end),
        };
        return cmocka_run_group_tests_name("stall-watch", tests, NULL, NULL);
}
