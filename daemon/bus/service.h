/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <systemd/sd-bus.h>

#include "config.h"
#include "run/runner.h"

/* The daemon as the bus sees it: the manager object and the scenarios. One for the process; owns everything
 * that outlives a call. */
typedef struct Service Service;
typedef struct ScenarioObject ScenarioObject;

struct Service {
        sd_event *event;
        sd_bus *bus;
        const Config *config;
        Launcher *root;
        Topology *topology;
        PayloadSet *payloads;
        RunnerConfig runner_config;
        unsigned quirks;      /* WireQuirk bits, as the last executor told */
        GPtrArray *scenarios; /* of ScenarioObject */

        sd_bus_slot *manager_slot;
        sd_event_source *idle_timer;
        const char *status; /* as systemd was last told */
        bool stopping;      /* told to end: exit as soon as nothing is left */
        bool releasing;     /* about to end for idleness, the bus name is being given back */
};

/* Takes root and topology; bus and config stay the caller's. */
Service *service_new(sd_bus *bus, const Config *config, Launcher *root, Topology *topology, GError **error);
void service_free(Service *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Service, service_free)

/* Tears everything down, then leaves the event loop. */
void service_stop(Service *s);
/* Reads the payload files anew; the journal names the broken ones. */
void service_load_payloads(Service *s);
/* Something happened: idleness counts from now. */
void service_touch(Service *s);

/* ---- between the files of this room ---- */

int manager_object_add(Service *s);
/* KernelQuirks may have changed. */
void manager_set_quirks(Service *s, unsigned quirks);

ScenarioObject *scenario_object_new(Service *s, const char *name, GError **error);
void scenario_object_free(ScenarioObject *o);
const char *scenario_object_name(const ScenarioObject *o);
const char *scenario_object_path(const ScenarioObject *o);
bool scenario_object_is_idle(const ScenarioObject *o);  /* nothing under way */
bool scenario_object_is_empty(const ScenarioObject *o); /* and nothing there */
void scenario_object_shut_down(ScenarioObject *o);
