/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan.h"

#include "common/error.h"
#include "model/cgroup-name.h"
#include "knobs.h"
#include "plan-payload.h"
#include "plan-works.h"

/* A set-up pass: for each definition its parents, its directory, its limits, its workers held at the gate;
 * and only when all of that stands, the gates open, and payloads begin beside workers that run. So a failure
 * on the way never let a worker run. */
typedef struct Pass {
        const PlanContext *context;
        Plan *plan;
        Slot slot;
        int def; /* index of the definition at hand */
        unsigned root_enabled;
        uint32_t next_id;
} Pass;

static PlanAction *pass_add(Pass *p, ActionKind kind, const char *cgroup, const char *origin) {
        PlanAction *a = plan_add(p->plan, kind, cgroup);

        a->def = p->def;
        a->origin = g_strdup(origin);
        return a;
}

static CgroupState *find_planned(const Plan *plan, const char *name) {
        for (guint i = 0; i < plan->cgroups->len; i++) {
                CgroupState *c = plan->cgroups->pdata[i];
                if (g_str_equal(c->name, name))
                        return c;
        }
        return NULL;
}

/* In this plan or in the books. */
static CgroupState *find_cgroup(const Pass *p, const char *name) {
        return find_planned(p->plan, name) ?: scenario_find_cgroup(p->context->scenario, name);
}

static bool fail(GError **error, KtError code, const CgroupDef *def, const char *key, const char *format, ...)
        G_GNUC_PRINTF(5, 6);

static bool fail(GError **error, KtError code, const CgroupDef *def, const char *key, const char *format,
                 ...) {
        g_autofree char *place = definition_place(def, key);
        va_list args;

        va_start(args, format);
        g_propagate_error(error, g_error_new_valist(KT_ERROR, code, format, args));
        va_end(args);
        g_prefix_error(error, "%s", place);
        return false;
}

static bool check_name(const Pass *p, const CgroupDef *def, GError **error) {
        const CgroupState *c = find_cgroup(p, def->name);

        if (!c)
                return true;
        if (c->implicit)
                return fail(error, KT_ERROR_CGROUP_EXISTS, def, "name",
                            "it exists already as the parent of other cgroups, and a cgroup with controllers "
                            "for its "
                            "children cannot hold workers itself (no internal processes, cgroup-v2.rst); use "
                            "another name");
        return fail(error, KT_ERROR_CGROUP_EXISTS, def, "name",
                    "the name collides with a cgroup that is already tracked in the %s; declare it in one "
                    "place, or use "
                    "another name",
                    slot_name(c->slot));
}

static bool check_controllers(const Pass *p, const CgroupDef *def, unsigned needed, GError **error) {
        unsigned missing = needed & ~p->context->controllers;
        g_autofree char *have = controllers_format(p->context->controllers, "");

        for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
                if (missing & (1u << i))
                        return fail(error, KT_ERROR_CONTROLLER_UNAVAILABLE, def, controller_name(i),
                                    "the controller %s is not available: %s offers '%s'. The kernel needs "
                                    "%s, it must not "
                                    "be in use by cgroup v1, and every cgroup above must enable it in "
                                    "cgroup.subtree_control",
                                    controller_name(i), p->context->controllers_file, have,
                                    controller_config(i));
        return true;
}

static PlanEnable *find_enable(const Plan *plan, const char *cgroup) {
        for (guint i = 0; i < plan->enables->len; i++) {
                PlanEnable *e = plan->enables->pdata[i];
                if (g_str_equal(e->cgroup, cgroup))
                        return e;
        }
        return NULL;
}

static void note_enable(Plan *plan, const char *cgroup, unsigned controllers) {
        PlanEnable *e = find_enable(plan, cgroup);

        if (!e) {
                e = g_new0(PlanEnable, 1);
                e->cgroup = g_strdup(cgroup);
                g_ptr_array_add(plan->enables, e);
        }
        e->controllers |= controllers;
}

static unsigned enabled_in(const Pass *p, const char *cgroup) {
        const PlanEnable *e = find_enable(p->plan, cgroup);
        const CgroupState *c = cgroup[0] ? find_cgroup(p, cgroup) : NULL;
        unsigned base = cgroup[0] ? (c ? c->enabled : 0) : p->root_enabled;

        return base | (e ? e->controllers : 0);
}

/* Gives the children of `cgroup` the controllers they need and do not have yet. Its own cgroup must not hold
 * processes: the kernel refuses cpuset, memory and io then, and turns it into a threaded domain, without a
 * word, for cpu and pids (cgroup-v2.rst, "No Internal Process Constraint" and "Threads"). */
static bool enable(Pass *p, const CgroupDef *def, const char *cgroup, unsigned needed, GError **error) {
        unsigned missing = needed & ~enabled_in(p, cgroup);
        const CgroupState *c = cgroup[0] ? find_cgroup(p, cgroup) : NULL;
        g_autofree char *names = controllers_format(missing, "");

        if (!missing)
                return true;
        if (c && !c->implicit)
                return fail(error, KT_ERROR_INVALID_DEFINITION, def, "name",
                            "its parent '%s' holds workers, so it cannot give the controllers %s to its "
                            "children (no "
                            "internal processes, cgroup-v2.rst); put the workers of '%s' into a child of "
                            "their own, or "
                            "leave out the limits of '%s'",
                            cgroup, names, cgroup, def->name);
        pass_add(p, ACTION_ENABLE, cgroup, def->origin)->value = controllers_format(missing, "+");
        if (find_planned(p->plan, cgroup))
                find_planned(p->plan, cgroup)->enabled |= missing;
        else
                note_enable(p->plan, cgroup, missing);
        return true;
}

/* A cgroup goes after everything below it, so what stays cannot be below what goes. */
static bool check_parent(const Pass *p, const CgroupDef *def, const char *parent, GError **error) {
        const CgroupState *c = find_cgroup(p, parent);

        if (c->implicit || c->slot == p->slot || p->slot == SLOT_STEP)
                return true;
        return fail(error, KT_ERROR_INVALID_DEFINITION, def, "name",
                    "its parent '%s' goes at the end of the step, but the backdrop stays; declare the parent "
                    "in the backdrop too, or use a name that is not below it",
                    parent);
}

static bool make_parents(Pass *p, const CgroupDef *def, unsigned needed, GError **error) {
        if (!enable(p, def, "", needed, error))
                return false;
        for (const char *slash = strchr(def->name, '/'); slash; slash = strchr(slash + 1, '/')) {
                g_autofree char *parent = g_strndup(def->name, (size_t)(slash - def->name));
                if (!find_cgroup(p, parent)) {
                        pass_add(p, ACTION_MKDIR, parent, def->origin);
                        g_ptr_array_add(p->plan->cgroups, cgroup_state_new(parent, p->slot, true));
                }
                if (!check_parent(p, def, parent, error) || !enable(p, def, parent, needed, error))
                        return false;
        }
        return true;
}

/* The set is looked at before the spec is judged: an empty one has better things to say. */
static bool resolve_cpuset(const Pass *p, const CgroupDef *def, hwloc_bitmap_t *ret, GError **error) {
        g_auto(hwloc_bitmap_t) cpus = NULL;
        g_autofree char *place = definition_place(def, "cpuset");

        if (!def->cpuset)
                return true;
        cpus = cpuset_spec_resolve(def->cpuset, p->context->topology);
        if (hwloc_bitmap_iszero(cpus)) {
                plan_works_empty_cpuset(def, error);
                return false;
        }
        if (!cpuset_spec_validate(def->cpuset, p->context->topology, error)) {
                g_prefix_error(error, "%s", place);
                return false;
        }
        *ret = g_steal_pointer(&cpus);
        return true;
}

static bool check_mems(const Pass *p, const CgroupDef *def, GError **error) {
        g_autofree char *place = definition_place(def, "cpuset_mems");

        if (!def->cpuset_mems || nodelist_validate(def->cpuset_mems, p->context->topology, error))
                return true;
        g_prefix_error(error, "%s", place);
        return false;
}

/* The cgroup's own cpuset, else that of the nearest cgroup above that has one. */
static hwloc_const_bitmap_t governing_cpuset(const Pass *p, const char *name) {
        g_autofree char *at = g_strdup(name);

        while (at) {
                const CgroupState *c = find_cgroup(p, at);
                char *parent = cgroup_name_parent(at);
                if (c && c->cpuset) {
                        g_free(parent);
                        return c->cpuset;
                }
                g_free(at);
                at = parent;
        }
        return NULL;
}

static void write_knobs(Pass *p, const CgroupDef *def, CgroupState *cgroup) {
        for (size_t i = 0; i < knob_count; i++) {
                g_autofree char *value = knobs[i].format(def, cgroup->cpuset);
                g_autofree char *origin = NULL;
                PlanAction *a;

                if (!value)
                        continue;
                origin = g_strdup_printf("%s%s%s", def->origin, def->origin[0] ? "." : "", knobs[i].key);
                a = pass_add(p, ACTION_WRITE, def->name, origin);
                a->file = knobs[i].file;
                a->value = g_strdup(value);
                cgroup_state_add_knob(cgroup, knobs[i].file, value);
        }
}

/* Every worker is a task of its cgroup, and so are the leader of a container and a payload: a pids.max below
 * their number can only fail. */
static bool check_pids(const Pass *p, const CgroupDef *def, guint first_group, GError **error) {
        guint64 workers = 0, leaders = 0, needed;
        g_autofree char *with = NULL;

        for (guint i = first_group; i < p->plan->groups->len; i++) {
                const GroupState *group = ((PlanGroup *)p->plan->groups->pdata[i])->state;
                workers += group->n_workers;
                leaders += group->pcomm != NULL;
        }
        needed = workers + leaders + (def->payload ? 1 : 0);
        if (!def->pids.max.set || def->pids.max.unlimited || def->pids.max.value >= needed)
                return true;
        with = leaders ? g_strdup_printf(" and the leader of each pcomm (%" G_GUINT64_FORMAT ")", leaders)
                       : g_strdup("");
        return fail(error, KT_ERROR_INVALID_DEFINITION, def, "pids.max",
                    "pids.max %" G_GUINT64_FORMAT " leaves no room for its %" G_GUINT64_FORMAT
                    " workers%s%s; set it to %" G_GUINT64_FORMAT " or more",
                    def->pids.max.value, workers, with, def->payload ? " and its payload" : "", needed);
}

static bool plan_payload(const Pass *p, const CgroupDef *def, GError **error) {
        g_autofree char *place = NULL;
        PayloadDef *payload;

        if (!def->payload)
                return true;
        payload = plan_payload_def(p->context, def->payload, error);
        if (payload &&
            plan_payload_new(p->plan, p->context, payload, def->name, p->slot, PAYLOAD_OF_DEFINITION, error))
                return true;
        place = definition_place(def, "payload");
        g_prefix_error(error, "%s", place);
        return false;
}

static bool plan_definition(Pass *p, const CgroupDef *def, GError **error) {
        unsigned needed = knobs_controllers(def);
        guint first_group = p->plan->groups->len;
        g_auto(hwloc_bitmap_t) cpuset = NULL;
        g_autofree char *works = NULL;
        CgroupState *cgroup;

        if (!check_name(p, def, error) || !plan_payload(p, def, error) ||
            !check_controllers(p, def, needed, error) || !resolve_cpuset(p, def, &cpuset, error) ||
            !check_mems(p, def, error) || !make_parents(p, def, needed, error))
                return false;
        cgroup = cgroup_state_new(def->name, p->slot, false);
        cgroup->cpuset = g_steal_pointer(&cpuset);
        g_ptr_array_add(p->plan->cgroups, cgroup);
        pass_add(p, ACTION_MKDIR, def->name, def->origin);
        write_knobs(p, def, cgroup);
        if (!plan_works(p->plan, p->context, def, governing_cpuset(p, def->name), p->slot, &p->next_id,
                        error) ||
            !check_pids(p, def, first_group, error))
                return false;
        works = g_strdup_printf("%s%sworks", def->origin, def->origin[0] ? "." : "");
        for (guint i = first_group; i < p->plan->groups->len; i++)
                pass_add(p, ACTION_SPAWN, def->name, works)->group = p->plan->groups->pdata[i];
        return true;
}

static bool step_has_begun(const Scenario *s) {
        for (guint i = 0; i < s->groups->len; i++)
                if (((const GroupState *)s->groups->pdata[i])->slot == SLOT_STEP)
                        return true;
        return false;
}

/* The step's first workers begin its phase. A backdrop that is the first thing after a step has a new
 * executor, which does not know that there was one. */
static void begin_phase(Pass *p) {
        const Scenario *s = p->context->scenario;

        if (p->slot == SLOT_STEP && !step_has_begun(s))
                pass_add(p, ACTION_PHASE, "", NULL)->phase = s->step_index + 1;
        else if (p->slot == SLOT_BACKDROP && plan_follows_a_step(p->context))
                pass_add(p, ACTION_PHASE, "", NULL)->phase = PHASE_BETWEEN;
}

/* All of them after everything else, and so with the last definition: the definitions' lists of actions, one
 * after the other, are the plan. */
static void open_gates(Pass *p) {
        begin_phase(p);
        for (guint i = 0; i < p->plan->groups->len; i++) {
                const GroupState *group = ((PlanGroup *)p->plan->groups->pdata[i])->state;
                pass_add(p, ACTION_RELEASE, group->cgroup, NULL)->group_id = group->id;
        }
}

/* After each definition, not at the end: what is over the limit must not cost time first. */
static bool check_cgroups(const Pass *p, GError **error) {
        guint64 cgroups = p->context->scenario->cgroups->len + p->plan->cgroups->len;

        if (cgroups <= p->context->limits.max_cgroups)
                return true;
        g_set_error(error, KT_ERROR, KT_ERROR_LIMIT_EXCEEDED,
                    "the scenario would have %" G_GUINT64_FORMAT
                    " cgroups or more; MaxCgroups in the configuration allows %u",
                    cgroups, p->context->limits.max_cgroups);
        return false;
}

/* With the last definition, as the gates before them. */
static void start_payloads(Pass *p, const GPtrArray *defs) {
        guint next = 0;

        for (guint i = 0; i < defs->len; i++) {
                const CgroupDef *def = defs->pdata[i];
                PlanAction *a;

                if (!def->payload)
                        continue;
                a = plan_payload_start(p->plan, p->plan->payloads->pdata[next++]);
                a->def = p->def;
                a->origin = g_strdup_printf("%s%spayload", def->origin, def->origin[0] ? "." : "");
        }
}

Plan *plan_setup(const PlanContext *context, const GPtrArray *defs, Slot slot, GError **error) {
        g_autoptr(Plan) plan = plan_new(context);
        Pass pass = { .context = context,
                      .plan = plan,
                      .slot = slot,
                      .root_enabled = context->scenario->root_enabled,
                      .next_id = context->scenario->next_group_id };

        plan->n_workers = scenario_count_workers(context->scenario);
        for (guint i = 0; i < defs->len; i++) {
                pass.def = (int)i;
                if (!plan_definition(&pass, defs->pdata[i], error) || !check_cgroups(&pass, error))
                        return NULL;
        }
        if (plan->groups->len > 0)
                open_gates(&pass);
        start_payloads(&pass, defs);
        return g_steal_pointer(&plan);
}
