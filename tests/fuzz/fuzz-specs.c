/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as every text that has a grammar of its own. What parses is written and read again as the same thing,
 * and what it means on a machine is within that machine. */

#include <linux/sched.h>
#include <string.h>

#include "common/suggest.h"
#include "model/cgroup-name.h"
#include "model/decode.h"
#include "model/quantity.h"
#include "model/sched-policy.h"
#include "outcome.h"
#include "topology/affinity.h"
#include "topology/cpuset-spec.h"
#include "topology/mempolicy.h"

/* The CPUs of every second LLC and one more: a cpuset that splits cores and leaves nodes out. */
static hwloc_bitmap_t some_cpus(const Topology *t) {
        hwloc_bitmap_t set = bitmap_new();

        for (unsigned i = 0; i < t->n_llcs; i += 2)
                hwloc_bitmap_or(set, set, t->llcs[i].cpus);
        if (t->n_llcs > 1)
                hwloc_bitmap_set(set, hwloc_bitmap_first(t->llcs[1].cpus));
        return set;
}

/* ---- cpusets ---- */

static bool counts_usable_only(CpusetKind kind) {
        return kind == CPUSET_RANGE || kind == CPUSET_DISJOINT || kind == CPUSET_OVERLAP;
}

static void check_cpuset_on(const CpusetSpec *spec, const Topology *t) {
        g_autoptr(GError) error = NULL;
        g_auto(hwloc_bitmap_t) cpus = cpuset_spec_resolve(spec, t);
        bool valid = cpuset_spec_validate(spec, t, &error);

        check_outcome(valid, &error, SENTENCE_MAX);
        require(cpuset_spec_count(spec, t) == bitmap_size(cpus));
        if (counts_usable_only(spec->kind))
                require(hwloc_bitmap_isincluded(cpus, t->usable));
        else if (spec->kind != CPUSET_CPUS || valid)
                require(hwloc_bitmap_isincluded(cpus, t->cpus));
        if (valid && (spec->kind == CPUSET_DISJOINT || spec->kind == CPUSET_OVERLAP))
                require(!hwloc_bitmap_iszero(cpus)); /* as many CPUs as parts, at least */
}

static void check_same_cpuset(const CpusetSpec *a, const CpusetSpec *b) {
        g_autofree char *text_a = cpuset_spec_format(a), *text_b = cpuset_spec_format(b);

        require(strcmp(text_a, text_b) == 0);
        require(a->kind == b->kind && a->index == b->index && a->of == b->of);
        require(!a->cpus == !b->cpus && (!a->cpus || hwloc_bitmap_isequal(a->cpus, b->cpus)));
}

static void fuzz_cpuset(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CpusetSpec) spec = cpuset_spec_parse(text, &error), again = NULL;
        g_autofree char *written = NULL;

        check_outcome(spec, &error, SENTENCE_MAX);
        if (!spec)
                return;
        written = cpuset_spec_format(spec);
        again = cpuset_spec_parse(written, NULL);
        require(again);
        check_same_cpuset(spec, again);
        for (unsigned i = 0; i < MACHINES; i++)
                check_cpuset_on(spec, machine_at(i));
}

/* ---- affinities ---- */

static void check_draw(const ResolvedAffinity *resolved) {
        g_autoptr(GRand) rng = g_rand_new_with_seed(1);
        g_auto(hwloc_bitmap_t) drawn = affinity_draw(resolved, rng);
        guint64 size;

        require(!drawn == (resolved->outcome == AFFINITY_OUTCOME_NONE));
        if (!drawn)
                return;
        size = bitmap_size(resolved->cpus);
        require(size > 0 && hwloc_bitmap_isincluded(drawn, resolved->cpus));
        if (resolved->outcome == AFFINITY_OUTCOME_RANDOM)
                size = MIN(size, resolved->count);
        require(bitmap_size(drawn) == size);
}

static void check_affinity_on(const AffinitySpec *spec, hwloc_const_bitmap_t cpuset, const Topology *t) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ResolvedAffinity) resolved = affinity_resolve(spec, cpuset, t, &error);
        unsigned node = t->nodes[t->n_nodes - 1].id;
        bool narrowed;

        check_outcome(resolved, &error, SENTENCE_MAX);
        if (!resolved)
                return;
        check_draw(resolved);
        if (cpuset && resolved->cpus && spec->kind != AFFINITY_CROSS_CGROUP)
                require(hwloc_bitmap_isincluded(resolved->cpus, cpuset));
        narrowed = affinity_narrow_to_node(resolved, node, cpuset, t, &error);
        check_outcome(narrowed, &error, SENTENCE_MAX);
        check_draw(resolved);
        if (narrowed)
                require(hwloc_bitmap_isincluded(resolved->cpus, topology_node(t, node)->cpus));
}

static void check_same_affinity(const AffinitySpec *a, const AffinitySpec *b) {
        require(a->kind == b->kind && a->count == b->count);
        require(!a->cpus == !b->cpus && (!a->cpus || hwloc_bitmap_isequal(a->cpus, b->cpus)));
}

static void fuzz_affinity(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(AffinitySpec) spec = affinity_spec_parse(text, &error), again = NULL;
        g_autofree char *written = NULL;

        check_outcome(spec, &error, SENTENCE_MAX);
        if (!spec)
                return;
        written = affinity_spec_format(spec);
        again = affinity_spec_parse(written, NULL);
        require(again);
        check_same_affinity(spec, again);
        for (unsigned i = 0; i < MACHINES; i++) {
                g_auto(hwloc_bitmap_t) some = some_cpus(machine_at(i));
                check_affinity_on(spec, NULL, machine_at(i));
                check_affinity_on(spec, some, machine_at(i));
        }
}

/* ---- memory policies ---- */

static void check_call(const MemPolicy *policy) {
        g_auto(MemPolicyCall) call = { 0 };
        unsigned highest = hwloc_bitmap_iszero(policy->nodes) ? 0 : hwloc_bitmap_last(policy->nodes);

        mempolicy_encode(policy, 0, &call);
        require(!call.words == (call.n_words == 0) && !call.words == (call.max_node == 0));
        if (!call.words)
                return;
        require(call.max_node == highest + 2 && call.max_node <= call.n_words * sizeof(long) * 8);
        require(call.words[highest / (sizeof(long) * 8)] >> highest % (sizeof(long) * 8) & 1);
}

static void check_mempolicy_on(const MemPolicy *policy, const Topology *t) {
        g_auto(hwloc_bitmap_t) some = some_cpus(t), covered = topology_nodes_of(t, some);
        g_autoptr(GError) error = NULL;
        bool good = mempolicy_check(policy, 0, some, t, "c", &error);

        check_outcome(good, &error, SENTENCE_MAX);
        require(good == hwloc_bitmap_isincluded(policy->nodes, covered));
        good = mempolicy_check(policy, 0, NULL, t, "c", &error);
        check_outcome(good, &error, SENTENCE_MAX);
        require(good == hwloc_bitmap_isincluded(policy->nodes, t->node_ids));
}

static void fuzz_mempolicy(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(MemPolicy) policy = mempolicy_parse(text, &error), again = NULL;
        g_autofree char *written = NULL;

        check_outcome(policy, &error, SENTENCE_MAX);
        if (!policy)
                return;
        written = mempolicy_format(policy);
        again = mempolicy_parse(written, NULL);
        require(again && again->kind == policy->kind && hwloc_bitmap_isequal(again->nodes, policy->nodes));
        check_outcome(mempolicy_validate(policy, &error), &error, SENTENCE_MAX);
        check_call(policy);
        for (unsigned i = 0; i < MACHINES; i++)
                check_mempolicy_on(policy, machine_at(i));
}

static void fuzz_flags(const char *text) {
        g_autoptr(GError) error = NULL;
        unsigned flags = 0, again = 1;
        bool good = mempolicy_flags_parse(text, &flags, &error);
        g_autofree char *written = mempolicy_flags_format(flags);

        check_outcome(good, &error, SENTENCE_MAX);
        require(mempolicy_flags_parse(written, &again, NULL) && again == flags);
}

/* ---- the rest ---- */

static void fuzz_list(const char *text) {
        g_autoptr(GError) error = NULL;
        g_auto(hwloc_bitmap_t) set = bitmap_new(), again = bitmap_new();
        bool good = cpulist_parse(text, set, &error);
        g_autofree char *written = cpulist_format(set);

        check_outcome(good, &error, SENTENCE_MAX);
        require(good || hwloc_bitmap_iszero(set));
        require(hwloc_bitmap_last(set) <= CPULIST_MAX);
        require(cpulist_parse(written, again, NULL) && hwloc_bitmap_isequal(set, again));
        good = nodelist_validate(set, machine_at(0), &error);
        check_outcome(good, &error, SENTENCE_MAX);
        require(!good || hwloc_bitmap_isincluded(set, machine_at(0)->node_ids));
}

static char *format_sched_policy(const SchedPolicy *p) {
        static const char *const plain[] = {
                [SCHED_NORMAL] = "normal", [SCHED_BATCH] = "batch", [SCHED_IDLE] = "idle", [7] = "ext"
        };

        if (p->policy == SCHED_FIFO || p->policy == SCHED_RR)
                return g_strdup_printf("%s:%u", p->policy == SCHED_FIFO ? "fifo" : "rr", p->priority);
        if (p->policy == SCHED_DEADLINE)
                return g_strdup_printf("deadline:%" G_GUINT64_FORMAT "ns/%" G_GUINT64_FORMAT
                                       "ns/%" G_GUINT64_FORMAT "ns",
                                       p->runtime_ns, p->deadline_ns, p->period_ns);
        return g_strdup(plain[p->policy]);
}

static void fuzz_sched_policy(const char *text) {
        g_autoptr(GError) error = NULL;
        g_autofree char *written = NULL;
        SchedPolicy p = { 0 }, again = { 0 };
        bool good = sched_policy_parse(text, &p, &error);

        check_outcome(good, &error, SENTENCE_MAX);
        require(p.priority <= 99);
        require(p.runtime_ns <= p.deadline_ns && p.deadline_ns <= INT64_MAX && p.period_ns <= INT64_MAX);
        written = format_sched_policy(&p);
        require(sched_policy_parse(written, &again, NULL));
        require(again.policy == p.policy && again.priority == p.priority);
        require(again.runtime_ns == p.runtime_ns && again.deadline_ns == p.deadline_ns &&
                again.period_ns == p.period_ns);
}

/* In its smallest unit every quantity is an integer again. */
static void fuzz_quantities(const char *text) {
        static const struct {
                bool (*parse)(const char *text, uint64_t *ret);
                uint64_t scale;
                const char *unit;
        } kinds[] = { { size_parse, 1, "" },
                      { time_parse, 1, "ns" },
                      { percent_parse, 1000, "%" },
                      { count_parse, 1, "" } };

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autofree char *written = NULL;
                uint64_t value, again, scale = kinds[i].scale;
                if (!kinds[i].parse(text, &value))
                        continue;
                written = scale == 1 ? g_strdup_printf("%" G_GUINT64_FORMAT "%s", value, kinds[i].unit)
                                     : g_strdup_printf("%" G_GUINT64_FORMAT ".%03" G_GUINT64_FORMAT "%s",
                                                       value / scale, value % scale, kinds[i].unit);
                require(kinds[i].parse(written, &again) && again == value);
        }
}

/* The one text whose meaning hangs on another key. */
static void fuzz_quota(const char *text) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
        g_autoptr(JsonObject) def = json_object_new();
        g_autoptr(GError) error = NULL;
        JsonObject *cpu = json_object_new();
        g_autoptr(CgroupDef) decoded = NULL;

        json_object_set_string_member(cpu, "quota_us", text);
        json_object_set_string_member(cpu, "period_us", "7.5ms");
        json_object_set_string_member(def, "name", "c");
        json_object_set_object_member(def, "cpu", cpu);
        json_node_set_object(node, def);
        decoded = decode_definition(node, "", &error);
        check_outcome(decoded, &error, SENTENCE_MAX);
        if (!decoded)
                return;
        require(decoded->cpu.period_us == 7500 && decoded->cpu.quota_us.set);
        require(decoded->cpu.quota_us.unlimited || decoded->cpu.quota_us.value > 0);
}

static void fuzz_name(const char *text) {
        g_autoptr(GError) error = NULL;
        bool good = cgroup_name_check(text, &error);
        g_autofree char *parent = cgroup_name_parent(text);

        check_outcome(good, &error, SENTENCE_MAX);
        if (!good)
                return;
        require(!strstr(text, "//") && text[0] != '.' && !strstr(text, "/."));
        require(!parent || cgroup_name_check(parent, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const words[] = { "cpuset", "weight", "nice", NULL };
        g_autofree char *text = g_strndup((const char *)data, size);

        if (!is_bus_text(text)) /* neither door lets it in */
                return 0;
        fuzz_cpuset(text);
        fuzz_affinity(text);
        fuzz_mempolicy(text);
        fuzz_flags(text);
        fuzz_list(text);
        fuzz_sched_policy(text);
        fuzz_quantities(text);
        fuzz_quota(text);
        fuzz_name(text);
        suggest_from(text, words);
        return 0;
}
