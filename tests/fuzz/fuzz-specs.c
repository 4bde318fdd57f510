/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as every text that has a grammar of its own. What parses is written and read again as the same thing,
 * and what it means on a machine is within that machine. */

#include <string.h>

#include "common/error.h"
#include "common/suggest.h"
#include "fuzz.h"
#include "model/cgroup-name.h"
#include "model/quantity.h"
#include "model/sched-policy.h"
#include "topology/affinity.h"
#include "topology/cpuset-spec.h"
#include "topology/mempolicy.h"

static Topology *t;
static hwloc_bitmap_t some; /* a cpuset */

static void set_up(void) {
        t = topology_new_synthetic("numa:2(indexes=0,3) l3:2 core:2 pu:2", NULL);
        require(t);
        some = bitmap_new();
        hwloc_bitmap_set_range(some, 2, 5);
}

static void check_outcome(bool good, GError **error) {
        require(good == !*error);
        if (*error) {
                require((*error)->domain == KT_ERROR);
                require((*error)->message[0] && g_utf8_validate((*error)->message, -1, NULL));
                require(strlen((*error)->message) < 2000);
        }
        g_clear_error(error);
}

static void fuzz_cpuset(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CpusetSpec) spec = cpuset_spec_parse(text, &error), again = NULL;
        g_auto(hwloc_bitmap_t) cpus = NULL;
        g_autofree char *written = NULL, *rewritten = NULL;
        bool valid;

        check_outcome(spec, &error);
        if (!spec)
                return;
        written = cpuset_spec_format(spec);
        again = cpuset_spec_parse(written, NULL);
        require(again);
        rewritten = cpuset_spec_format(again);
        require(strcmp(written, rewritten) == 0);
        cpus = cpuset_spec_resolve(spec, t);
        require(cpus && cpuset_spec_count(spec, t) == bitmap_size(cpus));
        valid = cpuset_spec_validate(spec, t, &error);
        check_outcome(valid, &error);
        require(!valid || hwloc_bitmap_isincluded(cpus, t->cpus));
}

static void fuzz_affinity_on(const AffinitySpec *spec, hwloc_const_bitmap_t cpuset) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ResolvedAffinity) resolved = affinity_resolve(spec, cpuset, t, &error);
        g_autoptr(GRand) rng = g_rand_new_with_seed(1);
        g_auto(hwloc_bitmap_t) drawn = NULL;

        check_outcome(resolved, &error);
        if (!resolved)
                return;
        drawn = affinity_draw(resolved, rng);
        require(!drawn == (resolved->outcome == AFFINITY_OUTCOME_NONE));
        require(!drawn || (!hwloc_bitmap_iszero(drawn) && hwloc_bitmap_isincluded(drawn, resolved->cpus)));
        check_outcome(affinity_narrow_to_node(resolved, 3, cpuset, t, &error), &error);
}

static void fuzz_affinity(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(AffinitySpec) spec = affinity_spec_parse(text, &error), again = NULL;
        g_autofree char *written = NULL, *rewritten = NULL;

        check_outcome(spec, &error);
        if (!spec)
                return;
        written = affinity_spec_format(spec);
        again = affinity_spec_parse(written, NULL);
        require(again);
        rewritten = affinity_spec_format(again);
        require(strcmp(written, rewritten) == 0);
        fuzz_affinity_on(spec, NULL);
        fuzz_affinity_on(spec, some);
}

static void fuzz_mempolicy(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(MemPolicy) policy = mempolicy_parse(text, &error), again = NULL;
        g_auto(MemPolicyCall) call = { 0 };
        g_autofree char *written = NULL, *rewritten = NULL;

        check_outcome(policy, &error);
        if (!policy)
                return;
        written = mempolicy_format(policy);
        again = mempolicy_parse(written, NULL);
        require(again);
        rewritten = mempolicy_format(again);
        require(strcmp(written, rewritten) == 0);
        check_outcome(mempolicy_validate(policy, &error), &error);
        check_outcome(mempolicy_check(policy, 0, some, t, "c", &error), &error);
        check_outcome(mempolicy_check(policy, 0, NULL, t, "c", &error), &error);
        mempolicy_encode(policy, 0, &call);
        require(call.max_node <= call.n_words * sizeof(long) * 8 + 1);
        require(!call.words == (call.n_words == 0));
}

static void fuzz_flags(const char *text) {
        g_autoptr(GError) error = NULL;
        unsigned flags = 0, again = 1;
        bool good = mempolicy_flags_parse(text, &flags, &error);
        g_autofree char *written = mempolicy_flags_format(flags);

        check_outcome(good, &error);
        require(mempolicy_flags_parse(written, &again, NULL) && again == flags);
}

static void fuzz_list(const char *text) {
        g_autoptr(GError) error = NULL;
        g_auto(hwloc_bitmap_t) set = bitmap_new(), again = bitmap_new();
        bool good = cpulist_parse(text, set, &error);
        g_autofree char *written = cpulist_format(set);

        check_outcome(good, &error);
        require(cpulist_parse(written, again, NULL) && hwloc_bitmap_isequal(set, again));
        check_outcome(nodelist_validate(set, t, &error), &error);
}

static void fuzz_sched_policy(const char *text) {
        g_autoptr(GError) error = NULL;
        SchedPolicy p = { 0 };
        bool good = sched_policy_parse(text, &p, &error);

        check_outcome(good, &error);
        require(p.priority <= 99);
        require(p.runtime_ns <= p.deadline_ns && p.deadline_ns <= INT64_MAX && p.period_ns <= INT64_MAX);
}

static void fuzz_rest(const char *text) {
        static const char *const words[] = { "cpuset", "weight", "nice", NULL };
        g_autoptr(GError) error = NULL;
        uint64_t number;

        size_parse(text, &number);
        time_parse(text, &number);
        percent_parse(text, &number);
        suggest_from(text, words);
        check_outcome(cgroup_name_check(text, &error), &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = g_strndup((const char *)data, size);

        if (!t)
                set_up();
        fuzz_cpuset(text);
        fuzz_affinity(text);
        fuzz_mempolicy(text);
        fuzz_flags(text);
        fuzz_list(text);
        fuzz_sched_policy(text);
        fuzz_rest(text);
        return 0;
}
