/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <systemd/sd-bus.h>

#include "dbus/bus-json.h"
#include "common/cleanup.h"

/* Messages without a bus: a connection that nobody answers is enough to make them. */
sd_bus_message *message_new(void);
/* From writing to reading. */
void message_seal(sd_bus_message *m);
