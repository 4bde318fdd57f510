/* SPDX-License-Identifier: GPL-2.0-only */
#include "conformance/conf-topology.h"

#include <hwloc/distances.h>
#include <hwloc/export.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static void sparse_nodes(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(SPARSE_8);

        assert_set(t->node_ids, "0,8");
        assert_int_equal(t->n_nodes, 2);
        assert_int_equal(t->nodes[1].id, 8);
        assert_set(topology_node(t, 8)->cpus, "4-7");
        assert_null(topology_node(t, 1));
        assert_int_equal(t->llcs[1].numa_node, 8);
        assert_int_equal(topology_distance(t, 0, 8), 20);
        assert_int_equal(topology_distance(t, 8, 8), 10);
        assert_int_equal(topology_distance(t, 0, 1), TOPOLOGY_DISTANCE_UNKNOWN);
}

static void nodes_ascend_whatever_the_order(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:3(indexes=5,1,3) pu:2");

        assert_int_equal(t->nodes[0].id, 1);
        assert_int_equal(t->nodes[1].id, 3);
        assert_int_equal(t->nodes[2].id, 5);
        assert_set(t->nodes[0].cpus, "2-3");
        assert_set(t->nodes[2].cpus, "0-1");
}

/* hwloc hangs a memory-only node beside the CPUs that are near to it; the CPUs still belong to one node each.
 */
static void memory_only_nodes(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) beside = machine(MEM_ONLY_8), above = machine("[numa] pack:2 [numa] core:2 pu:1");
        g_auto(hwloc_bitmap_t) nodes = topology_nodes_of(beside, beside->cpus);

        assert_set(beside->nodes[0].cpus, "0-3");
        assert_true(beside->nodes[1].memory_only);
        assert_set(beside->nodes[1].cpus, "");
        assert_set(beside->nodes[2].cpus, "4-7");
        assert_true(beside->nodes[3].memory_only);
        assert_false(beside->nodes[0].memory_only);
        assert_set(nodes, "0,2");
        assert_set(beside->node_ids, "0-3");

        assert_set(above->nodes[0].cpus, "0-1");
        assert_set(above->nodes[1].cpus, "2-3");
        assert_true(above->nodes[2].memory_only);
}

static void last_level_is_the_largest(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) l2 = machine("numa:1 l2:2 l1:2 pu:2"), l3 = machine("l3:2 l2:2 core:1 pu:2");

        assert_int_equal(l2->n_llcs, 2);
        assert_int_equal(l2->llcs[0].level, 2);
        assert_set(l2->llcs[1].cpus, "4-7");
        assert_int_equal(l3->n_llcs, 2);
        assert_int_equal(l3->llcs[0].level, 3);
        assert_int_equal(l3->llcs[0].n_cores, 2);
        assert_set(l3->llcs[1].cores[0], "4-5");
}

/* Two nodes under one cache, or none: an LLC has one node, and `numa` still means the node's own CPUs. */
static void nodes_inside_an_llc(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("l3:1 numa:2 core:2 pu:1");

        assert_int_equal(t->n_llcs, 1);
        assert_int_equal(t->llcs[0].numa_node, 0);
        assert_set(topology_node(t, 1)->cpus, "2-3");
}

static void interleaved_numbering(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:2 l3:1 core:2 pu:2(indexes=0,4,2,6,1,5,3,7)");

        assert_set(t->llcs[0].cpus, "0,2,4,6");
        assert_set(t->llcs[1].cpus, "1,3,5,7");
        assert_set(t->llcs[0].cores[0], "0,4");
        assert_set(t->llcs[1].cores[1], "3,7");
        assert_set(t->usable, "0-6");
}

/* The largest machine of the tests: 8 nodes with gaps, 256 CPUs, numbered round the packages. */
static void large_machine(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:8(indexes=0,2,4,6,8,16,32,64) l3:2 core:8 pu:2");
        g_auto(hwloc_bitmap_t) seen = bitmap_new();

        assert_set(t->cpus, "0-255");
        assert_set(t->usable, "0-254");
        assert_int_equal(topology_mask_words(t), 4);
        assert_int_equal(t->n_llcs, 16);
        assert_set(t->node_ids, "0,2,4,6,8,16,32,64");
        for (unsigned i = 0; i < t->n_nodes; i++) {
                assert_false(hwloc_bitmap_intersects(seen, t->nodes[i].cpus));
                hwloc_bitmap_or(seen, seen, t->nodes[i].cpus);
                assert_int_equal(bitmap_size(t->nodes[i].cpus), 32);
        }
        assert_true(hwloc_bitmap_isequal(seen, t->cpus));
        assert_int_equal(t->llcs[15].numa_node, 64);
        assert_set(t->llcs[15].cores[7], "254-255");
}

/* One CPU is a machine with everything: an LLC, a node, a core, and nothing held back. */
static void one_cpu(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("pu:1");

        assert_set(t->cpus, "0");
        assert_set(t->usable, "0");
        assert_int_equal(t->n_llcs, 1);
        assert_int_equal(t->n_nodes, 1);
        assert_int_equal(t->llcs[0].n_cores, 1);
        assert_int_equal(topology_mask_words(t), 1);
}

/* Without any cache, one LLC for all, whatever the nodes: `numa` still tells them apart, and memory-only
 * nodes are nodes. */
static void no_cache_on_several_nodes(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("pack:2 [numa] [numa] core:2 pu:1");
        g_auto(hwloc_bitmap_t) nodes = topology_nodes_of(t, t->llcs[0].cpus);

        assert_int_equal(t->n_llcs, 1);
        assert_set(t->llcs[0].cpus, "0-3");
        assert_int_equal(t->n_nodes, 4);
        assert_set(nodes, "0,2");
        assert_set(t->nodes[0].cpus, "0-1");
        assert_set(t->nodes[2].cpus, "2-3");
        assert_true(t->nodes[1].memory_only && t->nodes[3].memory_only);
}

/* A cache of each core's own, and no larger one: as many LLCs as cores. */
static void private_caches(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:2 core:2 l2:1 l1d:1 pu:2");

        assert_int_equal(t->n_llcs, 4);
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(t->llcs[i].level, 2);
                assert_int_equal(t->llcs[i].n_cores, 1);
                assert_int_equal(bitmap_size(t->llcs[i].cpus), 2);
                assert_int_equal(t->llcs[i].numa_node, i / 2);
        }
}

static void masks(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) small = machine("pu:64"), large = machine("pu:65");
        g_auto(hwloc_bitmap_t) set = set_of("0,63,64,200");
        guint64 one[1] = { 7 }, two[2] = { 7, 7 };

        assert_int_equal(topology_mask_words(small), 1);
        assert_int_equal(topology_mask_words(large), 2);
        topology_mask_fill(small, set, one);
        assert_true(one[0] == 0x8000000000000001);
        topology_mask_fill(large, set, two);
        assert_true(two[0] == 0x8000000000000001);
        assert_true(two[1] == 1);
}

/* Writes a machine of two nodes with distances as a file of hwloc's. */
static char *write_xml(void) {
        char *path = g_strdup("/tmp/ktsetup-test-XXXXXX");
        hwloc_uint64_t values[] = { 10, 21, 31, 300 };
        hwloc_distances_add_handle_t handle;
        hwloc_topology_t source;
        hwloc_obj_t nodes[2];
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(hwloc_topology_init(&source), 0);
        assert_int_equal(hwloc_topology_set_synthetic(source, "numa:2(indexes=4,2) l3:1 core:2 pu:1"), 0);
        assert_int_equal(hwloc_topology_load(source), 0);
        nodes[0] = hwloc_get_numanode_obj_by_os_index(source, 4);
        nodes[1] = hwloc_get_numanode_obj_by_os_index(source, 2);
        handle = hwloc_distances_add_create(
                source, "NUMALatency", HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
        assert_non_null(handle);
        assert_int_equal(hwloc_distances_add_values(source, handle, 2, nodes, values, 0), 0);
        assert_int_equal(hwloc_distances_add_commit(source, handle, 0), 0);
        assert_int_equal(hwloc_topology_export_xml(source, path, 0), 0);
        hwloc_topology_destroy(source);
        return path;
}

/* Values stay with their nodes though our order differs from the file's: from 4 to 2 is 21. */
static void distances_from_the_system(void **state G_GNUC_UNUSED) {
        g_autofree char *path = write_xml();
        g_autoptr(GError) error = NULL;
        g_autoptr(Topology) t = NULL;

        setenv("HWLOC_XMLFILE", path, 1);
        t = topology_new_live(&error);
        unsetenv("HWLOC_XMLFILE");
        unlink(path);
        assert_non_null(t);
        assert_false(t->distances_assumed);
        assert_int_equal(topology_distance(t, 4, 4), 10);
        assert_int_equal(topology_distance(t, 4, 2), 21);
        assert_int_equal(topology_distance(t, 2, 4), 31);
        assert_int_equal(topology_distance(t, 2, 2), 255); /* does not fit the kernel's byte */
}

/* A daemon can be shown any machine; its own affinity says nothing about that one. */
static void environment_chooses_the_machine(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Topology) t = NULL;

        setenv("HWLOC_SYNTHETIC", "numa:2 l3:2 core:16 pu:2", 1);
        t = topology_new_live(&error);
        unsetenv("HWLOC_SYNTHETIC");
        assert_non_null(t);
        assert_set(t->cpus, "0-127");
        assert_set(t->withheld, "");
        assert_int_equal(t->n_llcs, 4);
}

static void own_affinity_is_respected(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Topology) t = NULL;
        g_auto(hwloc_bitmap_t) all = bitmap_new();
        cpu_set_t before, one;
        int cpu = -1;

        assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE; i++)
                if (CPU_ISSET(i, &before)) {
                        hwloc_bitmap_set(all, i);
                        cpu = i;
                }
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
        t = topology_new_live(&error);
        assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
        assert_non_null(t);
        assert_int_equal(bitmap_size(t->cpus), 1);
        assert_true(hwloc_bitmap_isset(t->cpus, cpu));
        assert_true(hwloc_bitmap_isequal(t->usable, t->cpus));
        assert_int_equal(t->n_llcs, 1);
        hwloc_bitmap_clr(all, cpu);
        assert_true(hwloc_bitmap_isincluded(all, t->withheld));
        assert_true(topology_mask_words(t) * 64 > (unsigned)cpu);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sparse_nodes),
                cmocka_unit_test(nodes_ascend_whatever_the_order),
                cmocka_unit_test(memory_only_nodes),
                cmocka_unit_test(last_level_is_the_largest),
                cmocka_unit_test(nodes_inside_an_llc),
                cmocka_unit_test(interleaved_numbering),
                cmocka_unit_test(masks),
                cmocka_unit_test(large_machine),
                cmocka_unit_test(one_cpu),
                cmocka_unit_test(no_cache_on_several_nodes),
                cmocka_unit_test(private_caches),
                cmocka_unit_test(distances_from_the_system),
                cmocka_unit_test(environment_chooses_the_machine),
                cmocka_unit_test(own_affinity_is_respected),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
