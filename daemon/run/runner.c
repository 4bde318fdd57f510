/* SPDX-License-Identifier: GPL-2.0-only */
#include "runner-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-journal.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "registry.h"
#include "report/report.h"
#include "stall/stall-journal.h"

/* How often progress is looked for, and how much longer than its own deadline an executor may take for an
 * action: it breaks off a blocked write after 2 s by itself; one that cannot even do that hangs in the
 * kernel. */
enum { WATCH_PERIOD_US = 250000, WATCH_GRACE_US = 4000000, HELLO_US = 30000000 };

static void advance(Runner *r);
static void watch_progress(Runner *r);

char *runner_root(const Runner *r) {
        if (r->root)
                return g_strdup(r->root);
        return r->config->root->kind->scenario_path(r->config->root, r->scenario->name);
}

bool runner_is_idle(const Runner *r) {
        return !r->current && g_queue_is_empty((GQueue *)&r->waiting) && r->link_state == LINK_DOWN;
}

/* ---- answers ---- */

static void answer(Runner *r, Operation *op, const GError *error) {
        op->done(op, error, op->userdata);
        operation_free(op);
        r->events->changed(r->userdata);
}

static void finish_current(Runner *r) {
        Operation *op = g_steal_pointer(&r->current);

        r->watch = sd_event_source_disable_unref(r->watch);
        answer(r, op, op->error);
        advance(r);
}

/* The current operation is settled. With nothing left the executor goes first, see runner.h. */
static void settle_current(Runner *r) {
        if (scenario_is_empty(r->scenario) && r->link_state != LINK_DOWN) {
                if (r->link_state != LINK_CLOSING) {
                        r->link_state = LINK_CLOSING;
                        g_clear_pointer(&r->link, executor_link_free);
                }
                watch_progress(r);
                return; /* on_gone() goes on */
        }
        finish_current(r);
}

/* What the undo took back, or what could not be ended. */
static void fail_payloads(Runner *r, const GError *error) {
        const Operation *op = r->current;
        const PayloadState *unended =
                op->kind == OPERATION_END_PAYLOAD ? scenario_find_payload(r->scenario, op->payload_id) : NULL;

        for (guint i = 0; op->plan && i < op->plan->payloads->len; i++)
                payload_runs_drop(r->payloads, ((PlanPayload *)op->plan->payloads->pdata[i])->state, error);
        if (unended)
                payload_runs_not_ended(r->payloads, unended, error);
}

void runner_fail_current(Runner *r, GError *error) {
        fail_payloads(r, error);
        g_clear_error(&r->current->error);
        r->current->error = error;
        settle_current(r);
}

/* ---- planning ---- */

static void fill_context(const Runner *r, const Operation *op, PlanContext *c) {
        const RunnerConfig *config = r->config;
        const ApplyOptions *options = &op->options;
        const OptionalNumber *workers = &options->workers_per_cgroup;

        *c = (PlanContext){ .topology = config->topology,
                            .scenario = r->scenario,
                            .root = op->root,
                            .controllers = launcher_controllers(config->root),
                            .controllers_file = config->root->controllers_file,
                            .limits = config->limits,
                            .workers_per_cgroup =
                                    workers->set ? (unsigned)workers->value : config->workers_per_cgroup,
                            .work_type_override = options->has_work_type_override
                                                          ? work_type_get(options->work_type_override)
                                                          : NULL,
                            .stop_ms = config->stop_ms,
                            .settle_ms = config->settle_ms,
                            .seed = g_random_int(),
                            .payloads = config->payloads,
                            .find_user = config->find_user };
}

static bool plan_operation(Runner *r, Operation *op, GError **error) {
        PlanContext context;

        g_free(op->root);
        op->root = runner_root(r);
        fill_context(r, op, &context);
        g_clear_pointer(&op->plan, plan_free);
        op->plan = operation_plan(op, &context, error);
        if (op->plan && op->options.dry_run)
                operation_tell_results(op, &context);
        return op->plan != NULL;
}

/* ---- the end of an operation that was carried out ---- */

static void report_end(Runner *r) {
        Operation *op = r->current;
        Slot slot = registry_slot(op);

        op->report = report_slot(r->scenario, slot, op->warnings);
        op->summary = report_summary(r->scenario, slot, op->warnings);
}

static void end_slot(Runner *r) {
        const Operation *op = r->current;

        report_end(r);
        registry_end(r->scenario, op, r->events, r->userdata);
        r->events->step_ended(r->userdata, r->scenario->step_index, op->summary);
        r->scenario->step_index++;
}

static bool has_step_workers(const Scenario *s) {
        for (guint i = 0; i < s->groups->len; i++)
                if (((const GroupState *)s->groups->pdata[i])->slot == SLOT_STEP)
                        return true;
        return false;
}

/* The call that gives a step its first workers says how they are watched, and the backdrop's with them. */
static void start_monitor(Runner *r) {
        const ApplyOptions *options = &r->current->options;
        unsigned period = options->stall_poll_ms.set ? (unsigned)options->stall_poll_ms.value
                                                     : r->config->stall_poll_ms;
        unsigned window =
                options->stall_window.set ? (unsigned)options->stall_window.value : r->config->stall_window;
        int k;

        if (r->scenario->stalls_decided || !has_step_workers(r->scenario))
                return;
        r->scenario->stalls_decided = true;
        if (options->no_stall_monitor)
                return;
        r->scenario->stall_fails = options->has_stall_fails ? options->stall_fails : STALL_EVERY_CLASS;
        k = stall_monitor_start(r->monitor, r->current->root, period, window);
        if (k < 0)
                sd_journal_print(LOG_WARNING, "the stall monitor of scenario %s cannot be started: %s",
                                 r->scenario->name, g_strerror(-k));
}

static void succeed_current(Runner *r) {
        Operation *op = r->current;

        if (operation_makes(op)) {
                PlanContext context;
                fill_context(r, op, &context);
                operation_tell_results(op, &context);
                registry_enter(r->scenario, op, r->events, r->userdata);
                start_monitor(r);
        } else if (op->kind != OPERATION_END_PAYLOAD)
                end_slot(r);
        r->events->changed(r->userdata);
        settle_current(r);
}

/* ---- payloads that were ended ---- */

static void keep_result(Operation *op, const PayloadResult *result) {
        op->record = json_object_ref(result->record);
        for (int i = 0; result->capture && i < PAYLOAD_STREAMS; i++)
                op->output[i] = capture_open(result->capture, i);
}

static void on_finished(void *userdata, PayloadState *p, const PayloadResult *result) {
        Runner *r = userdata;

        if (r->current->kind == OPERATION_END_PAYLOAD)
                keep_result(r->current, result);
        scenario_add_record(r->scenario, p->slot, json_object_ref(result->record));
        payload_runs_drop(r->payloads, p, NULL);
        g_ptr_array_remove(r->scenario->payloads, p);
        r->finishing--;
        if (r->finishing == 0)
                succeed_current(r);
}

/* Their records come before the report that tells them. */
void runner_finish_payloads(Runner *r) {
        const GArray *endings = r->current->plan->endings;

        const guint n = endings->len; /* the last one takes the operation along */

        r->finishing = n;
        if (n == 0)
                succeed_current(r);
        for (guint i = 0; i < n; i++) {
                PayloadState *p = scenario_find_payload(r->scenario, g_array_index(endings, uint32_t, i));
                payload_runs_finish(r->payloads, p, on_finished, r);
        }
}

/* ---- the executor's life ---- */

/* Everything the executor made goes with it. */
static void lose_scenario(Runner *r) {
        g_autofree char *root = runner_root(r);
        g_autoptr(GError) error = g_error_new(
                KT_ERROR, KT_ERROR_EXECUTOR_LOST,
                "the scenario's executor ended, and everything of the scenario with it; set it up again");

        r->finishing = 0;
        stall_monitor_stop(r->monitor);
        payload_runs_clear(r->payloads, error);
        registry_clear(r->scenario, root, r->events, r->userdata);
        g_clear_pointer(&r->root, g_free);
        r->events->changed(r->userdata);
}

static void on_gone(void *userdata, const char *why) {
        Runner *r = userdata;
        bool expected = r->link_state == LINK_CLOSING;

        r->link_state = LINK_DOWN;
        g_clear_pointer(&r->link, executor_link_free);
        lose_scenario(r);
        if (r->current && !r->current->error && !expected)
                r->current->error = g_error_new(KT_ERROR, KT_ERROR_EXECUTOR_LOST,
                                                "the scenario's executor could not be "
                                                "started or ended by itself (%s); what it made is gone",
                                                why ?: "no reason is known");
        else if (r->current && r->current->error && why && r->current->error->code == KT_ERROR_EXECUTOR_LOST)
                g_prefix_error(&r->current->error, "%s: ", why);
        if (r->current)
                finish_current(r);
        else {
                r->events->changed(r->userdata);
                advance(r);
        }
}

/* The socket closed from the other end: wait in LINK_CLOSING until on_gone() says that all is removed. */
static void on_lost(void *userdata, const char *why) {
        Runner *r = userdata;

        g_clear_pointer(&r->link, executor_link_free);
        r->link_state = LINK_CLOSING;
        if (r->current && !r->current->error)
                r->current->error =
                        g_error_new(KT_ERROR, KT_ERROR_EXECUTOR_LOST,
                                    "the scenario's executor ended in the middle of the call%s%s; everything "
                                    "of the scenario is gone",
                                    why ? ": " : "", why ?: "");
        lose_scenario(r);
}

static void submit_current(Runner *r);

static void on_hello(void *userdata, const WireHello *hello) {
        Runner *r = userdata;

        r->link_state = LINK_UP;
        g_free(r->root);
        r->root = g_strndup(hello->root, sizeof(hello->root) - 1);
        r->events->quirks_found(r->userdata, hello->quirks);
        r->watch = sd_event_source_disable_unref(r->watch);
        if (r->current)
                submit_current(r);
}

static const ExecutorLinkEvents link_events = {
        .hello = on_hello,
        .group = runner_on_group,
        .worker_exit = runner_on_worker_exit,
        .note = runner_on_note,
        .done = runner_on_done,
        .payload = runner_on_payload,
        .payload_exit = runner_on_payload_exit,
        .inspected = runner_on_inspected,
        .lost = on_lost,
};

/* ---- progress ---- */

/* What an executor may take for one action before it gives up by itself. */
static uint64_t allowance_us(const Runner *r, const PlanAction *action) {
        const Plan *plan = r->current->plan;

        switch (action ? action->kind : ACTION_KIND_COUNT) {
        case ACTION_SPAWN:
                return 10000000 + (uint64_t)action->group->state->n_workers * 1000;
        case ACTION_PAYLOAD:
                return 10000000;
        case ACTION_END_PAYLOAD:
                return 3000000;
        case ACTION_COLLECT:
                return (uint64_t)plan->stop_ms * 1000 + 3000000;
        case ACTION_AWAIT_EMPTY:
        case ACTION_RMDIR:
        case ACTION_MKDIR: /* its undo is an rmdir */
                return (uint64_t)plan->settle_ms * 1000;
        default:
                return 2000000;
        }
}

/* Stuck, in the kernel or by a signal. Nothing can be undone through it, so it and all it made have to go. */
static void give_up(Runner *r, const PlanAction *action, uint64_t ms) {
        g_autofree char *path = action ? plan_action_path(action) : g_strdup("start-up");

        if (r->link) { /* else it only had to leave, and what the call answers is settled */
                g_clear_error(&r->current->error);
                r->current->error =
                        g_error_new(KT_ERROR, KT_ERROR_TIMED_OUT,
                                    "the executor has made no progress for %" G_GUINT64_FORMAT
                                    " ms at %s/%s; the scenario is given up and all of it removed",
                                    ms, r->current->root, path);
                r->link_state = LINK_CLOSING;
                g_clear_pointer(&r->link, executor_link_free);
                lose_scenario(r);
        }
        r->config->root->kind->abandon(r->config->root, r->scenario->name);
        finish_current(r); /* on_gone() may be long in coming */
}

static int on_watch(sd_event_source *source, uint64_t now, void *userdata) {
        Runner *r = userdata;
        uint32_t index = 0;
        uint64_t beat = 0, limit = HELLO_US;
        const PlanAction *action = NULL;

        if (r->link && executor_link_progress(r->link, &index, &beat)) {
                action = runner_action_at(r, r->current->serial, index);
                limit = allowance_us(r, action) + WATCH_GRACE_US;
        }
        if (beat != r->watched_beat || index != r->watched_action) {
                r->watched_beat = beat;
                r->watched_action = index;
                r->watched_since = now;
        }
        if (now - r->watched_since < limit)
                return sd_event_source_set_time_relative(source, WATCH_PERIOD_US);

        give_up(r, action, (now - r->watched_since) / 1000);
        return 0;
}

static void watch_progress(Runner *r) {
        r->watch = sd_event_source_disable_unref(r->watch);
        sd_event_now(r->config->event, CLOCK_MONOTONIC, &r->watched_since);
        r->watched_action = 0;
        r->watched_beat = 0;
        if (sd_event_add_time_relative(r->config->event, &r->watch, CLOCK_MONOTONIC, WATCH_PERIOD_US, 0,
                                       on_watch, r) >= 0)
                sd_event_source_set_enabled(r->watch, SD_EVENT_ON);
}

/* ---- the way of an operation ---- */

static bool start_executor(Runner *r, GError **error) {
        int pair[2];
        bool started;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "no socket for the executor: %s",
                            g_strerror(errno));
                return false;
        }
        started = r->config->root->kind->start(r->config->root, r->scenario->name, pair[1], on_gone, r,
                                               error) >= 0;
        g_close(pair[1], NULL);
        if (!started) {
                g_close(pair[0], NULL);
                return false;
        }
        r->link_state = LINK_STARTING;
        r->link = executor_link_new(r->config->event, pair[0], &link_events, r, error);
        if (!r->link)
                r->link_state = LINK_CLOSING; /* its socket is closed, on_gone() will come */
        watch_progress(r);
        return r->link != NULL;
}

static void submit_current(Runner *r) {
        Operation *op = r->current;
        g_autoptr(GByteArray) wire = NULL;
        int k;

        /* The executor may have told another root than the one that was expected. */
        g_free(op->root);
        op->root = runner_root(r);
        wire = plan_encode(op->plan);
        op->serial = ++r->serial;
        k = executor_link_submit(r->link, op->serial, wire);
        if (k < 0)
                runner_fail_current(r, g_error_new(KT_ERROR, KT_ERROR_EXECUTOR_LOST,
                                                   "the plan cannot be sent to the executor: %s",
                                                   g_strerror(-k)));
        else
                watch_progress(r);
}

static void carry_out_current(Runner *r) {
        GError *error = NULL;

        if (r->current->plan->actions->len == 0)
                runner_finish_payloads(r);
        else if (r->link_state == LINK_UP)
                submit_current(r);
        else if (!start_executor(r, &error))
                runner_fail_current(r, error);
}

static void on_last_look(void *userdata) {
        carry_out_current(userdata);
}

/* What stalled shortly before the end of a step is part of its result. */
static void look_and_carry_out(Runner *r) {
        bool ends_step = !operation_makes(r->current) && r->current->kind != OPERATION_END_PAYLOAD;

        if (ends_step && stall_monitor_is_active(r->monitor))
                stall_monitor_last_look(r->monitor, on_last_look, r);
        else
                carry_out_current(r);
}

static void start_next(Runner *r) {
        GError *error = NULL;

        r->current = g_queue_pop_head(&r->waiting);
        if (!plan_operation(r, r->current, &error))
                runner_fail_current(r, error);
        else if (r->current->options.dry_run)
                settle_current(r);
        else
                look_and_carry_out(r);
}

/* Starts whatever can be started. An operation that is settled at once comes back here from inside; that must
 * not grow the stack, however many wait. */
static void advance(Runner *r) {
        if (r->advancing)
                return;
        r->advancing = true;
        while (!r->current && r->link_state != LINK_CLOSING && !g_queue_is_empty(&r->waiting))
                start_next(r);
        r->advancing = false;
}

void runner_submit(Runner *r, Operation *op) {
        if (r->shutting_down) {
                g_autoptr(GError) error = g_error_new(KT_ERROR, KT_ERROR_SHUTTING_DOWN,
                                                      "the daemon is shutting down; call again");
                answer(r, op, error);
                return;
        }
        g_queue_push_tail(&r->waiting, op);
        r->events->changed(r->userdata);
        advance(r);
}

PayloadRuns *runner_payloads(const Runner *r) {
        return r->payloads;
}

const StallMonitor *runner_stall_monitor(const Runner *r) {
        return r->monitor;
}

static void forget_answer(G_GNUC_UNUSED Operation *op, G_GNUC_UNUSED const GError *error,
                          G_GNUC_UNUSED void *userdata) {
}

void runner_shut_down(Runner *r) {
        g_autoptr(GError) error =
                g_error_new(KT_ERROR, KT_ERROR_SHUTTING_DOWN, "the daemon is shutting down; call again");
        Operation *op;

        if (r->shutting_down)
                return;
        r->shutting_down = true;
        while ((op = g_queue_pop_head(&r->waiting)))
                answer(r, op, error);
        if (!r->current && scenario_is_empty(r->scenario))
                return;
        g_queue_push_tail(&r->waiting, operation_new(OPERATION_TEARDOWN, forget_answer, NULL, NULL));
        advance(r);
}

/* In its turn, like everything that changes the books. Whoever waits is answered when it is done. */
static void on_end_wanted(void *userdata, PayloadState *p) {
        Operation *op = operation_new(OPERATION_END_PAYLOAD, forget_answer, NULL, NULL);

        op->payload_id = p->id;
        runner_submit(userdata, op);
}

static const PayloadRunsEvents payload_events = { .end_wanted = on_end_wanted };

static bool on_inspect(void *userdata, const WireInspect *request) {
        const Runner *r = userdata;

        return r->link_state == LINK_UP && executor_link_inspect(r->link, request) >= 0;
}

static void on_stall(void *userdata, const StallReport *report) {
        Runner *r = userdata;
        bool fails = r->scenario->stall_fails & 1u << report->class;
        JsonObject *record = stall_report_to_json(report);

        json_object_set_boolean_member(record, "fails", fails);
        stall_journal_write(r->scenario->name, report);
        r->events->stall_detected(r->userdata, report->cgroup, report->pid, stall_class_name(report->class),
                                  record);
        scenario_add_stall(r->scenario, fails, stall_report_line(report), record);
        r->events->changed(r->userdata);
}

static const StallMonitorEvents stall_events = { .inspect = on_inspect, .detected = on_stall };

Runner *runner_new(const RunnerConfig *config, Scenario *scenario, const RunnerEvents *events,
                   void *userdata) {
        Runner *r = g_new0(Runner, 1);

        r->config = config;
        r->scenario = scenario;
        r->events = events;
        r->userdata = userdata;
        r->payloads = payload_runs_new(config->event, config->output_limit, &payload_events, r);
        r->monitor = stall_monitor_new(config->event, scenario, &stall_events, r);
        g_queue_init(&r->waiting);
        return r;
}

void runner_free(Runner *r) {
        if (!r)
                return;
        sd_event_source_disable_unref(r->watch);
        g_clear_pointer(&r->link, executor_link_free);
        stall_monitor_free(r->monitor);
        payload_runs_free(r->payloads);
        operation_free(r->current);
        g_queue_clear_full(&r->waiting, (GDestroyNotify)operation_free);
        g_free(r->root);
        g_free(r);
}
