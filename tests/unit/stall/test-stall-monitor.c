/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "stall/stall-monitor.h"
#include "stall-crowd.h"

/* The loop is turned here, and the executor's part is played. */
enum { PERIOD_MS = 20, PATIENCE_US = 60000000, HOUR_MS = 3600000 };

typedef enum Executor {
        EXECUTOR_ANSWERS, /* in a turn of its own */
        EXECUTOR_SILENT,
        EXECUTOR_REFUSES, /* there is none */
} Executor;

typedef struct Told {
        int pid;
        StallClass class;
        char *wchan, *cgroup;
} Told;

typedef struct Rig {
        char *root;
        Scenario *scenario;
        sd_event *event;
        StallMonitor *monitor;
        Executor executor;
        WireInspect request; /* the last one */
        unsigned asked, open, most_open;
        sd_event_source *answer;
        GArray *told; /* of Told */
        bool stop_when_told;
        unsigned tell_us; /* what it takes to tell one */
        bool done, active_when_done;
        guint told_when_done;
        unsigned others; /* turns of something else in the same loop */
        GPtrArray *children;
} Rig;

/* ---- the executor ---- */

static void answer_with(Rig *r, uint32_t serial, const char *wchan) {
        WireInspected a = { .kind = WIRE_INSPECTED, .serial = serial, .scan_whole = 1 };

        g_strlcpy(a.wchan, wchan, sizeof(a.wchan));
        stall_monitor_inspected(r->monitor, &a);
}

static int on_answer(G_GNUC_UNUSED sd_event_source *source, void *userdata) {
        Rig *r = userdata;

        r->open--;
        answer_with(r, r->request.serial, "here");
        return 0;
}

static bool on_inspect(void *userdata, const WireInspect *request) {
        Rig *r = userdata;

        if (r->executor == EXECUTOR_REFUSES)
                return false;
        r->request = *request;
        r->asked++;
        r->open++;
        r->most_open = MAX(r->most_open, r->open);
        if (r->executor == EXECUTOR_ANSWERS)
                sd_event_source_set_enabled(r->answer, SD_EVENT_ONESHOT);
        return true;
}

static void on_detected(void *userdata, const StallReport *report) {
        Rig *r = userdata;
        const Told told = { report->pid, report->class, g_strdup(report->texts[STALL_WCHAN]),
                            g_strdup(report->cgroup) };

        g_array_append_val(r->told, told);
        usleep(r->tell_us);
        if (r->stop_when_told)
                stall_monitor_stop(r->monitor);
}

static const StallMonitorEvents events = { .inspect = on_inspect, .detected = on_detected };

static void on_done(void *userdata) {
        Rig *r = userdata;

        r->done = true;
        r->active_when_done = stall_monitor_is_active(r->monitor);
        r->told_when_done = r->told->len;
}

/* ---- the rig ---- */

static void clear_told(void *p) {
        Told *told = p;

        g_free(told->wchan);
        g_free(told->cgroup);
}

static int set_up(void **state) {
        Rig *r = g_new0(Rig, 1);

        r->root = crowd_tree_new();
        r->scenario = scenario_new("default");
        r->told = g_array_new(FALSE, FALSE, sizeof(Told));
        g_array_set_clear_func(r->told, clear_told);
        r->children = g_ptr_array_new();
        assert_return_code(sd_event_new(&r->event), 0);
        assert_return_code(sd_event_add_defer(r->event, &r->answer, on_answer, r), 0);
        assert_return_code(sd_event_source_set_enabled(r->answer, SD_EVENT_OFF), 0);
        r->monitor = stall_monitor_new(r->event, r->scenario, &events, r);
        *state = r;
        return 0;
}

static int tear_down(void **state) {
        Rig *r = *state;

        for (guint i = 0; i < r->children->len; i++)
                child_end(GPOINTER_TO_INT(r->children->pdata[i]));
        g_ptr_array_unref(r->children);
        stall_monitor_free(r->monitor);
        sd_event_source_disable_unref(r->answer);
        sd_event_unref(r->event);
        g_array_unref(r->told);
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

static GroupState *group_of(Rig *r, const char *cgroup, pid_t pid, unsigned n_workers) {
        GroupState *g = crowd_add_group(r->scenario, cgroup, n_workers);

        crowd_set_task(g, pid, pid);
        return g;
}

static void start(Rig *r, unsigned period_ms) {
        assert_int_equal(stall_monitor_start(r->monitor, r->root, period_ms, 4), 0);
}

/* ---- waiting ---- */

static void turn(Rig *r) {
        assert_return_code(sd_event_run(r->event, PATIENCE_US), 0);
}

#define turn_until(r, condition)                                                                             \
        do {                                                                                                 \
                gint64 until_ = g_get_monotonic_time() + PATIENCE_US;                                        \
                while (!(condition)) {                                                                       \
                        if (g_get_monotonic_time() > until_)                                                 \
                                fail_msg("never came true: %s", #condition);                                 \
                        turn(r);                                                                             \
                }                                                                                            \
        } while (0)

/* So many more ticks come to their end. */
static void let_tick(Rig *r, unsigned n) {
        uint64_t until = stall_monitor_ticks(r->monitor) + n;

        turn_until(r, stall_monitor_ticks(r->monitor) >= until);
}

static const Told *told(const Rig *r, guint i) {
        assert_true(i < r->told->len);
        return &g_array_index(r->told, Told, i);
}

/* ---- telling ---- */

static void told_with_what_the_executor_reads(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);

        group_of(r, "a", pid, 1);
        start(r, PERIOD_MS);
        assert_true(stall_monitor_is_active(r->monitor));
        assert_int_equal(stall_monitor_period_ms(r->monitor), PERIOD_MS);
        turn_until(r, r->told->len);
        assert_int_equal(r->request.pid, pid);
        assert_int_equal(r->request.tid, pid);
        assert_int_equal(told(r, 0)->pid, pid);
        assert_int_equal(told(r, 0)->class, STALL_STOPPED);
        assert_string_equal(told(r, 0)->wchan, "here");
        let_tick(r, 8);
        assert_int_equal(r->told->len, 1);
        assert_int_equal(r->asked, 1);
}

static void asleep_and_busy(void **state) {
        Rig *r = *state;
        pid_t busy = child(r, CHILD_SPINNING);

        group_of(r, "a", child(r, CHILD_ASLEEP), 1);
        group_of(r, "busy", busy, 1);
        start(r, 500); /* in which even on a machine that has much to do a spinner comes to its turn */
        turn_until(r, r->told->len);
        let_tick(r, 3);
        assert_int_equal(r->told->len, 1);
        assert_string_equal(told(r, 0)->cgroup, "a");
        assert_int_equal(told(r, 0)->class, STALL_SLEEPING);
}

static void one_question_at_a_time(void **state) {
        Rig *r = *state;

        group_of(r, "a", child(r, CHILD_STOPPED), 10);
        start(r, PERIOD_MS);
        turn_until(r, r->told->len == 10);
        assert_int_equal(r->asked, 10);
        assert_int_equal(r->most_open, 1);
}

static void an_answer_to_another_question(void **state) {
        Rig *r = *state;

        r->executor = EXECUTOR_SILENT;
        group_of(r, "a", child(r, CHILD_STOPPED), 1);
        start(r, PERIOD_MS);
        answer_with(r, 0, "too early");
        turn_until(r, r->asked);
        answer_with(r, r->request.serial + 1, "wrong");
        answer_with(r, r->request.serial - 1, "wrong");
        assert_int_equal(r->told->len, 0);
        answer_with(r, r->request.serial, "right");
        assert_int_equal(r->told->len, 1);
        assert_string_equal(told(r, 0)->wchan, "right");
        answer_with(r, r->request.serial, "twice");
        assert_int_equal(r->told->len, 1);
}

static void no_answer(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        gint64 asked;

        r->executor = EXECUTOR_SILENT;
        group_of(r, "a", pid, 3);
        start(r, PERIOD_MS);
        turn_until(r, r->asked);
        asked = g_get_monotonic_time();
        turn_until(r, r->told->len == 3);
        assert_true(g_get_monotonic_time() - asked >= 900000); /* it got its time */
        assert_int_equal(r->asked, 1);                         /* nobody waits in line */
        for (guint i = 0; i < 3; i++) {
                assert_int_equal(told(r, i)->class, STALL_STOPPED);
                assert_true(g_str_has_prefix(told(r, i)->wchan, "[unreadable: "));
        }
        answer_with(r, r->request.serial, "late");
        let_tick(r, 4);
        assert_int_equal(r->told->len, 3);
        group_of(r, "b", pid, 1); /* a new stall is asked about again */
        turn_until(r, r->asked == 2);
}

static void nobody_to_ask(void **state) {
        Rig *r = *state;

        r->executor = EXECUTOR_REFUSES;
        group_of(r, "a", child(r, CHILD_STOPPED), 100);
        start(r, PERIOD_MS);
        turn_until(r, r->told->len == 100);
        let_tick(r, 4);
        assert_int_equal(r->told->len, 100);
}

/* Of very many the executor is asked about some. */
static void very_many(void **state) {
        Rig *r = *state;

        group_of(r, "a", child(r, CHILD_STOPPED), 300);
        start(r, PERIOD_MS);
        turn_until(r, r->told->len == 300);
        assert_in_range(r->asked, 1, 150);
        assert_string_equal(told(r, 0)->wchan, "here");
        assert_true(g_str_has_prefix(told(r, 299)->wchan, "[unreadable: "));
}

static void a_stall_that_ends_before_it_is_told(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);

        group_of(r, "a", pid, 1);
        crowd_put(r->root, "a", "cgroup.events", "populated 1\nfrozen 0\n");
        start(r, PERIOD_MS);
        let_tick(r, 3);
        crowd_put(r->root, "a", "cgroup.events", "populated 1\nfrozen 1\n");
        let_tick(r, 6);
        assert_int_equal(r->told->len, 0);
        assert_int_equal(r->asked, 0);
}

/* ---- the loop ---- */

static int on_other(G_GNUC_UNUSED sd_event_source *source, int fd, G_GNUC_UNUSED uint32_t revents,
                    void *userdata) {
        uint64_t count;

        ((Rig *)userdata)->others++;
        return read(fd, &count, sizeof(count)) == sizeof(count) ? 0 : -EIO;
}

/* All of them must be read in /proc, which takes far longer than a turn may. Whoever comes meanwhile has the
 * next turn. */
static void the_loop_is_given_back(void **state) {
        Rig *r = *state;
        g_auto(AutoFd) call = eventfd(0, EFD_CLOEXEC);
        sd_event_source *other;
        unsigned turns = 0;

        group_of(r, "a", child(r, CHILD_STOPPED), 10000);
        assert_return_code(sd_event_add_io(r->event, &other, call, EPOLLIN, on_other, r), 0);
        start(r, HOUR_MS);
        while (stall_monitor_ticks(r->monitor) == 0) {
                turn(r);
                turns++;
                if (stall_monitor_ticks(r->monitor))
                        break;
                assert_int_equal(eventfd_write(call, 1), 0);
                turn(r);
                assert_int_equal(r->others, turns);
        }
        print_message("10000 tasks that stand still: %u turns\n", turns);
        assert_in_range(turns, 5, 10000);
        sd_event_source_disable_unref(other);
}

/* Reports take their time as well: a turn of 2 ms has room for a few of these. */
static void many_reports_in_many_turns(void **state) {
        Rig *r = *state;
        guint most = 0;

        r->executor = EXECUTOR_REFUSES;
        r->tell_us = 500;
        group_of(r, "a", child(r, CHILD_STOPPED), 200);
        start(r, PERIOD_MS);
        while (r->told->len < 200) {
                guint before = r->told->len;
                turn(r);
                most = MAX(most, r->told->len - before);
        }
        assert_in_range(most, 1, 5);
}

static void books_that_change_between_turns(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);
        GroupState *wide = group_of(r, "wide", pid, 5000);

        group_of(r, "last", pid, 1);
        start(r, PERIOD_MS);
        turn(r);
        assert_int_equal(stall_monitor_ticks(r->monitor), 0); /* in the middle of it */
        crowd_remove_group(r->scenario, wide);
        crowd_add_payload(r->scenario, "p", "", pid);
        group_of(r, "new", pid, 1);
        turn_until(r, r->told->len == 3);
        let_tick(r, 6);
        assert_int_equal(r->told->len, 3);
        for (guint i = 0; i < 3; i++)
                assert_string_not_equal(told(r, i)->cgroup, "wide");
}

/* Ticks that were missed are left out. */
static void a_loop_that_was_held_up(void **state) {
        Rig *r = *state;
        uint64_t before;
        gint64 began;

        group_of(r, "a", child(r, CHILD_STOPPED), 1);
        start(r, 50);
        let_tick(r, 1);
        usleep(500000);
        before = stall_monitor_ticks(r->monitor);
        began = g_get_monotonic_time();
        let_tick(r, 4);
        /* One was due, three come with their distance. */
        assert_true(g_get_monotonic_time() - began >= 100000);
        assert_true(stall_monitor_ticks(r->monitor) == before + 4);
}

/* ---- the last look ---- */

static void a_last_look(void **state) {
        Rig *r = *state;

        group_of(r, "a", child(r, CHILD_STOPPED), 1);
        start(r, 100);
        let_tick(r, 3);
        assert_int_equal(r->told->len, 0);
        /* A look sooner than half a period after another one shows nothing. */
        assert_return_code(sd_event_run(r->event, 60000), 0);
        stall_monitor_last_look(r->monitor, on_done, r);
        assert_false(r->done);
        turn_until(r, r->done);
        assert_int_equal(r->told_when_done, 1);
        assert_string_equal(told(r, 0)->wchan, "here");
        assert_false(r->active_when_done);
}

static void a_last_look_in_the_middle_of_a_tick(void **state) {
        Rig *r = *state;
        pid_t pid = child(r, CHILD_STOPPED);

        r->executor = EXECUTOR_REFUSES;
        group_of(r, "a", pid, 5000);
        group_of(r, "b", pid, 1);
        start(r, HOUR_MS);
        turn(r);
        assert_int_equal(stall_monitor_ticks(r->monitor), 0);
        stall_monitor_last_look(r->monitor, on_done, r);
        turn_until(r, r->done);
        assert_int_equal(stall_monitor_ticks(r->monitor), 1);
        assert_int_equal(r->told->len, 0);
}

/* What is on its way is told before the step ends, answered or not. */
static void a_last_look_waits_for_reports(void **state) {
        Rig *r = *state;

        r->executor = EXECUTOR_SILENT;
        group_of(r, "a", child(r, CHILD_STOPPED), 2);
        start(r, PERIOD_MS);
        turn_until(r, r->asked);
        stall_monitor_last_look(r->monitor, on_done, r);
        answer_with(r, r->request.serial, "first");
        turn_until(r, r->asked == 2);
        assert_false(r->done);
        turn_until(r, r->done); /* the deadline */
        assert_int_equal(r->told_when_done, 2);
        assert_string_equal(told(r, 0)->wchan, "first");
        assert_true(g_str_has_prefix(told(r, 1)->wchan, "[unreadable: "));
}

static void a_last_look_that_is_broken_off(void **state) {
        Rig *r = *state;

        r->executor = EXECUTOR_SILENT;
        group_of(r, "a", child(r, CHILD_STOPPED), 1);
        start(r, PERIOD_MS);
        turn_until(r, r->asked);
        stall_monitor_last_look(r->monitor, on_done, r);
        turn(r);
        stall_monitor_stop(r->monitor);
        answer_with(r, r->request.serial, "late");
        while (sd_event_run(r->event, 100000) > 0)
                ;
        assert_false(r->done);
        assert_int_equal(r->told->len, 0);
        assert_false(stall_monitor_is_active(r->monitor));
}

/* ---- start and stop ---- */

static void started_again(void **state) {
        Rig *r = *state;

        group_of(r, "a", child(r, CHILD_STOPPED), 1);
        start(r, PERIOD_MS);
        start(r, HOUR_MS); /* it runs, so nothing happens */
        assert_int_equal(stall_monitor_period_ms(r->monitor), PERIOD_MS);
        turn_until(r, r->told->len == 1);
        stall_monitor_stop(r->monitor);
        start(r, PERIOD_MS); /* the next step: what stands still is told in that one as well */
        assert_int_equal(stall_monitor_ticks(r->monitor), 0);
        turn_until(r, r->told->len == 2);
}

static void stopped_by_who_is_told(void **state) {
        Rig *r = *state;

        r->stop_when_told = true;
        group_of(r, "a", child(r, CHILD_STOPPED), 300);
        for (Executor e = EXECUTOR_ANSWERS; e <= EXECUTOR_REFUSES; e++) {
                r->executor = e;
                g_array_set_size(r->told, 0);
                start(r, PERIOD_MS);
                turn_until(r, !stall_monitor_is_active(r->monitor));
                while (sd_event_run(r->event, 0) > 0)
                        ;
                assert_int_equal(r->told->len, 1);
        }
}

static gint64 time_to_stop(Rig *r, bool look) {
        gint64 began;

        start(r, HOUR_MS);
        let_tick(r, 1);
        r->done = false;
        began = g_get_monotonic_time();
        if (look) {
                stall_monitor_last_look(r->monitor, on_done, r);
                turn_until(r, r->done);
        } else
                stall_monitor_stop(r->monitor);
        began = g_get_monotonic_time() - began;
        assert_false(stall_monitor_is_active(r->monitor));
        /* Nothing of it is left in the loop. */
        assert_int_equal(sd_event_run(r->event, 0), 0);
        return began;
}

/* res:R156, with a period of an hour, at once as well as after a last look. Of some, the fastest: a machine
 * that has other things to do may hold up any one of them. */
static void a_stop_is_honoured_soon(void **state) {
        Rig *r = *state;

        group_of(r, "a", child(r, CHILD_STOPPED), 100);
        for (unsigned look = 0; look < 2; look++) {
                gint64 best = G_MAXINT64;
                for (unsigned i = 0; i < 10; i++)
                        best = MIN(best, time_to_stop(r, look));
                assert_true(best < 50000);
        }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(told_with_what_the_executor_reads),
                CASE(asleep_and_busy),
                CASE(one_question_at_a_time),
                CASE(an_answer_to_another_question),
                CASE(no_answer),
                CASE(nobody_to_ask),
                CASE(very_many),
                CASE(a_stall_that_ends_before_it_is_told),
                CASE(the_loop_is_given_back),
                CASE(many_reports_in_many_turns),
                CASE(books_that_change_between_turns),
                CASE(a_loop_that_was_held_up),
                CASE(a_last_look),
                CASE(a_last_look_in_the_middle_of_a_tick),
                CASE(a_last_look_waits_for_reports),
                CASE(a_last_look_that_is_broken_off),
                CASE(started_again),
                CASE(stopped_by_who_is_told),
                CASE(a_stop_is_honoured_soon),
        };
        return cmocka_run_group_tests_name("stall-monitor", tests, NULL, NULL);
}
