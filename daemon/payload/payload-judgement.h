/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <systemd/sd-event.h>

#include "payload-result.h"

/* payload_metrics() and payload_judge() over both streams' memfds. Sixteen megabytes of JSON take their time,
 * and the loop must not: a thread of its own works on values of its own, and an eventfd brings the outcome
 * back. */
typedef struct Judgement Judgement;

/* The receiver owns both; hints of the metrics are borrowed from def still. May free the judgement. */
typedef void (*JudgementDone)(void *userdata, Metrics *metrics, char **failures);

/* Keeps a reference to def, and its own copies of the descriptors, whose files must not shrink any more. done
 * is called once from the loop, unless the judgement is freed first; output that cannot be mapped is a
 * failure. NULL when there is no thread or descriptor to be had (errno in *ret_error, negative). */
Judgement *judgement_start(sd_event *event, PayloadDef *def, int exit_code, const int memfd[PAYLOAD_STREAMS],
                           JudgementDone done, void *userdata, int *ret_error);
/* Also while the thread works, which is not waited for: it ends by itself. */
void judgement_free(Judgement *judgement);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Judgement, judgement_free)
