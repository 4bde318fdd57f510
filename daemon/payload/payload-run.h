/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "capture.h"

/* The live side of the payloads of one scenario, beside the books: what captures their output, who waits for
 * them, and the way of each from its end to its record. */
typedef struct PayloadRuns PayloadRuns;

/* What became of one: borrowed by whoever is told. */
typedef struct PayloadResult {
        JsonObject *record;
        const Capture *capture; /* NULL: its output was lost */
} PayloadResult;

/* `result` NULL with an error. Called exactly once, unless the wait is cancelled; the wait is freed after it.
 */
typedef struct PayloadWait PayloadWait;
typedef void (*PayloadWaitDone)(const PayloadResult *result, const GError *error, void *userdata);

typedef struct PayloadRunsEvents {
        /* Somebody waits for a payload whose leader has ended, or that has to end now: end it. */
        void (*end_wanted)(void *userdata, PayloadState *payload);
} PayloadRunsEvents;

PayloadRuns *payload_runs_new(sd_event *event, uint64_t output_limit, const PayloadRunsEvents *events,
                              void *userdata);
/* Waits that are left are answered with an error. */
void payload_runs_free(PayloadRuns *runs);

/* It was born: takes the pipes. 0 or a negative errno, and then nothing of its output is kept. */
int payload_runs_add(PayloadRuns *runs, PayloadState *payload, const int pipes[PAYLOAD_STREAMS]);
/* Its leader has ended. */
void payload_runs_exited(PayloadRuns *runs, const PayloadState *payload);
/* It could not be ended: whoever waits is told `error`. */
void payload_runs_not_ended(PayloadRuns *runs, const PayloadState *payload, const GError *error);
/* All are gone with their executor; whoever waits is told `error`. */
void payload_runs_clear(PayloadRuns *runs, const GError *error);
/* Its record is made, or it never came into the books; whoever waits is told `error`. */
void payload_runs_drop(PayloadRuns *runs, const PayloadState *payload, const GError *error);

/* NULL: not one of these. */
const Capture *payload_runs_capture(const PayloadRuns *runs, const PayloadState *payload);

/* All of it was killed. Its output is taken in to the end, read and judged; `done` is told the result, and
 * whoever waits after that. Then payload_runs_drop() is due. */
typedef void (*PayloadFinished)(void *userdata, PayloadState *payload, const PayloadResult *result);
void payload_runs_finish(PayloadRuns *runs, PayloadState *payload, PayloadFinished done, void *userdata);

/* timeout_us UINT64_MAX: none. kill: at the timeout the payload is ended, instead of the wait alone. */
PayloadWait *payload_runs_wait(PayloadRuns *runs, PayloadState *payload, uint64_t timeout_us, bool kill,
                               PayloadWaitDone done, void *userdata);
/* The one who waits is gone; `done` is not called. */
void payload_wait_cancel(PayloadWait *wait);
