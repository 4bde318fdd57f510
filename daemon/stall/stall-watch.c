/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-watch.h"

#include <string.h>

#include "wire/task-stat.h"
#include "proc-sched.h"
#include "stall-payload.h"

/* cpu.stat from before a stall is to be older than the longest cpu.max period, and not much older than the
 * stall. */
enum { BEFORE_MAX_NS_PER_S = 5 };
#define BEFORE_MAX_NS (BEFORE_MAX_NS_PER_S * 1000000000ull)

/* The workers of one group. */
typedef struct WatchedGroup {
        unsigned round; /* of its last look */
        bool *begun;    /* its window is that worker's */
        StallWindow *windows;
} WatchedGroup;

typedef struct WatchedPayload {
        unsigned round;
        StallWindow window;
        PayloadUse use;
} WatchedPayload;

/* What a tick found out about a cgroup, when the first of its tasks stood still. */
typedef struct WatchedCgroup {
        bool looked, frozen;
        uint64_t before_ns; /* when its cpu.stat was put into `before` */
} WatchedCgroup;

struct StallWatch {
        const char *root;
        uint64_t interval_ns;
        unsigned window;
        StallFound found;
        void *userdata;
        unsigned round;       /* counts the ticks */
        GHashTable *groups;   /* id: WatchedGroup */
        GHashTable *payloads; /* id: WatchedPayload */
        GHashTable *cgroups;  /* name: WatchedCgroup */
        GHashTable *before;   /* name: CpuStat */
};

static void group_free(void *p) {
        WatchedGroup *g = p;

        g_free(g->begun);
        g_free(g->windows);
        g_free(g);
}

StallWatch *stall_watch_new(const char *root, uint64_t interval_ns, unsigned window, StallFound found,
                            void *userdata) {
        StallWatch *w = g_new0(StallWatch, 1);

        w->root = root;
        w->interval_ns = interval_ns;
        w->window = window;
        w->found = found;
        w->userdata = userdata;
        w->groups = g_hash_table_new_full(NULL, NULL, NULL, group_free);
        w->payloads = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        w->cgroups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        w->before = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        return w;
}

void stall_watch_free(StallWatch *w) {
        if (!w)
                return;
        g_hash_table_unref(w->groups);
        g_hash_table_unref(w->payloads);
        g_hash_table_unref(w->cgroups);
        g_hash_table_unref(w->before);
        g_free(w);
}

/* ---- cgroups ---- */

static bool read_frozen(const char *root, const char *cgroup) {
        g_autofree char *path = g_build_filename(root, cgroup, "cgroup.events", NULL), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "frozen 1");
}

static WatchedCgroup *look_at_cgroup(StallWatch *w, const char *name) {
        WatchedCgroup *c = g_hash_table_lookup(w->cgroups, name);

        if (!c) {
                c = g_new0(WatchedCgroup, 1);
                g_hash_table_insert(w->cgroups, g_strdup(name), c);
        }
        if (!c->looked)
                c->frozen = read_frozen(w->root, name);
        c->looked = true;
        return c;
}

static void remember_cpu_stat(StallWatch *w, const char *name, uint64_t tick_ns) {
        WatchedCgroup *c = look_at_cgroup(w, name);
        CpuStat stat;

        if (c->before_ns && tick_ns - c->before_ns < BEFORE_MAX_NS)
                return;
        c->before_ns = tick_ns;
        if (stall_read_cpu_stat(w->root, name, &stat))
                g_hash_table_insert(w->before, g_strdup(name), g_memdup2(&stat, sizeof(stat)));
        else
                g_hash_table_remove(w->before, name);
}

/* A task has begun to stand still: how its cgroup, and those above, stood with cpu.max then. */
static void remember_cpu_stats(StallWatch *w, const char *cgroup, uint64_t tick_ns) {
        g_autofree char *name = g_strdup(cgroup);

        for (char *slash;; *slash = '\0') {
                remember_cpu_stat(w, name, tick_ns);
                slash = strrchr(name, '/');
                if (!slash)
                        break;
        }
        remember_cpu_stat(w, "", tick_ns);
}

/* ---- one task ---- */

static uint64_t start_of(const StallSubject *who) {
        TaskStat stat;

        return task_stat_read(who->pid, who->tid, &stat) < 0 ? 0 : stat.start;
}

/* An id may come to stand for another task between two ticks: which one it is, is asked when it begins to
 * stand still and again before that is told. */
static void judge_sample(StallWatch *w, const StallSubject *who, StallWindow *window, StallSample sample,
                         hwloc_const_bitmap_t cpus) {
        bool first = window->n == 0;

        if (first)
                stall_window_is(window, start_of(who));
        if (stall_window_push(window, sample, w->interval_ns) && stall_window_is(window, start_of(who)))
                w->found(w->userdata, who, window, w->before, cpus);
        else if (first)
                remember_cpu_stats(w, who->cgroup, sample.time_ns);
}

/* Its shared counter stands, so the scheduler is asked. */
static void ask_scheduler(StallWatch *w, const StallSubject *who, StallWindow *window, uint64_t tick_ns,
                          hwloc_const_bitmap_t cpus) {
        StallSample sample = { .time_ns = tick_ns };

        if (look_at_cgroup(w, who->cgroup)->frozen || proc_sched_read(who->pid, who->tid, &sample) < 0)
                stall_window_miss(window);
        else
                judge_sample(w, who, window, sample, cpus);
}

static WatchedGroup *watch_group(StallWatch *w, const GroupState *g) {
        WatchedGroup *watched = g_hash_table_lookup(w->groups, GUINT_TO_POINTER(g->id));

        if (!watched) {
                watched = g_new0(WatchedGroup, 1);
                watched->begun = g_new0(bool, g->n_workers);
                watched->windows = g_new0(StallWindow, g->n_workers);
                g_hash_table_insert(w->groups, GUINT_TO_POINTER(g->id), watched);
        }
        watched->round = w->round;
        return watched;
}

/* Between the gate and its first instruction, and after its end, a worker owes nothing. */
static bool is_at_work(const ArenaSlot *slot) {
        return atomic_load_explicit(&slot->state, memory_order_acquire) == WORKER_RUNNING &&
               atomic_load_explicit(&slot->exit_kind, memory_order_acquire) == WORKER_EXIT_NONE;
}

static void look_at_worker(StallWatch *w, const GroupState *g, uint32_t index, uint64_t tick_ns) {
        const ArenaSlot *slot = arena_slot(g->arena, index);
        WatchedGroup *watched = watch_group(w, g);
        StallWindow *window = &watched->windows[index];
        const WorkState *work;

        if (!is_at_work(slot))
                return;
        if (!watched->begun[index])
                stall_window_init(window, 0, w->window);
        watched->begun[index] = true;
        if (stall_window_moved(window, atomic_load_explicit(&slot->iterations, memory_order_relaxed) +
                                               atomic_load_explicit(&slot->work_units, memory_order_relaxed)))
                return;

        work = group_state_find_work(g, index);
        const StallSubject who = { .pid = atomic_load(&slot->pid),
                                   .tid = atomic_load(&slot->tid),
                                   .cgroup = g->cgroup,
                                   .work_type = work_type_get(work->work_type)->name,
                                   .work_index = work->index,
                                   .worker = index - work->first };
        ask_scheduler(w, &who, window, tick_ns, work->cpus);
}

static void look_at_payload(StallWatch *w, const PayloadState *p, uint64_t tick_ns) {
        WatchedPayload *watched = g_hash_table_lookup(w->payloads, GUINT_TO_POINTER(p->id));
        const StallSubject who = {
                .pid = p->pid, .tid = p->pid, .cgroup = p->directory, .payload = p->def->name
        };
        StallSample sample = { .time_ns = tick_ns };

        if (p->exit)
                return;
        if (!watched) {
                watched = g_new0(WatchedPayload, 1);
                stall_window_init(&watched->window, 0, w->window);
                g_hash_table_insert(w->payloads, GUINT_TO_POINTER(p->id), watched);
        }
        watched->round = w->round;
        if (stall_payload_moved(p, w->root, &watched->use))
                stall_window_progress(&watched->window);
        else if (look_at_cgroup(w, p->directory)->frozen || stall_payload_sample(p, w->root, &sample) < 0)
                stall_window_miss(&watched->window);
        else
                judge_sample(w, &who, &watched->window, sample, NULL);
}

/* ---- all of them ---- */

static void unlook(G_GNUC_UNUSED void *name, void *cgroup, G_GNUC_UNUSED void *data) {
        ((WatchedCgroup *)cgroup)->looked = false;
}

void stall_watch_begin(StallWatch *w) {
        w->round++;
        g_hash_table_foreach(w->cgroups, unlook, NULL);
}

/* The first with an id that is not behind us, from where it was at the last look on. */
static const GroupState *group_from(const Scenario *s, StallCursor *at) {
        const GroupState *g = at->index < s->groups->len ? s->groups->pdata[at->index] : NULL;

        if (g && g->id == at->group_id)
                return g;
        for (at->index = 0; at->index < s->groups->len; at->index++) {
                g = s->groups->pdata[at->index];
                if (g->id >= at->group_id)
                        return g;
        }
        return NULL;
}

static const PayloadState *payload_from(const Scenario *s, uint32_t id) {
        for (guint i = 0; i < s->payloads->len; i++) {
                const PayloadState *p = s->payloads->pdata[i];
                if (p->id >= id)
                        return p;
        }
        return NULL;
}

static bool next_worker(StallWatch *w, const Scenario *s, StallCursor *at, uint64_t tick_ns) {
        const GroupState *g = group_from(s, at);

        if (!g)
                return false;
        if (g->id != at->group_id)
                at->worker = 0;
        at->group_id = g->id;
        if (g->arena && at->worker < g->n_workers)
                look_at_worker(w, g, at->worker++, tick_ns);
        if (!g->arena || at->worker >= g->n_workers) {
                at->group_id = g->id + 1;
                at->index++;
                at->worker = 0;
        }
        return true;
}

bool stall_watch_next(StallWatch *w, const Scenario *s, StallCursor *at, uint64_t tick_ns) {
        const PayloadState *p;

        if (!at->payloads && next_worker(w, s, at, tick_ns))
                return true;
        at->payloads = true;
        p = payload_from(s, at->payload_id);
        if (!p)
                return false;
        at->payload_id = p->id + 1;
        look_at_payload(w, p, tick_ns);
        return true;
}

static gboolean group_is_gone(G_GNUC_UNUSED void *id, void *watched, void *round) {
        return ((WatchedGroup *)watched)->round != GPOINTER_TO_UINT(round);
}

static gboolean payload_is_gone(G_GNUC_UNUSED void *id, void *watched, void *round) {
        return ((WatchedPayload *)watched)->round != GPOINTER_TO_UINT(round);
}

static gboolean cgroup_is_gone(void *name, G_GNUC_UNUSED void *value, void *names) {
        return !g_hash_table_contains(names, name);
}

/* Where a task may live, and what lies above: cgroups, those that payloads have of their own, the root. */
static GHashTable *names_of(const Scenario *s) {
        GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);

        g_hash_table_add(names, (void *)"");
        for (guint i = 0; i < s->cgroups->len; i++)
                g_hash_table_add(names, ((const CgroupState *)s->cgroups->pdata[i])->name);
        for (guint i = 0; i < s->payloads->len; i++)
                g_hash_table_add(names, ((const PayloadState *)s->payloads->pdata[i])->directory);
        return names;
}

static void prune_cgroups(StallWatch *w, const Scenario *s) {
        g_autoptr(GHashTable) names = NULL;

        if (g_hash_table_size(w->cgroups) == 0)
                return;
        names = names_of(s);
        g_hash_table_foreach_remove(w->cgroups, cgroup_is_gone, names);
        g_hash_table_foreach_remove(w->before, cgroup_is_gone, names);
}

void stall_watch_prune(StallWatch *w, const Scenario *s) {
        g_hash_table_foreach_remove(w->groups, group_is_gone, GUINT_TO_POINTER(w->round));
        g_hash_table_foreach_remove(w->payloads, payload_is_gone, GUINT_TO_POINTER(w->round));
        prune_cgroups(w, s);
}
