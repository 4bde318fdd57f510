/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/controllers.h"
#include "model/definition.h"

/* Everything a definition writes into a cgroup, in the order of writing: cpuset, mems, cpu, memory, io, pids.
 */
typedef struct Knob {
        const char *file; /* in the cgroup */
        unsigned controller;
        const char *key; /* in the definition, for messages */
        /* The text to write, NULL when the definition does not ask for it. `cpuset` is the resolved one. */
        char *(*format)(const CgroupDef *def, hwloc_const_bitmap_t cpuset);
} Knob;

extern const Knob knobs[];
extern const size_t knob_count;

const Knob *knob_find(const char *file);

/* Controllers that a definition needs. */
unsigned knobs_controllers(const CgroupDef *def);
