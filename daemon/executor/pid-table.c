/* SPDX-License-Identifier: GPL-2.0-only */
#include "pid-table.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "children.h"
#include "memory.h"

enum { BITS_MIN = 8, CHILDREN_MAX = 1 << 25 /* pids end at 2^22 (PID_MAX_LIMIT, linux/threads.h) */ };

static size_t table_size(uint32_t bits) {
        return sizeof(PidTable) + (sizeof(Child *) << bits);
}

static uint32_t next_place(const PidTable *table, uint32_t place) {
        return (place + 1) & ((UINT32_C(1) << table->bits) - 1);
}

/* Fibonacci hashing: pids come in rows, and rows from different times must not lie on top of each other. */
static uint32_t home_of(const PidTable *table, pid_t pid) {
        return (uint32_t)pid * UINT32_C(2654435769) >> (32 - table->bits);
}

/* Where it is, or the gap where it would be. */
static uint32_t place_of(const PidTable *table, pid_t pid) {
        uint32_t place = home_of(table, pid);

        while (table->places[place] && table->places[place]->pid != pid)
                place = next_place(table, place);
        return place;
}

static PidTable *table_new(uint32_t bits) {
        PidTable *table = memory_new_unforked(table_size(bits));

        if (table)
                table->bits = bits;
        return table;
}

int pid_table_reserve(PidTable **table, uint32_t more) {
        PidTable *old = *table;
        uint64_t wanted = (uint64_t)(old ? old->used : 0) + more;
        uint32_t bits = old ? old->bits : BITS_MIN;

        if (wanted > CHILDREN_MAX)
                return -ENOMEM;
        while (wanted > UINT64_C(1) << (bits - 1)) /* half of the places stay free */
                bits++;
        if (old && bits == old->bits)
                return 0;
        PidTable *grown = table_new(bits);
        if (!grown)
                return -ENOMEM;
        for (size_t i = 0; old && i < (size_t)1 << old->bits; i++)
                if (old->places[i])
                        pid_table_add(grown, old->places[i]);
        pid_table_free(old);
        *table = grown;
        return 0;
}

void pid_table_free(PidTable *table) {
        if (table)
                munmap(table, table_size(table->bits));
}

void pid_table_add(PidTable *table, Child *child) {
        table->places[place_of(table, child->pid)] = child;
        table->used++;
}

/* Whoever stands between its home and here may have been pushed on by what is in `hole`. */
static bool may_move(const PidTable *table, uint32_t from, uint32_t hole) {
        uint32_t mask = (UINT32_C(1) << table->bits) - 1;
        uint32_t home = home_of(table, table->places[from]->pid);

        return ((from - home) & mask) >= ((from - hole) & mask);
}

void pid_table_remove(PidTable *table, const Child *child) {
        uint32_t hole = place_of(table, child->pid);

        /* A search ends at the first gap, so the row behind closes up. */
        for (uint32_t i = next_place(table, hole); table->places[i]; i = next_place(table, i))
                if (may_move(table, i, hole)) {
                        table->places[hole] = table->places[i];
                        hole = i;
                }
        table->places[hole] = NULL;
        table->used--;
}

Child *pid_table_find(const PidTable *table, pid_t pid) {
        return table ? table->places[place_of(table, pid)] : NULL;
}
