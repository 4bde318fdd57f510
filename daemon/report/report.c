/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include "topology/cpulist.h"
#include "report-payload.h"
#include "report-worker.h"

/* ---- works ---- */

static ArenaSlot *slot_of(const GroupState *g, unsigned worker) {
        return g->arena ? arena_slot(g->arena, worker) : NULL;
}

typedef struct WorkRef {
        const GroupState *group;
        const WorkState *work;
} WorkRef;

static void collect_works(GArray *refs, const GroupState *g, const char *cgroup) {
        for (guint i = 0; g_str_equal(g->cgroup, cgroup) && i < g->works->len; i++) {
                WorkRef ref = { g, g->works->pdata[i] };
                g_array_append_val(refs, ref);
        }
}

static int by_index(const void *a, const void *b) {
        const WorkRef *left = a, *right = b;

        return (left->work->index > right->work->index) - (left->work->index < right->work->index);
}

/* As the definition has them: containers were started last, whatever their place. */
static JsonArray *works_to_json(GArray *refs, JsonObject *(*show)(const WorkRef *ref, const void *how),
                                const void *how) {
        JsonArray *works = json_array_new();

        g_array_sort(refs, by_index);
        for (guint i = 0; i < refs->len; i++)
                json_array_add_object_element(works, show(&g_array_index(refs, WorkRef, i), how));
        return works;
}

static const char *placement(const WorkRef *ref) {
        const ArenaSlot *slot = slot_of(ref->group, ref->work->first);

        return slot && atomic_load(&slot->placement) == PLACEMENT_MOVED ? "moved" : "born";
}

static JsonObject *work_head(const WorkRef *ref) {
        JsonObject *o = json_object_new();

        json_object_set_int_member(o, "work_index", ref->work->index);
        json_object_set_string_member(o, "work_type", work_type_get(ref->work->work_type)->name);
        report_set_cpus(o, "cpus", ref->work->cpus);
        if (ref->group->pcomm)
                json_object_set_string_member(o, "pcomm", ref->group->pcomm);
        return o;
}

typedef JsonObject *(*WorkerView)(const ArenaHead *arena, ArenaSlot *slot, unsigned samples);

static JsonObject *work_report(const WorkRef *ref, const void *how) {
        const WorkerView *view = how;
        const GroupState *g = ref->group;
        unsigned samples = work_type_get(ref->work->work_type)->samples;
        JsonObject *o = work_head(ref);
        JsonArray *workers = json_array_new();

        json_object_set_string_member(o, "placement", placement(ref));
        if (g->pcomm && g->arena)
                json_object_set_int_member(o, "leader_pid", atomic_load(&slot_of(g, ref->work->first)->pid));
        for (unsigned i = 0; g->arena && i < ref->work->n_workers; i++)
                json_array_add_object_element(workers,
                                              (*view)(g->arena, slot_of(g, ref->work->first + i), samples));
        json_object_set_array_member(o, "workers", workers);
        return o;
}

static JsonArray *works_report(const Scenario *s, const char *cgroup, WorkerView view) {
        g_autoptr(GArray) refs = g_array_new(FALSE, FALSE, sizeof(WorkRef));

        for (guint i = 0; i < s->groups->len; i++)
                collect_works(refs, s->groups->pdata[i], cgroup);
        return works_to_json(refs, work_report, &view);
}

JsonObject *report_exit(const GroupState *g, const WireExit *e) {
        const WorkState *work = group_state_find_work(g, e->worker);
        const char *kind = worker_exit_kind(e->exit_kind);
        JsonObject *info;

        if (!work || !kind)
                return NULL;
        info = json_object_new();
        json_object_set_string_member(info, "kind", kind);
        json_object_set_int_member(info, "value", e->exit_value);
        json_object_set_int_member(info, "worker", e->worker - work->first);
        json_object_set_int_member(info, "work_index", work->index);
        json_object_set_string_member(info, "work_type", work_type_get(work->work_type)->name);
        if (g->pcomm)
                json_object_set_string_member(info, "pcomm", g->pcomm);
        return info;
}

/* ---- the report of a slot ---- */

static JsonObject *cgroup_head(const CgroupState *c) {
        JsonObject *o = json_object_new();

        json_object_set_string_member(o, "name", c->name);
        json_object_set_string_member(o, "slot", slot_name(c->slot));
        report_set_cpus(o, "cpuset", c->cpuset);
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

static JsonArray *records_report(const Scenario *s, Slot slot) {
        JsonArray *records = json_array_new();

        for (guint i = 0; i < s->records->len; i++) {
                const PayloadRecord *r = s->records->pdata[i];
                if (in_slot(r->slot, slot))
                        json_array_add_object_element(records, json_object_ref(r->record));
        }
        return records;
}

/* Of the step that ends, whoever stalled in it. */
static JsonArray *stalls_report(const Scenario *s) {
        JsonArray *stalls = json_array_new();

        for (guint i = 0; i < s->stalls->len; i++)
                json_array_add_object_element(
                        stalls, json_object_ref(((const StallRecord *)s->stalls->pdata[i])->record));
        return stalls;
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
        json_object_set_array_member(root, "payloads", records_report(s, slot));
        json_object_set_array_member(root, "stalls", stalls_report(s));
        json_object_set_array_member(root, "warnings", warnings_array(warnings));
        return json_node_init_object(json_node_alloc(), root);
}

static void summarise_stalls(JsonObject *o, const Scenario *s, JsonArray *failures) {
        guint64 failed = 0;

        for (guint i = 0; i < s->stalls->len; i++) {
                const StallRecord *stall = s->stalls->pdata[i];
                if (!stall->fails)
                        continue;
                failed++;
                json_array_add_string_element(failures, stall->failure);
        }
        report_set_u64(o, "stalls", s->stalls->len);
        report_set_u64(o, "stalls_failed", failed);
}

static void summarise_payloads(JsonObject *o, const Scenario *s, Slot slot, JsonArray *failures) {
        guint64 payloads = 0, failed = 0;

        for (guint i = 0; i < s->records->len; i++) {
                const PayloadRecord *r = s->records->pdata[i];
                if (!in_slot(r->slot, slot))
                        continue;
                payloads++;
                failed += !json_object_get_boolean_member(r->record, "passed");
                payload_record_failures(r->record, failures);
        }
        report_set_u64(o, "payloads", payloads);
        report_set_u64(o, "payloads_failed", failed);
}

/* A failed check fails the step, and so does a stall of a class that is to. */
static void add_verdict(JsonObject *o, const Scenario *s, Slot slot) {
        JsonArray *failures = json_array_new();

        summarise_payloads(o, s, slot, failures);
        summarise_stalls(o, s, failures);
        json_object_set_boolean_member(o, "passed", json_array_get_length(failures) == 0);
        json_object_set_array_member(o, "failures", failures);
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
                        iterations += report_load(&worker->iterations);
                        work_units += report_load(&worker->work_units);
                }
        }
        json_object_set_int_member(o, "step_index", s->step_index);
        report_set_u64(o, "cgroups", cgroups);
        report_set_u64(o, "workers", workers);
        report_set_u64(o, "completed", completed);
        report_set_u64(o, "killed", workers - completed);
        report_set_u64(o, "iterations", iterations);
        report_set_u64(o, "work_units", work_units);
        add_verdict(o, s, slot);
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
        JsonArray *cgroups = json_array_new(), *payloads = json_array_new();

        for (guint i = 0; i < s->payloads->len; i++)
                json_array_add_object_element(payloads, payload_live(s->payloads->pdata[i]));
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
        json_object_set_array_member(state, "payloads", payloads);
        json_object_set_array_member(state, "stalls", stalls_report(s));
        return json_node_init_object(json_node_alloc(), state);
}

/* ---- what a set-up call answers ---- */

static JsonArray *ids_of(const WorkRef *ref, unsigned n, int (*id)(const ArenaSlot *slot)) {
        JsonArray *ids = json_array_new();

        for (unsigned i = 0; ref->group->arena && i < n; i++)
                json_array_add_int_element(ids, id(slot_of(ref->group, ref->work->first + i)));
        return ids;
}

static int process_of(const ArenaSlot *slot) {
        return atomic_load(&slot->pid);
}

static JsonObject *planned_work(const WorkRef *ref, const void *how) {
        const bool *dry_run = how;
        bool container = ref->group->pcomm != NULL;
        JsonObject *o = work_head(ref);

        json_object_set_int_member(o, "workers", ref->work->n_workers);
        if (*dry_run)
                return o;
        json_object_set_array_member(o, "pids",
                                     ids_of(ref, container ? 1 : ref->work->n_workers, process_of));
        if (container)
                json_object_set_array_member(o, "tids", ids_of(ref, ref->work->n_workers, worker_tid));
        json_object_set_string_member(o, "placement", placement(ref));
        return o;
}

JsonObject *report_definition(const Plan *plan, const PlanContext *context, const CgroupDef *def, int index,
                              bool dry_run) {
        JsonObject *o = json_object_new();
        g_autoptr(GArray) works = g_array_new(FALSE, FALSE, sizeof(WorkRef));
        g_autofree char *path = g_build_filename(context->root, def->name, NULL);

        json_object_set_string_member(o, "name", def->name);
        json_object_set_string_member(o, "path", path);
        for (guint i = 0; i < plan->cgroups->len; i++) {
                const CgroupState *c = plan->cgroups->pdata[i];
                if (!g_str_equal(c->name, def->name))
                        continue;
                json_object_set_string_member(o, "target", slot_name(c->slot));
                report_set_cpus(o, "cpuset", c->cpuset);
        }
        for (guint i = 0; i < plan->groups->len; i++)
                collect_works(works, ((PlanGroup *)plan->groups->pdata[i])->state, def->name);
        json_object_set_array_member(o, "works", works_to_json(works, planned_work, &dry_run));
        for (guint i = 0; i < plan->payloads->len; i++) {
                const PayloadState *p = ((PlanPayload *)plan->payloads->pdata[i])->state;
                if (g_str_equal(p->cgroup, def->name))
                        json_object_set_object_member(o, "payload",
                                                      payload_started(p, context->root, dry_run));
        }
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
                report_set_cpus(o, "cpus", llc->cpus);
                json_object_set_int_member(o, "numa_node", llc->numa_node);
                report_set_u64(o, "size_kib", llc->size_kib);
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
                report_set_cpus(o, "cpus", node->cpus);
                json_object_set_boolean_member(o, "memory_only", node->memory_only);
                report_set_u64(o, "total_kib", node->total_kib);
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

        report_set_cpus(o, "cpus", t->cpus);
        report_set_cpus(o, "usable", t->usable);
        json_object_set_array_member(o, "llcs", llcs_report(t));
        json_object_set_array_member(o, "numa_nodes", nodes_report(t));
        json_object_set_array_member(o, "distances", distances_report(t));
        return json_node_init_object(json_node_alloc(), o);
}
