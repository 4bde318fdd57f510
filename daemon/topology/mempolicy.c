/* SPDX-License-Identifier: GPL-2.0-only */
#include "mempolicy.h"

#include <linux/mempolicy.h>
#include <string.h>

#include "common/error.h"
#include "spec-text.h"

/* MPOL_WEIGHTED_INTERLEAVE, which the kernel headers have since 6.9 only; an enumerator there, no macro to
 * test */
enum { MODE_WEIGHTED_INTERLEAVE = 6, WORD_BITS = sizeof(unsigned long) * 8 };

#define GRAMMAR                                                                                              \
        "a mem_policy is one of default, local, bind:LIST, preferred:N, interleave:LIST, "                   \
        "preferred-many:LIST and weighted-interleave:LIST"

typedef enum Takes { TAKES_NOTHING, TAKES_NODE, TAKES_LIST } Takes;

static const struct {
        const char *word;
        Takes takes;
        unsigned mode;
        const char *form, *grammar, *example;
} FORMS[] = {
        [MEMPOLICY_DEFAULT] = { "default", TAKES_NOTHING, MPOL_DEFAULT, "default", "without an argument",
                                "default" },
        [MEMPOLICY_LOCAL] = { "local", TAKES_NOTHING, MPOL_LOCAL, "local", "without an argument", "local" },
        [MEMPOLICY_BIND] = { "bind", TAKES_LIST, MPOL_BIND, "bind:LIST", "bind:LIST", "bind:0-1" },
        [MEMPOLICY_PREFERRED] = { "preferred", TAKES_NODE, MPOL_PREFERRED, "preferred:N",
                                  "preferred:N with one node", "preferred:0" },
        [MEMPOLICY_INTERLEAVE] = { "interleave", TAKES_LIST, MPOL_INTERLEAVE, "interleave:LIST",
                                   "interleave:LIST", "interleave:0-1" },
        [MEMPOLICY_PREFERRED_MANY] = { "preferred-many", TAKES_LIST, MPOL_PREFERRED_MANY,
                                       "preferred-many:LIST", "preferred-many:LIST", "preferred-many:0-1" },
        [MEMPOLICY_WEIGHTED_INTERLEAVE] = { "weighted-interleave", TAKES_LIST, MODE_WEIGHTED_INTERLEAVE,
                                            "weighted-interleave:LIST", "weighted-interleave:LIST",
                                            "weighted-interleave:0-1" },
};

static const struct {
        const char *word;
        unsigned bit;
} FLAGS[] = {
        { "static", MPOL_F_STATIC_NODES },
        { "relative", MPOL_F_RELATIVE_NODES },
        { "balancing", MPOL_F_NUMA_BALANCING },
};

static const unsigned KNOWN_FLAGS = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;

/* ---- policy text ---- */

static const char *nth_word(size_t i, const void *context G_GNUC_UNUSED) {
        return FORMS[i].word;
}

static const char *nth_form(size_t i, const void *context G_GNUC_UNUSED) {
        return FORMS[i].form;
}

static const SpecWords WORDS = { nth_word, nth_form, G_N_ELEMENTS(FORMS), NULL };

static bool find_form(const char *word, MemPolicyKind *ret) {
        for (size_t i = 0; i < G_N_ELEMENTS(FORMS); i++)
                if (strcmp(word, FORMS[i].word) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

static bool parse_argument(const char *argument, MemPolicy *policy, GError **error) {
        guint64 node;

        if (FORMS[policy->kind].takes == TAKES_NOTHING || !argument)
                return FORMS[policy->kind].takes == TAKES_NOTHING && !argument;
        if (FORMS[policy->kind].takes == TAKES_LIST)
                return cpulist_parse(argument, policy->nodes, error);
        if (!spec_parse_number(argument, strlen(argument), &node) || node > CPULIST_MAX)
                return false;
        hwloc_bitmap_only(policy->nodes, node);
        return true;
}

MemPolicy *mempolicy_parse(const char *text, GError **error) {
        g_autoptr(MemPolicy) policy = g_new0(MemPolicy, 1);
        g_autoptr(GError) detail = NULL;
        const char *argument;
        g_autofree char *word = spec_split(text, &argument);

        policy->nodes = bitmap_new();
        if (!find_form(word, &policy->kind)) {
                spec_unknown_word(error, "mem_policy", text, &WORDS, GRAMMAR);
                return NULL;
        }
        if (!parse_argument(argument, policy, &detail)) {
                spec_malformed(error, "mem_policy", text, FORMS[policy->kind].grammar,
                               FORMS[policy->kind].example, detail);
                return NULL;
        }
        return g_steal_pointer(&policy);
}

void mempolicy_free(MemPolicy *policy) {
        if (!policy)
                return;
        hwloc_bitmap_free(policy->nodes);
        g_free(policy);
}

char *mempolicy_format(const MemPolicy *policy) {
        g_autofree char *nodes = cpulist_format(policy->nodes);

        if (FORMS[policy->kind].takes == TAKES_NOTHING)
                return g_strdup(FORMS[policy->kind].word);
        return g_strconcat(FORMS[policy->kind].word, ":", nodes, NULL);
}

/* ---- flags ---- */

static const char *nth_flag(size_t i, const void *context G_GNUC_UNUSED) {
        return FLAGS[i].word;
}

static bool flag_from_word(const char *word, unsigned *flags, GError **error) {
        static const SpecWords known = { nth_flag, NULL, G_N_ELEMENTS(FLAGS), NULL };

        for (size_t i = 0; i < G_N_ELEMENTS(FLAGS); i++)
                if (strcmp(word, FLAGS[i].word) == 0) {
                        *flags |= FLAGS[i].bit;
                        return true;
                }
        return spec_unknown_word(error, "flag", word, &known, NULL);
}

bool mempolicy_flags_parse(const char *text, unsigned *ret, GError **error) {
        g_auto(GStrv) words = g_strsplit_set(text, " \t\n,", -1);
        unsigned flags = 0;

        for (size_t i = 0; words[i]; i++)
                if (*words[i] && !flag_from_word(words[i], &flags, error))
                        return false;
        *ret = flags;
        return true;
}

char *mempolicy_flags_format(unsigned flags) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(FLAGS); i++)
                if (flags & FLAGS[i].bit)
                        g_string_append_printf(text, "%s%s", text->len ? " " : "", FLAGS[i].word);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- checks ---- */

bool mempolicy_validate(const MemPolicy *policy, GError **error) {
        const char *word = FORMS[policy->kind].word;

        if (FORMS[policy->kind].takes == TAKES_NOTHING || !hwloc_bitmap_iszero(policy->nodes))
                return true;
        g_set_error(
                error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                "mem_policy '%s:' names no node; it needs at least one NUMA node, as in %s; use 'default' or "
                "'local' for a policy without nodes",
                word, FORMS[policy->kind].example);
        return false;
}

static bool check_flags(unsigned flags, const char *cgroup, GError **error) {
        if (flags & ~KNOWN_FLAGS) {
                g_set_error(
                        error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                        "cgroup '%s': mpol_flags have the unknown bits 0x%x; the flags are static (0x%x), "
                        "relative (0x%x) and balancing (0x%x)",
                        cgroup, flags & ~KNOWN_FLAGS, (unsigned)MPOL_F_STATIC_NODES,
                        (unsigned)MPOL_F_RELATIVE_NODES, (unsigned)MPOL_F_NUMA_BALANCING);
                return false;
        }
        if ((flags & MPOL_F_STATIC_NODES) && (flags & MPOL_F_RELATIVE_NODES)) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "cgroup '%s': mpol_flags static and relative are mutually exclusive; keep one",
                            cgroup);
                return false;
        }
        return true;
}

static bool check_existence(const MemPolicy *policy, const Topology *t, const char *cgroup, GError **error) {
        g_auto(hwloc_bitmap_t) missing = bitmap_new();
        g_autofree char *text = mempolicy_format(policy), *shown = spec_excerpt(text), *theirs = NULL,
                        *known = NULL;

        hwloc_bitmap_andnot(missing, policy->nodes, t->node_ids);
        if (hwloc_bitmap_iszero(missing))
                return true;
        theirs = cpulist_excerpt(missing);
        known = cpulist_format(t->node_ids);
        g_set_error(
                error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                "cgroup '%s': mem_policy '%s': NUMA nodes %s do not exist on this host; it has %s; use some "
                "of these",
                cgroup, shown, theirs, known);
        return false;
}

/* No cpuset reaches a node without CPUs; only the flag lets a policy name it. */
static const char *coverage_remedy(hwloc_const_bitmap_t uncovered, const Topology *t) {
        for (unsigned i = 0; i < t->n_nodes; i++)
                if (t->nodes[i].memory_only && hwloc_bitmap_isset(uncovered, t->nodes[i].id))
                        return "add mpol_flags static: a node without CPUs is covered by no cpuset";
        return "add mpol_flags static, or widen the cpuset (numa:N of those nodes, or cpus:LIST)";
}

static bool check_coverage(const MemPolicy *policy, hwloc_const_bitmap_t cpuset, const Topology *t,
                           const char *cgroup, GError **error) {
        g_auto(hwloc_bitmap_t) covered = topology_nodes_of(t, cpuset), uncovered = bitmap_new();
        g_autofree char *text = mempolicy_format(policy), *shown = spec_excerpt(text), *theirs = NULL,
                        *ours = NULL;

        hwloc_bitmap_andnot(uncovered, policy->nodes, covered);
        if (hwloc_bitmap_iszero(uncovered))
                return true;
        theirs = cpulist_excerpt(uncovered);
        ours = cpulist_format(covered);
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "cgroup '%s': mem_policy '%s' uses NUMA nodes [%s], which its cpuset does not cover; it "
                    "covers {%s}; %s",
                    cgroup, shown, theirs, ours, coverage_remedy(uncovered, t));
        return false;
}

bool mempolicy_check(const MemPolicy *policy, unsigned flags, hwloc_const_bitmap_t cpuset, const Topology *t,
                     const char *cgroup, GError **error) {
        if (!check_flags(flags, cgroup, error))
                return false;
        if (hwloc_bitmap_iszero(policy->nodes) || (flags & MPOL_F_RELATIVE_NODES))
                return true; /* relative nodes are positions within the cpuset, not ids */
        if (!check_existence(policy, t, cgroup, error))
                return false;
        return !cpuset || (flags & MPOL_F_STATIC_NODES) || check_coverage(policy, cpuset, t, cgroup, error);
}

bool nodelist_validate(hwloc_const_bitmap_t nodes, const Topology *t, GError **error) {
        g_auto(hwloc_bitmap_t) missing = bitmap_new();
        g_autofree char *known = cpulist_format(t->node_ids), *text = cpulist_excerpt(nodes), *theirs = NULL;

        if (hwloc_bitmap_iszero(nodes)) {
                g_set_error(
                        error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                        "cpuset_mems is empty; name at least one NUMA node of this host, which has %s, or "
                        "leave it out",
                        known);
                return false;
        }
        hwloc_bitmap_andnot(missing, nodes, t->node_ids);
        if (hwloc_bitmap_iszero(missing))
                return true;
        theirs = cpulist_excerpt(missing);
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "cpuset_mems '%s': NUMA nodes %s do not exist on this host; it has %s; use some of these",
                    text, theirs, known);
        return false;
}

/* ---- system call ---- */

void mempolicy_encode(const MemPolicy *policy, unsigned flags, MemPolicyCall *ret) {
        int highest = hwloc_bitmap_last(policy->nodes); /* -1: none */

        *ret = (MemPolicyCall){ .mode = FORMS[policy->kind].mode | flags };
        if (highest < 0)
                return;
        ret->max_node = highest + 2;
        ret->n_words = (ret->max_node + WORD_BITS - 1) / WORD_BITS;
        ret->words = g_new0(unsigned long, ret->n_words);
        hwloc_bitmap_to_ulongs(policy->nodes, ret->n_words, ret->words);
}

void mempolicy_call_clear(MemPolicyCall *call) {
        g_clear_pointer(&call->words, g_free);
}
