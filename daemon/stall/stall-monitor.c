/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-monitor.h"

#include <string.h>

#include "wire/arena.h"
#include "proc-sched.h"
#include "stall-watch.h"

/* So long may one turn take; then the bus has its turn. */
enum { SLICE_US = 2000, SLICE_STRIDE = 16, INSPECTION_US = 1000000, INSPECTIONS_MAX = 64 };
enum { MONITOR_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 5, PERIOD_ACCURACY_US = 1000 };

/* A report on its way: the executor is asked for one at a time. */
typedef struct Pending {
        StallReport *report;
        hwloc_bitmap_t cpus;
        bool plain; /* to be told as it is */
} Pending;

struct StallMonitor {
        sd_event *event;
        const Scenario *scenario;
        const StallMonitorEvents *events;
        void *userdata;

        bool active;
        char *root;
        uint64_t period_us, ticks;
        sd_event_source *timer; /* the next tick */
        sd_event_source *more;  /* what is left to do: the rest of this one, reports that can be told */
        StallWatch *watch;

        /* the tick under way */
        bool ticking;
        uint64_t tick_ns;
        StallCursor cursor;
        bool costly; /* the last step has made or told a report */

        GQueue pending; /* of Pending; the first one is the one that the executor was asked for */
        uint32_t serial;
        bool asked;
        sd_event_source *deadline;

        StallMonitorDone done; /* of a last look */
        void *done_userdata;
};

/* ---- reports on their way ---- */

static void pending_free(Pending *p) {
        stall_report_free(p->report);
        g_clear_pointer(&p->cpus, hwloc_bitmap_free);
        g_free(p);
}

static void do_more_later(StallMonitor *m) {
        if (m->active)
                sd_event_source_set_enabled(m->more, SD_EVENT_ONESHOT);
}

/* The first one is told, whatever is known of it. */
static void tell_first(StallMonitor *m) {
        Pending *p = g_queue_pop_head(&m->pending);

        m->asked = false;
        m->deadline = sd_event_source_disable_unref(m->deadline);
        m->costly = true;
        if (stall_report_judge(p->report) != STALL_NONE)
                m->events->detected(m->userdata, p->report);
        pending_free(p);
}

/* It is busy with a plan, or stuck: nobody waits in line for that. */
static int on_deadline(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED uint64_t now, void *userdata) {
        StallMonitor *m = userdata;

        for (GList *l = m->pending.head; l; l = l->next)
                ((Pending *)l->data)->plain = true;
        m->asked = false;
        m->deadline = sd_event_source_disable_unref(m->deadline);
        do_more_later(m);
        return 0;
}

static bool ask_for(StallMonitor *m, const Pending *p) {
        WireInspect request;

        stall_report_ask(p->report, ++m->serial, p->cpus, &request);
        return m->events->inspect(m->userdata, &request) &&
               sd_event_add_time_relative(m->event, &m->deadline, CLOCK_MONOTONIC, INSPECTION_US, 0,
                                          on_deadline, m) >= 0;
}

/* A task that the executor cannot be asked about is told without what only the executor may read. False:
 * there is nothing to do until the executor answers, or a task stalls. */
static bool ask_or_tell(StallMonitor *m) {
        const Pending *p = g_queue_peek_head(&m->pending);

        if (!p || m->asked)
                return false;
        m->asked = !p->plain && ask_for(m, p);
        if (!m->asked)
                tell_first(m);
        return true;
}

void stall_monitor_inspected(StallMonitor *m, const WireInspected *answer) {
        Pending *p = g_queue_peek_head(&m->pending);

        if (!m->asked || answer->serial != m->serial)
                return;
        stall_report_add_inspection(p->report, answer);
        tell_first(m);
        do_more_later(m);
}

/* Of very many, the executor is asked about the first ones alone. */
static void on_stalled(void *userdata, const StallSubject *who, const StallWindow *window, GHashTable *before,
                       hwloc_const_bitmap_t cpus) {
        StallMonitor *m = userdata;
        Pending *p = g_new0(Pending, 1);

        p->report = stall_report_new(who, window);
        p->cpus = cpus ? hwloc_bitmap_dup(cpus) : NULL;
        p->plain = m->pending.length >= INSPECTIONS_MAX;
        stall_report_read(p->report, m->root, before);
        g_queue_push_tail(&m->pending, p);
        m->costly = true;
}

/* ---- ticks ---- */

static uint64_t now_ns(const StallMonitor *m) {
        uint64_t us = 0;

        sd_event_now(m->event, CLOCK_MONOTONIC, &us);
        return us * 1000;
}

/* The clock itself: that of the loop stands still during a turn. */
static bool time_is_up(uint64_t until_us) {
        return (uint64_t)g_get_monotonic_time() >= until_us;
}

static void begin_tick(StallMonitor *m) {
        m->ticking = true;
        m->tick_ns = now_ns(m);
        m->cursor = (StallCursor){ 0 };
        stall_watch_begin(m->watch);
}

static void look_at_next(StallMonitor *m) {
        m->ticking = stall_watch_next(m->watch, m->scenario, &m->cursor, m->tick_ns);
        if (m->ticking)
                return;
        m->ticks++;
        stall_watch_prune(m->watch, m->scenario);
}

/* False: nothing is left to do. Whoever is told may have stopped the monitor. */
static bool do_step(StallMonitor *m) {
        if (!m->ticking)
                return ask_or_tell(m);
        look_at_next(m);
        return true;
}

static void finish_last_look(StallMonitor *m) {
        StallMonitorDone done = m->done;
        void *userdata = m->done_userdata;

        if (!done || !g_queue_is_empty(&m->pending))
                return;
        stall_monitor_stop(m);
        done(userdata);
}

static void do_slice(StallMonitor *m) {
        uint64_t until = (uint64_t)g_get_monotonic_time() + SLICE_US;

        for (unsigned n = 1;; n++) {
                m->costly = false;
                if (!do_step(m)) {
                        finish_last_look(m);
                        return;
                }
                if ((m->costly || n % SLICE_STRIDE == 0) && time_is_up(until)) {
                        do_more_later(m);
                        return;
                }
        }
}

static int on_more(G_GNUC_UNUSED sd_event_source *source, void *userdata) {
        do_slice(userdata);
        return 0;
}

/* The times of ticks are laid down at the start, so that no delay adds up; those that were missed are left
 * out. */
static int on_timer(sd_event_source *source, uint64_t due, void *userdata) {
        StallMonitor *m = userdata;
        uint64_t now = now_ns(m) / 1000, next = due + m->period_us;

        if (next <= now)
                next += (now - next) / m->period_us * m->period_us + m->period_us;
        sd_event_source_set_time(source, next);
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (!m->ticking) {
                begin_tick(m);
                do_slice(m);
        }
        return 0;
}

/* ---- its life ---- */

bool stall_monitor_is_active(const StallMonitor *m) {
        return m->active;
}

unsigned stall_monitor_period_ms(const StallMonitor *m) {
        return (unsigned)(m->period_us / 1000);
}

uint64_t stall_monitor_ticks(const StallMonitor *m) {
        return m->ticks;
}

static int add_sources(StallMonitor *m) {
        uint64_t now = now_ns(m) / 1000;
        int r = sd_event_add_time(m->event, &m->timer, CLOCK_MONOTONIC, now, PERIOD_ACCURACY_US, on_timer, m);

        if (r >= 0)
                r = sd_event_source_set_priority(m->timer, MONITOR_PRIORITY);
        if (r >= 0)
                r = sd_event_add_defer(m->event, &m->more, on_more, m);
        if (r >= 0)
                r = sd_event_source_set_priority(m->more, MONITOR_PRIORITY);
        return r < 0 ? r : sd_event_source_set_enabled(m->more, SD_EVENT_OFF);
}

int stall_monitor_start(StallMonitor *m, const char *root, unsigned period_ms, unsigned window) {
        int r;

        if (m->active)
                return 0;
        m->active = true;
        m->root = g_strdup(root);
        m->period_us = (uint64_t)period_ms * 1000;
        m->ticks = 0;
        m->watch = stall_watch_new(m->root, m->period_us * 1000, window, on_stalled, m);
        r = add_sources(m);
        if (r < 0)
                stall_monitor_stop(m);
        return r;
}

void stall_monitor_last_look(StallMonitor *m, StallMonitorDone done, void *userdata) {
        m->done = done;
        m->done_userdata = userdata;
        m->timer = sd_event_source_disable_unref(m->timer);
        if (!m->ticking)
                begin_tick(m);
        do_more_later(m); /* from a turn of its own: whoever asks is not told from inside */
}

void stall_monitor_stop(StallMonitor *m) {
        m->active = m->ticking = m->asked = false;
        m->done = NULL;
        m->timer = sd_event_source_disable_unref(m->timer);
        m->more = sd_event_source_disable_unref(m->more);
        m->deadline = sd_event_source_disable_unref(m->deadline);
        g_queue_clear_full(&m->pending, (GDestroyNotify)pending_free);
        g_clear_pointer(&m->watch, stall_watch_free);
        g_clear_pointer(&m->root, g_free);
}

StallMonitor *stall_monitor_new(sd_event *event, const Scenario *scenario, const StallMonitorEvents *events,
                                void *userdata) {
        StallMonitor *m = g_new0(StallMonitor, 1);

        m->event = event;
        m->scenario = scenario;
        m->events = events;
        m->userdata = userdata;
        g_queue_init(&m->pending);
        return m;
}

void stall_monitor_free(StallMonitor *m) {
        if (!m)
                return;
        stall_monitor_stop(m);
        g_free(m);
}
