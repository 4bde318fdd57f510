/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-payload.h"

#include "common/error.h"
#include "model/payload-text.h"
#include "topology/spec-text.h"

enum { CGROUPS_LISTED_MAX = 20 /* in a message */ };

PayloadDef *plan_payload_def(const PlanContext *context, const PayloadChoice *choice, GError **error) {
        return choice->def ?: payload_set_find(context->payloads, choice->name, error);
}

/* ---- refusals ---- */

/* One that has exited keeps its name until somebody asks for its result. */
static bool check_duplicate(const PlanContext *context, const PayloadDef *def, const char *cgroup,
                            GError **error) {
        const PayloadState *there = scenario_payload_at(context->scenario, def->name, cgroup);
        g_autofree char *place = payload_place_text(cgroup), *origin = NULL;

        if (!there)
                return true;
        origin = payload_origin_text(there);
        g_set_error(error, KT_ERROR, KT_ERROR_PAYLOAD_EXISTS,
                    "payload '%s' %s, started by %s, %s; wait for it (WaitPayload) or kill it (KillPayload) "
                    "first, or run this one in another cgroup",
                    def->name, place, origin,
                    there->exit ? "has exited, and nobody has asked for its result yet"
                                : "is running already");
        return false;
}

static bool check_limit(const Plan *plan, const PlanContext *context, GError **error) {
        guint64 payloads = (guint64)context->scenario->payloads->len + plan->payloads->len + 1;

        if (payloads <= context->limits.max_payloads)
                return true;
        g_set_error(
                error, KT_ERROR, KT_ERROR_LIMIT_EXCEEDED,
                "the scenario would have %" G_GUINT64_FORMAT
                " payloads or more, running or not asked for yet; MaxPayloads in the configuration allows "
                "%u",
                payloads, context->limits.max_payloads);
        return false;
}

static bool find_ids(const PlanContext *context, const PayloadDef *def, UserIds *ret, GError **error) {
        *ret = (UserIds){ .uid = WIRE_ID_KEEP, .gid = WIRE_ID_KEEP };
        if (!def->user || context->find_user(def->user, ret, error))
                return true;
        g_prefix_error(error, "payload '%s': user: ", def->name);
        return false;
}

static const char *nth_name(size_t i, const void *context) {
        return ((const CgroupState *)((const GPtrArray *)context)->pdata[i])->name;
}

/* What to say instead of a list of them, where that is empty or would be long. NULL: list them. */
static char *cgroups_rule(guint n) {
        if (n == 0)
                return g_strdup("the scenario has none; set one up first, or leave `cgroup` out, and the "
                                "payload gets one of its own");
        return n > CGROUPS_LISTED_MAX ? g_strdup_printf("the scenario has %u; GetState lists them", n) : NULL;
}

static bool no_such_cgroup(const Scenario *s, const char *name, GError **error) {
        g_autoptr(GPtrArray) defined = g_ptr_array_new();
        g_autoptr(GError) why = NULL;
        g_autofree char *rule = NULL;

        for (guint i = 0; i < s->cgroups->len; i++)
                if (!((const CgroupState *)s->cgroups->pdata[i])->implicit)
                        g_ptr_array_add(defined, s->cgroups->pdata[i]);
        rule = cgroups_rule(defined->len);
        spec_unknown_word(&why, "cgroup", name, &(SpecWords){ nth_name, NULL, defined->len, defined }, rule);
        g_set_error_literal(error, KT_ERROR, KT_ERROR_NO_SUCH_CGROUP, why->message);
        return false;
}

static bool check_cgroup(const Scenario *s, const char *name, Slot slot, GError **error) {
        const CgroupState *c = scenario_find_cgroup(s, name);

        if (!c)
                return no_such_cgroup(s, name, error);
        if (c->implicit)
                g_set_error(
                        error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                        "'%s' is there only as the parent of other cgroups, and a cgroup with controllers "
                        "for its children cannot hold processes itself (no internal processes, "
                        "cgroup-v2.rst); use a cgroup below it",
                        name);
        else if (slot == SLOT_BACKDROP && c->slot == SLOT_STEP)
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "'%s' goes at the end of the step, but a payload of the backdrop stays; run it "
                            "with target step, or in a cgroup of the backdrop",
                            name);
        else
                return true;
        return false;
}

/* ---- start and end ---- */

PlanPayload *plan_payload_new(Plan *plan, const PlanContext *context, PayloadDef *def, const char *cgroup,
                              Slot slot, PayloadOrigin origin, GError **error) {
        const Scenario *s = context->scenario;
        UserIds ids;
        PlanPayload *payload;

        if (!check_duplicate(context, def, cgroup, error) || !check_limit(plan, context, error) ||
            !find_ids(context, def, &ids, error))
                return NULL;
        payload = g_new0(PlanPayload, 1);
        payload->ids = ids;
        payload->state = payload_state_new(s->next_payload_id + plan->payloads->len, def, cgroup);
        payload->state->slot = slot;
        payload->state->origin = origin;
        payload->cookie = g_strdup_printf("KTSETUP_PAYLOAD_ID=%s-%u", s->name, payload->state->id);
        g_ptr_array_add(plan->payloads, payload);
        return payload;
}

PlanAction *plan_payload_start(Plan *plan, PlanPayload *payload) {
        PlanAction *a = plan_add(plan, ACTION_PAYLOAD, payload->state->directory);

        a->payload = payload;
        a->payload_name = g_strdup(payload->state->def->name);
        return a;
}

void plan_payload_end(Plan *plan, const PayloadState *payload) {
        PlanAction *a = plan_add(plan, ACTION_END_PAYLOAD, payload->directory);

        a->payload_id = payload->id;
        a->payload_name = g_strdup(payload->def->name);
        a->flags = ACTION_TOLERATE;
        if (payload_state_is_alone(payload))
                plan_add(plan, ACTION_RMDIR, payload->directory)->flags = ACTION_TOLERATE;
        g_array_append_val(plan->endings, payload->id);
}

/* ---- whole plans ---- */

/* *ret_key: the key of the request that is at fault. */
static PlanPayload *plan_request(Plan *plan, const PlanContext *context, const PayloadRequest *request,
                                 Slot slot, const char **ret_key, GError **error) {
        const char *cgroup = request->cgroup ?: "";
        PayloadDef *def;

        *ret_key = "payload";
        def = plan_payload_def(context, request->choice, error);
        if (!def)
                return NULL;
        *ret_key = "args";
        if (!payload_check_flags(def, request->args, error))
                return NULL;
        *ret_key = "cgroup";
        if (cgroup[0] && !check_cgroup(context->scenario, cgroup, slot, error))
                return NULL;
        *ret_key = "payload";
        return plan_payload_new(plan, context, def, cgroup, slot, PAYLOAD_OF_CALL, error);
}

Plan *plan_run_payload(const PlanContext *context, const PayloadRequest *request, Slot slot, GError **error) {
        g_autoptr(Plan) plan = plan_new(context);
        const char *key;
        PlanPayload *payload = plan_request(plan, context, request, slot, &key, error);

        if (!payload) {
                g_prefix_error(error, "%s: ", key);
                return NULL;
        }
        g_strfreev(payload->state->args);
        payload->state->args = g_strdupv(request->args);
        if (plan_follows_a_step(context))
                plan_add(plan, ACTION_PHASE, "")->phase = PHASE_BETWEEN;
        if (payload_state_is_alone(payload->state))
                plan_add(plan, ACTION_MKDIR, payload->state->directory);
        plan_payload_start(plan, payload)->origin = g_strdup("payload");
        return g_steal_pointer(&plan);
}

Plan *plan_end_payload(const PlanContext *context, const PayloadState *payload) {
        Plan *plan = plan_new(context);

        plan_payload_end(plan, payload);
        return plan;
}
