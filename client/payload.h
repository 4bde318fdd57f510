/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "options.h"

/* What a command line says of payloads, in the words of the bus. NULL with a G_OPTION_ERROR for a mistake. */

/* RunPayload's request: a payload that a file defines, with arguments for it; or the command, with the
 * options of a definition. */
JsonObject *payload_request(const Invocation *i, GError **error);

/* The definition that the command is. */
JsonObject *payload_of_command(const Invocation *i, GError **error);

/* The options of the calls that speak of one payload: which it is, and how long to wait. */
JsonObject *payload_options(const Invocation *i);
