/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "launch/executor-link.h"
#include "runner.h"

/* Between the files that make up the runner. */

typedef enum LinkState {
        LINK_DOWN,     /* no executor */
        LINK_STARTING, /* started, has not said hello */
        LINK_UP,
        LINK_CLOSING, /* let go or lost; what it made is being removed */
} LinkState;

struct Runner {
        const RunnerConfig *config;
        Scenario *scenario;
        const RunnerEvents *events;
        void *userdata;

        GQueue waiting;     /* of Operation */
        Operation *current; /* planned, and being carried out or about to be */
        uint32_t serial;
        bool shutting_down;
        bool advancing; /* advance() is on the stack */

        LinkState link_state;
        ExecutorLink *link;
        char *root; /* as the executor said; NULL while there is none */

        StallMonitor *monitor;
        PayloadRuns *payloads;
        unsigned finishing; /* payloads that `current` has ended, on the way to their records */

        sd_event_source *watch; /* timer that looks for progress of `current` */
        uint32_t watched_action;
        uint64_t watched_beat, watched_since;
};

/* ---- runner.c ---- */

/* Everything of the operation at hand is carried out. */
void runner_finish_payloads(Runner *r);
/* Takes the error. */
void runner_fail_current(Runner *r, GError *error);

/* ---- runner-messages.c ---- */

/* NULL: not one of the operation at hand. */
PlanAction *runner_action_at(const Runner *r, uint32_t serial, uint32_t index);
/* Of ExecutorLinkEvents; userdata is the runner. */
void runner_on_group(void *userdata, uint32_t id, const ArenaHead *arena, size_t size);
void runner_on_worker_exit(void *userdata, const WireExit *e);
void runner_on_payload(void *userdata, const WirePayload *m, const int pipes[PAYLOAD_STREAMS]);
void runner_on_payload_exit(void *userdata, const WirePayloadExit *e);
void runner_on_note(void *userdata, const WireNote *note);
void runner_on_done(void *userdata, const WireDone *done);
void runner_on_inspected(void *userdata, const WireInspected *answer);
