/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

/* What can go wrong, as a caller sees it. Each value is one D-Bus error name (daemon/bus/bus-error.c holds
 * the table) and one errno. Everything below the bus reports failures as a GError of this domain whose
 * message is complete: it names the place in the definition, the cgroup, the knob, the value, the rule and
 * the remedy.
 */
typedef enum {
        KT_ERROR_INVALID_DEFINITION,
        KT_ERROR_CGROUP_EXISTS,
        KT_ERROR_EMPTY_CPUSET,
        KT_ERROR_CONTROLLER_UNAVAILABLE,
        KT_ERROR_KERNEL_REFUSED,
        KT_ERROR_WORKERS_FAILED,
        KT_ERROR_LIMIT_EXCEEDED,
        KT_ERROR_TIMED_OUT,
        KT_ERROR_SHUTTING_DOWN,
        KT_ERROR_EXECUTOR_LOST,
        KT_ERROR_NO_SUCH_CGROUP,
        KT_ERROR_PAYLOAD_EXISTS,
        KT_ERROR_NO_SUCH_PAYLOAD,
        KT_ERROR_AMBIGUOUS_PAYLOAD,
        KT_ERROR_PAYLOAD_FAILED, /* it could not be started */
} KtError;

#define KT_ERROR (kt_error_quark())
GQuark kt_error_quark(void);
