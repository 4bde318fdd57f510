/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* What the tests of daemon/topology share: machines, and checks of sets and of refusals. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "common/error.h"
#include "topology/cpulist.h"
#include "topology/topology.h"

#define ONE_LLC_4   "l3:1 core:4 pu:1"        /* usable 0-2 */
#define TWO_LLCS_8  "numa:2 l3:1 core:4 pu:1" /* LLC and node 0: 0-3, 1: 4-7; usable 0-6 */
#define ONE_NODE_8  "numa:1 l3:2 core:4 pu:1" /* the same LLCs on one node */
#define FOUR_LLC_16 "numa:2 l3:2 core:4 pu:1" /* LLCs of 4, nodes of 8 */
#define SMT_4       "numa:1 l3:1 core:2 pu:2" /* cores 0-1 and 2-3 */
#define SPARSE_8    "numa:2(indexes=0,8) l3:1 core:4 pu:1"
#define MEM_ONLY_8                                                                                           \
        "pack:2 [numa] [numa] l3:1 core:4 pu:1" /* nodes 0 and 2 have CPUs, 1 and 3 memory only              \
                                                 */
#define TWO_CPUS "numa:1 l3:1 core:2 pu:1"

static inline Topology *machine(const char *description) {
        g_autoptr(GError) error = NULL;
        Topology *t = topology_new_synthetic(description, &error);

        if (!t)
                fail_msg("%s", error->message);
        return t;
}

static inline hwloc_bitmap_t set_of(const char *list) {
        g_autoptr(GError) error = NULL;
        hwloc_bitmap_t set = bitmap_new();

        if (!cpulist_parse(list, set, &error))
                fail_msg("%s", error->message);
        return set;
}

static inline void check_set(hwloc_const_bitmap_t set, const char *expected, const char *what, int line) {
        g_autofree char *text = cpulist_format(set);

        if (strcmp(text, expected) != 0)
                fail_msg("line %d: %s is {%s}, expected {%s}", line, what, text, expected);
}
#define assert_set(set, expected) check_set((set), (expected), #set, __LINE__)

/* The call failed with `code`, and its message holds every fragment. Clears the error for the next call. */
G_GNUC_NULL_TERMINATED static inline void check_refused(GError **error, KtError code, int line, ...) {
        const char *fragment;
        va_list args;

        if (!*error)
                fail_msg("line %d: no error was reported", line);
        if (!g_error_matches(*error, KT_ERROR, code))
                fail_msg("line %d: error code %d, expected %d: %s", line, (*error)->code, code,
                         (*error)->message);
        va_start(args, line);
        while ((fragment = va_arg(args, const char *)))
                if (!strstr((*error)->message, fragment))
                        fail_msg("line %d: no '%s' in: %s", line, fragment, (*error)->message);
        va_end(args);
        g_clear_error(error);
}
#define assert_refused(error, code, ...) check_refused(&(error), code, __LINE__, __VA_ARGS__, NULL)
#define assert_invalid(error, ...)       assert_refused(error, KT_ERROR_INVALID_DEFINITION, __VA_ARGS__)
