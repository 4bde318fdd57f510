/* SPDX-License-Identifier: GPL-2.0-only */
#include "suggest.h"

#include <string.h>

static char folded(char c) {
        return c == '-' ? '_' : g_ascii_tolower(c);
}

/* Levenshtein distance over folded letters, one row at a time. */
static size_t distance(const char *a, const char *b) {
        size_t n = strlen(b);
        g_autofree size_t *row = g_new(size_t, n + 1);

        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 0; a[i]; i++) {
                size_t diagonal = row[0];
                row[0] = i + 1;
                for (size_t j = 0; j < n; j++) {
                        size_t replaced = diagonal + (folded(a[i]) != folded(b[j]));
                        diagonal = row[j + 1];
                        row[j + 1] = MIN(replaced, MIN(row[j], row[j + 1]) + 1);
                }
        }
        return row[n];
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
