/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "topology.h"

/* The `mem_policy` strings and the arguments of set_mempolicy(2) they stand for. */
typedef enum MemPolicyKind {
        MEMPOLICY_DEFAULT, /* the system call is not made */
        MEMPOLICY_LOCAL,
        MEMPOLICY_BIND,
        MEMPOLICY_PREFERRED,
        MEMPOLICY_INTERLEAVE,
        MEMPOLICY_PREFERRED_MANY,      /* Linux 5.15 */
        MEMPOLICY_WEIGHTED_INTERLEAVE, /* Linux 6.9 */
} MemPolicyKind;

typedef struct MemPolicy {
        MemPolicyKind kind;
        hwloc_bitmap_t nodes; /* empty with default and local */
} MemPolicy;

MemPolicy *mempolicy_parse(const char *text, GError **error);
void mempolicy_free(MemPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemPolicy, mempolicy_free)

char *mempolicy_format(const MemPolicy *policy);

/* `mpol_flags`: words separated by blanks or commas, to and from MPOL_F_* bits. */
bool mempolicy_flags_parse(const char *text, unsigned *ret, GError **error);
char *mempolicy_flags_format(unsigned flags);

/* What can be said without a machine: a policy that needs nodes has some. */
bool mempolicy_validate(const MemPolicy *policy, GError **error);

/* Flags, and whether the nodes can serve the cgroup. `cpuset` NULL = none is recorded: then flags and
 * existence of the nodes are checked. */
bool mempolicy_check(const MemPolicy *policy, unsigned flags, hwloc_const_bitmap_t cpuset, const Topology *t,
                     const char *cgroup, GError **error);

typedef struct MemPolicyCall {
        unsigned mode; /* MPOL_*, flags or-ed in */
        unsigned n_words;
        unsigned long *words; /* bit N = node N; NULL without nodes */
        unsigned max_node;    /* highest node + 2, 0 without nodes: the kernel looks at one bit less */
} MemPolicyCall;

void mempolicy_encode(const MemPolicy *policy, unsigned flags, MemPolicyCall *ret);
void mempolicy_call_clear(MemPolicyCall *call);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MemPolicyCall, mempolicy_call_clear)

/* `cpuset_mems`: at least one node, and all of them exist. */
bool nodelist_validate(hwloc_const_bitmap_t nodes, const Topology *t, GError **error);
