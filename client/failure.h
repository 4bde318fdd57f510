/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Exit codes of ktctl; `ktctl --help` and ktctl(1) list them. */
typedef enum KtctlExit {
        KTCTL_OK = 0,
        KTCTL_FAILED = 1,      /* the daemon refused, or the call failed on the way */
        KTCTL_USAGE = 2,       /* the command line is wrong; nothing was sent */
        KTCTL_UNREACHABLE = 3, /* no bus, or no daemon on it */
        KTCTL_INCOMPLETE = 4,  /* done, but not all of it went well: `ktctl --help` says what */
} KtctlExit;

/* Prints a failure to stderr and returns `code`, so that a caller can leave with it. `name` is a D-Bus error
 * name, or one plain word for failures on this side of the bus. As text, only the last part of a D-Bus name
 * is shown, in brackets; as JSON, the whole name. */
KtctlExit failure_print(bool json, KtctlExit code, const char *name, const char *format, ...)
        G_GNUC_PRINTF(4, 5);
