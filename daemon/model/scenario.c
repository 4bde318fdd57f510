/* SPDX-License-Identifier: GPL-2.0-only */
#include "scenario.h"

#include <string.h>
#include <sys/mman.h>

#include "common/error.h"
#include "common/suggest.h"
#include "topology/spec-text.h"

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

static void payload_record_free(PayloadRecord *r) {
        json_object_unref(r->record);
        g_free(r);
}

static void stall_record_free(void *p) {
        StallRecord *r = p;

        g_free(r->failure);
        json_object_unref(r->record);
        g_free(r);
}

Scenario *scenario_new(const char *name) {
        Scenario *s = g_new0(Scenario, 1);

        s->name = g_strdup(name);
        s->next_group_id = 1;
        s->next_payload_id = 1;
        s->cgroups = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_state_free);
        s->groups = g_ptr_array_new_with_free_func((GDestroyNotify)group_state_free);
        s->payloads = g_ptr_array_new_with_free_func((GDestroyNotify)payload_state_free);
        s->records = g_ptr_array_new_with_free_func((GDestroyNotify)payload_record_free);
        s->stalls = g_ptr_array_new_with_free_func(stall_record_free);
        return s;
}

void scenario_free(Scenario *s) {
        if (!s)
                return;
        g_free(s->name);
        g_ptr_array_unref(s->cgroups);
        g_ptr_array_unref(s->groups);
        g_ptr_array_unref(s->payloads);
        g_ptr_array_unref(s->records);
        g_ptr_array_unref(s->stalls);
        g_free(s);
}

bool scenario_is_empty(const Scenario *s) {
        return s->cgroups->len == 0 && s->groups->len == 0 && s->payloads->len == 0;
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
        g_ptr_array_set_size(s->payloads, 0);
        g_ptr_array_set_size(s->groups, 0);
        g_ptr_array_set_size(s->cgroups, 0);
        g_ptr_array_set_size(s->stalls, 0);
        s->root_enabled = 0;
        s->stalls_decided = false;
}

/* ---- payloads ---- */

PayloadState *payload_state_new(uint32_t id, PayloadDef *def, const char *cgroup) {
        PayloadState *p = g_new0(PayloadState, 1);

        p->id = id;
        p->def = payload_def_ref(def);
        p->cgroup = g_strdup(cgroup);
        p->directory = cgroup[0] ? g_strdup(cgroup) : g_strdup_printf("@payload-%u", id);
        p->args = g_new0(char *, 1);
        return p;
}

void payload_state_free(PayloadState *p) {
        if (!p)
                return;
        payload_def_unref(p->def);
        g_free(p->cgroup);
        g_free(p->directory);
        g_strfreev(p->args);
        g_free(p->exit);
        g_free(p);
}

bool payload_state_is_alone(const PayloadState *p) {
        return !p->cgroup[0];
}

char **payload_state_argv(const PayloadState *p) {
        g_autoptr(GStrvBuilder) argv = g_strv_builder_new();

        g_strv_builder_add(argv, p->def->exec);
        g_strv_builder_addv(argv, (const char **)p->def->args);
        g_strv_builder_addv(argv, (const char **)p->args);
        return g_strv_builder_end(argv);
}

char *payload_cgroup_text(const char *cgroup) {
        return cgroup[0] ? g_strdup_printf("'%s'", cgroup) : g_strdup("(no cgroup)");
}

char *payload_place_text(const char *cgroup) {
        g_autofree char *text = payload_cgroup_text(cgroup);

        return cgroup[0] ? g_strconcat("in cgroup ", text, NULL) : g_steal_pointer(&text);
}

char *payload_origin_text(const PayloadState *p) {
        return p->origin == PAYLOAD_OF_DEFINITION
                       ? g_strdup_printf("the definition of cgroup '%s'", p->cgroup)
                       : g_strdup("RunPayload");
}

PayloadState *scenario_find_payload(const Scenario *s, uint32_t id) {
        for (guint i = 0; i < s->payloads->len; i++) {
                PayloadState *p = s->payloads->pdata[i];
                if (p->id == id)
                        return p;
        }
        return NULL;
}

/* The step's, then the backdrop's. */
static GPtrArray *payloads_named(const Scenario *s, const char *name) {
        static const Slot slots[] = { SLOT_STEP, SLOT_BACKDROP };
        GPtrArray *found = g_ptr_array_new();

        for (size_t slot = 0; slot < G_N_ELEMENTS(slots); slot++)
                for (guint i = 0; i < s->payloads->len; i++) {
                        PayloadState *p = s->payloads->pdata[i];
                        if (p->slot == slots[slot] && g_str_equal(p->def->name, name))
                                g_ptr_array_add(found, p);
                }
        return found;
}

PayloadState *scenario_payload_at(const Scenario *s, const char *name, const char *cgroup) {
        g_autoptr(GPtrArray) named = payloads_named(s, name);

        for (guint i = 0; i < named->len; i++) {
                PayloadState *p = named->pdata[i];
                if (g_str_equal(p->cgroup, cgroup))
                        return p;
        }
        return NULL;
}

/* "'a', (no cgroup)" */
static char *list_cgroups(const GPtrArray *payloads) {
        g_autoptr(GString) list = g_string_new(NULL);

        for (guint i = 0; i < payloads->len; i++) {
                g_autofree char *text = payload_cgroup_text(((PayloadState *)payloads->pdata[i])->cgroup);
                g_string_append_printf(list, "%s%s", i ? ", " : "", text);
        }
        return g_string_free(g_steal_pointer(&list), FALSE);
}

/* What the caller wanted of it, to go after "before". */
static const char *doing(const char *verb) {
        if (g_str_equal(verb, "WaitPayload"))
                return "waiting";
        return g_str_equal(verb, "KillPayload") ? "killing" : "asking for its output";
}

static const char *nth_payload(size_t i, const void *context) {
        return ((const PayloadState *)((const Scenario *)context)->payloads->pdata[i])->def->name;
}

/* Of that name there may be some, in other cgroups than the one that was given. */
static void no_such_payload(const Scenario *s, const PayloadAddress *address, const GPtrArray *named,
                            const char *verb, GError **error) {
        const char *near = suggest_name(address->name, nth_payload, s->payloads->len, s);
        g_autofree char *shown = spec_excerpt(address->name), *others = list_cgroups(named), *rule = NULL;
        g_autofree char *place = address->cgroup ? payload_place_text(address->cgroup) : g_strdup("");
        g_autoptr(GString) given = g_string_new(NULL);
        g_autoptr(GError) why = NULL;

        g_string_printf(given, "%s: the scenario has no payload '%s'%s%s", verb, shown, place[0] ? " " : "",
                        place);
        if (named->len > 0)
                g_string_append_printf(given, "; those of that name: %s", others);
        rule = g_strdup_printf("start it with RunPayload, or as `payload` of the definition of its cgroup, "
                               "before %s",
                               doing(verb));
        spec_refuse(&why, given->str, named->len > 0 ? NULL : near, rule);
        g_set_error_literal(error, KT_ERROR, KT_ERROR_NO_SUCH_PAYLOAD, why->message);
}

static void ambiguous_payload(const GPtrArray *named, const char *verb, GError **error) {
        const PayloadState *first = named->pdata[0], *second = named->pdata[1];
        const char *name = first->def->name, *example = first->cgroup[0] ? first->cgroup : second->cgroup;
        g_autofree char *cgroups = list_cgroups(named);

        g_set_error(error, KT_ERROR, KT_ERROR_AMBIGUOUS_PAYLOAD,
                    "%s: %u payloads are named '%s': %s; say before %s which one, as in %s \"%s\" "
                    "{\"cgroup\": \"%s\"}, or --cgroup %s of ktctl",
                    verb, named->len, name, cgroups, doing(verb), verb, name, example, example);
}

PayloadState *scenario_address_payload(const Scenario *s, const PayloadAddress *address, const char *verb,
                                       GError **error) {
        g_autoptr(GPtrArray) named = payloads_named(s, address->name);
        PayloadState *found = NULL;

        if (address->cgroup)
                found = scenario_payload_at(s, address->name, address->cgroup);
        else if (named->len == 1)
                found = named->pdata[0];
        else if (named->len > 1) {
                ambiguous_payload(named, verb, error);
                return NULL;
        }
        if (!found)
                no_such_payload(s, address, named, verb, error);
        return found;
}

void scenario_add_record(Scenario *s, Slot slot, JsonObject *record) {
        PayloadRecord *r = g_new0(PayloadRecord, 1);

        r->slot = slot;
        r->record = record;
        g_ptr_array_add(s->records, r);
}

unsigned scenario_live_payloads(const Scenario *s) {
        unsigned n = 0;

        for (guint i = 0; i < s->payloads->len; i++)
                n += !((const PayloadState *)s->payloads->pdata[i])->exit;
        return n;
}

void scenario_add_stall(Scenario *s, bool fails, char *failure, JsonObject *record) {
        StallRecord *r = g_new0(StallRecord, 1);

        *r = (StallRecord){ fails, failure, record };
        g_ptr_array_add(s->stalls, r);
}
