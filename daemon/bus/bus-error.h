/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/* Makes libsystemd map our error names to errno and back. Once, before the first message. */
void bus_error_register(void);

/* The D-Bus error name of a KT_ERROR. */
const char *bus_error_name(const GError *error);

/* Answers a method call with an error; the message is kept as it is. */
int bus_error_reply(sd_bus_message *call, const GError *error);
/* Fills a handler's ret_error and returns what the handler has to return. */
int bus_error_set(sd_bus_error *ret_error, const GError *error);
