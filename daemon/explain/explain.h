/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

#include "plan/plan.h"

/* From the facts of a failed action to what a caller can use: the place in the definition, the cgroup, what
 * was tried with which value, the errno, the kernel's rule behind it, and what to do. */
GError *explain_failure(const PlanAction *action, const char *root, const WireFailure *failure);
