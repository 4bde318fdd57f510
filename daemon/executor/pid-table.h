/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdint.h>
#include <sys/types.h>

typedef struct Child Child;

/* The live children by pid: a hash table with open addressing, in memory that a fork leaves out. */
typedef struct PidTable {
        uint32_t used;
        uint32_t bits; /* 2^bits places */
        Child *places[];
} PidTable;

/* Makes room for `more` children, *table may be NULL: 0 or -ENOMEM. Before the forks, so that no child can be
 * born that finds no place. */
int pid_table_reserve(PidTable **table, uint32_t more);
void pid_table_free(PidTable *table);

/* There must be room. */
void pid_table_add(PidTable *table, Child *child);
/* It must be there. */
void pid_table_remove(PidTable *table, const Child *child);
/* NULL: not there. */
Child *pid_table_find(const PidTable *table, pid_t pid);
