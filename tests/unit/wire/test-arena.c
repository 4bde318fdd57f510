/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/arena.h"
#include "wire/work-type.h"

static const ArenaShape shapes[] = {
        { .n_workers = 1, .cpu_words = 1 },
        { .n_workers = 3, .cpu_words = 2, .samples = SAMPLE_WAKE_LATENCY, .n_nodes = 1 },
        { .n_workers = 100, .cpu_words = 128, .samples = SAMPLE_WAKE_LATENCY, .n_nodes = 3, .leader = true },
        { .n_workers = 4,
          .cpu_words = 1,
          .n_phases = ARENA_PHASES,
          .n_nodes = 2,
          .n_regions = 2,
          .region_size = 4 },
        { .n_workers = 2,
          .cpu_words = 3,
          .samples = SAMPLE_WAKE_LATENCY,
          .n_phases = 3,
          .n_regions = 1,
          .region_size = ARENA_LINE + 1,
          .leader = true },
};

enum { N_SHAPES = sizeof(shapes) / sizeof(*shapes) };

static ArenaHead *new_arena(const ArenaShape *shape) {
        size_t size = arena_size(shape);
        ArenaHead *head = aligned_alloc(ARENA_LINE, size);

        assert_non_null(head);
        memset((void *)head, 0, size);
        arena_init(head, shape);
        return head;
}

/* ---- layout ---- */

/* Where the next part may begin at the earliest. */
static char *last;

static void take(void *part, size_t size, size_t alignment) {
        assert_int_equal((uintptr_t)part % alignment, 0);
        assert_true((char *)part >= last);
        last = (char *)part + size;
}

static void take_record(const ArenaHead *head, ArenaSlot *slot, PhaseSlice *slice) {
        Histogram *wake = arena_histogram(head, slot, slice, SAMPLE_WAKE_LATENCY);

        take(arena_cpus(head, slot, slice), head->cpu_words * sizeof(uint64_t), 8);
        take(arena_numa_pages(head, slot, slice), head->n_nodes * sizeof(uint64_t), 8);
        assert_int_equal(wake != NULL, head->samples != 0);
        if (wake)
                take(wake, sizeof(*wake), 8);
}

/* Each part has a place of its own, all within the arena, slots, slices and regions on lines of their own. */
static void test_layout(void **state) {
        (void)state;

        for (size_t i = 0; i < N_SHAPES; i++) {
                ArenaHead *head = new_arena(&shapes[i]);

                assert_int_equal(arena_check(head, arena_size(&shapes[i])), 0);
                assert_int_equal(head->n_parties, shapes[i].n_workers + shapes[i].leader);
                last = (char *)(head + 1);
                for (uint32_t n = 0; n < head->n_regions; n++) {
                        assert_true(head->region_size >= shapes[i].region_size);
                        take(arena_region(head, n), head->region_size, ARENA_LINE);
                }
                for (uint32_t n = 0; n < head->n_workers; n++) {
                        ArenaSlot *slot = arena_slot(head, n);
                        take(slot, sizeof(*slot), ARENA_LINE);
                        take_record(head, slot, NULL);
                        for (uint32_t p = 0; p < head->n_phases; p++) {
                                PhaseSlice *slice = arena_slice(head, slot, p);
                                take(slice, sizeof(*slice), ARENA_LINE);
                                take_record(head, slot, slice);
                        }
                }
                assert_true(last <= (char *)head + arena_size(&shapes[i]));
                free(head);
        }
}

/* Ten thousand workers with a slice for many phases: what nobody writes to costs nothing. */
static void test_large_and_sparse(void **state) {
        const ArenaShape shape = { .n_workers = 10000,
                                   .cpu_words = 4,
                                   .samples = SAMPLE_WAKE_LATENCY,
                                   .n_phases = ARENA_PHASES,
                                   .n_nodes = 2 };
        size_t size = arena_size(&shape);
        int fd = memfd_create("arena", MFD_CLOEXEC);
        (void)state;

        assert_true(size > (size_t)UINT32_MAX);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        ArenaHead *head = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(head != MAP_FAILED);
        arena_init(head, &shape);
        assert_int_equal(arena_check(head, size), 0);
        ArenaSlot *slot = arena_slot(head, shape.n_workers - 1);
        PhaseSlice *slice = arena_slice(head, slot, ARENA_PHASES - 1);
        Histogram *wake = arena_histogram(head, slot, slice, SAMPLE_WAKE_LATENCY);
        slice->phase = 1;
        histogram_record(wake, UINT64_MAX); /* the last bucket, at the very end */
        assert_in_range((char *)(wake + 1) - (char *)head, size - ARENA_LINE + 1, size);
        munmap(head, size);
        close(fd);
}

/* ---- heads that lie ---- */

static void test_check_refuses_what_does_not_fit(void **state) {
        (void)state;

        for (size_t i = 0; i < N_SHAPES; i++) {
                size_t size = arena_size(&shapes[i]);
                ArenaHead *head = new_arena(&shapes[i]);
                assert_int_equal(arena_check(head, size - 1), -EBADMSG);
                assert_int_equal(arena_check(head, sizeof(*head) - 1), -EBADMSG);
                assert_int_equal(arena_check(head, 0), -EBADMSG);
                assert_int_equal(arena_check(head, size), 0);
                free(head);
        }
}

/* Each number of the head that says where something is, made wrong in every way: what still passes must lie
 * within the arena. */
static void test_check_refuses_every_wrong_number(void **state) {
        static const size_t fields[] = {
                offsetof(ArenaHead, magic),        offsetof(ArenaHead, n_workers),
                offsetof(ArenaHead, slot_size),    offsetof(ArenaHead, cpu_words),
                offsetof(ArenaHead, n_histograms), offsetof(ArenaHead, samples),
                offsetof(ArenaHead, n_phases),     offsetof(ArenaHead, n_nodes),
                offsetof(ArenaHead, n_regions),    offsetof(ArenaHead, region_size),
                offsetof(ArenaHead, n_parties),
        };
        (void)state;

        for (size_t i = 0; i < N_SHAPES; i++) {
                size_t size = arena_size(&shapes[i]);
                ArenaHead *head = new_arena(&shapes[i]);
                for (size_t f = 0; f < sizeof(fields) / sizeof(*fields); f++) {
                        uint32_t *field = (uint32_t *)((char *)head + fields[f]), right = *field;
                        for (unsigned bit = 0; bit < 32; bit++) {
                                *field = right ^ (UINT32_C(1) << bit);
                                if (arena_check(head, size) < 0)
                                        continue;
                                /* A word of 8 bytes may hide in the rest of a line, and a leader may come
                                 * or go. */
                                last = (char *)arena_slot(head, head->n_workers);
                                assert_true(last <= (char *)head + size);
                                assert_true(fields[f] == offsetof(ArenaHead, cpu_words) ||
                                            fields[f] == offsetof(ArenaHead, n_nodes) ||
                                            fields[f] == offsetof(ArenaHead, n_parties));
                        }
                        *field = UINT32_MAX;
                        assert_int_equal(arena_check(head, size), -EBADMSG);
                        *field = right;
                }
                assert_int_equal(arena_check(head, size), 0);
                free(head);
        }
}

static void test_shapes_that_cannot_be(void **state) {
        static const ArenaShape large[] = {
                { .n_workers = UINT32_MAX, .cpu_words = UINT32_MAX, .n_nodes = UINT32_MAX },
                { .n_workers = 1, .cpu_words = 1, .n_phases = UINT32_MAX },
                { .n_workers = 1, .cpu_words = UINT32_MAX, .n_phases = UINT32_MAX },
                { .n_workers = 1, .cpu_words = UINT32_MAX / 8 },
                { .n_workers = 1, .cpu_words = 1, .n_regions = 1, .region_size = UINT32_MAX },
                { .n_workers = 1, .cpu_words = 1, .n_regions = 1 }, /* regions of nothing */
                { .n_workers = UINT32_MAX, .cpu_words = 1, .leader = true },
                { .n_workers = UINT32_MAX,
                  .cpu_words = 400000000,
                  .n_regions = UINT32_MAX,
                  .region_size = UINT32_MAX - ARENA_LINE },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++)
                assert_int_equal(arena_size(&large[i]), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout),
                cmocka_unit_test(test_large_and_sparse),
                cmocka_unit_test(test_check_refuses_what_does_not_fit),
                cmocka_unit_test(test_check_refuses_every_wrong_number),
                cmocka_unit_test(test_shapes_that_cannot_be),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
