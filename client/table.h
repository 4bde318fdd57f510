/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <libsmartcols.h>
#include <stdbool.h>
#include <stdio.h>

/* Tables of JSON lists whose elements may hold lists in turn: cgroups, their works, the workers of a work. A
 * row is an element that holds no further list; what the elements around it say stands only in their first
 * row. */

enum { TABLE_DEPTH_MAX = 3 };

/* NULL makes an empty cell. `node` is NULL when the key is absent. */
typedef char *(*CellFormat)(JsonNode *node);

typedef struct Column {
        const char *heading;
        unsigned depth;  /* 0: of the outermost elements */
        const char *key; /* path for member_at(), "" for the element itself */
        CellFormat format;
        int flags;                                  /* SCOLS_FL_* */
        bool optional;                              /* left out when it has no value in any row */
        const char *(*colour)(JsonObject *element); /* NULL, or a colour where colours are wanted */
} Column;

typedef struct Table {
        const Column *columns;
        size_t n_columns;
        const char
                *lists[TABLE_DEPTH_MAX]; /* keys of the list at each depth; [0] is the name of `elements` */
        bool headings;
} Table;

/* Nothing is printed when there are no elements. */
void table_print(FILE *out, const Table *table, JsonArray *elements);
