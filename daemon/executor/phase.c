/* SPDX-License-Identifier: GPL-2.0-only */
#include "phase.h"

#include "wire/proc.h"

static void read_migrated(Executor *e, Moment moment) {
        if (e->moments & 1U << moment)
                return;
        e->moments |= 1U << moment;
        e->numa_migrated_valid = vmstat_read_numa_migrated(&e->numa_migrated);
}

void migrated_tell(Executor *e, Group *group, Moment moment) {
        read_migrated(e, moment);
        atomic_store_explicit(&group->arena->numa_migrated, e->numa_migrated, memory_order_relaxed);
        atomic_store_explicit(&group->arena->numa_migrated_valid, e->numa_migrated_valid,
                              memory_order_release);
}

void phase_tell(Executor *e, uint32_t phase) {
        e->phase = phase;
        for (Group *group = e->children.groups; group; group = group->next) {
                migrated_tell(e, group, MOMENT_PHASE);
                /* After the figure that workers take when they see the phase change. */
                atomic_store(&group->arena->phase, phase);
        }
}
