/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <systemd/sd-bus.h>

/* D-Bus values and JSON values are one value tree: a{sv} is an object, any other array a list, a variant is
 * what it holds. Unsigned 64-bit numbers that JSON's signed integers cannot hold become decimal text. */

/* Reads the next complete value of a message. -EBADMSG for a type that has no JSON form (file descriptors,
 * structs, dictionaries with other keys) and for nesting deeper than 16 levels; -ENOTUNIQ for a dictionary
 * that has a key twice. *ret_path is then the path of the place, "works[0].nice", or NULL for the value
 * itself. */
int bus_json_read(sd_bus_message *m, JsonNode **ret, char **ret_path);

/* Appends an object as a{sv}, a list of objects as aa{sv}. */
int bus_json_append_object(sd_bus_message *m, JsonObject *object);
int bus_json_append_objects(sd_bus_message *m, JsonArray *objects);
