/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-run.h"

#include "common/cleanup.h"
#include "common/error.h"
#include "payload-judgement.h"
#include "report/report-payload.h"

/* After all of a payload was killed its pipes end at once; only a process that fled from its cgroup can hold
 * them open. */
enum { OUTPUT_END_US = 1000000 };

/* From birth until its record is made. */
typedef struct Run {
        PayloadRuns *runs;
        PayloadState *payload; /* in the books, or in a plan on its way there */
        Capture *capture;
        int lost;         /* negative errno: there is no capture, nothing is known of its output */
        bool asked;       /* to be ended */
        GPtrArray *waits; /* of PayloadWait */

        /* on the way to the record */
        sd_event_source *deadline;
        Judgement *judgement;
        PayloadFinished finished;
        void *finished_userdata;
} Run;

struct PayloadRuns {
        sd_event *event;
        uint64_t output_limit;
        const PayloadRunsEvents *events;
        void *userdata;
        GPtrArray *list; /* of Run */
};

struct PayloadWait {
        Run *run;
        bool kill;
        sd_event_source *timer;
        PayloadWaitDone done;
        void *userdata;
};

static Run *find_run(const PayloadRuns *runs, const PayloadState *payload) {
        for (guint i = 0; i < runs->list->len; i++) {
                Run *run = runs->list->pdata[i];
                if (run->payload == payload)
                        return run;
        }
        return NULL;
}

/* ---- waits ---- */

static void wait_free(PayloadWait *w) {
        sd_event_source_disable_unref(w->timer);
        g_free(w);
}

void payload_wait_cancel(PayloadWait *w) {
        g_ptr_array_remove_fast(w->run->waits, w);
        wait_free(w);
}

static void settle_wait(PayloadWait *w, const PayloadResult *result, const GError *error) {
        PayloadWaitDone done = w->done;
        void *userdata = w->userdata;

        payload_wait_cancel(w);
        done(result, error, userdata);
}

/* An answer may cancel another wait: always the one that is left is taken. */
static void settle_waits(Run *run, const PayloadResult *result, const GError *error) {
        while (run->waits->len > 0)
                settle_wait(run->waits->pdata[0], result, error);
}

static void want_end(Run *run) {
        if (!run->asked) {
                run->asked = true;
                run->runs->events->end_wanted(run->runs->userdata, run->payload);
        }
}

static void give_up(PayloadWait *w) {
        const PayloadState *p = w->run->payload;
        g_autofree char *where = payload_place_text(p->cgroup);
        g_autoptr(GError) error =
                g_error_new(KT_ERROR, KT_ERROR_TIMED_OUT,
                            "WaitPayload: payload '%s' %s has not ended within the timeout and goes on; "
                            "wait again, or give \"kill\": true to end it then",
                            p->def->name, where);

        settle_wait(w, NULL, error);
}

/* Also for a payload that had ended before the wait began, which is taken up from here so that nobody is
 * answered before they have been told what to wait for. */
static int on_timer(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED uint64_t now, void *userdata) {
        PayloadWait *w = userdata;
        Run *run = w->run;

        if (run->asked)
                return 0;
        if (!run->payload->exit && !w->kill) {
                give_up(w);
                return 0;
        }
        run->payload->timed_out = !run->payload->exit;
        want_end(run);
        return 0;
}

PayloadWait *payload_runs_wait(PayloadRuns *runs, PayloadState *payload, uint64_t timeout_us, bool kill,
                               PayloadWaitDone done, void *userdata) {
        PayloadWait *w = g_new0(PayloadWait, 1);

        w->run = find_run(runs, payload);
        w->kill = kill;
        w->done = done;
        w->userdata = userdata;
        g_ptr_array_add(w->run->waits, w);
        if (payload->exit)
                timeout_us = 0;
        if (timeout_us != UINT64_MAX)
                sd_event_add_time_relative(runs->event, &w->timer, CLOCK_MONOTONIC, timeout_us, 0, on_timer,
                                           w);
        return w;
}

/* ---- from the end to the record ---- */

static void run_free(void *p) {
        Run *run = p;

        sd_event_source_disable_unref(run->deadline);
        judgement_free(run->judgement);
        capture_free(run->capture);
        g_ptr_array_unref(run->waits);
        g_free(run);
}

static void finish_with(Run *run, const Metrics *metrics, char *const *failures) {
        g_autoptr(JsonObject) record = payload_record(run->payload, metrics, failures);
        const PayloadResult result = { record, run->capture };
        PayloadFinished finished = run->finished;

        settle_waits(run, &result, NULL);
        finished(run->finished_userdata, run->payload, &result);
}

static void finish_unread(Run *run, int error) {
        g_autofree char *failure = g_strdup_printf("its output could not be read: %s", g_strerror(-error));
        char *failures[] = { failure, NULL };

        finish_with(run, NULL, failures);
}

static void on_judged(void *userdata, Metrics *metrics, char **failures) {
        Run *run = userdata;
        g_autoptr(Metrics) m = metrics;
        g_auto(GStrv) f = failures;

        g_clear_pointer(&run->judgement, judgement_free);
        finish_with(run, m, f);
}

static int exit_code(const PayloadState *p) {
        return p->exit && p->exit->exit_kind == WORKER_EXIT_CODE ? p->exit->exit_value : -1;
}

static void judge(Run *run) {
        int memfds[PAYLOAD_STREAMS] = { capture_memfd(run->capture, PAYLOAD_STDOUT),
                                        capture_memfd(run->capture, PAYLOAD_STDERR) };
        int r;

        run->deadline = sd_event_source_disable_unref(run->deadline);
        run->judgement = judgement_start(run->runs->event, run->payload->def, exit_code(run->payload), memfds,
                                         on_judged, run, &r);
        if (!run->judgement)
                finish_unread(run, r);
}

static void on_output_ended(void *userdata) {
        Run *run = userdata;

        if (run->finished)
                judge(run);
}

static int on_deadline(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED uint64_t now, void *userdata) {
        Run *run = userdata;

        capture_close(run->capture);
        return 0;
}

void payload_runs_finish(PayloadRuns *runs, PayloadState *payload, PayloadFinished done, void *userdata) {
        Run *run = find_run(runs, payload);

        run->asked = true;
        run->finished = done;
        run->finished_userdata = userdata;
        if (!run->capture)
                finish_unread(run, run->lost);
        else if (capture_has_ended(run->capture))
                judge(run);
        else if (sd_event_add_time_relative(runs->event, &run->deadline, CLOCK_MONOTONIC, OUTPUT_END_US, 0,
                                            on_deadline, run) < 0)
                capture_close(run->capture);
}

/* ---- all of them ---- */

int payload_runs_add(PayloadRuns *runs, PayloadState *payload, const int pipes[PAYLOAD_STREAMS]) {
        Run *run = g_new0(Run, 1);

        run->runs = runs;
        run->payload = payload;
        run->waits = g_ptr_array_new();
        run->capture = capture_new(runs->event, pipes, runs->output_limit, payload->output, on_output_ended,
                                   run, &run->lost);
        g_ptr_array_add(runs->list, run);
        return run->lost;
}

void payload_runs_exited(PayloadRuns *runs, const PayloadState *payload) {
        Run *run = find_run(runs, payload);

        if (run && run->waits->len > 0)
                want_end(run);
}

void payload_runs_not_ended(PayloadRuns *runs, const PayloadState *payload, const GError *error) {
        Run *run = find_run(runs, payload);

        if (!run)
                return;
        run->asked = false;
        settle_waits(run, NULL, error);
}

void payload_runs_drop(PayloadRuns *runs, const PayloadState *payload, const GError *error) {
        Run *run = find_run(runs, payload);

        if (!run)
                return;
        settle_waits(run, NULL, error);
        g_ptr_array_remove(runs->list, run);
}

const Capture *payload_runs_capture(const PayloadRuns *runs, const PayloadState *payload) {
        const Run *run = find_run(runs, payload);

        return run ? run->capture : NULL;
}

PayloadRuns *payload_runs_new(sd_event *event, uint64_t output_limit, const PayloadRunsEvents *events,
                              void *userdata) {
        PayloadRuns *runs = g_new0(PayloadRuns, 1);

        runs->event = event;
        runs->output_limit = output_limit;
        runs->events = events;
        runs->userdata = userdata;
        runs->list = g_ptr_array_new_with_free_func(run_free);
        return runs;
}

void payload_runs_clear(PayloadRuns *runs, const GError *error) {
        for (guint i = 0; i < runs->list->len; i++)
                settle_waits(runs->list->pdata[i], NULL, error);
        g_ptr_array_set_size(runs->list, 0);
}

void payload_runs_free(PayloadRuns *runs) {
        g_autoptr(GError) error =
                g_error_new(KT_ERROR, KT_ERROR_SHUTTING_DOWN, "the daemon is shutting down; call again");

        if (!runs)
                return;
        payload_runs_clear(runs, error);
        g_ptr_array_unref(runs->list);
        g_free(runs);
}
