/* SPDX-License-Identifier: GPL-2.0-only */
#include "definition.h"

WorkSpec *work_spec_new(WorkTypeId type) {
        WorkSpec *spec = g_new0(WorkSpec, 1);
        const WorkType *t = work_type_get(type);

        spec->work_type = type;
        for (unsigned i = 0; i < t->n_params; i++)
                spec->params[i] = t->params[i].fallback;
        return spec;
}

void work_spec_free(WorkSpec *spec) {
        if (!spec)
                return;
        g_clear_pointer(&spec->affinity, affinity_spec_free);
        g_clear_pointer(&spec->mem_policy, mempolicy_free);
        g_free(spec->pcomm);
        g_free(spec->own.comm);
        g_free(spec);
}

void cgroup_def_free(CgroupDef *def) {
        if (!def)
                return;
        g_free(def->origin);
        g_free(def->name);
        g_clear_pointer(&def->cpuset, cpuset_spec_free);
        g_clear_pointer(&def->cpuset_mems, hwloc_bitmap_free);
        g_free(def->defaults.comm);
        payload_choice_free(def->payload);
        g_clear_pointer(&def->works, g_ptr_array_unref);
        g_free(def);
}

static OptionalNumber either(OptionalNumber own, OptionalNumber fallback) {
        return own.set ? own : fallback;
}

WorkerAttributes worker_attributes_merge(const WorkerAttributes *own, const WorkerAttributes *defaults) {
        return (WorkerAttributes){
                .nice = either(own->nice, defaults->nice),
                .uid = either(own->uid, defaults->uid),
                .gid = either(own->gid, defaults->gid),
                .numa_node = either(own->numa_node, defaults->numa_node),
                .comm = own->comm ?: defaults->comm,
        };
}
