/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <systemd/sd-bus.h>

/* The next argument of a call as a value tree. A message that has no such form is the caller's error, told
 * with the place below `name`. */
JsonNode *bus_argument_read(sd_bus_message *call, const char *name, GError **error);
