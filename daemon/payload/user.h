/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/payload.h"

/* UserFinder over /etc/passwd and /etc/group alone: a directory service could block the loop. A name counts
 * before a number. The groups are those of initgroups(3), the user's own among them; a number that no line
 * has is taken as uid and gid with no other groups. */
bool user_find(const char *user, UserIds *ret, GError **error);

/* The same over any two files of the forms of passwd(5) and group(5). One that is not there has no lines. */
bool user_find_in(const char *passwd, const char *group, const char *user, UserIds *ret, GError **error);
