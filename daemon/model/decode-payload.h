/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "fields.h"
#include "payload.h"

/* The keys of a payload, inline or (as CamelCase keys of [Payload]) in a file. */
extern const Field payload_fields[];
/* Its value is a list of texts; else it is one text. */
bool payload_field_is_list(const Field *field);

/* One definition from its object; `name` stands in when the object has none, and may be NULL. Errors begin
 * with the path below `origin`. */
PayloadDef *decode_payload(JsonNode *node, const char *origin, const char *name, GError **error);

/* FieldReader of the definition's key "payload": text, or an object with `name` and `exec`. Target:
 * PayloadChoice *. */
bool payload_choice_read(JsonNode *node, const Field *field, void *target, GError **error);

/* RunPayload's dictionary. */
PayloadRequest *decode_payload_request(JsonNode *node, GError **error);

/* Options of the calls that speak of one payload. */
typedef struct PayloadOptions {
        char *cgroup;        /* NULL: not given */
        bool has_timeout;    /* WaitPayload only */
        uint64_t timeout_us; /* 0: only look */
        bool kill;           /* WaitPayload only: at the timeout, end it instead of failing */
} PayloadOptions;
void payload_options_clear(PayloadOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PayloadOptions, payload_options_clear)
/* WaitPayload: {"cgroup": s, "timeout": number of us or text with a unit, "kill": b}. On failure *ret stays
 * as it was. */
bool decode_wait_options(JsonNode *node, PayloadOptions *ret, GError **error);
/* KillPayload, GetPayloadOutput: {"cgroup": s} */
bool decode_address_options(JsonNode *node, PayloadOptions *ret, GError **error);
/* RunPayload's options: {"target": s, "dry_run": b} are those of the set-up calls (decode_apply_options). */
