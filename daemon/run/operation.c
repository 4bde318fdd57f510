/* SPDX-License-Identifier: GPL-2.0-only */
#include "operation.h"

#include <glib/gstdio.h>

#include "report/report-payload.h"
#include "report/report.h"

Operation *operation_new(OperationKind kind, OperationDone done, void *userdata,
                         GDestroyNotify userdata_free) {
        Operation *op = g_new0(Operation, 1);

        op->kind = kind;
        op->done = done;
        op->userdata = userdata;
        op->userdata_free = userdata_free;
        op->warnings = g_ptr_array_new_with_free_func(g_free);
        op->stayed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (int i = 0; i < PAYLOAD_STREAMS; i++)
                op->output[i] = -1;
        return op;
}

void operation_free(Operation *op) {
        if (!op)
                return;
        if (op->userdata_free)
                op->userdata_free(op->userdata);
        g_clear_pointer(&op->defs, g_ptr_array_unref);
        payload_request_free(op->request);
        payload_address_clear(&op->address);
        g_clear_pointer(&op->plan, plan_free);
        g_free(op->root);
        g_ptr_array_unref(op->warnings);
        g_hash_table_unref(op->stayed);
        g_clear_error(&op->error);
        g_clear_pointer(&op->results, json_array_unref);
        g_clear_pointer(&op->summary, json_object_unref);
        g_clear_pointer(&op->report, json_node_unref);
        g_clear_pointer(&op->record, json_object_unref);
        for (int i = 0; i < PAYLOAD_STREAMS; i++)
                if (op->output[i] >= 0)
                        g_close(op->output[i], NULL);
        g_free(op);
}

/* ---- kinds ---- */

static JsonArray *setup_results(const Operation *op, const PlanContext *context) {
        JsonArray *results = json_array_new();

        for (guint i = 0; i < op->defs->len; i++)
                json_array_add_object_element(results,
                                              report_definition(op->plan, context, op->defs->pdata[i], (int)i,
                                                                op->options.dry_run));
        return results;
}

static JsonArray *payload_results(const Operation *op, const PlanContext *context) {
        const PlanPayload *planned = op->plan->payloads->pdata[0];
        JsonObject *o = payload_started(planned->state, context->root, op->options.dry_run);
        JsonArray *results = json_array_new();

        if (op->options.dry_run)
                json_object_set_array_member(o, "actions", plan_actions_to_json(op->plan, context, -1));
        json_array_add_object_element(results, o);
        return results;
}

static Plan *plan_apply(Operation *op, const PlanContext *context, GError **error) {
        return plan_setup(context, op->defs, op->options.backdrop ? SLOT_BACKDROP : SLOT_STEP, error);
}

static Plan *plan_end_step(G_GNUC_UNUSED Operation *op, const PlanContext *context,
                           G_GNUC_UNUSED GError **error) {
        return plan_end(context, SLOT_STEP);
}

static Plan *plan_teardown(G_GNUC_UNUSED Operation *op, const PlanContext *context,
                           G_GNUC_UNUSED GError **error) {
        return plan_end(context, SLOT_BACKDROP);
}

static Plan *plan_run(Operation *op, const PlanContext *context, GError **error) {
        return plan_run_payload(context, op->request, op->options.backdrop ? SLOT_BACKDROP : SLOT_STEP,
                                error);
}

/* Whoever waits for an end may find that somebody else brought it about; then there is nothing to do. */
static Plan *plan_payload_end(Operation *op, const PlanContext *context, GError **error) {
        const PayloadState *p = op->address.name ? scenario_address_payload(context->scenario, &op->address,
                                                                            "KillPayload", error)
                                                 : scenario_find_payload(context->scenario, op->payload_id);

        if (!p)
                return op->address.name ? NULL : plan_new(context);
        op->payload_id = p->id;
        return plan_end_payload(context, p);
}

/* What a call of each kind is, in the planner's terms. */
static const struct {
        Plan *(*plan)(Operation *op, const PlanContext *context, GError **error);
        JsonArray *(*results)(const Operation *op, const PlanContext *context); /* of what is made */
} operations[] = {
        [OPERATION_APPLY] = { plan_apply, setup_results },
        [OPERATION_END_STEP] = { plan_end_step, NULL },
        [OPERATION_TEARDOWN] = { plan_teardown, NULL },
        [OPERATION_RUN_PAYLOAD] = { plan_run, payload_results },
        [OPERATION_END_PAYLOAD] = { plan_payload_end, NULL },
};

bool operation_makes(const Operation *op) {
        return operations[op->kind].results != NULL;
}

Plan *operation_plan(Operation *op, const PlanContext *context, GError **error) {
        return operations[op->kind].plan(op, context, error);
}

void operation_tell_results(Operation *op, const PlanContext *context) {
        op->results = operations[op->kind].results(op, context);
}
