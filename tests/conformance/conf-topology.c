/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf-topology.h"

/* res:R72 */
static void own_affinity_narrows(void **state G_GNUC_UNUSED) {
        g_auto(hwloc_bitmap_t) online = set_of("0-4"), own = set_of("0,2,4"), cpus = bitmap_new();
        g_auto(hwloc_bitmap_t) four = set_of("0-3"), others = set_of("4-6"), none = bitmap_new();
        g_autoptr(GError) error = NULL;

        assert_true(topology_effective_cpus(online, own, cpus, &error));
        assert_set(cpus, "0,2,4");
        assert_false(topology_effective_cpus(four, others, cpus, &error));
        assert_refused(error, KT_ERROR_KERNEL_REFUSED, "disjoint from", "(0-3)", "(4-6)");
        assert_set(cpus, "0,2,4"); /* untouched */
        assert_true(topology_effective_cpus(four, NULL, cpus, &error));
        assert_set(cpus, "0-3");
        assert_false(topology_effective_cpus(none, NULL, cpus, &error));
        assert_refused(error, KT_ERROR_KERNEL_REFUSED, "no online CPU");
}

/* res:R73 */
static void lists_are_written(void **state G_GNUC_UNUSED) {
        static const struct {
                unsigned cpus[8], n;
                const char *text;
        } cases[] = {
                { { 0 }, 0, "" },
                { { 3 }, 1, "3" },
                { { 0, 1, 2, 3 }, 4, "0-3" },
                { { 0, 1, 3, 5, 6, 7 }, 6, "0-1,3,5-7" },
                { { 0, 1, 2, 5, 6, 7 }, 6, "0-2,5-7" },
                { { 1, 3, 5 }, 3, "1,3,5" },
        };
        g_auto(hwloc_bitmap_t) many = bitmap_new();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(hwloc_bitmap_t) set = bitmap_new();
                for (unsigned j = 0; j < cases[i].n; j++)
                        hwloc_bitmap_set(set, cases[i].cpus[j]);
                assert_set(set, cases[i].text);
        }
        for (unsigned cpu = 0; cpu < 128; cpu++)
                hwloc_bitmap_set(many, cpu);
        assert_set(many, "0-127");
}

/* res:R74 */
static void lists_are_read(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *same;
        } cases[] = {
                { "0,1,2,3", "0-3" }, { "0-3", "0-3" },           { "0-2,5,7-9", "0-2,5,7-9" },
                { "", "" },           { "  0 , 1 , 2  ", "0-2" },
        };
        g_auto(hwloc_bitmap_t) set = set_of("9");
        g_autoptr(GError) error = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(hwloc_bitmap_t) read = set_of(cases[i].text);
                assert_set(read, cases[i].same);
        }
        assert_false(cpulist_parse("abc", set, &error));
        assert_invalid(error, "'abc'");
        assert_false(cpulist_parse("1-x", set, &error));
        assert_invalid(error, "'1-x'");
        assert_set(set, "9"); /* untouched */
}

/* res:R74 (range length), res:R76 */
static void lists_round_trip(void **state G_GNUC_UNUSED) {
        g_autoptr(GRand) rng = g_rand_new_with_seed(76);

        for (unsigned round = 0; round < 500; round++) {
                g_auto(hwloc_bitmap_t) set = bitmap_new(), back = NULL;
                g_autofree char *text = NULL;
                for (unsigned i = g_rand_int_range(rng, 0, 40); i > 0; i--)
                        hwloc_bitmap_set(set, g_rand_int_range(rng, 0, 300));
                text = cpulist_format(set);
                back = set_of(text);
                assert_true(hwloc_bitmap_isequal(set, back));
        }
        for (unsigned low = 0; low < 70; low += 7)
                for (unsigned high = low; high < 140; high += 11) {
                        g_autofree char *text = g_strdup_printf("%u-%u", low, high);
                        g_auto(hwloc_bitmap_t) set = set_of(text);
                        assert_int_equal(bitmap_size(set), high - low + 1);
                }
}

/* res:R77: bytes round up to KiB (the suffixes of sysfs are hwloc's to read) */
static void cache_size_in_kib(void **state G_GNUC_UNUSED) {
        static const struct {
                unsigned bytes, kib;
        } cases[] = {
                { 33554432, 32768 }, { 65536, 64 }, { 500, 1 },  { 1, 1 },
                { 1023, 1 },         { 1024, 1 },   { 1025, 2 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = g_strdup_printf("l3:1(size=%u) core:2 pu:1", cases[i].bytes);
                g_autoptr(Topology) t = machine(text);
                assert_int_equal(t->llcs[0].size_kib, cases[i].kib);
        }
}

/* res:R78 */
static void flat_machines(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) eight = machine("numa:2 l3:1 core:4 pu:1");
        g_autoptr(Topology) sixteen = machine("numa:4 l3:1 core:4 pu:1");

        assert_int_equal(eight->n_llcs, 2);
        assert_set(eight->llcs[0].cpus, "0-3");
        assert_set(eight->llcs[1].cpus, "4-7");
        assert_set(eight->node_ids, "0-1");
        assert_int_equal(sixteen->n_llcs, 4);
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(sixteen->llcs[i].index, i);
                assert_int_equal(bitmap_size(sixteen->llcs[i].cpus), 4);
                assert_int_equal(sixteen->llcs[i].numa_node, i);
        }
}

/* res:R79 */
static void usable_cpus(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) eight = machine("pu:8"), two = machine("pu:2"), one = machine("pu:1"),
                            three = machine("pu:3");

        assert_set(eight->usable, "0-6");
        assert_set(two->usable, "0-1");
        assert_set(one->usable, "0");
        assert_set(three->usable, "0-1");
        assert_set(eight->cpus, "0-7");
}

/* res:R80 res:R81 */
static void impossible_machines(void **state G_GNUC_UNUSED) {
        static const char *const texts[] = {
                "l3:0 pu:8", "l3:2 pu:0", "numa:0 l3:1 core:1 pu:1", "numa:1 l3:1 core:0 pu:1",
                "",          "eight cpus"
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(GError) error = NULL;
                assert_null(topology_new_synthetic(texts[i], &error));
                assert_invalid(error, "synthetic notation", "numa:2 l3:2 core:4 pu:2");
        }
}

/* res:R81 */
static void declared_machines(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) a = machine("numa:1 l3:1 core:4 pu:2"), b = machine("numa:1 l3:2 core:4 pu:2");
        g_autoptr(Topology) c = machine("numa:1 l3:2 core:2 pu:1"), d = machine("numa:1 l3:1 core:1 pu:1");
        g_autoptr(Topology) e = machine("numa:2 l3:2 core:4 pu:2"), f = machine("numa:1 l3:4 core:8 pu:2");
        static const char *const pairs[] = { "0-1", "2-3", "4-5", "6-7" };

        assert_set(a->cpus, "0-7");
        assert_int_equal(a->n_llcs, 1);
        assert_int_equal(a->n_nodes, 1);
        assert_set(b->llcs[0].cpus, "0-7");
        assert_set(b->llcs[1].cpus, "8-15");
        assert_int_equal(b->llcs[0].n_cores, 4);
        for (unsigned i = 0; i < 4; i++)
                assert_set(b->llcs[0].cores[i], pairs[i]);
        assert_set(b->llcs[1].cores[0], "8-9");
        assert_set(c->llcs[0].cpus, "0-1");
        assert_set(c->llcs[1].cpus, "2-3");
        assert_set(d->llcs[0].cpus, "0");
        assert_set(e->cpus, "0-31");
        for (unsigned i = 0; i < 4; i++)
                assert_int_equal(e->llcs[i].numa_node, i / 2);
        assert_set(f->cpus, "0-63");
}

/* res:R82 */
static void llcs_partition_the_cpus(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:1 l3:2 core:4 pu:1");
        g_auto(hwloc_bitmap_t) all = bitmap_new();

        assert_set(t->llcs[0].cpus, "0-3");
        assert_set(t->llcs[1].cpus, "4-7");
        assert_false(hwloc_bitmap_intersects(t->llcs[0].cpus, t->llcs[1].cpus));
        hwloc_bitmap_or(all, t->llcs[0].cpus, t->llcs[1].cpus);
        assert_true(hwloc_bitmap_isequal(all, t->cpus));
}

/* res:R84 */
static void queries(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(FOUR_LLC_16);
        static const struct {
                const char *cpus, *nodes;
        } cases[] = { { "0-3", "0" }, { "0,8", "0-1" }, { "", "" }, { "15", "1" }, { "99", "" } };

        assert_null(topology_llc(t, 99));
        assert_ptr_equal(topology_llc(t, 3), &t->llcs[3]);
        assert_set(topology_node(t, 0)->cpus, "0-7");
        assert_set(topology_node(t, 1)->cpus, "8-15");
        assert_null(topology_node(t, 2));
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(hwloc_bitmap_t) cpus = set_of(cases[i].cpus), nodes = topology_nodes_of(t, cpus);
                assert_set(nodes, cases[i].nodes);
        }
}

/* res:R85 */
static void distances_and_memory(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:2(memory=1048576) l3:1 core:2 pu:1");

        assert_true(t->distances_assumed);
        assert_int_equal(topology_distance(t, 0, 0), 10);
        assert_int_equal(topology_distance(t, 1, 1), 10);
        assert_int_equal(topology_distance(t, 0, 1), 20);
        assert_int_equal(topology_distance(t, 0, 7), 255);
        assert_int_equal(topology_distance(t, 7, 7), 255);
        assert_false(t->nodes[0].memory_only);
        assert_false(t->nodes[1].memory_only);
        assert_int_equal(t->nodes[1].total_kib, 1024);
}

/* res:R86 */
static void no_cache_is_one_llc(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:1(indexes=2) pu:4(indexes=0,1,3,7)");

        assert_int_equal(t->n_llcs, 1);
        assert_set(t->llcs[0].cpus, "0-1,3,7");
        assert_int_equal(t->llcs[0].numa_node, 2);
        assert_int_equal(t->llcs[0].size_kib, 0);
        assert_int_equal(t->llcs[0].level, 0);
        assert_int_equal(t->llcs[0].n_cores, 4);
        assert_set(t->llcs[0].cores[3], "7");
}

/* res:R87 */
static void this_machine(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Topology) t = topology_new_live(&error);

        assert_non_null(t);
        assert_true(bitmap_size(t->cpus) >= 1);
        assert_true(t->n_llcs >= 1);
        assert_true(t->n_nodes >= 1);
        for (unsigned i = 0; i < t->n_llcs; i++)
                assert_true(hwloc_bitmap_isincluded(t->llcs[i].cpus, t->cpus));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(own_affinity_narrows),
                cmocka_unit_test(lists_are_written),
                cmocka_unit_test(lists_are_read),
                cmocka_unit_test(lists_round_trip),
                cmocka_unit_test(cache_size_in_kib),
                cmocka_unit_test(flat_machines),
                cmocka_unit_test(usable_cpus),
                cmocka_unit_test(impossible_machines),
                cmocka_unit_test(declared_machines),
                cmocka_unit_test(llcs_partition_the_cpus),
                cmocka_unit_test(queries),
                cmocka_unit_test(distances_and_memory),
                cmocka_unit_test(no_cache_is_one_llc),
                cmocka_unit_test(this_machine),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
