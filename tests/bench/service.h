/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "bus/client.h"
#include "measure.h"

/* The real daemon on a private bus, and a client that asked for no signals: a caller who only waits for the
 * answer. */
Fixture *service_start(void);

/* From sending the request, which is unreferenced, to having the answer; it must not be an error. In
 * nanoseconds. With `ret` the answer is handed out. */
double timed_call(Fixture *f, sd_bus_message *request, sd_bus_message **ret);

/* Workers that do next to nothing and sleep until they are stopped. */
#define BENCH_WORK(count)                                                                                    \
        "{'work_type': 'Bursty', 'workers': " count                                                          \
        ", 'params': {'burst_duration': '1ns', 'sleep_duration': '3600s'}}"

/* AddCgroupDef of a cgroup "bench" with so many of them. */
sd_bus_message *add_request(Fixture *f, unsigned n_workers);
sd_bus_message *end_request(Fixture *f);
sd_bus_message *ping_request(Fixture *f);
