/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the executor makes of these bytes as a plan: true when it would carry them out. `ret_reason` may be
 * NULL. Apart from the planner's tests, because both ends call their own form of a plan `Plan`. */
bool plan_check(const void *bytes, size_t size, char *ret_reason, size_t reason_size);
