/* SPDX-License-Identifier: GPL-2.0-only */
#include "registry.h"

/* A parent made on the way to a nested name is none of the caller's cgroups: nobody is told of it. */
static void emit_cgroup(void (*event)(void *, const char *, const char *), void *userdata, const char *root,
                        const CgroupState *c) {
        g_autofree char *path = g_build_filename(root, c->name, NULL);

        if (!c->implicit)
                event(userdata, c->name, path);
}

static void enter_enables(Scenario *s, const Plan *plan) {
        for (guint i = 0; i < plan->enables->len; i++) {
                const PlanEnable *e = plan->enables->pdata[i];
                CgroupState *c = e->cgroup[0] ? scenario_find_cgroup(s, e->cgroup) : NULL;
                *(c ? &c->enabled : &s->root_enabled) |= e->controllers;
        }
}

static void enter_groups(Scenario *s, const Plan *plan) {
        for (guint i = 0; i < plan->groups->len; i++) {
                PlanGroup *g = plan->groups->pdata[i];
                s->next_group_id = MAX(s->next_group_id, g->state->id + 1);
                g_ptr_array_add(s->groups, g_steal_pointer(&g->state));
        }
}

static void enter_payloads(Scenario *s, const Plan *plan) {
        for (guint i = 0; i < plan->payloads->len; i++) {
                PlanPayload *p = plan->payloads->pdata[i];
                s->next_payload_id = MAX(s->next_payload_id, p->state->id + 1);
                g_ptr_array_add(s->payloads, g_steal_pointer(&p->state));
        }
}

void registry_enter(Scenario *s, const Operation *op, const RunnerEvents *events, void *userdata) {
        Plan *plan = op->plan;

        enter_enables(s, plan);
        enter_groups(s, plan);
        enter_payloads(s, plan);
        while (plan->cgroups->len > 0) {
                CgroupState *c = g_ptr_array_steal_index(plan->cgroups, 0);
                g_ptr_array_add(s->cgroups, c);
                emit_cgroup(events->cgroup_added, userdata, op->root, c);
        }
}

Slot registry_slot(const Operation *op) {
        return op->kind == OPERATION_TEARDOWN ? SLOT_BACKDROP : SLOT_STEP;
}

void registry_end(Scenario *s, const Operation *op, const RunnerEvents *events, void *userdata) {
        Slot slot = registry_slot(op);

        for (guint i = s->groups->len; i-- > 0;) {
                const GroupState *g = s->groups->pdata[i];
                if (slot == SLOT_BACKDROP || g->slot == SLOT_STEP)
                        g_ptr_array_remove_index(s->groups, i);
        }
        for (guint i = s->records->len; i-- > 0;) {
                const PayloadRecord *record = s->records->pdata[i];
                if (slot == SLOT_BACKDROP || record->slot == SLOT_STEP)
                        g_ptr_array_remove_index(s->records, i);
        }
        g_ptr_array_set_size(s->stalls, 0);
        s->stalls_decided = false;
        for (guint i = 0; i < op->plan->removals->len; i++) {
                const char *name = op->plan->removals->pdata[i];
                CgroupState *c = scenario_find_cgroup(s, name);
                if (!c || g_hash_table_contains(op->stayed, name))
                        continue;
                emit_cgroup(events->cgroup_removed, userdata, op->root, c);
                g_ptr_array_remove(s->cgroups, c);
        }
}

void registry_keep_remains(Scenario *s, const Operation *op, const RunnerEvents *events, void *userdata) {
        for (guint i = 0; i < op->plan->cgroups->len;) {
                CgroupState *c = op->plan->cgroups->pdata[i];
                if (!g_hash_table_contains(op->stayed, c->name)) {
                        i++;
                        continue;
                }
                c->enabled = 0; /* undone as well, or enabled once more without harm */
                g_ptr_array_add(s->cgroups, g_ptr_array_steal_index(op->plan->cgroups, i));
                emit_cgroup(events->cgroup_added, userdata, op->root, c);
        }
}

void registry_clear(Scenario *s, const char *root, const RunnerEvents *events, void *userdata) {
        for (guint i = s->cgroups->len; i-- > 0;)
                emit_cgroup(events->cgroup_removed, userdata, root, s->cgroups->pdata[i]);
        scenario_clear(s);
}
