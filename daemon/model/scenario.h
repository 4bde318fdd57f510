/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <hwloc.h>
#include <stdbool.h>

#include "../worker/arena.h"
#include "../worker/work-type.h"

/* What exists, as the books have it: cgroups and worker groups of one scenario, each owned by the step or by
 * the backdrop. The planner reads it, an operation that succeeded writes it. */
typedef enum Slot {
        SLOT_STEP,     /* until the step's end */
        SLOT_BACKDROP, /* until teardown */
} Slot;

const char *slot_name(Slot slot);

typedef struct KnobValue {
        char *file;  /* "cpu.max" */
        char *value; /* as written */
} KnobValue;

typedef struct CgroupState {
        char *name;
        Slot slot;
        bool implicit;         /* made on the way to a nested name; lives as long as something is below it */
        unsigned enabled;      /* Controller bits in its own cgroup.subtree_control */
        hwloc_bitmap_t cpuset; /* as resolved; NULL when inherited */
        GPtrArray *knobs;      /* of KnobValue, in the order of writing */
} CgroupState;

typedef struct GroupState {
        uint32_t id; /* never used twice in a scenario's life */
        char *cgroup;
        Slot slot;
        unsigned work_index; /* in its definition */
        WorkTypeId work_type;
        unsigned n_workers;
        hwloc_bitmap_t cpus; /* what its workers may use: affinity, else cpuset, else every CPU */
        unsigned exited;     /* workers that are gone */
        /* Mapped read-only once the group is born; NULL before. */
        const ArenaHead *arena;
        size_t arena_size;
} GroupState;

typedef struct Scenario {
        char *name;
        uint32_t step_index;   /* of the step that is open; counts from 0 */
        unsigned root_enabled; /* Controller bits in the root's cgroup.subtree_control */
        uint32_t next_group_id;
        GPtrArray *cgroups; /* of CgroupState, in order of creation: parents before children */
        GPtrArray *groups;  /* of GroupState, in order of creation */
} Scenario;

CgroupState *cgroup_state_new(const char *name, Slot slot, bool implicit);
void cgroup_state_free(CgroupState *c);
void cgroup_state_add_knob(CgroupState *c, const char *file, const char *value);

GroupState *group_state_new(uint32_t id, const char *cgroup, Slot slot);
void group_state_free(GroupState *g);

Scenario *scenario_new(const char *name);
void scenario_free(Scenario *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupState, cgroup_state_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GroupState, group_state_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)

bool scenario_is_empty(const Scenario *s);
CgroupState *scenario_find_cgroup(const Scenario *s, const char *name);
GroupState *scenario_find_group(const Scenario *s, uint32_t id);
/* True when a cgroup of the scenario lies below `name`. */
bool scenario_has_below(const Scenario *s, const char *name);
/* Workers that have not exited. */
unsigned scenario_live_workers(const Scenario *s);
unsigned scenario_count_workers(const Scenario *s);
unsigned group_live_workers(const GroupState *g);
/* Forgets everything; for a scenario whose executor is gone, and all of its things with it. */
void scenario_clear(Scenario *s);
