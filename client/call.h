/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "failure.h"
#include "options.h"

#include "common/cleanup.h"

#include <json-glib/json-glib.h>
#include <systemd/sd-bus.h>

/* One call to the daemon on its own connection. Whatever goes wrong is printed here; what comes back is the
 * exit code to leave with. */
typedef struct Call {
        const Invocation *invocation;
        sd_bus *bus;
        sd_bus_message *request, *reply;
} Call;

void call_clear(Call *call);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Call, call_clear)

/* What a caller does without a call: an open connection, and the scenario's object. */
KtctlExit call_open_bus(const Invocation *i, sd_bus **ret);
KtctlExit call_scenario_path(const Invocation *i, char **ret);

/* Connect, and begin the request that the caller then appends to. */
KtctlExit call_begin_scenario(Call *call, const Invocation *i, const char *method);
KtctlExit call_begin_manager(Call *call, const Invocation *i, const char *method);
KtctlExit call_begin_properties(Call *call, const Invocation *i); /* all of the manager */

/* Sends the request and waits for the reply. `built` is what came of the appends, as a negative errno. */
KtctlExit call_send(Call *call, int built);

/* The next value of the reply; text that holds JSON; a file descriptor, which stays the reply's. */
KtctlExit call_read_value(Call *call, JsonNode **ret);
KtctlExit call_read_json(Call *call, JsonNode **ret);
KtctlExit call_read_fd(Call *call, int *ret);

/* A property of the object that the call went to. False when it cannot be had: a daemon of another version
 * may not have it. */
bool call_get_flag(const Call *call, const char *interface, const char *property, bool *ret);

/* Prints a failure of this side, in the form that the command line asks for. */
#define call_failure(i, code, name, ...)                                                                     \
        failure_print(invocation_has(i, OPTION_JSON), code, name, __VA_ARGS__)
