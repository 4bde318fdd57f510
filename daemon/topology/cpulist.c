/* SPDX-License-Identifier: GPL-2.0-only */
#include "cpulist.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "spec-text.h"

hwloc_bitmap_t bitmap_new(void) {
        hwloc_bitmap_t set = hwloc_bitmap_alloc();

        if (!set)
                g_error("out of memory for a CPU set");
        return set;
}

hwloc_bitmap_t bitmap_copy(hwloc_const_bitmap_t set) {
        hwloc_bitmap_t copy;

        if (!set)
                return NULL;
        copy = hwloc_bitmap_dup(set);
        if (!copy)
                g_error("out of memory for a CPU set");
        return copy;
}

unsigned bitmap_size(hwloc_const_bitmap_t set) {
        int weight = hwloc_bitmap_weight(set);

        g_assert(weight >= 0); /* -1 is hwloc's infinite set, which nothing here makes */
        return weight;
}

static bool refuse(GError **error, const char *text, const char *part, const char *reason) {
        g_autofree char *whole = spec_excerpt(text), *piece = spec_excerpt(part);

        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "'%s' is not a list of numbers: '%s' %s; a list is numbers and ascending ranges up to %d "
                    "without blanks inside, such as 0-3,5",
                    whole, piece, reason, CPULIST_MAX);
        return false;
}

static bool add_part(hwloc_bitmap_t set, const char *text, const char *part, GError **error) {
        const char *dash = strchr(part, '-');
        guint64 first, last;

        if (!spec_parse_number(part, dash ? (size_t)(dash - part) : strlen(part), &first))
                return refuse(error, text, part, "is neither a number nor a range");
        last = first;
        if (dash && !spec_parse_number(dash + 1, strlen(dash + 1), &last))
                return refuse(error, text, part, "is neither a number nor a range");
        if (MAX(first, last) > CPULIST_MAX)
                return refuse(error, text, part, "is above the highest number allowed");
        if (first > last)
                return refuse(error, text, part, "is a reversed range, the lower number goes first");

        hwloc_bitmap_set_range(set, first, last);
        return true;
}

bool cpulist_parse(const char *text, hwloc_bitmap_t ret, GError **error) {
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);
        g_auto(hwloc_bitmap_t) set = bitmap_new();

        for (size_t i = 0; parts[i]; i++) {
                const char *part = g_strstrip(parts[i]);
                if (*part && !add_part(set, text, part, error))
                        return false;
        }
        hwloc_bitmap_copy(ret, set);
        return true;
}

char *cpulist_format(hwloc_const_bitmap_t set) {
        char *text, *copy;

        if (hwloc_bitmap_list_asprintf(&text, set) < 0)
                g_error("out of memory for a CPU list");
        copy = g_strdup(text);
        free(text);
        return copy;
}

char *cpulist_excerpt(hwloc_const_bitmap_t set) {
        g_autofree char *text = cpulist_format(set);
        return spec_excerpt(text);
}
