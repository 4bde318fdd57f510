/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/scenario.h"
#include "stall-window.h"

/* Progress of a payload: of any thread of any of its processes. It has no shared counter. */

/* What it has used, by numbers that cost one file. */
typedef struct PayloadUse {
        uint64_t used;
        bool known;
} PayloadUse;

/* True when it has used CPU time since the last look: of its own cgroup, or of the leader's process. */
bool stall_payload_moved(const PayloadState *p, const char *root, PayloadUse *use);
/* The sum over all its threads, as far as they can be read: 0 or a negative errno when not even the leader
 * can. */
int stall_payload_sample(const PayloadState *p, const char *root, StallSample *ret);
