/* SPDX-License-Identifier: GPL-2.0-only */
#include "definitions.h"

#include <string.h>

#include "common/error.h"
#include "message.h"
#include "model/fields.h"
#include "plan-check.h"
#include "plan/plan.h"

/* As on a machine without users. */
static bool find_nobody(const char *user, G_GNUC_UNUSED UserIds *ret, GError **error) {
        return field_fail(error, "user '%.40s' is not there; give another", user);
}

static PlanContext context_for(const Scenario *scenario, const Topology *machine,
                               const PayloadSet *payloads) {
        return (PlanContext){ .topology = machine,
                              .scenario = scenario,
                              .root = "/r",
                              .controllers = (1 << CONTROLLER_COUNT) - 1,
                              .controllers_file = "/r/cgroup.controllers",
                              .limits = { .max_cgroups = 20, .max_workers = 100, .max_payloads = 5 },
                              .payloads = payloads,
                              .find_user = find_nobody,
                              .workers_per_cgroup = 2,
                              .stop_ms = 5000,
                              .settle_ms = 1000 };
}

void check_decoded(const GPtrArray *defs, const char *origin, GError **error) {
        if (*error)
                require(g_str_has_prefix((*error)->message, origin));
        check_outcome(defs, error, MESSAGE_MAX);
}

/* ---- one plan ---- */

static void check_encoding(const Plan *plan) {
        g_autoptr(GByteArray) bytes = plan_encode(plan);

        require(plan_check(bytes->data, bytes->len, NULL, 0));
}

/* Every action is shown once, and what is shown can be sent. */
static void check_dry_run(const Plan *plan, const PlanContext *context, unsigned n_defs) {
        unsigned shown = 0;

        for (unsigned i = 0; i < n_defs; i++) {
                g_autoptr(JsonArray) actions = plan_actions_to_json(plan, context, (int)i);
                g_autoptr(sd_bus_message) m = message_new();
                require(bus_json_append_objects(m, actions) >= 0);
                shown += json_array_get_length(actions);
        }
        require(shown == plan->actions->len);
}

static hwloc_bitmap_t mask_at(const PlanWork *w, unsigned index) {
        hwloc_bitmap_t set = bitmap_new();
        const guint64 *words = &g_array_index(w->masks, guint64, index * w->spec.mask_words);

        for (unsigned bit = 0; bit < w->spec.mask_words * 64; bit++)
                if (words[bit / 64] >> bit % 64 & 1)
                        hwloc_bitmap_set(set, bit);
        return set;
}

static void check_work(const WorkState *state, const PlanWork *w, const Topology *machine) {
        require(state->n_workers > 0 && state->n_workers == w->spec.n_workers);
        require(hwloc_bitmap_intersects(state->cpus, machine->cpus));
        for (unsigned i = 0; i < w->spec.n_masks; i++) {
                g_auto(hwloc_bitmap_t) mask = mask_at(w, i);
                require(hwloc_bitmap_isincluded(mask, state->cpus));
                require(hwloc_bitmap_intersects(mask, machine->cpus)); /* the kernel would refuse it */
        }
}

static void check_group(const PlanGroup *g, const Topology *machine) {
        unsigned n_workers = 0;

        require(g->works->len > 0 && g->works->len == g->state->works->len);
        require(g->state->pcomm || g->works->len == 1);
        for (guint i = 0; i < g->works->len; i++) {
                const WorkState *state = g->state->works->pdata[i];
                check_work(state, g->works->pdata[i], machine);
                require(state->first == n_workers);
                n_workers += state->n_workers;
        }
        require(n_workers == g->state->n_workers);
}

/* ---- the books ---- */

static void enter(Scenario *s, Plan *plan) {
        for (guint i = 0; i < plan->groups->len; i++) {
                PlanGroup *g = plan->groups->pdata[i];
                g_ptr_array_add(s->groups, g_steal_pointer(&g->state));
        }
        for (guint i = 0; i < plan->payloads->len; i++) {
                PlanPayload *p = plan->payloads->pdata[i];
                g_ptr_array_add(s->payloads, g_steal_pointer(&p->state));
        }
        while (plan->cgroups->len > 0)
                g_ptr_array_add(s->cgroups, g_ptr_array_steal_index(plan->cgroups, 0));
}

static void check_again(const PlanContext *context, const GPtrArray *defs) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Plan) again = plan_setup(context, defs, SLOT_BACKDROP, &error);

        require(!again == (defs->len > 0));
        check_outcome(again, &error, MESSAGE_MAX);
}

static void check_end(const PlanContext *context) {
        g_autoptr(Plan) end = plan_end(context, SLOT_BACKDROP);

        check_encoding(end);
        require(end->removals->len == context->scenario->cgroups->len);
        require(end->endings->len == context->scenario->payloads->len);
}

void check_definitions(const GPtrArray *defs, const Topology *machine) {
        g_autoptr(Scenario) scenario = scenario_new("fuzz");
        g_autoptr(PayloadSet) payloads = payload_set_new();
        PlanContext context = context_for(scenario, machine, payloads);
        g_autoptr(GError) error = NULL;
        g_autoptr(Plan) plan = plan_setup(&context, defs, SLOT_STEP, &error);

        check_outcome(plan, &error, MESSAGE_MAX);
        if (!plan)
                return;
        for (guint i = 0; i < plan->groups->len; i++)
                check_group(plan->groups->pdata[i], machine);
        check_encoding(plan);
        check_dry_run(plan, &context, defs->len);
        enter(scenario, plan);
        require(scenario->cgroups->len <= context.limits.max_cgroups);
        require(scenario_count_workers(scenario) <= context.limits.max_workers);
        require(scenario->payloads->len <= context.limits.max_payloads);
        check_again(&context, defs);
        check_end(&context);
}
