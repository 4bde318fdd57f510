/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "work-type.h"

static const ArenaShape shapes[] = {
        { 1, 1, 0 },
        { 3, 2, SAMPLE_WAKE_LATENCY },
        { 100, 128, SAMPLE_WAKE_LATENCY },
};

static ArenaHead *new_arena(const ArenaShape *shape) {
        size_t size = arena_size(shape);
        ArenaHead *head = aligned_alloc(ARENA_LINE, size);

        assert_non_null(head);
        memset((void *)head, 0, size);
        arena_init(head, shape);
        return head;
}

/* Each part has a place of its own, all within the arena, slots on lines of their own. */
static void test_layout(void **state) {
        (void)state;

        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
                ArenaHead *head = new_arena(&shapes[i]);
                char *end = (char *)head + arena_size(&shapes[i]), *last = (char *)(head + 1);

                assert_int_equal(arena_check(head, arena_size(&shapes[i])), 0);
                for (uint32_t n = 0; n < head->n_workers; n++) {
                        ArenaSlot *slot = arena_slot(head, n);
                        char *cpus = (char *)arena_slot_cpus(head, slot);
                        Histogram *wake = arena_slot_histogram(head, slot, SAMPLE_WAKE_LATENCY);

                        assert_int_equal((uintptr_t)slot % ARENA_LINE, 0);
                        assert_true((char *)slot >= last);
                        assert_true(cpus >= (char *)(slot + 1));
                        last = cpus + head->cpu_words * sizeof(uint64_t);
                        assert_int_equal(wake != NULL, shapes[i].samples != 0);
                        if (wake) {
                                assert_true((char *)wake >= last);
                                last = (char *)(wake + 1);
                        }
                        assert_true(last <= end);
                }
                free(head);
        }
}

static void test_check_refuses_what_does_not_fit(void **state) {
        size_t size = arena_size(&shapes[1]);
        ArenaHead *head = new_arena(&shapes[1]);
        (void)state;

        assert_int_equal(arena_check(head, size - 1), -EBADMSG);
        assert_int_equal(arena_check(head, 0), -EBADMSG);
        head->n_workers++;
        assert_int_equal(arena_check(head, size), -EBADMSG);
        head->n_workers = UINT32_MAX;
        assert_int_equal(arena_check(head, size), -EBADMSG);
        head->n_workers = shapes[1].n_workers;
        head->cpu_words = UINT32_MAX;
        assert_int_equal(arena_check(head, size), -EBADMSG);
        head->cpu_words = shapes[1].cpu_words;
        head->samples = 0;
        assert_int_equal(arena_check(head, size), -EBADMSG);
        head->samples = shapes[1].samples;
        head->slot_size -= ARENA_LINE;
        assert_int_equal(arena_check(head, size), -EBADMSG);
        head->slot_size += ARENA_LINE;
        assert_int_equal(arena_check(head, size), 0);
        head->magic++;
        assert_int_equal(arena_check(head, size), -EBADMSG);
        free(head);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout),
                cmocka_unit_test(test_check_refuses_what_does_not_fit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
