/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <hwloc.h>
#include <stdbool.h>

/* hwloc's bitmap is the one set type for CPUs and for memory nodes. These add what glib code expects of it:
 * cleanup on scope exit, and allocation that never returns NULL. */
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(hwloc_bitmap_t, hwloc_bitmap_free, NULL)
hwloc_bitmap_t bitmap_new(void);
hwloc_bitmap_t bitmap_copy(hwloc_const_bitmap_t set); /* NULL gives NULL */
unsigned bitmap_size(hwloc_const_bitmap_t set);

/* Far above any kernel's NR_CPUS (8192) and MAX_NUMNODES (1024); keeps "4000000000" from costing memory. */
enum { CPULIST_MAX = 65535 };

/* The kernel's list format, "0-3,5": blanks around parts and empty parts are accepted, everything else that
 * is not a number or an ascending range is an error. An empty text is the empty set. */
bool cpulist_parse(const char *text, hwloc_bitmap_t ret, GError **error);

/* The shortest such text, "" for the empty set; g_free() it. */
char *cpulist_format(hwloc_const_bitmap_t set);
/* The same as it may stand in a message, cut like spec_excerpt(): a caller's list may be very long. */
char *cpulist_excerpt(hwloc_const_bitmap_t set);
