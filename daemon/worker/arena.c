/* SPDX-License-Identifier: GPL-2.0-only */
#include "arena.h"

#include <errno.h>

static uint64_t slot_bytes(uint32_t cpu_words, uint32_t samples) {
        uint64_t bytes = sizeof(ArenaSlot) + cpu_words * sizeof(uint64_t) +
                         (unsigned)__builtin_popcount(samples) * sizeof(Histogram);
        return (bytes + ARENA_LINE - 1) / ARENA_LINE * ARENA_LINE;
}

size_t arena_size(const ArenaShape *shape) {
        return sizeof(ArenaHead) + shape->n_workers * slot_bytes(shape->cpu_words, shape->samples);
}

void arena_init(ArenaHead *head, const ArenaShape *shape) {
        head->n_workers = shape->n_workers;
        head->slot_size = (uint32_t)slot_bytes(shape->cpu_words, shape->samples);
        head->cpu_words = shape->cpu_words;
        head->n_histograms = (uint32_t)__builtin_popcount(shape->samples);
        head->samples = shape->samples;
        head->magic = ARENA_MAGIC;
}

int arena_check(const ArenaHead *head, size_t size) {
        if (size < sizeof(ArenaHead) || head->magic != ARENA_MAGIC)
                return -EBADMSG;

        ArenaShape shape = { head->n_workers, head->cpu_words, head->samples };
        if (head->slot_size != slot_bytes(shape.cpu_words, shape.samples) ||
            head->n_histograms != (uint32_t)__builtin_popcount(shape.samples))
                return -EBADMSG;
        return arena_size(&shape) <= size ? 0 : -EBADMSG;
}

ArenaSlot *arena_slot(const ArenaHead *head, uint32_t index) {
        return (ArenaSlot *)((char *)head + sizeof(ArenaHead) + (size_t)index * head->slot_size);
}

_Atomic uint64_t *arena_slot_cpus(const ArenaHead *head, ArenaSlot *slot) {
        (void)head; /* the set of CPUs comes right after the slot, whatever the arena's shape */
        return (_Atomic uint64_t *)(slot + 1);
}

Histogram *arena_slot_histogram(const ArenaHead *head, ArenaSlot *slot, uint32_t sample) {
        if (!(head->samples & sample))
                return NULL;

        Histogram *first = (Histogram *)(arena_slot_cpus(head, slot) + head->cpu_words);
        return first + __builtin_popcount(head->samples & (sample - 1));
}
