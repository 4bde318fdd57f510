/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* A cgroup name is a path below its scenario, with one spelling only: components joined by single slashes.
 * The error says which rule is broken, and which component breaks it. */
bool cgroup_name_check(const char *name, GError **error);

/* "a/b" for "a/b/c"; NULL for a name of one component. */
char *cgroup_name_parent(const char *name);
