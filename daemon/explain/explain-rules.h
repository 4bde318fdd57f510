/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

#include "wire/protocol.h"

/* What an errno means where it came up: whose rule it is, and the remedy. First matching row wins. */
typedef struct Rule {
        int error;
        const char *what; /* knob file, name of the set-up step, ...; NULL: any */
        const char *text;
} Rule;

/* NULL when no row matches. `what` may be NULL. */
const char *rule_find(const Rule *rules, size_t n, int error, const char *what);

/* "ENOENT (No such file or directory)" */
void explain_errno(GString *text, int error);
/* ": rule"; nothing for NULL. */
void explain_rule(GString *text, const char *rule);
/* " was killed by signal 9 (KILL) before it was ready; ..." of a worker or a payload's leader. */
void explain_early_end(GString *text, const WireFailure *f);
