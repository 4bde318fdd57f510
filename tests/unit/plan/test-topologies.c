/* SPDX-License-Identifier: GPL-2.0-only */

/* Topology and cpusets on machines of all shapes, against sets that are counted out here. */

#include "topology/cpuset-spec.h"
#include "report/report.h"
#include "shapes.h"

/* ---- the machine itself ---- */

static void check_cores(const Machine *m, const Llc *llc) {
        Set all = { 0 };
        int before = -1;

        for (unsigned c = 0; c < llc->n_cores; c++) {
                Set core = set_from(llc->cores[c]);
                int first = set_first(&core);
                assert_on(m, first > before, "cores ascend");
                before = first;
                for (unsigned i = 0; i < m->n_cpus; i++) {
                        bool same = m->cpus[i].online && m->cpus[i].core == m->cpus[first].core;
                        assert_on(m, core.has[i] == same, "the siblings of a core");
                        all.has[i] = all.has[i] || core.has[i];
                }
        }
        assert_same_set(m, llc->cpus, all);
}

static void check_llcs(const Machine *m) {
        const Topology *t = m->topology;

        assert_on(m, t->n_llcs == machine_llcs(m), "number of LLCs");
        for (unsigned i = 0; i < t->n_llcs; i++) {
                Set expected = machine_llc(m, i);
                assert_same_set(m, t->llcs[i].cpus, expected);
                assert_on(m, t->llcs[i].index == i, "index of an LLC");
                assert_on(m, t->llcs[i].level == m->shape->level, "level of an LLC");
                assert_on(m, t->llcs[i].numa_node == m->nodes[m->cpus[set_first(&expected)].node].id,
                          "node of an LLC");
                check_cores(m, &t->llcs[i]);
        }
        assert_null(topology_llc(t, t->n_llcs));
}

static void check_nodes(const Machine *m) {
        const Topology *t = m->topology;
        Set ids = machine_node_ids(m);

        assert_same_set(m, t->node_ids, ids);
        assert_on(m, t->n_nodes == m->n_nodes, "number of nodes");
        for (unsigned i = 0; i < m->n_nodes; i++) {
                const NumaNode *node = topology_node(t, m->nodes[i].id);
                Set expected = machine_node(m, i);
                assert_on(m, node == &t->nodes[i], "nodes ascend");
                assert_same_set(m, node->cpus, expected);
                assert_on(m, node->memory_only == m->nodes[i].memory_only, "memory only");
                assert_on(m, topology_distance(t, node->id, node->id) == 10, "distance to itself");
        }
}

static void machine_is_found(const Machine *m) {
        Set online = machine_online(m), usable = machine_usable(m), none = { 0 };

        assert_same_set(m, m->topology->cpus, online);
        assert_same_set(m, m->topology->usable, usable);
        assert_same_set(m, m->topology->withheld, none);
        assert_on(m, topology_mask_words(m->topology) == (m->n_cpus + 63) / 64,
                  "masks hold offline CPUs, too");
        check_nodes(m);
        check_llcs(m);
}

static void machines_are_found(void **state G_GNUC_UNUSED) {
        for_each_machine(machine_is_found);
}

/* ---- as GetTopology tells it ---- */

static void check_list(const Machine *m, JsonObject *o, const char *key, const Set *expected) {
        g_auto(hwloc_bitmap_t) told = set_of(json_object_get_string_member(o, key));

        check_same_set(m, told, expected, key, __LINE__);
}

static void check_told_llcs(const Machine *m, JsonArray *llcs) {
        assert_on(m, json_array_get_length(llcs) == machine_llcs(m), "llcs");
        for (unsigned i = 0; i < machine_llcs(m); i++) {
                JsonObject *o = json_array_get_object_element(llcs, i);
                JsonArray *cores = json_object_get_array_member(o, "cores");
                Set llc = machine_llc(m, i);
                unsigned cpus = 0;
                check_list(m, o, "cpus", &llc);
                assert_on(m, json_object_get_int_member(o, "index") == i, "index");
                assert_on(m, machine_find_node(m, json_object_get_int_member(o, "numa_node")) >= 0, "node");
                for (unsigned c = 0; c < json_array_get_length(cores); c++) {
                        g_auto(hwloc_bitmap_t) core = set_of(json_array_get_string_element(cores, c));
                        cpus += bitmap_size(core);
                }
                assert_on(m, cpus == set_size(&llc), "cores");
        }
}

static void check_told_nodes(const Machine *m, JsonArray *nodes, JsonArray *distances) {
        assert_on(m, json_array_get_length(nodes) == m->n_nodes, "numa_nodes");
        assert_on(m, json_array_get_length(distances) == m->n_nodes, "distances");
        for (unsigned i = 0; i < m->n_nodes; i++) {
                JsonObject *o = json_array_get_object_element(nodes, i);
                JsonArray *row = json_array_get_array_element(distances, i);
                Set expected = machine_node(m, i);
                check_list(m, o, "cpus", &expected);
                assert_on(m, json_object_get_int_member(o, "id") == m->nodes[i].id, "id");
                assert_on(m, json_object_get_boolean_member(o, "memory_only") == m->nodes[i].memory_only,
                          "memory_only");
                assert_on(m, json_array_get_length(row) == m->n_nodes, "row of distances");
        }
}

static void machine_is_told(const Machine *m) {
        g_autoptr(JsonNode) node = report_topology(m->topology);
        g_autofree char *text = json_to_string(node, FALSE);
        g_autoptr(JsonNode) read = json_from_string(text, NULL);
        JsonObject *o = json_node_get_object(read);
        Set online = machine_online(m), usable = machine_usable(m);

        check_list(m, o, "cpus", &online);
        check_list(m, o, "usable", &usable);
        check_told_llcs(m, json_object_get_array_member(o, "llcs"));
        check_told_nodes(m, json_object_get_array_member(o, "numa_nodes"),
                         json_object_get_array_member(o, "distances"));
}

static void machines_are_told(void **state G_GNUC_UNUSED) {
        for_each_machine(machine_is_told);
}

/* ---- cpusets ---- */

static hwloc_bitmap_t resolve(const Machine *m, const char *text, bool *ret_valid) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CpusetSpec) spec = cpuset_spec_parse(text, &error);

        if (!spec)
                fail_msg("%s", error->message);
        *ret_valid = cpuset_spec_validate(spec, m->topology, &error);
        assert_on(m, *ret_valid == !error, text);
        return cpuset_spec_resolve(spec, m->topology);
}

/* `expected` NULL: the spec must be refused. */
G_GNUC_PRINTF(3, 4)
static void check_cpuset(const Machine *m, const Set *expected, const char *format, ...) {
        g_auto(hwloc_bitmap_t) got = NULL;
        g_autofree char *text = NULL;
        va_list args;
        bool valid;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        got = resolve(m, text, &valid);
        assert_on(m, valid == !!expected, text);
        if (expected)
                check_same_set(m, got, expected, text, __LINE__);
}

static void domains_match(const Machine *m) {
        unsigned n_llcs = machine_llcs(m), highest = m->nodes[m->n_nodes - 1].id;

        for (unsigned i = 0; i < n_llcs + 2; i++) {
                Set llc = machine_llc(m, i);
                check_cpuset(m, i < n_llcs ? &llc : NULL, "llc:%u", i);
        }
        for (unsigned id = 0; id <= highest + 1; id++) {
                int place = machine_find_node(m, id);
                Set node = { 0 };
                if (place >= 0)
                        node = machine_node(m, (unsigned)place);
                check_cpuset(m, place >= 0 ? &node : NULL, "numa:%u", id);
        }
        check_cpuset(m, NULL, "llc:18446744073709551615");
        check_cpuset(m, NULL, "numa:18446744073709551615");
}

static void domains(void **state G_GNUC_UNUSED) {
        for_each_machine(domains_match);
}

/* Counts of parts worth a look: all small ones, and around the number of usable CPUs. */
static bool is_worth(unsigned of, unsigned n) {
        return of <= 9 || of + 1 == n || of == n || of == n / 2;
}

static void parts_cover(const Machine *m) {
        Set usable = machine_usable(m);
        unsigned n = set_size(&usable);

        for (unsigned of = 1; of <= n; of++) {
                unsigned covered = 0;
                if (!is_worth(of, n))
                        continue;
                for (unsigned i = 0; i < of; i++) {
                        unsigned count = i == of - 1 ? n - i * (n / of) : n / of;
                        Set part = set_slice(&usable, i * (n / of), count);
                        check_cpuset(m, &part, "disjoint:%u/%u", i, of);
                        covered += count; /* slices one behind the other cannot overlap */
                }
                assert_on(m, covered == n, "the parts are everything");
                check_cpuset(m, NULL, "disjoint:%u/%u", of, of);
        }
        check_cpuset(m, NULL, "disjoint:0/0");
        check_cpuset(m, NULL, "disjoint:0/%u", n + 1);
        check_cpuset(m, NULL, "overlap:0/%u@0.5", n + 1);
        check_cpuset(m, NULL, "disjoint:0/18446744073709551615");
}

static void disjoint_parts(void **state G_GNUC_UNUSED) {
        for_each_machine(parts_cover);
}

/* `quarters` of a part on both sides, cut to whole CPUs. */
static void check_overlap(const Machine *m, unsigned i, unsigned of, unsigned quarters) {
        Set usable = machine_usable(m);
        unsigned n = set_size(&usable), chunk = n / of, wing = chunk * quarters / 4;
        unsigned start = i * chunk > wing ? i * chunk - wing : 0;
        unsigned end = i == of - 1 ? n : MIN((i + 1) * chunk + wing, n);
        Set wide = set_slice(&usable, start, end - start);
        Set part = set_slice(&usable, i * chunk, i == of - 1 ? n - i * chunk : chunk);

        check_cpuset(m, &wide, "overlap:%u/%u@%g", i, of, quarters / 4.0);
        assert_on(m, set_within(&part, &wide), "an overlap holds its part");
}

static void overlaps_hold(const Machine *m) {
        Set usable = machine_usable(m);
        unsigned n = set_size(&usable);

        for (unsigned of = 1; of <= n; of++)
                for (unsigned i = 0; is_worth(of, n) && i < of; i++)
                        for (unsigned quarters = 0; quarters <= 4; quarters++)
                                check_overlap(m, i, of, quarters);
        check_cpuset(m, NULL, "overlap:0/1@1.25");
        check_cpuset(m, NULL, "overlap:0/1@-0.25");
        check_cpuset(m, NULL, "overlap:0/1@nan");
        check_cpuset(m, NULL, "overlap:1/1@0");
        check_cpuset(m, NULL, "overlap:0/0@0");
}

static void overlapping_parts(void **state G_GNUC_UNUSED) {
        for_each_machine(overlaps_hold);
}

/* In sixteenths, which doubles hold exactly. */
static void ranges_grow(const Machine *m) {
        Set usable = machine_usable(m);
        unsigned n = set_size(&usable);

        for (unsigned a = 0; a < 16; a++) {
                Set before = { 0 };
                for (unsigned b = a + 1; b <= 16; b++) {
                        Set range = set_slice(&usable, n * a / 16, n * b / 16 - n * a / 16);
                        check_cpuset(m, &range, "range:%g-%g", a / 16.0, b / 16.0);
                        assert_on(m, set_within(&before, &range), "a longer range holds the shorter");
                        before = range;
                }
        }
        check_cpuset(m, &usable, "range:0-1");
        check_cpuset(m, NULL, "range:0.5-0.5");
        check_cpuset(m, NULL, "range:0.75-0.5");
        check_cpuset(m, NULL, "range:0-1.0625");
        check_cpuset(m, NULL, "range:-0.0625-1");
        check_cpuset(m, NULL, "range:nan-1");
}

static void ranges(void **state G_GNUC_UNUSED) {
        for_each_machine(ranges_grow);
}

static void lists_are_online(const Machine *m) {
        Set online = machine_online(m);
        g_autofree char *all = set_format(&online);

        check_cpuset(m, &online, "cpus:%s", all);
        check_cpuset(m, NULL, "cpus:");
        check_cpuset(m, NULL, "cpus:%s,%u", all, m->n_cpus);
        for (unsigned i = 0; i < m->n_cpus; i++) {
                Set one = { 0 };
                one.has[i] = true;
                check_cpuset(m, m->cpus[i].online ? &one : NULL, "cpus:%u", i);
        }
}

static void lists(void **state G_GNUC_UNUSED) {
        for_each_machine(lists_are_online);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(machines_are_found),
                cmocka_unit_test(machines_are_told),
                cmocka_unit_test(domains),
                cmocka_unit_test(disjoint_parts),
                cmocka_unit_test(overlapping_parts),
                cmocka_unit_test(ranges),
                cmocka_unit_test(lists),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
