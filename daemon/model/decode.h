/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "definition.h"
#include "stall.h"

/* From the one value tree (JSON, or a{sv} by bus-json) to typed definitions. Strict: an unknown key, a wrong
 * type or a value out of range is KT_ERROR_INVALID_DEFINITION whose message begins with the path of the
 * place, "cgroups[1].works[0].workers_pct". */

/* One definition; `origin` is its own path, "" at the top, which messages call "definition". */
CgroupDef *decode_definition(JsonNode *node, const char *origin, GError **error);

/* A list of definitions; `origin` is the list's path. Returns an array of CgroupDef. */
GPtrArray *decode_definitions(JsonNode *node, const char *origin, GError **error);

/* A document: an object with the one key "cgroups". */
GPtrArray *decode_document(JsonNode *node, GError **error);

/* Options of a call. */
typedef struct ApplyOptions {
        bool backdrop;
        bool dry_run;
        OptionalNumber workers_per_cgroup; /* for works without a count; else the configuration's */
        bool has_work_type_override;
        WorkTypeId work_type_override;
        /* Of the stall monitor, for the step that this call gives its first workers. */
        bool no_stall_monitor;
        OptionalNumber stall_poll_ms; /* else the configuration's */
        OptionalNumber stall_window;
        bool has_stall_fails;
        unsigned stall_fails; /* StallClass bits */
} ApplyOptions;
bool decode_apply_options(JsonNode *node, ApplyOptions *ret, GError **error);

/* For a call that knows no options yet: anything but an empty object is an error. */
bool decode_no_options(JsonNode *node, GError **error);

/* The key paths the decoder knows ("cpu.weight", "works.comm"), for the test that holds it to the vocabulary.
 */
GPtrArray *decode_known_keys(void);
