/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "call.h"

/* Standard output gets what a payload has printed, and then what it prints, until the daemon seals the
 * stream, or leaves, or nobody reads on. It begins before the call is sent, so that the daemon's end is not
 * missed. */
typedef struct Follow Follow;
KtctlExit follow_begin(Call *call, Follow **ret);
/* `changes` is an eventfd that is written to after every change of `from`. */
KtctlExit follow_run(Follow *f, int from, int changes);
void follow_free(Follow *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Follow, follow_free)
