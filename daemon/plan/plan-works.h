/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "plan.h"

/* Turns the works of one definition into worker groups: counts, affinities, memory policies and set-up, all
 * resolved. `cpuset` is the cgroup's own or inherited one, NULL when none is recorded. Groups get ids from
 * *next_id on. Adds to plan->groups; the caller adds the actions. */
bool plan_works(Plan *plan, const PlanContext *context, const CgroupDef *def, hwloc_const_bitmap_t cpuset,
                Slot slot, uint32_t *next_id, GError **error);

/* The error for a cpuset without CPUs, told from what the works wanted of it. */
void plan_works_empty_cpuset(const CgroupDef *def, GError **error);

/* "cgroups[1].cpuset: cgroup 'x': " */
char *definition_place(const CgroupDef *def, const char *key);
