/* SPDX-License-Identifier: GPL-2.0-only */
#include "arena.h"

#include <errno.h>

/* Bytes of each part, whole lines all of them. */
typedef struct Layout {
        uint64_t region, slot, slice, slot_and_slices, total;
} Layout;

static uint64_t whole_lines(uint64_t bytes) {
        return (bytes + ARENA_LINE - 1) / ARENA_LINE * ARENA_LINE;
}

/* Cannot overflow: two numbers of 32 bits times 8, and at most 32 histograms. */
static uint64_t record_bytes(uint32_t cpu_words, uint32_t n_nodes, uint32_t samples) {
        return ((uint64_t)cpu_words + n_nodes) * sizeof(uint64_t) +
               (uint64_t)__builtin_popcount(samples) * sizeof(Histogram);
}

/* False when there can be no arena of this shape. */
static bool lay_out(const ArenaShape *s, Layout *ret) {
        uint64_t record = record_bytes(s->cpu_words, s->n_nodes, s->samples), slices, regions, slots;

        ret->region = s->n_regions ? whole_lines(s->region_size) : 0;
        ret->slot = whole_lines(sizeof(ArenaSlot) + record);
        ret->slice = whole_lines(sizeof(PhaseSlice) + record);
        if ((s->n_regions && !s->region_size) || __builtin_mul_overflow(ret->slice, s->n_phases, &slices) ||
            __builtin_add_overflow(ret->slot, slices, &ret->slot_and_slices) ||
            ret->slot_and_slices > UINT32_MAX || ret->region > UINT32_MAX)
                return false;
        return !__builtin_mul_overflow(ret->region, s->n_regions, &regions) &&
               !__builtin_mul_overflow(ret->slot_and_slices, s->n_workers, &slots) &&
               !__builtin_add_overflow(regions, slots, &ret->total) &&
               !__builtin_add_overflow(ret->total, sizeof(ArenaHead), &ret->total) &&
               ret->total <= PTRDIFF_MAX && s->n_workers <= UINT32_MAX - s->leader;
}

size_t arena_size(const ArenaShape *shape) {
        Layout l;
        return lay_out(shape, &l) ? (size_t)l.total : 0;
}

void arena_init(ArenaHead *head, const ArenaShape *shape) {
        Layout l;

        if (!lay_out(shape, &l))
                return;
        head->n_workers = shape->n_workers;
        head->slot_size = (uint32_t)l.slot_and_slices;
        head->cpu_words = shape->cpu_words;
        head->n_histograms = (uint32_t)__builtin_popcount(shape->samples);
        head->samples = shape->samples;
        head->n_phases = shape->n_phases;
        head->n_nodes = shape->n_nodes;
        head->n_regions = shape->n_regions;
        head->region_size = (uint32_t)l.region;
        head->n_parties = shape->n_workers + shape->leader;
        head->magic = ARENA_MAGIC;
}

int arena_check(const ArenaHead *head, size_t size) {
        Layout l;

        if (size < sizeof(ArenaHead) || head->magic != ARENA_MAGIC)
                return -EBADMSG;

        const ArenaShape shape = {
                .n_workers = head->n_workers,
                .cpu_words = head->cpu_words,
                .samples = head->samples,
                .n_phases = head->n_phases,
                .n_nodes = head->n_nodes,
                .n_regions = head->n_regions,
                .region_size = head->region_size,
                .leader = head->n_parties != head->n_workers,
        };
        if (!lay_out(&shape, &l) || l.total != size || head->slot_size != l.slot_and_slices ||
            head->region_size != l.region || head->n_parties != shape.n_workers + shape.leader ||
            head->n_histograms != (uint32_t)__builtin_popcount(shape.samples))
                return -EBADMSG;
        return 0;
}

void *arena_region(const ArenaHead *head, uint32_t index) {
        return (char *)(head + 1) + (size_t)index * head->region_size;
}

ArenaSlot *arena_slot(const ArenaHead *head, uint32_t index) {
        return (ArenaSlot *)((char *)arena_region(head, head->n_regions) + (size_t)index * head->slot_size);
}

PhaseSlice *arena_slice(const ArenaHead *head, ArenaSlot *slot, uint32_t n) {
        uint64_t record = record_bytes(head->cpu_words, head->n_nodes, head->samples);

        return (PhaseSlice *)((char *)slot + whole_lines(sizeof(ArenaSlot) + record) +
                              n * whole_lines(sizeof(PhaseSlice) + record));
}

_Atomic uint64_t *arena_cpus(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice) {
        (void)head; /* a record begins with it, whatever the arena's shape */
        return slice ? (_Atomic uint64_t *)(slice + 1) : (_Atomic uint64_t *)(slot + 1);
}

_Atomic uint64_t *arena_numa_pages(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice) {
        return arena_cpus(head, slot, slice) + head->cpu_words;
}

Histogram *arena_histogram(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice, uint32_t sample) {
        if (!(head->samples & sample))
                return NULL;

        Histogram *first = (Histogram *)(arena_numa_pages(head, slot, slice) + head->n_nodes);
        return first + __builtin_popcount(head->samples & (sample - 1));
}
