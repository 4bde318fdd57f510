/* SPDX-License-Identifier: GPL-2.0-only */
#include "table.h"

#include "colour.h"
#include "members.h"

#include <unistd.h>

typedef struct libscols_table ScolsTable;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ScolsTable, scols_unref_table)

typedef struct Walk {
        const Table *table;
        ScolsTable *scols;
        bool *filled;                        /* by column: some row has a value */
        JsonNode *elements[TABLE_DEPTH_MAX]; /* the element we are in, at each depth */
        bool shown[TABLE_DEPTH_MAX];         /* it has had its first row */
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

static void set_colour(struct libscols_line *line, size_t i, const Column *column, JsonNode *element) {
        const char *colour =
                column->colour && node_object(element) ? column->colour(node_object(element)) : NULL;

        if (colour)
                scols_cell_set_color(scols_line_get_cell(line, i), colour);
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
                set_colour(line, i, column, w->elements[column->depth]);
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

/* A column cannot be removed any more once there are rows. */
static void hide_empty_columns(const Walk *w) {
        for (size_t i = 0; i < w->table->n_columns; i++)
                if (w->table->columns[i].optional && !w->filled[i])
                        scols_column_set_flags(scols_table_get_column(w->scols, i), SCOLS_FL_HIDDEN);
}

/* The table as text, without the blanks that fill up the ends of lines. `force` is SCOLS_TERMFORCE_*. */
static GString *render(ScolsTable *scols, int force, size_t *ret_width) {
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        GString *result = g_string_new(NULL);

        scols_table_set_termforce(scols, force);
        if (scols_print_table_to_string(scols, &text) < 0)
                check_memory(NULL);
        lines = g_strsplit(text ?: "", "\n", -1);
        *ret_width = 0;
        for (char **line = lines; *line; line++) {
                g_strchomp(*line);
                *ret_width = MAX(*ret_width, (size_t)g_utf8_strlen(*line, -1));
                if (**line || line[1]) /* no line follows the last newline */
                        g_string_append_printf(result, "%s\n", *line);
        }
        return result;
}

/* Lists are cut to fit a terminal, names are not. And none is cut in vain: where that is not enough, lines
 * wrap whole. */
static GString *render_for(FILE *out, ScolsTable *scols) {
        int force = SCOLS_TERMFORCE_NEVER;
        size_t width;

        if (isatty(fileno(out))) {
                g_string_free(render(scols, SCOLS_TERMFORCE_ALWAYS, &width), TRUE);
                if (width <= scols_table_get_termwidth(scols))
                        force = SCOLS_TERMFORCE_ALWAYS;
        }
        scols_table_enable_colors(scols, colour_wanted(out)); /* from here on: they have no width */
        return render(scols, force, &width);
}

void table_print(FILE *out, const Table *table, JsonArray *elements) {
        g_autoptr(ScolsTable) scols = check_memory(scols_new_table());
        g_autofree bool *filled = g_new0(bool, table->n_columns);
        g_autoptr(GString) text = NULL;
        Walk walk = { .table = table, .scols = scols, .filled = filled };

        scols_table_enable_noheadings(scols, !table->headings);
        scols_table_set_column_separator(scols, "  ");
        for (size_t i = 0; i < table->n_columns; i++)
                check_memory(
                        scols_table_new_column(scols, table->columns[i].heading, 0, table->columns[i].flags));
        add_elements(&walk, 0, elements);
        hide_empty_columns(&walk);
        if (scols_table_is_empty(scols))
                return;
        text = render_for(out, scols);
        fputs(text->str, out);
}
