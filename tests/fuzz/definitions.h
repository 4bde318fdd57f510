/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/decode.h"
#include "outcome.h"

/* What both doors lead to: definitions are planned on a machine, twice (the second time everything exists
 * already), encoded, looked at by the executor, shown as a dry run, entered in the books and taken down
 * again. */
void check_definitions(const GPtrArray *defs, const Topology *machine);

/* What decoding a list of definitions came to. A refusal begins with a place below `origin`. */
void check_decoded(const GPtrArray *defs, const char *origin, GError **error);
