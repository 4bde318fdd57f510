/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-works.h"

#include "../common/error.h"
#include "../topology/worker-count.h"

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

static bool resolve_count(PlanGroup *group, const WorkSpec *work, const PlanContext *context,
                          hwloc_const_bitmap_t cpuset, GError **error) {
        WorkerCountRequest request = count_request(work, context, cpuset);
        const WorkType *type = work_type_get(work->work_type);
        guint64 n;

        if (!worker_count_resolve(&request, NULL, &n, error))
                return false;
        if (n % type->group_size != 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "%s works in groups of %u, and %" G_GUINT64_FORMAT
                            " workers are not divisible by %u",
                            type->name, type->group_size, n, type->group_size);
                return false;
        }
        group->state->n_workers = (unsigned)n;
        return true;
}

/* Counted as they come: masks drawn for workers that nobody may have would cost the memory first. */
static bool count_workers(Plan *plan, const PlanContext *context, const PlanGroup *group, GError **error) {
        plan->n_workers += group->state->n_workers;
        if (plan->n_workers <= context->limits.max_workers)
                return true;
        g_set_error(error, KT_ERROR, KT_ERROR_LIMIT_EXCEEDED,
                    "the scenario would have %" G_GUINT64_FORMAT
                    " workers or more; MaxWorkers in the configuration allows %u",
                    plan->n_workers, context->limits.max_workers);
        return false;
}

static void append_mask(PlanGroup *group, const Topology *t, hwloc_const_bitmap_t cpus) {
        guint at = group->masks->len;

        g_array_set_size(group->masks, at + topology_mask_words(t));
        topology_mask_fill(t, cpus, &g_array_index(group->masks, guint64, at));
        group->spec.n_masks++;
}

/* Fixes the masks now: a plan that was shown is the plan that is carried out. *ret_key: what failed. */
static bool resolve_affinity(PlanGroup *group, const WorkSpec *work, OptionalNumber numa_node,
                             hwloc_const_bitmap_t cpuset, const Topology *t, GRand *rng, const char **ret_key,
                             GError **error) {
        AffinitySpec inherit = { .kind = AFFINITY_INHERIT };
        g_autoptr(ResolvedAffinity) resolved = affinity_resolve(work->affinity ?: &inherit, cpuset, t, error);

        *ret_key = "affinity";
        if (!resolved)
                return false;
        *ret_key = "numa_node";
        if (numa_node.set && !affinity_narrow_to_node(resolved, (unsigned)numa_node.value, cpuset, t, error))
                return false;
        group->spec.mask_words = topology_mask_words(t);
        group->state->cpus = bitmap_copy(resolved->cpus ?: cpuset ?: t->cpus);
        if (resolved->outcome == AFFINITY_OUTCOME_FIXED)
                append_mask(group, t, resolved->cpus);
        if (resolved->outcome == AFFINITY_OUTCOME_RANDOM)
                for (unsigned i = 0; i < group->state->n_workers; i++) {
                        g_auto(hwloc_bitmap_t) mask = affinity_draw(resolved, rng);
                        append_mask(group, t, mask);
                }
        return true;
}

static bool resolve_mempolicy(PlanGroup *group, const WorkSpec *work, const char *cgroup,
                              hwloc_const_bitmap_t cpuset, const Topology *t, GError **error) {
        MemPolicy fallback = { .kind = MEMPOLICY_DEFAULT };
        g_auto(hwloc_bitmap_t) none = bitmap_new();
        const MemPolicy *policy = work->mem_policy;
        g_auto(MemPolicyCall) call = { 0 };

        fallback.nodes = none;
        if (!policy)
                policy = &fallback;
        if (!mempolicy_validate(policy, error) ||
            !mempolicy_check(policy, work->mpol_flags, cpuset, t, cgroup, error))
                return false;
        if (policy->kind == MEMPOLICY_DEFAULT)
                return true;
        mempolicy_encode(policy, work->mpol_flags, &call);
        group->spec.mempolicy_set = 1;
        group->spec.mempolicy_mode = call.mode;
        group->spec.node_words = call.n_words;
        group->spec.max_node = call.max_node;
        g_array_append_vals(group->nodes, call.words, call.n_words);
        return true;
}

/* What needs no resolving. */
static void fill_setup(WireGroupSpec *spec, const WorkSpec *work, const WorkerAttributes *attributes) {
        spec->samples = work_type_get(work->work_type)->samples;
        spec->work_type = work->work_type;
        memcpy(spec->params, work->params, sizeof(spec->params));
        spec->policy_set = work->has_sched_policy;
        spec->policy = work->sched_policy.policy;
        spec->priority = work->sched_policy.priority;
        spec->runtime_ns = work->sched_policy.runtime_ns;
        spec->deadline_ns = work->sched_policy.deadline_ns;
        spec->period_ns = work->sched_policy.period_ns;
        spec->nice_set = attributes->nice.set;
        spec->nice = (int32_t)attributes->nice.value;
        spec->uid = attributes->uid.set ? (uint32_t)attributes->uid.value : WIRE_ID_KEEP;
        spec->gid = attributes->gid.set ? (uint32_t)attributes->gid.value : WIRE_ID_KEEP;
        if (attributes->comm)
                g_strlcpy(spec->comm, attributes->comm, sizeof(spec->comm));
}

static PlanGroup *plan_group_new(uint32_t id, const char *cgroup, Slot slot) {
        PlanGroup *group = g_new0(PlanGroup, 1);

        group->state = group_state_new(id, cgroup, slot);
        group->masks = g_array_new(FALSE, TRUE, sizeof(guint64));
        group->nodes = g_array_new(FALSE, TRUE, sizeof(unsigned long));
        return group;
}

static bool plan_work(Plan *plan, PlanGroup *group, const PlanContext *context, const CgroupDef *def,
                      guint index, hwloc_const_bitmap_t cpuset, GError **error) {
        const WorkSpec *work = def->works->pdata[index];
        WorkerAttributes attributes = worker_attributes_merge(&work->own, &def->defaults);
        /* A stream of its own for each group: what one draws does not depend on the others. */
        g_autoptr(GRand) rng = g_rand_new_with_seed(context->seed + group->state->id);
        const char *key;

        group->state->work_type = work->work_type;
        group->state->work_index = index;
        if (!resolve_mempolicy(group, work, def->name, cpuset, context->topology, error)) {
                /* These messages name the cgroup themselves. */
                g_autofree char *path = work_path(def, index, "mem_policy");
                g_prefix_error(error, "%s: ", path);
                return false;
        }
        if (!resolve_count(group, work, context, cpuset, error) ||
            !count_workers(plan, context, group, error)) {
                prefix_work(error, def, index, work->has_workers_pct ? "workers_pct" : "workers");
                return false;
        }
        if (!resolve_affinity(group, work, attributes.numa_node, cpuset, context->topology, rng, &key,
                              error)) {
                prefix_work(error, def, index, key);
                return false;
        }
        fill_setup(&group->spec, work, &attributes);
        group->spec.group_id = group->state->id;
        group->spec.n_workers = group->state->n_workers;
        return true;
}

bool plan_works(Plan *plan, const PlanContext *context, const CgroupDef *def, hwloc_const_bitmap_t cpuset,
                Slot slot, uint32_t *next_id, GError **error) {
        for (guint i = 0; i < def->works->len; i++) {
                PlanGroup *group = plan_group_new((*next_id)++, def->name, slot);
                g_ptr_array_add(plan->groups, group);
                if (!plan_work(plan, group, context, def, i, cpuset, error))
                        return false;
        }
        return true;
}
