/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

/* The name among `n` candidates that `name` was most likely meant to be: equal but for case, dashes and
 * underscores, or at most a third of its letters away. NULL when nothing is near. `nth` returns candidate i.
 */
const char *suggest_name(const char *name, const char *(*nth)(size_t i, const void *context), size_t n,
                         const void *context);

/* The same for a NULL-terminated list. */
const char *suggest_from(const char *name, const char *const *names);
