/* SPDX-License-Identifier: GPL-2.0-only */
#include "operation.h"

Operation *operation_new(OperationKind kind, OperationDone done, void *userdata,
                         GDestroyNotify userdata_free) {
        Operation *op = g_new0(Operation, 1);

        op->kind = kind;
        op->done = done;
        op->userdata = userdata;
        op->userdata_free = userdata_free;
        op->warnings = g_ptr_array_new_with_free_func(g_free);
        op->stayed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        return op;
}

void operation_free(Operation *op) {
        if (!op)
                return;
        if (op->userdata_free)
                op->userdata_free(op->userdata);
        g_clear_pointer(&op->defs, g_ptr_array_unref);
        g_clear_pointer(&op->plan, plan_free);
        g_free(op->root);
        g_ptr_array_unref(op->warnings);
        g_hash_table_unref(op->stayed);
        g_clear_error(&op->error);
        g_clear_pointer(&op->results, json_array_unref);
        g_clear_pointer(&op->summary, json_object_unref);
        g_clear_pointer(&op->report, json_node_unref);
        g_free(op);
}
