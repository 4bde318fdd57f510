/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as a JSON document: parsed, decoded, planned twice (the second time everything exists already),
 * encoded, looked at by the executor, entered in the books and taken down again. A refusal always says why,
 * in text that the bus can carry. */

#include "common/error.h"
#include "fuzz.h"
#include "model/decode.h"
#include "model/json-text.h"
#include "plan-check.h"
#include "plan/plan.h"

static const Topology *machine(void) {
        static Topology *t;

        if (!t)
                t = topology_new_synthetic("numa:2(indexes=0,3) l3:2 core:2 pu:2", NULL);
        require(t);
        return t;
}

static PlanContext context_for(const Scenario *scenario) {
        return (PlanContext){ .topology = machine(),
                              .scenario = scenario,
                              .root = "/r",
                              .controllers = (1 << CONTROLLER_COUNT) - 1,
                              .controllers_file = "/r/cgroup.controllers",
                              .limits = { .max_cgroups = 20, .max_workers = 100 },
                              .workers_per_cgroup = 2,
                              .stop_ms = 5000,
                              .settle_ms = 1000 };
}

/* Either a result or a reason. */
static void check_outcome(const void *result, GError **error) {
        require(!result == !!*error);
        if (!*error)
                return;
        require((*error)->domain == KT_ERROR);
        require((*error)->message[0] && g_utf8_validate((*error)->message, -1, NULL));
        g_clear_error(error);
}

static void check_encoding(const Plan *plan) {
        g_autoptr(GByteArray) bytes = plan_encode(plan);

        require(plan_check(bytes->data, bytes->len, NULL, 0));
}

static void check_dry_run(const Plan *plan, const PlanContext *context, unsigned n_defs) {
        unsigned shown = 0;

        for (unsigned i = 0; i < n_defs; i++) {
                g_autoptr(JsonArray) actions = plan_actions_to_json(plan, context, (int)i);
                shown += json_array_get_length(actions);
        }
        require(shown == plan->actions->len);
}

static void enter(Scenario *s, Plan *plan) {
        for (guint i = 0; i < plan->groups->len; i++) {
                PlanGroup *g = plan->groups->pdata[i];
                for (guint w = 0; w < g->state->works->len; w++) {
                        const WorkState *work = g->state->works->pdata[w];
                        require(work->n_workers > 0 && !hwloc_bitmap_iszero(work->cpus));
                }
                g_ptr_array_add(s->groups, g_steal_pointer(&g->state));
        }
        while (plan->cgroups->len > 0)
                g_ptr_array_add(s->cgroups, g_ptr_array_steal_index(plan->cgroups, 0));
}

static void check_end(const Scenario *s) {
        PlanContext context = context_for(s);
        g_autoptr(Plan) end = plan_end(&context, SLOT_BACKDROP);

        check_encoding(end);
        require(end->removals->len == s->cgroups->len);
}

static void plan_and_end(const GPtrArray *defs) {
        g_autoptr(Scenario) scenario = scenario_new("fuzz");
        PlanContext context = context_for(scenario);
        g_autoptr(GError) error = NULL;
        g_autoptr(Plan) plan = plan_setup(&context, defs, SLOT_STEP, &error), again = NULL;

        check_outcome(plan, &error);
        if (!plan)
                return;
        check_encoding(plan);
        check_dry_run(plan, &context, defs->len);
        enter(scenario, plan);
        require(scenario->cgroups->len <= context.limits.max_cgroups);
        require(scenario_count_workers(scenario) <= context.limits.max_workers);
        again = plan_setup(&context, defs, SLOT_BACKDROP, &error);
        require(!again == (defs->len > 0));
        g_clear_error(&error);
        check_end(scenario);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_text_parse((const char *)data, size, &error);
        g_autoptr(GPtrArray) defs = NULL;

        check_outcome(node, &error);
        if (!node)
                return 0;
        defs = decode_document(node, &error);
        check_outcome(defs, &error);
        if (defs)
                plan_and_end(defs);
        return 0;
}
