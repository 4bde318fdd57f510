/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-fixture.h"

#include "model/decode-payload.h"
#include "model/json-text.h"

/* /etc/passwd has one line here. */
static bool find_user(const char *user, UserIds *ret, GError **error) {
        const gid_t groups[] = { 65534, 7 };

        if (!g_str_equal(user, "nobody")) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "unknown user '%s'", user);
                return false;
        }
        *ret = (UserIds){ .uid = 65534, .gid = 65533 };
        ret->groups = g_array_new(FALSE, FALSE, sizeof(gid_t));
        g_array_append_vals(ret->groups, groups, G_N_ELEMENTS(groups));
        return true;
}

Desk *desk_new(const char *description) {
        Desk *d = g_new0(Desk, 1);

        d->topology = machine(description);
        d->scenario = scenario_new("desk");
        d->payloads = payload_set_new();
        d->context = (PlanContext){
                .topology = d->topology,
                .scenario = d->scenario,
                .root = "/r",
                .controllers = CONTROLLER_CPUSET | CONTROLLER_CPU | CONTROLLER_MEMORY | CONTROLLER_PIDS |
                               CONTROLLER_IO,
                .controllers_file = "/r/cgroup.controllers",
                .limits = { .max_cgroups = 50, .max_workers = 200, .max_payloads = 10 },
                .workers_per_cgroup = 1,
                .stop_ms = 5000,
                .settle_ms = 1000,
                .seed = 1,
                .payloads = d->payloads,
                .find_user = find_user,
        };
        return d;
}

static void forget_last(Desk *d) {
        g_clear_pointer(&d->plan, plan_free);
        g_clear_pointer(&d->defs, g_ptr_array_unref);
        g_clear_pointer(&d->request, payload_request_free);
        g_clear_error(&d->error);
}

void desk_free(Desk *d) {
        if (!d)
                return;
        forget_last(d);
        scenario_free(d->scenario);
        payload_set_free(d->payloads);
        topology_free(d->topology);
        g_free(d);
}

JsonNode *json_quoted(const char *text) {
        g_autofree char *document = g_strdelimit(g_strdup(text), "'", '"');
        g_autoptr(GError) error = NULL;
        JsonNode *node = json_text_parse(document, strlen(document), &error);

        if (!node)
                fail_msg("%s: %s", document, error->message);
        return node;
}

bool desk_plans(Desk *d, Slot slot, const char *list) {
        g_autoptr(JsonNode) node = json_quoted(list);

        forget_last(d);
        d->defs = decode_definitions(node, "cgroups", &d->error);
        if (d->defs)
                d->plan = plan_setup(&d->context, d->defs, slot, &d->error);
        return d->plan != NULL;
}

void desk_must_plan(Desk *d, Slot slot, const char *list, int line) {
        if (!desk_plans(d, slot, list))
                fail_msg("line %d: %s: %s", line, list, d->error->message);
}

void desk_must_refuse(Desk *d, Slot slot, const char *list, int line) {
        if (desk_plans(d, slot, list))
                fail_msg("line %d: planned: %s", line, list);
}

static unsigned *enabled_of(Scenario *s, const char *cgroup) {
        return cgroup[0] ? &scenario_find_cgroup(s, cgroup)->enabled : &s->root_enabled;
}

/* The last plan, as a call that succeeded enters it. */
static void enter(Desk *d) {
        for (guint i = 0; i < d->plan->enables->len; i++) {
                const PlanEnable *e = d->plan->enables->pdata[i];
                *enabled_of(d->scenario, e->cgroup) |= e->controllers;
        }
        for (guint i = 0; i < d->plan->groups->len; i++) {
                PlanGroup *g = d->plan->groups->pdata[i];
                d->scenario->next_group_id = g->state->id + 1;
                g_ptr_array_add(d->scenario->groups, g_steal_pointer(&g->state));
        }
        for (guint i = 0; i < d->plan->payloads->len; i++) {
                PlanPayload *p = d->plan->payloads->pdata[i];
                d->scenario->next_payload_id = p->state->id + 1;
                g_ptr_array_add(d->scenario->payloads, g_steal_pointer(&p->state));
        }
        while (d->plan->cgroups->len > 0)
                g_ptr_array_add(d->scenario->cgroups, g_ptr_array_steal_index(d->plan->cgroups, 0));
        forget_last(d);
}

void desk_has(Desk *d, Slot slot, const char *list) {
        desk_must_plan(d, slot, list, 0);
        enter(d);
}

void desk_plans_end(Desk *d, Slot slot) {
        forget_last(d);
        d->plan = plan_end(&d->context, slot);
}

/* ---- payloads ---- */

PayloadDef *desk_defines(Desk *d, const char *name, const char *exec) {
        PayloadDef *def = payload_def_new(name, exec);
        g_autofree char *path = g_strconcat("/p/", name, ".payload", NULL);

        payload_set_add(d->payloads, path, name, def, NULL);
        return def;
}

bool desk_runs(Desk *d, Slot slot, const char *request) {
        g_autoptr(JsonNode) node = json_quoted(request);

        forget_last(d);
        d->request = decode_payload_request(node, &d->error);
        if (d->request)
                d->plan = plan_run_payload(&d->context, d->request, slot, &d->error);
        return d->plan != NULL;
}

void desk_must_run(Desk *d, Slot slot, const char *request, int line) {
        if (!desk_runs(d, slot, request))
                fail_msg("line %d: %s: %s", line, request, d->error->message);
}

void desk_must_not_run(Desk *d, Slot slot, const char *request, int line) {
        if (desk_runs(d, slot, request))
                fail_msg("line %d: planned: %s", line, request);
}

void desk_has_payload(Desk *d, Slot slot, const char *request) {
        desk_must_run(d, slot, request, 0);
        enter(d);
}

void desk_plans_payload_end(Desk *d, const char *name, const char *cgroup) {
        forget_last(d);
        d->plan = plan_end_payload(&d->context, scenario_payload_at(d->scenario, name, cgroup));
}

/* ---- plans as text ---- */

static void append_payload(GString *text, const PlanAction *a) {
        g_auto(GStrv) argv = a->payload ? payload_state_argv(a->payload->state) : NULL;
        g_autofree char *line = argv ? g_strjoinv(" ", argv) : NULL;

        g_string_append_printf(text, " %s#%u%s%s", a->payload_name,
                               a->payload ? a->payload->state->id : a->payload_id, line ? ": " : "",
                               line ?: "");
}

static void append_works(GString *text, const GroupState *group) {
        g_string_append_printf(text, " #%u%s%s", group->id, group->pcomm ? " " : "", group->pcomm ?: "");
        for (guint i = 0; i < group->works->len; i++) {
                const WorkState *work = group->works->pdata[i];
                g_autofree char *cpus = cpulist_format(work->cpus);
                g_string_append_printf(text, "%s %s %u on %s", group->pcomm ? i ? "," : ":" : "",
                                       work_type_get(work->work_type)->name, work->n_workers, cpus);
        }
}

static void append_action(GString *text, const PlanAction *a) {
        static const char *const words[ACTION_KIND_COUNT] = {
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
        g_autofree char *path = plan_action_path(a);

        g_string_append_printf(text, "%s%s", a->flags & ACTION_TOLERATE ? "?" : "", words[a->kind]);
        if (a->kind == ACTION_PHASE && a->phase == PHASE_BETWEEN)
                g_string_append(text, " between");
        else if (a->kind == ACTION_PHASE)
                g_string_append_printf(text, " %u", a->phase);
        else if (!a->group_id)
                g_string_append_printf(text, " %s", path[0] ? path : ".");
        if (a->value)
                g_string_append_printf(text, " %s", a->value);
        if (a->group)
                append_works(text, a->group->state);
        if (a->group_id)
                g_string_append_printf(text, " #%u", a->group_id);
        if (a->payload_name)
                append_payload(text, a);
        g_string_append_c(text, '\n');
}

char *desk_actions_of(const Desk *d, const char *word) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < d->plan->actions->len; i++) {
                g_autoptr(GString) line = g_string_new(NULL);
                append_action(line, d->plan->actions->pdata[i]);
                if (g_str_has_prefix(line->str, word))
                        g_string_append(text, line->str);
        }
        return g_string_free(text, FALSE);
}

char *desk_actions(const Desk *d) {
        return desk_actions_of(d, "");
}

void check_text(const char *got, const char *expected, int line) {
        if (strcmp(got, expected) != 0)
                fail_msg("line %d: got\n%s\nexpected\n%s", line, got, expected);
}
