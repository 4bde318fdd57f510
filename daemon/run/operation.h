/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "../model/decode.h"
#include "../plan/plan.h"

/* One call that changes a scenario, from its arrival to its answer. It is planned when its turn comes,
 * against the books as they are then; carried out; entered in the books or undone; and only then answered. */
typedef enum OperationKind {
        OPERATION_APPLY,
        OPERATION_END_STEP,
        OPERATION_TEARDOWN,
} OperationKind;

typedef struct Operation Operation;

/* The answer: `error` NULL when it succeeded. Called exactly once; the operation is freed after it. */
typedef void (*OperationDone)(Operation *op, const GError *error, void *userdata);

struct Operation {
        OperationKind kind;
        GPtrArray *defs; /* OPERATION_APPLY: of CgroupDef */
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
        JsonArray *results;  /* OPERATION_APPLY */
        JsonObject *summary; /* the others */
        JsonNode *report;
};

Operation *operation_new(OperationKind kind, OperationDone done, void *userdata,
                         GDestroyNotify userdata_free);
void operation_free(Operation *op);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Operation, operation_free)
