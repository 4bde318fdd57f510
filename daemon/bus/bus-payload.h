/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <systemd/sd-bus.h>

/* The methods of the Scenario interface that speak of payloads. */
int bus_run_payload(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int bus_wait_payload(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int bus_kill_payload(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int bus_get_payload_output(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
