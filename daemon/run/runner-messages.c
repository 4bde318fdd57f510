/* SPDX-License-Identifier: GPL-2.0-only */
#include "runner-private.h"

#include <glib/gstdio.h>
#include <sys/mman.h>
#include <systemd/sd-journal.h>

#include "common/error.h"
#include "registry.h"
#include "explain/explain.h"
#include "placement-log.h"
#include "report/report-payload.h"
#include "report/report.h"

/* What the executor says, and what that means for the operation at hand and for the books. */

PlanAction *runner_action_at(const Runner *r, uint32_t serial, uint32_t index) {
        const Operation *op = r->current;

        if (!op || !op->plan || op->serial != serial || index >= op->plan->actions->len)
                return NULL;
        return op->plan->actions->pdata[index];
}

static GroupState *find_group(const Runner *r, uint32_t id) {
        const Plan *plan = r->current ? r->current->plan : NULL;

        for (guint i = 0; plan && i < plan->groups->len; i++) {
                const PlanGroup *g = plan->groups->pdata[i];
                if (g->state && g->state->id == id)
                        return g->state;
        }
        return scenario_find_group(r->scenario, id);
}

void runner_on_group(void *userdata, uint32_t id, const ArenaHead *arena, size_t size) {
        const Runner *r = userdata;
        GroupState *g = find_group(r, id);

        if (!g || g->arena || arena->n_workers != g->n_workers) {
                munmap((void *)arena, size);
                return;
        }
        g->arena = arena;
        g->arena_size = size;
        placement_log_group(r->config->placement_log, r->scenario->name, g);
}

void runner_on_worker_exit(void *userdata, const WireExit *e) {
        Runner *r = userdata;
        GroupState *g = find_group(r, e->group_id);
        g_autoptr(JsonObject) info = g && g->exited < g->n_workers ? report_exit(g, e) : NULL;

        if (!info)
                return;
        g->exited++;
        r->events->worker_exited(r->userdata, g->cgroup, e->pid, info);
        r->events->changed(r->userdata);
}

static PayloadState *find_payload(const Runner *r, uint32_t id) {
        const Plan *plan = r->current ? r->current->plan : NULL;

        for (guint i = 0; plan && i < plan->payloads->len; i++) {
                const PlanPayload *p = plan->payloads->pdata[i];
                if (p->state && p->state->id == id)
                        return p->state;
        }
        return scenario_find_payload(r->scenario, id);
}

void runner_on_payload(void *userdata, const WirePayload *m, const int pipes[PAYLOAD_STREAMS]) {
        Runner *r = userdata;
        PayloadState *p = find_payload(r, m->payload_id);
        int k;

        if (!p || p->pid) {
                for (int i = 0; i < PAYLOAD_STREAMS; i++)
                        g_close(pipes[i], NULL);
                return;
        }
        p->pid = m->pid;
        p->moved = m->placement == PLACEMENT_MOVED;
        k = payload_runs_add(r->payloads, p, pipes);
        if (k < 0)
                sd_journal_print(LOG_WARNING, "the output of payload %s cannot be kept: %s", p->def->name,
                                 g_strerror(-k));
        r->events->changed(r->userdata);
}

void runner_on_payload_exit(void *userdata, const WirePayloadExit *e) {
        Runner *r = userdata;
        PayloadState *p = find_payload(r, e->payload_id);
        g_autoptr(JsonObject) info = NULL;

        if (!p || p->exit)
                return;
        p->exit = g_memdup2(e, sizeof(*e));
        info = payload_exit_info(p);
        r->events->payload_exited(r->userdata, p, info);
        r->events->changed(r->userdata);
        payload_runs_exited(r->payloads, p);
}

/* A set-up tolerates nothing: a note in it is about the undo, whose failures belong into the error. */
static char *describe_note(const Runner *r, const PlanAction *action, const WireFailure *failure) {
        g_autofree char *path = NULL;
        g_autoptr(GError) why = NULL;

        if (operation_makes(r->current)) {
                path = plan_action_path(action);
                return g_strdup_printf("%s/%s: %s", r->current->root, path, g_strerror(failure->error));
        }
        why = explain_failure(action, r->current->root, failure);
        return g_strdup(why->message);
}

void runner_on_note(void *userdata, const WireNote *note) {
        Runner *r = userdata;
        const PlanAction *action = runner_action_at(r, note->serial, note->failure.action);

        if (!action)
                return;
        g_ptr_array_add(r->current->warnings, describe_note(r, action, &note->failure));
        if (action->kind == ACTION_RMDIR || action->kind == ACTION_MKDIR)
                g_hash_table_add(r->current->stayed, g_strdup(action->cgroup));
}

/* What the caller must know on top: the machine is not as it was. */
static void append_undo_failures(const Operation *op, GError *error) {
        g_autoptr(GString) text = g_string_new(error->message);

        g_string_append(text, "; and not everything could be undone");
        for (guint i = 0; i < op->warnings->len; i++)
                g_string_append_printf(text, "%s%s", i ? ", " : ": ", (char *)op->warnings->pdata[i]);
        g_free(error->message);
        error->message = g_string_free(g_steal_pointer(&text), FALSE);
}

static GError *explain_done(const Runner *r, const WireDone *done) {
        const PlanAction *action = runner_action_at(r, done->serial, done->failure.action);

        if (action && done->failure.error != EBADMSG)
                return explain_failure(action, r->current->root, &done->failure);
        return g_error_new(KT_ERROR, KT_ERROR_KERNEL_REFUSED,
                           "the executor could not read the plan, so nothing was done: %s",
                           done->failure.detail);
}

void runner_on_done(void *userdata, const WireDone *done) {
        Runner *r = userdata;
        GError *error;

        if (!r->current || r->current->serial != done->serial)
                return;
        r->watch = sd_event_source_disable_unref(r->watch);
        if (done->ok) {
                runner_finish_payloads(r);
                return;
        }
        error = explain_done(r, done);
        if (!done->undone) {
                append_undo_failures(r->current, error);
                registry_keep_remains(r->scenario, r->current, r->events, r->userdata);
        }
        runner_fail_current(r, error);
}

void runner_on_inspected(void *userdata, const WireInspected *answer) {
        stall_monitor_inspected(((Runner *)userdata)->monitor, answer);
}
