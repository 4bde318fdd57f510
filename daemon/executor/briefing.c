/* SPDX-License-Identifier: GPL-2.0-only */
#include "briefing.h"

#include <string.h>

#include "util.h"

_Static_assert((uint32_t)WIRE_ID_KEEP == (uint32_t)WORKER_KEEP_ID, "one meaning of `keep`");
_Static_assert((int)WIRE_COMM == (int)WORKER_COMM, "one size of a comm");

static const WorkType *type_of(const WireGroupSpec *spec) {
        return work_type_get((WorkTypeId)spec->work_type);
}

static uint32_t regions_of(const WireGroupSpec *spec) {
        const WorkType *type = type_of(spec);
        return type->link == LINK_REGION ? spec->n_workers / type->group_size : 0;
}

ArenaShape briefing_shape(const Executor *e, const Plan *plan, const WireAction *a) {
        const WireGroupSpec *spec = plan_group(plan, a->group);
        ArenaShape shape = {
                .cpu_words = e->cpu_words,
                .n_nodes = plan->head->n_nodes,
                .n_phases = spec->lasting ? ARENA_PHASES : 0,
                .leader = spec->pcomm[0] != '\0',
        };

        for (uint32_t i = 0; i < a->n_groups; i++, spec++) {
                uint32_t n_regions = regions_of(spec);
                shape.n_workers += spec->n_workers;
                shape.samples |= spec->samples;
                shape.n_regions += n_regions;
                if (n_regions && type_of(spec)->region_size > shape.region_size)
                        shape.region_size = type_of(spec)->region_size;
        }
        return shape;
}

static WorkerSetup setup_of(const Briefing *b) {
        const WireGroupSpec *spec = b->spec;
        const uint64_t *masks = plan_at(b->plan, spec->n_masks ? spec->masks : 0);
        size_t skip = spec->n_masks > 1 ? (size_t)b->index * spec->mask_words : 0;
        WorkerSetup setup = {
                .mask = masks ? masks + skip : b->e->every_cpu,
                .mask_words = masks ? spec->mask_words : b->e->cpu_words,
                .policy_set = spec->policy_set,
                .nice_set = spec->nice_set,
                .mempolicy_set = spec->mempolicy_set,
                .policy = spec->policy,
                .priority = spec->priority,
                .nice = spec->nice,
                .runtime_ns = spec->runtime_ns,
                .deadline_ns = spec->deadline_ns,
                .period_ns = spec->period_ns,
                .mempolicy_mode = spec->mempolicy_mode,
                .nodes = plan_at(b->plan, spec->nodes),
                .max_node = spec->max_node,
                .uid = spec->uid,
                .gid = spec->gid,
        };
        memcpy(setup.comm, spec->comm, sizeof(setup.comm));
        return setup;
}

Briefing briefing_begin(const Executor *e, const Plan *plan, const WireAction *a, ArenaHead *arena) {
        return (Briefing){
                .e = e, .plan = plan, .arena = arena, .spec = plan_group(plan, a->group), .parent = getpid()
        };
}

WorkerContext briefing_next(Briefing *b) {
        if (b->index == b->spec->n_workers) {
                b->region += regions_of(b->spec);
                b->spec++;
                b->index = 0;
        }

        const WorkType *type = type_of(b->spec);
        uint32_t team = b->index / type->group_size;
        WorkerContext w = {
                .arena = b->arena,
                .index = b->slot++,
                .type = (WorkTypeId)b->spec->work_type,
                .params = b->spec->params,
                .position = b->index % type->group_size,
                .region = type->link == LINK_REGION ? arena_region(b->arena, b->region + team) : NULL,
                .read_fd = -1,
                .write_fd = -1,
                .setup = setup_of(b),
                .parent = b->parent,
                .settle_fd = b->e->settle_fd,
                .null_fd = b->e->null_fd,
        };
        b->index++;
        return w;
}
