/* SPDX-License-Identifier: GPL-2.0-only */
#include "scenario.h"

#include <string.h>
#include <sys/mman.h>

const char *slot_name(Slot slot) {
        return slot == SLOT_BACKDROP ? "backdrop" : "step";
}

static void knob_value_free(KnobValue *k) {
        g_free(k->file);
        g_free(k->value);
        g_free(k);
}

CgroupState *cgroup_state_new(const char *name, Slot slot, bool implicit) {
        CgroupState *c = g_new0(CgroupState, 1);

        c->name = g_strdup(name);
        c->slot = slot;
        c->implicit = implicit;
        c->knobs = g_ptr_array_new_with_free_func((GDestroyNotify)knob_value_free);
        return c;
}

void cgroup_state_free(CgroupState *c) {
        if (!c)
                return;
        g_free(c->name);
        g_clear_pointer(&c->cpuset, hwloc_bitmap_free);
        g_ptr_array_unref(c->knobs);
        g_free(c);
}

void cgroup_state_add_knob(CgroupState *c, const char *file, const char *value) {
        KnobValue *k = g_new0(KnobValue, 1);

        k->file = g_strdup(file);
        k->value = g_strdup(value);
        g_ptr_array_add(c->knobs, k);
}

static void work_state_free(WorkState *w) {
        g_clear_pointer(&w->cpus, hwloc_bitmap_free);
        g_free(w);
}

GroupState *group_state_new(uint32_t id, const char *cgroup, const char *pcomm, Slot slot) {
        GroupState *g = g_new0(GroupState, 1);

        g->id = id;
        g->cgroup = g_strdup(cgroup);
        g->pcomm = g_strdup(pcomm);
        g->slot = slot;
        g->works = g_ptr_array_new_with_free_func((GDestroyNotify)work_state_free);
        return g;
}

void group_state_free(GroupState *g) {
        if (!g)
                return;
        if (g->arena)
                munmap((void *)g->arena, g->arena_size);
        g_ptr_array_unref(g->works);
        g_free(g->pcomm);
        g_free(g->cgroup);
        g_free(g);
}

WorkState *group_state_add_work(GroupState *g, unsigned index, WorkTypeId type) {
        WorkState *w = g_new0(WorkState, 1);

        w->index = index;
        w->work_type = type;
        w->first = g->n_workers;
        g_ptr_array_add(g->works, w);
        return w;
}

void group_state_set_workers(GroupState *g, unsigned n_workers) {
        WorkState *last = g->works->pdata[g->works->len - 1];

        last->n_workers = n_workers;
        g->n_workers = last->first + n_workers;
}

const WorkState *group_state_find_work(const GroupState *g, uint32_t worker) {
        for (guint i = 0; i < g->works->len; i++) {
                const WorkState *w = g->works->pdata[i];
                if (worker >= w->first && worker - w->first < w->n_workers)
                        return w;
        }
        return NULL;
}

Scenario *scenario_new(const char *name) {
        Scenario *s = g_new0(Scenario, 1);

        s->name = g_strdup(name);
        s->next_group_id = 1;
        s->cgroups = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_state_free);
        s->groups = g_ptr_array_new_with_free_func((GDestroyNotify)group_state_free);
        return s;
}

void scenario_free(Scenario *s) {
        if (!s)
                return;
        g_free(s->name);
        g_ptr_array_unref(s->cgroups);
        g_ptr_array_unref(s->groups);
        g_free(s);
}

bool scenario_is_empty(const Scenario *s) {
        return s->cgroups->len == 0 && s->groups->len == 0;
}

CgroupState *scenario_find_cgroup(const Scenario *s, const char *name) {
        for (guint i = 0; i < s->cgroups->len; i++) {
                CgroupState *c = s->cgroups->pdata[i];
                if (g_str_equal(c->name, name))
                        return c;
        }
        return NULL;
}

GroupState *scenario_find_group(const Scenario *s, uint32_t id) {
        for (guint i = 0; i < s->groups->len; i++) {
                GroupState *g = s->groups->pdata[i];
                if (g->id == id)
                        return g;
        }
        return NULL;
}

bool scenario_has_below(const Scenario *s, const char *name) {
        size_t n = strlen(name);

        for (guint i = 0; i < s->cgroups->len; i++) {
                CgroupState *c = s->cgroups->pdata[i];
                if (strncmp(c->name, name, n) == 0 && c->name[n] == '/')
                        return true;
        }
        return false;
}

unsigned group_live_workers(const GroupState *g) {
        return g->n_workers - g->exited;
}

unsigned scenario_live_workers(const Scenario *s) {
        unsigned n = 0;

        for (guint i = 0; i < s->groups->len; i++)
                n += group_live_workers(s->groups->pdata[i]);
        return n;
}

unsigned scenario_count_workers(const Scenario *s) {
        unsigned n = 0;

        for (guint i = 0; i < s->groups->len; i++)
                n += ((GroupState *)s->groups->pdata[i])->n_workers;
        return n;
}

void scenario_clear(Scenario *s) {
        g_ptr_array_set_size(s->groups, 0);
        g_ptr_array_set_size(s->cgroups, 0);
        s->root_enabled = 0;
}
