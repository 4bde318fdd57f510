/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include "../topology/cpulist.h"

/* ---- one worker, from its slot in the arena ---- */

static guint64 load(const _Atomic uint64_t *counter) {
        return atomic_load_explicit(counter, memory_order_relaxed);
}

static void set_u64(JsonObject *o, const char *key, guint64 value) {
        json_object_set_int_member(o, key, value > G_MAXINT64 ? G_MAXINT64 : (gint64)value);
}

static void set_cpus(JsonObject *o, const char *key, hwloc_const_bitmap_t cpus) {
        g_autofree char *text = cpus ? cpulist_format(cpus) : g_strdup("");

        json_object_set_string_member(o, key, text);
}

static ArenaSlot *slot_of(const GroupState *g, unsigned worker) {
        return g->arena ? arena_slot(g->arena, worker) : NULL;
}

static const char *worker_state(const ArenaSlot *slot) {
        static const char *const names[] = {
                [WORKER_UNBORN] = "unborn",   [WORKER_BORN] = "born",       [WORKER_READY] = "ready",
                [WORKER_REFUSED] = "refused", [WORKER_RUNNING] = "running", [WORKER_FINISHED] = "finished",
        };
        uint32_t state = atomic_load(&slot->state), ended = atomic_load(&slot->exit_kind);

        if (ended != WORKER_EXIT_NONE && state != WORKER_FINISHED)
                return "killed";
        return state < G_N_ELEMENTS(names) ? names[state] : "unknown";
}

static bool worker_completed(const ArenaSlot *slot) {
        return atomic_load(&slot->state) == WORKER_FINISHED;
}

const char *report_exit_kind(uint32_t kind) {
        static const char *const kinds[] = {
                [WORKER_EXIT_CODE] = "exited",
                [WORKER_EXIT_SIGNAL] = "signaled",
                [WORKER_EXIT_DEADLINE] = "deadline",
        };

        return kind < G_N_ELEMENTS(kinds) ? kinds[kind] : NULL;
}

static void set_exit_info(JsonObject *o, const ArenaSlot *slot) {
        const char *kind = report_exit_kind(atomic_load(&slot->exit_kind));
        JsonObject *info;

        if (worker_completed(slot) || !kind) {
                json_object_set_null_member(o, "exit_info");
                return;
        }
        info = json_object_new();
        json_object_set_string_member(info, "kind", kind);
        json_object_set_int_member(info, "value", atomic_load(&slot->exit_value));
        json_object_set_object_member(o, "exit_info", info);
}

static void set_histogram(JsonObject *o, const char *key, const Histogram *h) {
        static const struct {
                const char *key;
                double p;
        } percentiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
        JsonObject *entry;
        guint64 count;

        if (!h)
                return;
        entry = json_object_new();
        count = load(&h->count);
        set_u64(entry, "count", count);
        if (count > 0) {
                set_u64(entry, "mean", load(&h->sum) / count);
                for (size_t i = 0; i < G_N_ELEMENTS(percentiles); i++)
                        set_u64(entry, percentiles[i].key, histogram_percentile(h, percentiles[i].p));
                set_u64(entry, "max", load(&h->max));
        }
        json_object_set_object_member(o, key, entry);
}

static void set_cpus_used(JsonObject *o, const ArenaHead *arena, ArenaSlot *slot) {
        _Atomic uint64_t *words = arena_slot_cpus(arena, slot);
        g_auto(hwloc_bitmap_t) cpus = bitmap_new();

        for (uint32_t w = 0; w < arena->cpu_words; w++) {
                guint64 word = load(&words[w]);
                for (unsigned b = 0; b < 64; b++)
                        if (word >> b & 1)
                                hwloc_bitmap_set(cpus, w * 64 + b);
        }
        set_cpus(o, "cpus_used", cpus);
}

static void set_migrations(JsonObject *o, const ArenaSlot *slot) {
        JsonArray *log = json_array_new();
        guint64 n = MIN(load(&slot->migrations), ARENA_MIGRATIONS);

        for (guint64 i = 0; i < n; i++) {
                const Migration *m = &slot->migration_log[i];
                JsonObject *entry = json_object_new();
                set_u64(entry, "at_ns", m->at_ns);
                json_object_set_int_member(entry, "from_cpu", m->from_cpu);
                json_object_set_int_member(entry, "to_cpu", m->to_cpu);
                json_array_add_object_element(log, entry);
        }
        json_object_set_array_member(o, "migrations", log);
}

/* Times that only the end of a worker can tell are null for one that was killed: 0 would be a lie. */
static void set_end_times(JsonObject *o, const ArenaSlot *slot) {
        const struct {
                const char *key;
                guint64 value;
                bool known;
        } times[] = {
                { "wall_time_ns", load(&slot->wall_ns), worker_completed(slot) },
                { "cpu_time_ns", load(&slot->cpu_ns), worker_completed(slot) },
                { "off_cpu_ns", load(&slot->wall_ns) - MIN(load(&slot->wall_ns), load(&slot->cpu_ns)),
                  worker_completed(slot) },
                { "schedstat_run_delay_ns", load(&slot->run_delay_ns), atomic_load(&slot->schedstat_valid) },
                { "schedstat_run_count", load(&slot->run_count), atomic_load(&slot->schedstat_valid) },
                { "schedstat_cpu_time_ns", load(&slot->sched_cpu_ns), atomic_load(&slot->schedstat_valid) },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
                if (times[i].known)
                        set_u64(o, times[i].key, times[i].value);
                else
                        json_object_set_null_member(o, times[i].key);
}

static JsonObject *worker_report(const ArenaHead *arena, ArenaSlot *slot) {
        JsonObject *o = json_object_new();
        g_autofree char *born_in = g_strndup(slot->cgroup, sizeof(slot->cgroup));

        json_object_set_int_member(o, "tid", atomic_load(&slot->pid));
        json_object_set_boolean_member(o, "completed", worker_completed(slot));
        set_exit_info(o, slot);
        set_u64(o, "iterations", load(&slot->iterations));
        set_u64(o, "work_units", load(&slot->work_units));
        set_end_times(o, slot);
        set_u64(o, "migration_count", load(&slot->migrations));
        set_migrations(o, slot);
        set_cpus_used(o, arena, slot);
        set_u64(o, "max_gap_ms", load(&slot->max_gap_ns) / 1000000);
        json_object_set_int_member(o, "max_gap_cpu", atomic_load(&slot->max_gap_cpu));
        set_u64(o, "max_gap_at_ms", load(&slot->max_gap_at_ns) / 1000000);
        set_histogram(o, "wake_latency_ns", arena_slot_histogram(arena, slot, SAMPLE_WAKE_LATENCY));
        json_object_set_string_member(o, "born_in", born_in);
        return o;
}

static JsonObject *worker_live(G_GNUC_UNUSED const ArenaHead *arena, ArenaSlot *slot) {
        JsonObject *o = json_object_new();

        json_object_set_int_member(o, "pid", atomic_load(&slot->pid));
        json_object_set_string_member(o, "state", worker_state(slot));
        set_u64(o, "iterations", load(&slot->iterations));
        set_u64(o, "work_units", load(&slot->work_units));
        return o;
}

/* ---- groups and cgroups ---- */

static const char *placement(const GroupState *g) {
        const ArenaSlot *slot = slot_of(g, 0);

        return slot && atomic_load(&slot->placement) == PLACEMENT_MOVED ? "moved" : "born";
}

static JsonObject *group_report(const GroupState *g, JsonObject *(*worker)(const ArenaHead *, ArenaSlot *)) {
        JsonObject *o = json_object_new();
        JsonArray *workers = json_array_new();

        json_object_set_string_member(o, "work_type", work_type_get(g->work_type)->name);
        json_object_set_string_member(o, "placement", placement(g));
        set_cpus(o, "cpus", g->cpus);
        for (unsigned i = 0; g->arena && i < g->n_workers; i++)
                json_array_add_object_element(workers, worker(g->arena, slot_of(g, i)));
        json_object_set_array_member(o, "workers", workers);
        return o;
}

static JsonArray *works_report(const Scenario *s, const char *cgroup,
                               JsonObject *(*worker)(const ArenaHead *, ArenaSlot *)) {
        JsonArray *works = json_array_new();

        for (guint i = 0; i < s->groups->len; i++) {
                const GroupState *g = s->groups->pdata[i];
                if (g_str_equal(g->cgroup, cgroup))
                        json_array_add_object_element(works, group_report(g, worker));
        }
        return works;
}

static JsonObject *cgroup_head(const CgroupState *c) {
        JsonObject *o = json_object_new();

        json_object_set_string_member(o, "name", c->name);
        json_object_set_string_member(o, "slot", slot_name(c->slot));
        set_cpus(o, "cpuset", c->cpuset);
        return o;
}

static bool in_slot(Slot owner, Slot ending) {
        return ending == SLOT_BACKDROP || owner == SLOT_STEP;
}

static JsonArray *warnings_array(const GPtrArray *warnings) {
        JsonArray *array = json_array_new();

        for (guint i = 0; warnings && i < warnings->len; i++)
                json_array_add_string_element(array, warnings->pdata[i]);
        return array;
}

JsonNode *report_slot(const Scenario *s, Slot slot, const GPtrArray *warnings) {
        g_autoptr(JsonObject) root = json_object_new();
        JsonArray *cgroups = json_array_new();

        json_object_set_string_member(root, "scenario", s->name);
        json_object_set_int_member(root, "step_index", s->step_index);
        for (guint i = 0; i < s->cgroups->len; i++) {
                const CgroupState *c = s->cgroups->pdata[i];
                if (c->implicit || !in_slot(c->slot, slot))
                        continue;
                JsonObject *o = cgroup_head(c);
                json_object_set_array_member(o, "works", works_report(s, c->name, worker_report));
                json_array_add_object_element(cgroups, o);
        }
        json_object_set_array_member(root, "cgroups", cgroups);
        json_object_set_array_member(root, "warnings", warnings_array(warnings));
        return json_node_init_object(json_node_alloc(), root);
}

JsonObject *report_summary(const Scenario *s, Slot slot, const GPtrArray *warnings) {
        JsonObject *o = json_object_new();
        guint64 cgroups = 0, workers = 0, completed = 0, iterations = 0, work_units = 0;

        for (guint i = 0; i < s->cgroups->len; i++) {
                const CgroupState *c = s->cgroups->pdata[i];
                cgroups += !c->implicit && in_slot(c->slot, slot);
        }
        for (guint i = 0; i < s->groups->len; i++) {
                const GroupState *g = s->groups->pdata[i];
                for (unsigned w = 0; in_slot(g->slot, slot) && g->arena && w < g->n_workers; w++) {
                        const ArenaSlot *worker = slot_of(g, w);
                        workers++;
                        completed += worker_completed(worker);
                        iterations += load(&worker->iterations);
                        work_units += load(&worker->work_units);
                }
        }
        json_object_set_int_member(o, "step_index", s->step_index);
        set_u64(o, "cgroups", cgroups);
        set_u64(o, "workers", workers);
        set_u64(o, "completed", completed);
        set_u64(o, "killed", workers - completed);
        set_u64(o, "iterations", iterations);
        set_u64(o, "work_units", work_units);
        json_object_set_array_member(o, "warnings", warnings_array(warnings));
        return o;
}

static JsonObject *limits_report(const CgroupState *c) {
        JsonObject *limits = json_object_new();

        for (guint i = 0; i < c->knobs->len; i++) {
                const KnobValue *k = c->knobs->pdata[i];
                json_object_set_string_member(limits, k->file, k->value);
        }
        return limits;
}

JsonNode *report_state(const Scenario *s, const char *root) {
        g_autoptr(JsonObject) state = json_object_new();
        JsonArray *cgroups = json_array_new();

        json_object_set_string_member(state, "scenario", s->name);
        json_object_set_int_member(state, "step_index", s->step_index);
        json_object_set_string_member(state, "cgroup_root", root);
        for (guint i = 0; i < s->cgroups->len; i++) {
                const CgroupState *c = s->cgroups->pdata[i];
                g_autofree char *path = g_build_filename(root, c->name, NULL);
                if (c->implicit)
                        continue;
                JsonObject *o = cgroup_head(c);
                json_object_set_string_member(o, "path", path);
                json_object_set_object_member(o, "limits", limits_report(c));
                json_object_set_array_member(o, "works", works_report(s, c->name, worker_live));
                json_array_add_object_element(cgroups, o);
        }
        json_object_set_array_member(state, "cgroups", cgroups);
        return json_node_init_object(json_node_alloc(), state);
}

/* ---- what a set-up call answers ---- */

static JsonObject *planned_work(const GroupState *g, bool dry_run) {
        JsonObject *o = json_object_new();
        JsonArray *pids;

        json_object_set_string_member(o, "work_type", work_type_get(g->work_type)->name);
        json_object_set_int_member(o, "workers", g->n_workers);
        set_cpus(o, "cpus", g->cpus);
        if (dry_run)
                return o;
        pids = json_array_new();
        for (unsigned i = 0; g->arena && i < g->n_workers; i++)
                json_array_add_int_element(pids, atomic_load(&slot_of(g, i)->pid));
        json_object_set_array_member(o, "pids", pids);
        json_object_set_string_member(o, "placement", placement(g));
        return o;
}

JsonObject *report_definition(const Plan *plan, const PlanContext *context, const CgroupDef *def, int index,
                              bool dry_run) {
        JsonObject *o = json_object_new();
        JsonArray *works = json_array_new();
        g_autofree char *path = g_build_filename(context->root, def->name, NULL);

        json_object_set_string_member(o, "name", def->name);
        json_object_set_string_member(o, "path", path);
        for (guint i = 0; i < plan->cgroups->len; i++) {
                const CgroupState *c = plan->cgroups->pdata[i];
                if (!g_str_equal(c->name, def->name))
                        continue;
                json_object_set_string_member(o, "target", slot_name(c->slot));
                set_cpus(o, "cpuset", c->cpuset);
        }
        for (guint i = 0; i < plan->groups->len; i++) {
                const GroupState *g = ((PlanGroup *)plan->groups->pdata[i])->state;
                if (g_str_equal(g->cgroup, def->name))
                        json_array_add_object_element(works, planned_work(g, dry_run));
        }
        json_object_set_array_member(o, "works", works);
        if (dry_run)
                json_object_set_array_member(o, "actions", plan_actions_to_json(plan, context, index));
        return o;
}

/* ---- topology ---- */

static JsonArray *llcs_report(const Topology *t) {
        JsonArray *array = json_array_new();

        for (unsigned i = 0; i < t->n_llcs; i++) {
                const Llc *llc = &t->llcs[i];
                JsonObject *o = json_object_new();
                JsonArray *cores = json_array_new();
                json_object_set_int_member(o, "index", llc->index);
                set_cpus(o, "cpus", llc->cpus);
                json_object_set_int_member(o, "numa_node", llc->numa_node);
                set_u64(o, "size_kib", llc->size_kib);
                for (unsigned c = 0; c < llc->n_cores; c++) {
                        g_autofree char *cpus = cpulist_format(llc->cores[c]);
                        json_array_add_string_element(cores, cpus);
                }
                json_object_set_array_member(o, "cores", cores);
                json_array_add_object_element(array, o);
        }
        return array;
}

static JsonArray *nodes_report(const Topology *t) {
        JsonArray *array = json_array_new();

        for (unsigned i = 0; i < t->n_nodes; i++) {
                const NumaNode *node = &t->nodes[i];
                JsonObject *o = json_object_new();
                json_object_set_int_member(o, "id", node->id);
                set_cpus(o, "cpus", node->cpus);
                json_object_set_boolean_member(o, "memory_only", node->memory_only);
                set_u64(o, "total_kib", node->total_kib);
                json_array_add_object_element(array, o);
        }
        return array;
}

static JsonArray *distances_report(const Topology *t) {
        JsonArray *rows = json_array_new();

        for (unsigned i = 0; i < t->n_nodes; i++) {
                JsonArray *row = json_array_new();
                for (unsigned j = 0; j < t->n_nodes; j++)
                        json_array_add_int_element(row, t->distances[i * t->n_nodes + j]);
                json_array_add_array_element(rows, row);
        }
        return rows;
}

JsonNode *report_topology(const Topology *t) {
        g_autoptr(JsonObject) o = json_object_new();

        set_cpus(o, "cpus", t->cpus);
        set_cpus(o, "usable", t->usable);
        json_object_set_array_member(o, "llcs", llcs_report(t));
        json_object_set_array_member(o, "numa_nodes", nodes_report(t));
        json_object_set_array_member(o, "distances", distances_report(t));
        return json_node_init_object(json_node_alloc(), o);
}
