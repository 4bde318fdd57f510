/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan.h"

#include "topology/cpulist.h"

static void plan_action_free(PlanAction *a) {
        g_free(a->cgroup);
        g_free(a->value);
        g_free(a->payload_name);
        g_free(a->origin);
        g_free(a);
}

/* The state may have moved into the books. */
static void plan_group_free(PlanGroup *g) {
        group_state_free(g->state);
        g_ptr_array_unref(g->works);
        g_free(g);
}

static void plan_payload_free(PlanPayload *p) {
        payload_state_free(p->state);
        user_ids_clear(&p->ids);
        g_free(p->cookie);
        g_free(p);
}

static void plan_enable_free(PlanEnable *e) {
        g_free(e->cgroup);
        g_free(e);
}

Plan *plan_new(const PlanContext *context) {
        Plan *plan = g_new0(Plan, 1);

        plan->actions = g_ptr_array_new_with_free_func((GDestroyNotify)plan_action_free);
        plan->cgroups = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_state_free);
        plan->groups = g_ptr_array_new_with_free_func((GDestroyNotify)plan_group_free);
        plan->enables = g_ptr_array_new_with_free_func((GDestroyNotify)plan_enable_free);
        plan->removals = g_ptr_array_new_with_free_func(g_free);
        plan->payloads = g_ptr_array_new_with_free_func((GDestroyNotify)plan_payload_free);
        plan->endings = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        plan->n_nodes = (unsigned)hwloc_bitmap_last(context->topology->node_ids) + 1;
        plan->stop_ms = context->stop_ms;
        plan->settle_ms = context->settle_ms;
        return plan;
}

void plan_free(Plan *plan) {
        if (!plan)
                return;
        g_ptr_array_unref(plan->actions);
        g_ptr_array_unref(plan->cgroups);
        g_ptr_array_unref(plan->groups);
        g_ptr_array_unref(plan->enables);
        g_ptr_array_unref(plan->removals);
        g_ptr_array_unref(plan->payloads);
        g_array_unref(plan->endings);
        g_free(plan);
}

PlanAction *plan_add(Plan *plan, ActionKind kind, const char *cgroup) {
        PlanAction *a = g_new0(PlanAction, 1);

        a->kind = kind;
        a->cgroup = g_strdup(cgroup);
        a->def = -1;
        g_ptr_array_add(plan->actions, a);
        return a;
}

bool plan_follows_a_step(const PlanContext *context) {
        return scenario_is_empty(context->scenario) && context->scenario->step_index > 0;
}

char *plan_action_path(const PlanAction *action) {
        if (!action->file)
                return g_strdup(action->cgroup);
        return action->cgroup[0] ? g_strconcat(action->cgroup, "/", action->file, NULL)
                                 : g_strdup(action->file);
}

/* ---- the form the executor reads ---- */

/* Appends at the next 8-byte boundary; returns the offset. */
static uint32_t put(GByteArray *out, const void *data, size_t size) {
        static const guint8 zeros[8] = { 0 };
        uint32_t offset;

        g_byte_array_append(out, zeros, (8 - out->len % 8) % 8);
        offset = out->len;
        g_byte_array_append(out, data, (guint)size);
        return offset;
}

static uint32_t put_text(GByteArray *out, const char *text) {
        uint32_t offset = out->len;

        if (!text)
                return 0;
        g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text) + 1);
        return offset;
}

static WireTexts put_texts(GByteArray *out, char *const *texts) {
        g_autoptr(GArray) offsets = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        for (; *texts; texts++) {
                uint32_t offset = put_text(out, *texts);
                g_array_append_val(offsets, offset);
        }
        return (WireTexts){ .offsets = put(out, offsets->data, offsets->len * sizeof(uint32_t)),
                            .n = offsets->len };
}

static WireGroupSpec encode_work(const PlanWork *work, GByteArray *out) {
        WireGroupSpec spec = work->spec;

        if (work->masks->len)
                spec.masks = put(out, work->masks->data, work->masks->len * sizeof(guint64));
        if (work->nodes->len)
                spec.nodes = put(out, work->nodes->data, work->nodes->len * sizeof(unsigned long));
        return spec;
}

/* Group after group, so that the specs of one container stand together. */
static uint32_t encode_groups(const Plan *plan, GByteArray *out, uint32_t *ret_n) {
        g_autoptr(GArray) specs = g_array_new(FALSE, TRUE, sizeof(WireGroupSpec));

        for (guint i = 0; i < plan->groups->len; i++) {
                const PlanGroup *g = plan->groups->pdata[i];
                for (guint w = 0; w < g->works->len; w++) {
                        WireGroupSpec spec = encode_work(g->works->pdata[w], out);
                        g_array_append_val(specs, spec);
                }
        }
        *ret_n = specs->len;
        return put(out, specs->data, specs->len * sizeof(WireGroupSpec));
}

/* By its name and its definition's own; the latter wins. */
static char **payload_environment(const PayloadDef *def) {
        g_autoptr(GStrvBuilder) environment = g_strv_builder_new();
        g_autofree char *name = g_strconcat("KTSETUP_PAYLOAD=", def->name, NULL);

        g_strv_builder_add(environment, name);
        g_strv_builder_addv(environment, (const char **)def->environment);
        return g_strv_builder_end(environment);
}

static void encode_ids(WirePayloadSpec *spec, const UserIds *ids, GByteArray *out) {
        spec->uid = ids->uid;
        spec->gid = ids->gid;
        if (!ids->groups || ids->groups->len == 0)
                return;
        spec->groups = put(out, ids->groups->data, ids->groups->len * sizeof(gid_t));
        spec->n_groups = ids->groups->len;
}

static WirePayloadSpec encode_payload(const PlanPayload *payload, GByteArray *out) {
        const PayloadState *state = payload->state;
        g_auto(GStrv) argv = payload_state_argv(state), environment = payload_environment(state->def);
        WirePayloadSpec spec = { .payload_id = state->id,
                                 .alone = payload_state_is_alone(state),
                                 .own_group = !state->def->parent_process_group };

        spec.exec = put_text(out, state->def->exec);
        spec.argv = put_texts(out, argv);
        spec.environment = put_texts(out, environment);
        spec.cookie = put_text(out, payload->cookie);
        spec.directory = put_text(out, state->def->working_directory);
        encode_ids(&spec, &payload->ids, out);
        return spec;
}

static uint32_t encode_payloads(const Plan *plan, GByteArray *out) {
        g_autoptr(GArray) specs = g_array_new(FALSE, TRUE, sizeof(WirePayloadSpec));

        for (guint i = 0; i < plan->payloads->len; i++) {
                WirePayloadSpec spec = encode_payload(plan->payloads->pdata[i], out);
                g_array_append_val(specs, spec);
        }
        return put(out, specs->data, specs->len * sizeof(WirePayloadSpec));
}

/* Groups are spawned in the order of their specs. */
static void encode_spawn(WireAction *wire, const PlanGroup *group, uint32_t *next_spec) {
        wire->group = *next_spec;
        wire->n_groups = group->works->len;
        wire->group_id = group->state->id;
        *next_spec += group->works->len;
}

static uint32_t encode_actions(const Plan *plan, GByteArray *out) {
        g_autoptr(GArray) actions = g_array_new(FALSE, TRUE, sizeof(WireAction));
        uint32_t next_spec = 0, next_payload = 0;

        for (guint i = 0; i < plan->actions->len; i++) {
                const PlanAction *a = plan->actions->pdata[i];
                g_autofree char *path = plan_action_path(a);
                WireAction wire = { .kind = a->kind,
                                    .flags = a->flags,
                                    .group_id = a->group_id,
                                    .phase = a->phase,
                                    .payload_id = a->payload_id };
                wire.path = put_text(out, path);
                wire.value = put_text(out, a->value);
                if (a->group)
                        encode_spawn(&wire, a->group, &next_spec);
                if (a->payload) /* started in the order of their specs, too */
                        wire.payload = next_payload++;
                g_array_append_val(actions, wire);
        }
        return put(out, actions->data, actions->len * sizeof(WireAction));
}

GByteArray *plan_encode(const Plan *plan) {
        GByteArray *out = g_byte_array_new();
        WirePlan head = { .magic = WIRE_PLAN_MAGIC,
                          .n_actions = plan->actions->len,
                          .n_payloads = plan->payloads->len,
                          .n_nodes = plan->n_nodes,
                          .stop_ms = plan->stop_ms,
                          .settle_ms = plan->settle_ms };

        put(out, &head, sizeof(head));
        head.groups = encode_groups(plan, out, &head.n_groups);
        head.payloads = encode_payloads(plan, out);
        head.actions = encode_actions(plan, out);
        head.size = out->len;
        memcpy(out->data, &head, sizeof(head));
        return out;
}

/* ---- the form a dry run shows ---- */

static const char *const action_names[ACTION_KIND_COUNT] = {
        [ACTION_MKDIR] = "mkdir",
        [ACTION_ENABLE] = "enable",
        [ACTION_WRITE] = "write",
        [ACTION_SPAWN] = "spawn",
        [ACTION_PHASE] = "phase",
        [ACTION_RELEASE] = "release",
        [ACTION_STOP] = "stop",
        [ACTION_COLLECT] = "collect",
        [ACTION_EVACUATE] = "evacuate",
        [ACTION_AWAIT_EMPTY] = "await-empty",
        [ACTION_RMDIR] = "rmdir",
        [ACTION_PAYLOAD] = "payload",
        [ACTION_END_PAYLOAD] = "end-payload",
};

static const PlanGroup *group_of(const Plan *plan, const PlanAction *action) {
        for (guint i = 0; i < plan->groups->len; i++) {
                const PlanGroup *g = plan->groups->pdata[i];
                if (g == action->group || (action->group_id && g->state->id == action->group_id))
                        return g;
        }
        return NULL;
}

static void show_path(JsonObject *object, const PlanContext *context, const PlanAction *action) {
        g_autofree char *relative = plan_action_path(action);
        g_autofree char *path =
                g_strconcat(context->root, relative[0] ? "/" : "", relative,
                            action->kind == ACTION_ENABLE ? "/cgroup.subtree_control" : "", NULL);

        json_object_set_string_member(object, "path", path);
}

static JsonObject *work_to_json(const WorkState *work) {
        JsonObject *object = json_object_new();
        g_autofree char *cpus = cpulist_format(work->cpus);

        json_object_set_int_member(object, "work_index", work->index);
        json_object_set_string_member(object, "work_type", work_type_get(work->work_type)->name);
        json_object_set_int_member(object, "workers", work->n_workers);
        json_object_set_string_member(object, "cpus", cpus);
        return object;
}

static void show_group(JsonObject *object, const GroupState *group) {
        JsonArray *works = json_array_new();

        if (group->pcomm)
                json_object_set_string_member(object, "pcomm", group->pcomm);
        for (guint i = 0; i < group->works->len; i++)
                json_array_add_object_element(works, work_to_json(group->works->pdata[i]));
        json_object_set_array_member(object, "works", works);
}

static void show_argv(JsonObject *object, const PayloadState *payload) {
        g_auto(GStrv) argv = payload_state_argv(payload);
        JsonArray *array = json_array_new();

        for (char **arg = argv; *arg; arg++)
                json_array_add_string_element(array, *arg);
        json_object_set_array_member(object, "argv", array);
}

static JsonObject *action_to_json(const Plan *plan, const PlanContext *context, const PlanAction *action) {
        JsonObject *object = json_object_new();
        const PlanGroup *group = group_of(plan, action);

        json_object_set_string_member(object, "action", action_names[action->kind]);
        if (action->kind != ACTION_PHASE)
                show_path(object, context, action);
        else if (action->phase != PHASE_BETWEEN) /* which has no number, and D-Bus has no null */
                json_object_set_int_member(object, "phase", action->phase);
        if (action->value)
                json_object_set_string_member(object, "value", action->value);
        if (group)
                show_group(object, group->state);
        if (action->payload_name)
                json_object_set_string_member(object, "payload", action->payload_name);
        if (action->payload)
                show_argv(object, action->payload->state);
        return object;
}

JsonArray *plan_actions_to_json(const Plan *plan, const PlanContext *context, int def) {
        JsonArray *array = json_array_new();

        for (guint i = 0; i < plan->actions->len; i++) {
                const PlanAction *a = plan->actions->pdata[i];
                if (a->def == def)
                        json_array_add_object_element(array, action_to_json(plan, context, a));
        }
        return array;
}
