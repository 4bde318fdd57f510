/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-payload.h"

/* The end of a step or of everything. Each action is tolerated: a cgroup that will not go must not keep the
 * others. What could not be removed stays in the books, so that the next end tries again. */

static bool owned(const Plan *plan, const Scenario *s, const CgroupState *c, Slot slot) {
        if (!c->implicit)
                return slot == SLOT_BACKDROP || c->slot == SLOT_STEP;
        /* A parent made on the way goes when nothing that stays is below it. */
        for (guint i = 0; i < s->cgroups->len; i++) {
                const CgroupState *other = s->cgroups->pdata[i];
                size_t n = strlen(c->name);
                if (strncmp(other->name, c->name, n) == 0 && other->name[n] == '/' &&
                    !g_ptr_array_find_with_equal_func(plan->removals, other->name, g_str_equal, NULL))
                        return false;
        }
        return true;
}

/* A frozen worker neither sees the stop nor ends; somebody may have frozen the cgroup by hand. */
static void plan_thaw(Plan *plan, const Scenario *s, Slot slot) {
        for (guint i = 0; i < s->cgroups->len; i++) {
                const CgroupState *c = s->cgroups->pdata[i];
                if (c->implicit || (slot == SLOT_STEP && c->slot != SLOT_STEP))
                        continue;
                PlanAction *a = plan_add(plan, ACTION_WRITE, c->name);
                a->file = "cgroup.freeze";
                a->value = g_strdup("0");
                a->flags = ACTION_TOLERATE;
        }
}

/* The step's before the backdrop's, each newest first. A frozen one dies of SIGKILL as any other does, so it
 * needs no thaw. */
static void plan_payloads(Plan *plan, const Scenario *s, Slot slot) {
        for (Slot owner = SLOT_STEP; owner <= slot; owner++)
                for (guint i = s->payloads->len; i-- > 0;) {
                        const PayloadState *p = s->payloads->pdata[i];
                        if (p->slot == owner)
                                plan_payload_end(plan, p);
                }
}

static void plan_stop(Plan *plan, const Scenario *s, Slot slot) {
        static const ActionKind rounds[] = { ACTION_STOP,
                                             ACTION_COLLECT }; /* all are asked before one is awaited */

        for (size_t r = 0; r < G_N_ELEMENTS(rounds); r++)
                for (guint i = 0; i < s->groups->len; i++) {
                        const GroupState *g = s->groups->pdata[i];
                        if (slot == SLOT_STEP && g->slot != SLOT_STEP)
                                continue;
                        PlanAction *a = plan_add(plan, rounds[r], g->cgroup);
                        a->group_id = g->id;
                        a->flags = ACTION_TOLERATE;
                }
}

/* For the workers of the backdrop, which go on. */
static void plan_phase(Plan *plan, const Scenario *s) {
        PlanAction *a;

        if (scenario_is_empty(s))
                return; /* there is no executor, and nobody to tell */
        a = plan_add(plan, ACTION_PHASE, "");
        a->phase = PHASE_BETWEEN;
        a->flags = ACTION_TOLERATE;
}

static void plan_remove(Plan *plan, const char *name) {
        static const ActionKind steps[] = { ACTION_EVACUATE, ACTION_AWAIT_EMPTY, ACTION_RMDIR };

        for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
                plan_add(plan, steps[i], name)->flags = ACTION_TOLERATE;
        g_ptr_array_add(plan->removals, g_strdup(name));
}

Plan *plan_end(const PlanContext *context, Slot slot) {
        const Scenario *s = context->scenario;
        Plan *plan = plan_new(context);

        if (slot == SLOT_STEP)
                plan_phase(plan, s);
        plan_thaw(plan, s, slot);
        plan_payloads(plan, s, slot);
        plan_stop(plan, s, slot);
        /* Newest first: children stand after their parents in the books. */
        for (guint i = s->cgroups->len; i-- > 0;) {
                const CgroupState *c = s->cgroups->pdata[i];
                if (owned(plan, s, c, slot))
                        plan_remove(plan, c->name);
        }
        return plan;
}
