/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "service.h"

/* Between the files that make up the Scenario interface. */

struct ScenarioObject {
        Service *service;
        Scenario *scenario;
        Runner *runner;
        char *path;
        sd_bus_slot *slot;
        sd_event_source
                *announce; /* PropertiesChanged goes out once a turn of the loop, however much happened */
};

/* What of an operation becomes the body of its answer. */
typedef int (*AppendAnswer)(sd_bus_message *reply, const Operation *op);

/* For a call that is answered when its operation is done. */
Operation *bus_operation_new(sd_bus_message *call, OperationKind kind, AppendAnswer append);
int bus_append_first_result(sd_bus_message *reply, const Operation *op);
/* The set-up options that come next in the call. */
bool bus_read_apply_options(sd_bus_message *call, ApplyOptions *ret, GError **error);
