/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* The cgroups below one of ours that are not in the ledger: what lives there has made them, or somebody by
 * hand. What is in the ledger is left out, with all below it. */

/* Calls `visit` for each, parents before children; -ETIMEDOUT when that takes too long. */
typedef int (*SubtreeVisit)(void *context, const char *path);
int subtree_visit(Executor *e, const char *path, uint64_t deadline, SubtreeVisit visit, void *context);

/* Removes those in which nobody is. `settle`: who is still there is on the way out, and waited for. */
int subtree_remove(Executor *e, const char *path, uint64_t deadline, bool settle);
