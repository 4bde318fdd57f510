/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <systemd/sd-event.h>

#include "model/scenario.h"
#include "payload-result.h"

/* Drains what a payload prints, all the time, so that it never waits for a reader: the first `limit` bytes of
 * each stream into a memfd, the rest is counted and dropped. */
typedef struct Capture Capture;

/* Both streams have ended: nobody holds their other ends any more, or capture_close() was called. */
typedef void (*CaptureEnded)(void *userdata);

/* Takes the pipes, also on failure (NULL and a negative errno). `counts` is kept up to date and must outlive
 * the capture. */
Capture *capture_new(sd_event *event, const int pipes[PAYLOAD_STREAMS], uint64_t limit,
                     PayloadCount counts[PAYLOAD_STREAMS], CaptureEnded ended, void *userdata,
                     int *ret_error);
void capture_free(Capture *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Capture, capture_free)

bool capture_has_ended(const Capture *c);
/* Takes what the pipes hold now, as far as that has an end, and no more. Calls `ended`. */
void capture_close(Capture *c);

/* Borrowed. Sealed against everything when its stream has ended. */
int capture_memfd(const Capture *c, PayloadStream stream);
/* The same for others: opened anew, read-only, at its start. Negative errno. */
int capture_open(const Capture *c, PayloadStream stream);
/* Borrowed: an eventfd that counts up with every change; each watcher looks at its edges. */
int capture_changes(const Capture *c);
