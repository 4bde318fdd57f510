/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/payload.h"

/* UserFinder over /etc/passwd and /etc/group alone: a directory service could block the loop. A number that
 * no line has is taken as uid and gid with no other groups. */
bool user_find(const char *user, UserIds *ret, GError **error);
