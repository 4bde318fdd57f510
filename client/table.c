/* SPDX-License-Identifier: GPL-2.0-only */
#include "table.h"

#include "members.h"

typedef struct libscols_table ScolsTable;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ScolsTable, scols_unref_table)

typedef struct Walk {
        const Table *table;
        ScolsTable *scols;
        bool *filled;                       /* by column: some row has a value */
        JsonNode *elements[TABLE_DEPTH_MAX]; /* the element we are in, at each depth */
        bool shown[TABLE_DEPTH_MAX];        /* it has had its first row */
} Walk;

static void *check_memory(void *p) {
        if (!p)
                g_error("out of memory");
        return p;
}

static char *cell_of(JsonNode *element, const Column *column) {
        JsonNode *node = column->key[0] ? member_at(node_object(element), column->key) : element;

        return column->format(node);
}

static void add_row(Walk *w, unsigned depth) {
        struct libscols_line *line = check_memory(scols_table_new_line(w->scols, NULL));

        for (size_t i = 0; i < w->table->n_columns; i++) {
                const Column *column = &w->table->columns[i];
                char *cell;

                if (column->depth > depth || w->shown[column->depth])
                        continue;
                cell = cell_of(w->elements[column->depth], column);
                if (!cell)
                        continue;
                w->filled[i] = true;
                scols_line_refer_data(line, i, cell); /* takes it */
        }
        for (unsigned i = 0; i <= depth; i++)
                w->shown[i] = true;
}

static void add_elements(Walk *w, unsigned depth, JsonArray *elements) {
        for (guint i = 0; i < array_length(elements); i++) {
                JsonNode *element = json_array_get_element(elements, i);
                const char *list = depth + 1 < TABLE_DEPTH_MAX ? w->table->lists[depth + 1] : NULL;
                JsonArray *inner = list ? member_array(node_object(element), list) : NULL;

                w->elements[depth] = element;
                w->shown[depth] = false;
                if (array_length(inner) > 0)
                        add_elements(w, depth + 1, inner);
                else
                        add_row(w, depth);
        }
}

/* Backwards, so that the indices of those still to come hold. */
static void remove_empty_columns(Walk *w) {
        for (size_t i = w->table->n_columns; i-- > 0;)
                if (w->table->columns[i].optional && !w->filled[i])
                        scols_table_remove_column(w->scols, scols_table_get_column(w->scols, i));
}

void table_print(FILE *out, const Table *table, JsonArray *elements) {
        g_autoptr(ScolsTable) scols = check_memory(scols_new_table());
        g_autofree bool *filled = g_new0(bool, table->n_columns);
        Walk walk = { .table = table, .scols = scols, .filled = filled };

        scols_table_set_stream(scols, out);
        scols_table_enable_noheadings(scols, !table->headings);
        scols_table_set_column_separator(scols, "  ");
        for (size_t i = 0; i < table->n_columns; i++)
                check_memory(scols_table_new_column(scols, table->columns[i].heading, 0, table->columns[i].flags));
        add_elements(&walk, 0, elements);
        remove_empty_columns(&walk);
        scols_print_table(scols);
}
