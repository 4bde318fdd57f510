/* SPDX-License-Identifier: GPL-2.0-only */
#include "bus-error.h"

#include <errno.h>

#include "common/error.h"
#include "dbus/names.h"

/* Name and errno of each KtError, in its order. */
#define ERRORS(X)                                                                                            \
        X(KT_ERROR_INVALID_DEFINITION, "InvalidDefinition", EINVAL)                                          \
        X(KT_ERROR_CGROUP_EXISTS, "CgroupExists", EEXIST)                                                    \
        X(KT_ERROR_EMPTY_CPUSET, "EmptyCpuset", EDOM)                                                        \
        X(KT_ERROR_CONTROLLER_UNAVAILABLE, "ControllerUnavailable", EOPNOTSUPP)                              \
        X(KT_ERROR_KERNEL_REFUSED, "KernelRefused", EIO)                                                     \
        X(KT_ERROR_WORKERS_FAILED, "WorkersFailed", ECHILD)                                                  \
        X(KT_ERROR_LIMIT_EXCEEDED, "LimitExceeded", EDQUOT)                                                  \
        X(KT_ERROR_TIMED_OUT, "TimedOut", ETIMEDOUT)                                                         \
        X(KT_ERROR_SHUTTING_DOWN, "ShuttingDown", ESHUTDOWN)                                                 \
        X(KT_ERROR_EXECUTOR_LOST, "ExecutorLost", ECONNRESET)                                                \
        X(KT_ERROR_NO_SUCH_CGROUP, "NoSuchCgroup", ENOENT)                                                   \
        X(KT_ERROR_PAYLOAD_EXISTS, "PayloadExists", EEXIST)                                                  \
        X(KT_ERROR_NO_SUCH_PAYLOAD, "NoSuchPayload", ESRCH)                                                  \
        X(KT_ERROR_AMBIGUOUS_PAYLOAD, "AmbiguousPayload", ENOTUNIQ)                                          \
        X(KT_ERROR_PAYLOAD_FAILED, "PayloadFailed", ENOEXEC)

#define AS_NAME(code, name, number) [code] = KT_ERROR_PREFIX name,
#define AS_MAP(code, name, number)  SD_BUS_ERROR_MAP(KT_ERROR_PREFIX name, number),

static const char *const names[] = { ERRORS(AS_NAME) };
static const sd_bus_error_map error_map[] = { ERRORS(AS_MAP) SD_BUS_ERROR_MAP_END };

void bus_error_register(void) {
        sd_bus_error_add_map(error_map);
}

const char *bus_error_name(const GError *error) {
        if (error->domain == KT_ERROR && error->code >= 0 && error->code < (int)G_N_ELEMENTS(names))
                return names[error->code];
        return SD_BUS_ERROR_FAILED;
}

int bus_error_reply(sd_bus_message *call, const GError *error) {
        return sd_bus_reply_method_errorf(call, bus_error_name(error), "%s", error->message);
}

int bus_error_set(sd_bus_error *ret_error, const GError *error) {
        return sd_bus_error_set(ret_error, bus_error_name(error), error->message);
}
