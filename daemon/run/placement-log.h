/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

#include "model/scenario.h"

/* Which processes were put where: a line in a file that only grows, and an entry in the journal, for each
 * group that was born. Best effort: what cannot be written is lost, and no call fails for it. */

/* "TIME SCENARIO apply_setup: spawned non-pcomm workers cgroup="a" count=2 pids=[11, 12]", without the
 * newline; a container shows its pcomm and its leader alone. `now_us`: CLOCK_REALTIME. */
char *placement_log_line(const char *scenario, const GroupState *group, gint64 now_us);

/* `path` may be NULL: the journal alone. */
void placement_log_group(const char *path, const char *scenario, const GroupState *group);
