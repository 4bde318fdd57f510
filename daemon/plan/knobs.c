/* SPDX-License-Identifier: GPL-2.0-only */
#include "knobs.h"

#include "topology/cpulist.h"

static char *format_limit(Limit limit, const char *unset) {
        if (!limit.set)
                return g_strdup(unset);
        return limit.unlimited ? g_strdup("max") : g_strdup_printf("%" G_GUINT64_FORMAT, limit.value);
}

static char *format_number(OptionalNumber number) {
        return number.set ? g_strdup_printf("%" G_GINT64_FORMAT, number.value) : NULL;
}

static char *cpuset_cpus(const CgroupDef *def, hwloc_const_bitmap_t cpuset) {
        return def->cpuset ? cpulist_format(cpuset) : NULL;
}

static char *cpuset_mems(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return def->cpuset_mems ? cpulist_format(def->cpuset_mems) : NULL;
}

static char *cpu_weight(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return format_number(def->cpu.weight);
}

/* Written whenever the block is there, so that the period counts even without a quota. */
static char *cpu_max(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        g_autofree char *quota = format_limit(def->cpu.quota_us, "max");

        return def->cpu.present ? g_strdup_printf("%s %" G_GUINT64_FORMAT, quota, def->cpu.period_us) : NULL;
}

static char *memory_max(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return def->memory.present ? format_limit(def->memory.max, "max") : NULL;
}

static char *memory_high(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return def->memory.present ? format_limit(def->memory.high, "max") : NULL;
}

static char *memory_low(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return def->memory.present ? format_limit(def->memory.low, "0") : NULL;
}

static char *memory_swap_max(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return format_limit(def->memory.swap_max, NULL);
}

static char *io_weight(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return format_number(def->io.weight);
}

static char *pids_max(const CgroupDef *def, G_GNUC_UNUSED hwloc_const_bitmap_t cpuset) {
        return def->pids.present ? format_limit(def->pids.max, "max") : NULL;
}

const Knob knobs[] = {
        { "cpuset.cpus", CONTROLLER_CPUSET, "cpuset", cpuset_cpus },
        { "cpuset.mems", CONTROLLER_CPUSET, "cpuset_mems", cpuset_mems },
        { "cpu.weight", CONTROLLER_CPU, "cpu.weight", cpu_weight },
        { "cpu.max", CONTROLLER_CPU, "cpu.quota_us", cpu_max },
        { "memory.max", CONTROLLER_MEMORY, "memory.max", memory_max },
        { "memory.high", CONTROLLER_MEMORY, "memory.high", memory_high },
        { "memory.low", CONTROLLER_MEMORY, "memory.low", memory_low },
        { "memory.swap.max", CONTROLLER_MEMORY, "memory.swap_max", memory_swap_max },
        { "io.weight", CONTROLLER_IO, "io.weight", io_weight },
        { "pids.max", CONTROLLER_PIDS, "pids.max", pids_max },
};
const size_t knob_count = G_N_ELEMENTS(knobs);

const Knob *knob_find(const char *file) {
        for (size_t i = 0; i < knob_count; i++)
                if (g_str_equal(knobs[i].file, file))
                        return &knobs[i];
        return NULL;
}

unsigned knobs_controllers(const CgroupDef *def) {
        return (def->cpuset || def->cpuset_mems ? CONTROLLER_CPUSET : 0) |
               (def->cpu.present ? CONTROLLER_CPU : 0) | (def->memory.present ? CONTROLLER_MEMORY : 0) |
               (def->io.present ? CONTROLLER_IO : 0) | (def->pids.present ? CONTROLLER_PIDS : 0);
}
