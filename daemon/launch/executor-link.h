/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "wire/protocol.h"
#include "wire/arena.h"

/* The daemon's end of an executor's socket: sends plans, hands on what comes back, never blocks. */
typedef struct ExecutorLink ExecutorLink;

typedef struct ExecutorLinkEvents {
        void (*hello)(void *userdata, const WireHello *hello);
        /* The receiver owns the mapping. */
        void (*group)(void *userdata, uint32_t group_id, const ArenaHead *arena, size_t size);
        void (*worker_exit)(void *userdata, const WireExit *exit);
        void (*note)(void *userdata, const WireNote *note);
        /* The receiver owns the read ends of its stdout and stderr. */
        void (*payload)(void *userdata, const WirePayload *payload, const int pipes[2]);
        void (*payload_exit)(void *userdata, const WirePayloadExit *exit);
        void (*done)(void *userdata, const WireDone *done);
        void (*inspected)(void *userdata, const WireInspected *answer);
        /* The socket is closed or speaks nonsense; nothing more will come. May free the link. */
        void (*lost)(void *userdata, const char *why);
} ExecutorLinkEvents;

/* Takes the fd. */
ExecutorLink *executor_link_new(sd_event *event, int fd, const ExecutorLinkEvents *events, void *userdata,
                                GError **error);
/* Closes the socket: the executor removes everything it made and exits. */
void executor_link_free(ExecutorLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExecutorLink, executor_link_free)

/* `plan` is a WirePlan. */
int executor_link_submit(ExecutorLink *link, uint32_t serial, const GByteArray *plan);

/* Answered between plans. */
int executor_link_inspect(ExecutorLink *link, const WireInspect *request);

/* Where the executor is: false before it said hello. */
bool executor_link_progress(const ExecutorLink *link, uint32_t *ret_action, uint64_t *ret_beat);
