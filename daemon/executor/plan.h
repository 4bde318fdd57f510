/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "wire/protocol.h"

/* A plan as it came from the daemon: mapped, sealed against any change, and found sound from end to end
 * before the first action is carried out. */
typedef struct Plan {
        const WirePlan *head;
        size_t mapped;
        uint32_t serial;
} Plan;

/* 0, or -EBADMSG with the reason in failure->detail and, if it has to do with one, failure->action. */
int plan_open(Plan *plan, int fd, uint32_t serial, WireFailure *failure);
void plan_close(Plan *plan);

/* NULL for offset 0. */
const void *plan_at(const Plan *plan, uint32_t offset);
const WireAction *plan_action(const Plan *plan, uint32_t index);
const WireGroupSpec *plan_group(const Plan *plan, uint32_t index);
const WirePayloadSpec *plan_payload(const Plan *plan, uint32_t index);
const char *plan_text(const Plan *plan, const WireTexts *texts, uint32_t index);
