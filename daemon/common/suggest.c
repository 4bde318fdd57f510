/* SPDX-License-Identifier: GPL-2.0-only */
#include "suggest.h"

#include <stdbool.h>
#include <string.h>

static char folded(char c) {
        return c == '-' ? '_' : g_ascii_tolower(c);
}

/* How many letters have to be inserted, removed, replaced or swapped with their neighbour (optimal string
 * alignment). Rows of the usual table, of which only the last three are kept. */
static size_t distance(const char *a, const char *b) {
        size_t n = strlen(b);
        g_autofree size_t *rows = g_new0(size_t, 3 * (n + 1));
        size_t *before = rows, *last = before + n + 1, *row = last + n + 1, *spare;

        for (size_t j = 0; j <= n; j++)
                last[j] = j;
        for (size_t i = 0; a[i]; i++) {
                row[0] = i + 1;
                for (size_t j = 0; j < n; j++) {
                        bool same = folded(a[i]) == folded(b[j]);
                        bool swapped = i > 0 && j > 0 && folded(a[i]) == folded(b[j - 1]) &&
                                       folded(a[i - 1]) == folded(b[j]);
                        row[j + 1] = MIN(last[j] + !same, MIN(last[j + 1], row[j]) + 1);
                        if (swapped)
                                row[j + 1] = MIN(row[j + 1], before[j - 1] + 1);
                }
                spare = before;
                before = last;
                last = row;
                row = spare;
        }
        return last[n];
}

const char *suggest_name(const char *name, const char *(*nth)(size_t i, const void *context), size_t n,
                         const void *context) {
        size_t length = strlen(name), best = length / 3 + 1;
        const char *found = NULL;

        if (length > 64) /* nobody meant that; and it keeps a hostile caller from costing time */
                return NULL;
        for (size_t i = 0; i < n; i++) {
                const char *candidate = nth(i, context);
                size_t d = distance(name, candidate);
                if (d < best && d < strlen(candidate)) {
                        best = d;
                        found = candidate;
                }
        }
        return found;
}

static const char *nth_of_list(size_t i, const void *context) {
        return ((const char *const *)context)[i];
}

const char *suggest_from(const char *name, const char *const *names) {
        return suggest_name(name, nth_of_list, g_strv_length((gchar **)names), names);
}
