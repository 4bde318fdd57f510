/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "model/decode.h"
#include "plan/plan.h"
#include "payload/payload-result.h"

/* One call that changes a scenario, from its arrival to its answer. It is planned when its turn comes,
 * against the books as they are then; carried out; entered in the books or undone; and only then answered. */
typedef enum OperationKind {
        OPERATION_APPLY,
        OPERATION_END_STEP,
        OPERATION_TEARDOWN,
        OPERATION_RUN_PAYLOAD,
        OPERATION_END_PAYLOAD,
} OperationKind;

typedef struct Operation Operation;

/* The answer: `error` NULL when it succeeded. Called exactly once; the operation is freed after it. */
typedef void (*OperationDone)(Operation *op, const GError *error, void *userdata);

struct Operation {
        OperationKind kind;
        GPtrArray *defs;         /* OPERATION_APPLY: of CgroupDef */
        PayloadRequest *request; /* OPERATION_RUN_PAYLOAD */
        PayloadAddress address;  /* OPERATION_END_PAYLOAD, with a name: of a KillPayload */
        uint32_t payload_id;     /* without: the one that is waited for and has ended; later, the one that is
                                    meant */
        ApplyOptions options;
        OperationDone done;
        void *userdata;
        GDestroyNotify userdata_free;

        /* while it is carried out */
        Plan *plan;
        char *root; /* as the plan was made for */
        uint32_t serial;
        GPtrArray *warnings; /* of text: failures the plan tolerates */
        GHashTable *stayed;  /* names of cgroups that could not be removed */
        GError *error;       /* what it failed with, to be told when everything has settled */

        /* the answer */
        JsonArray *results;  /* OPERATION_APPLY, OPERATION_RUN_PAYLOAD */
        JsonObject *summary; /* OPERATION_END_STEP, OPERATION_TEARDOWN */
        JsonNode *report;
        JsonObject *record; /* OPERATION_END_PAYLOAD, with its output; -1: lost */
        int output[PAYLOAD_STREAMS];
};

Operation *operation_new(OperationKind kind, OperationDone done, void *userdata,
                         GDestroyNotify userdata_free);
void operation_free(Operation *op);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Operation, operation_free)

/* It makes things, and answers with what it made; else it ends them. */
bool operation_makes(const Operation *op);
Plan *operation_plan(Operation *op, const PlanContext *context, GError **error);
/* Into op->results, from the plan: of one that makes things, before its things enter the books. */
void operation_tell_results(Operation *op, const PlanContext *context);
