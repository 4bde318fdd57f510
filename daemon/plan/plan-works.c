/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-works.h"

#include "common/error.h"
#include "topology/worker-count.h"

char *definition_place(const CgroupDef *def, const char *key) {
        return g_strdup_printf("%s%s%s: cgroup '%s': ", def->origin, def->origin[0] ? "." : "", key,
                               def->name);
}

static char *work_path(const CgroupDef *def, guint index, const char *key) {
        return g_strdup_printf("%s%sworks[%u].%s", def->origin, def->origin[0] ? "." : "", index, key);
}

static void prefix_work(GError **error, const CgroupDef *def, guint index, const char *key) {
        g_autofree char *path = work_path(def, index, key);

        g_prefix_error(error, "%s: cgroup '%s': ", path, def->name);
}

static WorkerCountRequest count_request(const WorkSpec *work, const PlanContext *context,
                                        hwloc_const_bitmap_t cpuset) {
        return (WorkerCountRequest){
                .has_workers = work->workers.set,
                .has_pct = work->has_workers_pct,
                .workers = (guint64)work->workers.value,
                .pct = work->workers_pct,
                .cpus = bitmap_size(cpuset ?: context->topology->usable),
                .fallback = context->workers_per_cgroup,
                .ceiling = context->limits.max_workers,
        };
}

void plan_works_empty_cpuset(const CgroupDef *def, GError **error) {
        g_autofree char *spec = cpuset_spec_format(def->cpuset);
        g_autofree char *place = definition_place(def, "cpuset");
        g_autofree WorkerCountRequest *requests = g_new0(WorkerCountRequest, def->works->len);

        for (guint i = 0; i < def->works->len; i++) {
                const WorkSpec *work = def->works->pdata[i];
                requests[i] = (WorkerCountRequest){ .has_workers = work->workers.set,
                                                    .has_pct = work->has_workers_pct,
                                                    .workers = (guint64)work->workers.value,
                                                    .pct = work->workers_pct };
        }
        worker_count_empty_cpuset(NULL, spec, requests, def->works->len, error);
        g_prefix_error(error, "%s", place);
}

/* ---- one work ---- */

/* One definition's works on their way into the plan. */
typedef struct WorksPass {
        Plan *plan;
        const PlanContext *context;
        const CgroupDef *def;
        hwloc_const_bitmap_t cpuset;
} WorksPass;

typedef struct TypeChoice {
        const WorkType *type;
        WorkTypeId id;
        uint64_t params[WORK_PARAMS_MAX];
} TypeChoice;

static bool can_override(const WorksPass *p, guint64 n_workers) {
        const WorkType *override = p->context->work_type_override;

        return p->def->swappable && override && n_workers % override->group_size == 0;
}

/* What the caller wants everywhere goes where the definition lets it and its count fits; the work's own type
 * stays elsewhere. */
static TypeChoice choose_type(const WorksPass *p, const WorkSpec *work, guint64 n_workers) {
        TypeChoice choice = { .type = work_type_get(work->work_type), .id = work->work_type };

        memcpy(choice.params, work->params, sizeof(choice.params));
        if (!can_override(p, n_workers))
                return choice;
        choice.type = p->context->work_type_override;
        work_type_find(choice.type->name, &choice.id);
        for (unsigned i = 0; i < WORK_PARAMS_MAX; i++)
                choice.params[i] = i < choice.type->n_params ? choice.type->params[i].fallback : 0;
        return choice;
}

static bool check_divisible(const WorkType *type, guint64 n, GError **error) {
        guint64 below = n - n % type->group_size, above = below + type->group_size;
        g_autofree char *remedy =
                below ? g_strdup_printf("%" G_GUINT64_FORMAT " or %" G_GUINT64_FORMAT, below, above)
                      : g_strdup_printf("%" G_GUINT64_FORMAT, above);

        if (n == below)
                return true;
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "%s works in groups of %u, and %" G_GUINT64_FORMAT
                    " workers are not divisible by %u; use %s workers",
                    type->name, type->group_size, n, type->group_size, remedy);
        return false;
}

/* Counted as they come: masks drawn for workers that nobody may have would cost the memory first. */
static bool count_workers(const WorksPass *p, guint64 n, GError **error) {
        p->plan->n_workers += n;
        if (p->plan->n_workers <= p->context->limits.max_workers)
                return true;
        g_set_error(error, KT_ERROR, KT_ERROR_LIMIT_EXCEEDED,
                    "the scenario would have %" G_GUINT64_FORMAT
                    " workers or more; MaxWorkers in the configuration allows %u",
                    p->plan->n_workers, p->context->limits.max_workers);
        return false;
}

static void append_mask(PlanWork *planned, const Topology *t, hwloc_const_bitmap_t cpus) {
        guint at = planned->masks->len;

        g_array_set_size(planned->masks, at + topology_mask_words(t));
        topology_mask_fill(t, cpus, &g_array_index(planned->masks, guint64, at));
        planned->spec.n_masks++;
}

/* Fixes the masks now: a plan that was shown is the plan that is carried out. *ret_key: what failed. */
static bool resolve_affinity(PlanWork *planned, WorkState *state, const WorksPass *p, const WorkSpec *work,
                             OptionalNumber numa_node, GRand *rng, const char **ret_key, GError **error) {
        AffinitySpec inherit = { .kind = AFFINITY_INHERIT };
        const Topology *t = p->context->topology;
        g_autoptr(ResolvedAffinity) resolved =
                affinity_resolve(work->affinity ?: &inherit, p->cpuset, t, error);

        *ret_key = "affinity";
        if (!resolved)
                return false;
        *ret_key = "numa_node";
        if (numa_node.set &&
            !affinity_narrow_to_node(resolved, (unsigned)numa_node.value, p->cpuset, t, error))
                return false;
        planned->spec.mask_words = topology_mask_words(t);
        state->cpus = bitmap_copy(resolved->cpus ?: p->cpuset ?: t->cpus);
        if (resolved->outcome == AFFINITY_OUTCOME_FIXED)
                append_mask(planned, t, resolved->cpus);
        if (resolved->outcome == AFFINITY_OUTCOME_RANDOM)
                for (unsigned i = 0; i < state->n_workers; i++) {
                        g_auto(hwloc_bitmap_t) mask = affinity_draw(resolved, rng);
                        append_mask(planned, t, mask);
                }
        return true;
}

static void fill_mempolicy(PlanWork *planned, const WorkSpec *work) {
        g_auto(MemPolicyCall) call = { 0 };

        if (!work->mem_policy || work->mem_policy->kind == MEMPOLICY_DEFAULT)
                return;
        mempolicy_encode(work->mem_policy, work->mpol_flags, &call);
        planned->spec.mempolicy_set = 1;
        planned->spec.mempolicy_mode = call.mode;
        planned->spec.node_words = call.n_words;
        planned->spec.max_node = call.max_node;
        g_array_append_vals(planned->nodes, call.words, call.n_words);
}

static uint32_t wire_id(OptionalNumber id) {
        return id.set ? (uint32_t)id.value : WIRE_ID_KEEP;
}

/* What needs no resolving. */
static void fill_setup(WireGroupSpec *spec, const GroupState *group, const WorkSpec *work,
                       const WorkerAttributes *attributes) {
        spec->group_id = group->id;
        spec->lasting = group->slot == SLOT_BACKDROP;
        spec->policy_set = work->has_sched_policy;
        spec->policy = work->sched_policy.policy;
        spec->priority = work->sched_policy.priority;
        spec->runtime_ns = work->sched_policy.runtime_ns;
        spec->deadline_ns = work->sched_policy.deadline_ns;
        spec->period_ns = work->sched_policy.period_ns;
        spec->nice_set = attributes->nice.set;
        spec->nice = (int32_t)attributes->nice.value;
        spec->uid = wire_id(attributes->uid);
        spec->gid = wire_id(attributes->gid);
        g_strlcpy(spec->comm, attributes->comm ?: "", sizeof(spec->comm));
        g_strlcpy(spec->pcomm, group->pcomm ?: "", sizeof(spec->pcomm));
}

static void fill_type(WireGroupSpec *spec, const TypeChoice *choice) {
        spec->work_type = choice->id;
        spec->samples = choice->type->samples;
        memcpy(spec->params, choice->params, sizeof(spec->params));
}

static PlanWork *plan_work_new(PlanGroup *group) {
        PlanWork *planned = g_new0(PlanWork, 1);

        planned->masks = g_array_new(FALSE, TRUE, sizeof(guint64));
        planned->nodes = g_array_new(FALSE, TRUE, sizeof(unsigned long));
        g_ptr_array_add(group->works, planned);
        return planned;
}

static bool resolve_count(const WorksPass *p, const WorkSpec *work, guint64 *ret, TypeChoice *ret_type,
                          GError **error) {
        WorkerCountRequest request = count_request(work, p->context, p->cpuset);

        if (!worker_count_resolve(&request, NULL, ret, error))
                return false;
        *ret_type = choose_type(p, work, *ret);
        return check_divisible(ret_type->type, *ret, error) && count_workers(p, *ret, error);
}

static bool plan_work(const WorksPass *p, PlanGroup *group, guint index, GError **error) {
        const WorkSpec *work = p->def->works->pdata[index];
        WorkerAttributes attributes = worker_attributes_merge(&work->own, &p->def->defaults);
        /* A stream of its own for each work: what one draws does not depend on the others. */
        const guint32 seeds[] = { p->context->seed, group->state->id, index };
        g_autoptr(GRand) rng = g_rand_new_with_seed_array(seeds, G_N_ELEMENTS(seeds));
        PlanWork *planned;
        WorkState *state;
        TypeChoice type;
        const char *key;
        guint64 n;

        if (!resolve_count(p, work, &n, &type, error)) {
                prefix_work(error, p->def, index, work->has_workers_pct ? "workers_pct" : "workers");
                return false;
        }
        planned = plan_work_new(group);
        state = group_state_add_work(group->state, index, type.id);
        group_state_set_workers(group->state, (unsigned)n);
        if (!resolve_affinity(planned, state, p, work, attributes.numa_node, rng, &key, error)) {
                prefix_work(error, p->def, index, key);
                return false;
        }
        planned->spec.n_workers = state->n_workers;
        fill_type(&planned->spec, &type);
        fill_mempolicy(planned, work);
        fill_setup(&planned->spec, group->state, work, &attributes);
        return true;
}

/* ---- all works of a definition ---- */

typedef bool (*MemPolicyTest)(const WorksPass *p, const MemPolicy *policy, unsigned flags, GError **error);

static bool mempolicy_is_valid(G_GNUC_UNUSED const WorksPass *p, const MemPolicy *policy,
                               G_GNUC_UNUSED unsigned flags, GError **error) {
        return mempolicy_validate(policy, error);
}

static bool mempolicy_fits(const WorksPass *p, const MemPolicy *policy, unsigned flags, GError **error) {
        return mempolicy_check(policy, flags, p->cpuset, p->context->topology, p->def->name, error);
}

/* All of them in themselves, then all of them against the machine and the cpuset, and all that before
 * anything else of a work is looked at. */
static bool check_mempolicies(const WorksPass *p, GError **error) {
        static const MemPolicyTest tests[] = { mempolicy_is_valid, mempolicy_fits };
        g_auto(hwloc_bitmap_t) none = bitmap_new();
        MemPolicy fallback = { .kind = MEMPOLICY_DEFAULT, .nodes = none };

        for (size_t t = 0; t < G_N_ELEMENTS(tests); t++)
                for (guint i = 0; i < p->def->works->len; i++) {
                        const WorkSpec *work = p->def->works->pdata[i];
                        g_autofree char *path = NULL;
                        if (tests[t](p, work->mem_policy ?: &fallback, work->mpol_flags, error))
                                continue;
                        path = work_path(p->def, i, "mem_policy"); /* the message names the cgroup itself */
                        g_prefix_error(error, "%s: ", path);
                        return false;
                }
        return true;
}

static void plan_work_free(PlanWork *w) {
        g_array_unref(w->masks);
        g_array_unref(w->nodes);
        g_free(w);
}

static PlanGroup *plan_group_new(const WorksPass *p, const char *pcomm, Slot slot, uint32_t *next_id) {
        PlanGroup *group = g_new0(PlanGroup, 1);

        group->state = group_state_new((*next_id)++, p->def->name, pcomm, slot);
        group->works = g_ptr_array_new_with_free_func((GDestroyNotify)plan_work_free);
        g_ptr_array_add(p->plan->groups, group);
        return group;
}

/* Groups in the order of their start: each work without a pcomm by itself, then one container for each pcomm,
 * as they are first seen. Returns the group of each work. */
static PlanGroup **partition(const WorksPass *p, Slot slot, uint32_t *next_id) {
        const GPtrArray *works = p->def->works;
        PlanGroup **groups = g_new0(PlanGroup *, works->len);
        g_autoptr(GHashTable) containers = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint i = 0; i < works->len; i++)
                if (!((WorkSpec *)works->pdata[i])->pcomm)
                        groups[i] = plan_group_new(p, NULL, slot, next_id);
        for (guint i = 0; i < works->len; i++) {
                char *pcomm = ((WorkSpec *)works->pdata[i])->pcomm;
                if (!pcomm)
                        continue;
                groups[i] = g_hash_table_lookup(containers, pcomm) ?: plan_group_new(p, pcomm, slot, next_id);
                g_hash_table_insert(containers, pcomm, groups[i]);
        }
        return groups;
}

static char *show_id(uint32_t id) {
        return id == WIRE_ID_KEEP ? g_strdup("unset") : g_strdup_printf("%u", id);
}

static bool check_same_id(const CgroupDef *def, const GroupState *group, guint at, const char *key,
                          uint32_t theirs, uint32_t own, GError **error) {
        const WorkState *first = group->works->pdata[0], *other = group->works->pdata[at];
        g_autofree char *expected = show_id(theirs), *found = show_id(own);

        if (theirs == own)
                return true;
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "pcomm '%s' makes works[%u] with %s %s and works[%u] with %s %s threads of one process, "
                    "which has one %s: setresuid(2) and setresgid(2) of the C library change all threads; "
                    "give these works the same %s, or a pcomm each",
                    group->pcomm, first->index, key, expected, other->index, key, found, key, key);
        prefix_work(error, def, other->index, key);
        return false;
}

static bool check_ids(const WorksPass *p, const PlanGroup *group, GError **error) {
        const WireGroupSpec *first = &((PlanWork *)group->works->pdata[0])->spec;

        for (guint i = 1; i < group->works->len; i++) {
                const WireGroupSpec *spec = &((PlanWork *)group->works->pdata[i])->spec;
                if (!check_same_id(p->def, group->state, i, "uid", first->uid, spec->uid, error) ||
                    !check_same_id(p->def, group->state, i, "gid", first->gid, spec->gid, error))
                        return false;
        }
        return true;
}

bool plan_works(Plan *plan, const PlanContext *context, const CgroupDef *def, hwloc_const_bitmap_t cpuset,
                Slot slot, uint32_t *next_id, GError **error) {
        const WorksPass pass = { .plan = plan, .context = context, .def = def, .cpuset = cpuset };
        guint first = plan->groups->len;
        g_autofree PlanGroup **groups = partition(&pass, slot, next_id);

        if (!check_mempolicies(&pass, error))
                return false;
        for (guint i = 0; i < def->works->len; i++)
                if (!plan_work(&pass, groups[i], i, error))
                        return false;
        for (guint i = first; i < plan->groups->len; i++)
                if (!check_ids(&pass, plan->groups->pdata[i], error))
                        return false;
        return true;
}
