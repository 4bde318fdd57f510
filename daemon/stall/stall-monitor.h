/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <systemd/sd-event.h>

#include "model/scenario.h"
#include "stall-report.h"

/* Watches every live worker and payload of one scenario, on a timer of the loop: from its start, when a step
 * has got its first workers, to the last look, when the step ends. Follows the books as they are at each
 * tick. A tick never keeps the loop for long: what is left of it is done in further turns. */
typedef struct StallMonitor StallMonitor;

typedef struct StallMonitorEvents {
        /* False: there is no executor that could be asked. */
        bool (*inspect)(void *userdata, const WireInspect *request);
        /* Borrowed. */
        void (*detected)(void *userdata, const StallReport *report);
} StallMonitorEvents;

/* All but the events is the caller's and must outlive the monitor. */
StallMonitor *stall_monitor_new(sd_event *event, const Scenario *scenario, const StallMonitorEvents *events,
                                void *userdata);
void stall_monitor_free(StallMonitor *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StallMonitor, stall_monitor_free)

/* root: the directory of the scenario's root; window: how many samples without progress are a stall. Nothing
 * happens when it runs already. 0 or a negative errno. */
int stall_monitor_start(StallMonitor *m, const char *root, unsigned period_ms, unsigned window);
bool stall_monitor_is_active(const StallMonitor *m);
unsigned stall_monitor_period_ms(const StallMonitor *m);
/* Since the start. */
uint64_t stall_monitor_ticks(const StallMonitor *m);

/* The answer to `inspect`. */
void stall_monitor_inspected(StallMonitor *m, const WireInspected *answer);

/* Looks once more at all, tells what is still under way, stops, and calls `done`; not from inside. */
typedef void (*StallMonitorDone)(void *userdata);
void stall_monitor_last_look(StallMonitor *m, StallMonitorDone done, void *userdata);
/* At once, and nothing more is told; `done` of a last look is not called. */
void stall_monitor_stop(StallMonitor *m);
