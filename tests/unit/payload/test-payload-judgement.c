/* SPDX-License-Identifier: GPL-2.0-only */

/* A thread that judges: what it brings back, and what becomes of it when nobody waits for it. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/memfd.h"
#include "payload/payload-judgement.h"

enum { DEADLINE_US = 60 * 1000 * 1000 };

typedef struct Outcome {
        unsigned calls;
        Metrics *metrics;
        char **failures;
        Judgement *free_in_done;
} Outcome;

static void outcome_clear(Outcome *outcome) {
        g_clear_pointer(&outcome->metrics, metrics_free);
        g_clear_pointer(&outcome->failures, g_strfreev);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

static void on_done(void *userdata, Metrics *metrics, char **failures) {
        Outcome *outcome = userdata;

        outcome_clear(outcome);
        outcome->calls++;
        outcome->metrics = metrics;
        outcome->failures = failures;
        g_clear_pointer(&outcome->free_in_done, judgement_free);
}

static PayloadDef *new_def(double min) {
        PayloadDef *def = payload_def_new("p", "p");
        PayloadCheck *check = g_new0(PayloadCheck, 1);

        def->output = PAYLOAD_OUTPUT_JSON;
        check->kind = CHECK_MIN;
        check->text = g_strdup("min:iops");
        check->metric = g_strdup("iops");
        check->low = min;
        g_ptr_array_add(def->checks, check);
        return def;
}

static int sealed(const char *text) {
        int fd = memfd_new_sealed("test", text, strlen(text));

        assert_true(fd >= 0);
        return fd;
}

static sd_event *new_event(void) {
        sd_event *event = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        return event;
}

/* The receiver's copies of the descriptors are closed before anything is judged. */
static Judgement *start(sd_event *event, PayloadDef *def, const char *out, const char *err,
                        Outcome *outcome) {
        g_auto(AutoFd) out_fd = sealed(out), err_fd = sealed(err);
        int r = 1;
        Judgement *j = judgement_start(event, def, 0, (const int[]){ out_fd, err_fd }, on_done, outcome, &r);

        assert_non_null(j);
        assert_true(r >= 0);
        return j;
}

static void run_until_done(sd_event *event, const Outcome *outcome, unsigned calls) {
        while (outcome->calls < calls)
                assert_true(sd_event_run(event, DEADLINE_US) > 0);
}

static unsigned count_entries(const char *path) {
        DIR *dir = opendir(path);
        const struct dirent *entry;
        unsigned n = 0;

        assert_non_null(dir);
        while ((entry = readdir(dir)))
                n += entry->d_name[0] != '.';
        closedir(dir);
        return n;
}

/* Threads that nobody joins are gone when the kernel says so. */
static void await_lonely(void) {
        gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

        while (count_entries("/proc/self/task") > 1) {
                assert_true(g_get_monotonic_time() < deadline);
                g_usleep(1000);
        }
}

/* ---- what it brings ---- */

static void outcomes(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *out, *err;
                unsigned n_metrics, n_failures;
                PayloadStream stream;
        } cases[] = {
                { "{\"iops\":5,\"lat\":1}", "", 2, 0, PAYLOAD_STDOUT },
                { "{\"iops\":4}", "noise", 1, 1, PAYLOAD_STDOUT },
                { "", "{\"iops\":6}", 1, 0, PAYLOAD_STDERR },
                { "", "", 0, 1, 0 },
        };
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Outcome) outcome = { 0 };
                g_autoptr(Judgement) j G_GNUC_UNUSED =
                        start(event, def, cases[i].out, cases[i].err, &outcome);
                run_until_done(event, &outcome, 1);
                assert_int_equal(outcome.metrics->list->len, cases[i].n_metrics);
                assert_int_equal(g_strv_length(outcome.failures), cases[i].n_failures);
                if (cases[i].n_metrics)
                        assert_int_equal(g_array_index(outcome.metrics->list, Metric, 0).stream,
                                         cases[i].stream);
                assert_int_equal(sd_event_run(event, 0), 0); /* once */
        }
        await_lonely();
}

/* The caller's offset stays where it was, and the definition may be given up meanwhile. */
static void nothing_of_the_callers(void **state G_GNUC_UNUSED) {
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);
        g_auto(AutoFd) out = sealed("{\"iops\":5}"), err = sealed("");
        g_auto(Outcome) outcome = { 0 };
        g_autoptr(Judgement) j = NULL;
        int r;

        assert_int_equal(lseek(out, 3, SEEK_SET), 3);
        j = judgement_start(event, def, 0, (const int[]){ out, err }, on_done, &outcome, &r);
        g_clear_pointer(&def, payload_def_unref);
        run_until_done(event, &outcome, 1);
        assert_int_equal(outcome.metrics->list->len, 1);
        assert_int_equal(lseek(out, 0, SEEK_CUR), 3);
}

static void many_at_once(void **state G_GNUC_UNUSED) {
        enum { MANY = 50 };
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);
        g_auto(Outcome) outcome = { 0 };
        Judgement *judgements[MANY];
        unsigned before = count_entries("/proc/self/fd");

        for (unsigned i = 0; i < MANY; i++)
                judgements[i] = start(event, def, "{\"iops\":5}", "", &outcome);
        run_until_done(event, &outcome, MANY);
        for (unsigned i = 0; i < MANY; i++)
                judgement_free(judgements[i]);
        await_lonely();
        assert_int_equal(count_entries("/proc/self/fd"), before);
        assert_int_equal(outcome.calls, MANY);
}

/* ---- when it is freed ---- */

static void freed_in_done(void **state G_GNUC_UNUSED) {
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);
        g_auto(Outcome) outcome = { 0 };

        outcome.free_in_done = start(event, def, "{\"iops\":5}", "", &outcome);
        run_until_done(event, &outcome, 1);
        assert_int_equal(outcome.metrics->list->len, 1);
}

/* Half a million numbers, of which most are left out. */
static char *long_output(void) {
        GString *text = g_string_new("[0");

        for (unsigned i = 0; i < 1 << 19; i++)
                g_string_append(text, ",1234.5");
        g_string_append_c(text, ']');
        return g_string_free(text, FALSE);
}

/* The thread outlives judgement, loop and definition, and leaves nothing behind. */
static void freed_at_work(void **state G_GNUC_UNUSED) {
        g_autofree char *text = long_output();
        unsigned before = count_entries("/proc/self/fd");
        g_auto(Outcome) outcome = { 0 };

        for (unsigned i = 0; i < 3; i++) {
                g_autoptr(sd_event) event = new_event();
                g_autoptr(PayloadDef) def = new_def(5);
                judgement_free(start(event, def, text, "", &outcome));
        }
        await_lonely();
        assert_int_equal(outcome.calls, 0);
        assert_int_equal(count_entries("/proc/self/fd"), before);
}

/* It is ready, but the loop has not heard of it. */
static void freed_unheard(void **state G_GNUC_UNUSED) {
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);
        g_auto(Outcome) outcome = { 0 };
        Judgement *j = start(event, def, "{\"iops\":5}", "", &outcome);

        await_lonely();
        judgement_free(j);
        assert_int_equal(sd_event_run(event, 0), 0);
        assert_int_equal(outcome.calls, 0);
}

/* ---- signals ---- */

static guint64 blocked_signals(const char *tid) {
        g_autofree char *path = g_strdup_printf("/proc/self/task/%s/status", tid), *status = NULL;
        const char *line;

        if (!g_file_get_contents(path, &status, NULL, NULL))
                return 0; /* it has just ended */
        if (!g_str_has_prefix(status, "Name:\tjudgement\n"))
                return 0; /* the C library is still about to start it, with a mask of its own */
        line = strstr(status, "\nSigBlk:");
        return line ? g_ascii_strtoull(line + strlen("\nSigBlk:\t"), NULL, 16) : 0;
}

/* The mask of a thread that is not the main one; 0 when there is none, or it is about to end. */
static guint64 other_mask(void) {
        g_autoptr(GDir) dir = g_dir_open("/proc/self/task", 0, NULL);
        g_autofree char *self = g_strdup_printf("%d", getpid());
        const char *tid;

        while ((tid = g_dir_read_name(dir)))
                if (!g_str_equal(tid, self))
                        return blocked_signals(tid);
        return 0;
}

/* Signals are the loop's: whatever can be blocked is. (C libraries keep two of their own open.) */
static void signals_are_the_loops(void **state G_GNUC_UNUSED) {
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGALRM, SIGPIPE };
        g_autofree char *text = long_output();
        gint64 deadline = g_get_monotonic_time() + DEADLINE_US;
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);
        g_auto(Outcome) outcome = { 0 };
        sigset_t mine;
        guint64 mask = 0;

        while (!mask) {
                g_autoptr(Judgement) j = start(event, def, text, "", &outcome);
                while (!mask && count_entries("/proc/self/task") > 1)
                        mask = other_mask();
                assert_true(g_get_monotonic_time() < deadline);
                judgement_free(g_steal_pointer(&j));
                await_lonely();
        }
        for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
                assert_true(mask >> (signals[i] - 1) & 1);
        assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &mine), 0);
        assert_int_equal(sigismember(&mine, SIGTERM), 0); /* and the caller's mask is as it was */
}

/* ---- what cannot be had ---- */

static void refusals(void **state G_GNUC_UNUSED) {
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = new_def(5);
        g_auto(AutoFd) fd = sealed("{\"iops\":5}");
        unsigned before = count_entries("/proc/self/fd");
        struct rlimit limit, none;
        int r = 0;

        assert_null(judgement_start(event, def, 0, (const int[]){ fd, -1 }, on_done, NULL, &r));
        assert_int_equal(r, -EBADF);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        assert_null(judgement_start(event, def, 0, (const int[]){ fd, fd }, on_done, NULL, &r));
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_true(r == -EMFILE || r == -EINVAL);
        assert_int_equal(count_entries("/proc/self/fd"), before);
}

/* Output that cannot be read is a failure, not a pass. */
static void unreadable(void **state G_GNUC_UNUSED) {
        g_autoptr(sd_event) event = new_event();
        g_autoptr(PayloadDef) def = payload_def_new("p", "p"); /* without any check */
        g_auto(AutoFd) good = sealed("x"), bad = -1;
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", good);
        g_auto(Outcome) outcome = { 0 };
        g_autoptr(Judgement) j = NULL;
        int r;

        bad = open(path, O_WRONLY | O_CLOEXEC); /* what cannot be read cannot be mapped for reading */
        assert_true(bad >= 0);
        j = judgement_start(event, def, 0, (const int[]){ good, bad }, on_done, &outcome, &r);
        assert_non_null(j);
        run_until_done(event, &outcome, 1);
        assert_non_null(outcome.metrics);
        assert_int_equal(g_strv_length(outcome.failures), 1);
        assert_string_equal(outcome.failures[0], "what it printed could not be mapped: Permission denied");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(outcomes),
                cmocka_unit_test(nothing_of_the_callers),
                cmocka_unit_test(many_at_once),
                cmocka_unit_test(freed_in_done),
                cmocka_unit_test(freed_at_work),
                cmocka_unit_test(freed_unheard),
                cmocka_unit_test(signals_are_the_loops),
                cmocka_unit_test(refusals),
                cmocka_unit_test(unreadable),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
