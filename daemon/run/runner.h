/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "launch/launcher.h"
#include "operation.h"
#include "payload/payload-run.h"
#include "stall/stall-monitor.h"

/* Runs one scenario: takes operations in order of arrival, one at a time, and keeps the executor that carries
 * them out. The executor lives as long as the scenario has something; when the books are empty after an
 * operation it is let go first and the answer given after, so that a caller who was told "gone" finds
 * nothing. */
typedef struct Runner Runner;

typedef struct RunnerConfig {
        sd_event *event;
        Launcher *root;
        const Topology *topology;
        PlanLimits limits;
        unsigned workers_per_cgroup;
        unsigned stop_ms, settle_ms;
        const char *placement_log;  /* NULL: the journal alone */
        const PayloadSet *payloads; /* may be another with each call */
        UserFinder find_user;
        uint64_t output_limit; /* bytes kept of each stream of a payload */
        unsigned stall_poll_ms, stall_window;
} RunnerConfig;

typedef struct RunnerEvents {
        void (*cgroup_added)(void *userdata, const char *name, const char *path);
        void (*cgroup_removed)(void *userdata, const char *name, const char *path);
        void (*worker_exited)(void *userdata, const char *cgroup, int pid, JsonObject *info);
        void (*payload_exited)(void *userdata, const PayloadState *payload, JsonObject *info);
        void (*stall_detected)(void *userdata, const char *cgroup, int pid, const char *class,
                               JsonObject *record);
        void (*step_ended)(void *userdata, unsigned step_index, JsonObject *summary);
        void (*quirks_found)(void *userdata, unsigned quirks);
        /* The books changed, or the runner became busy or idle. */
        void (*changed)(void *userdata);
} RunnerEvents;

/* Configuration, events and scenario stay the caller's and must outlive the runner. */
Runner *runner_new(const RunnerConfig *config, Scenario *scenario, const RunnerEvents *events,
                   void *userdata);
/* Lets the executor go without waiting for it. */
void runner_free(Runner *runner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Runner, runner_free)

/* Takes the operation. */
void runner_submit(Runner *runner, Operation *op);
/* Answers everything that waits, and everything that comes, with KT_ERROR_SHUTTING_DOWN, and tears the
 * scenario down; runner_is_idle() tells when that is done. */
void runner_shut_down(Runner *runner);

/* For the payloads in the books: waiting for one, and looking at its output, is no operation. */
PayloadRuns *runner_payloads(const Runner *runner);
const StallMonitor *runner_stall_monitor(const Runner *runner);

/* No operation, no executor. */
bool runner_is_idle(const Runner *runner);
/* The directory of the scenario; g_free() it. */
char *runner_root(const Runner *runner);
