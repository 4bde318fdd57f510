/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-judgement.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

/* What loop and thread share. The thread writes to it before it rings, the loop reads it once the thread is
 * joined: no lock. */
typedef struct Bench {
        gatomicrefcount refs;
        PayloadDef *def;
        int exit_code;
        AutoFd memfd[PAYLOAD_STREAMS];
        AutoFd bell; /* an eventfd; here, since a thread that nobody waits for rings it, too */
        Metrics *metrics;
        char **failures;
} Bench;

struct Judgement {
        Bench *bench;
        GThread *thread; /* NULL once it is joined */
        sd_event_source *source;
        JudgementDone done;
        void *userdata;
};

static Bench *bench_new(PayloadDef *def, int exit_code) {
        Bench *bench = g_new0(Bench, 1);

        g_atomic_ref_count_init(&bench->refs);
        bench->def = payload_def_ref(def);
        bench->exit_code = exit_code;
        bench->bell = bench->memfd[PAYLOAD_STDOUT] = bench->memfd[PAYLOAD_STDERR] = -1;
        return bench;
}

static void bench_unref(Bench *bench) {
        if (!g_atomic_ref_count_dec(&bench->refs))
                return;
        for (size_t i = 0; i < PAYLOAD_STREAMS; i++)
                auto_fd_close(&bench->memfd[i]);
        auto_fd_close(&bench->bell);
        metrics_free(bench->metrics);
        g_strfreev(bench->failures);
        payload_def_unref(bench->def);
        g_free(bench);
}

/* ---- the thread ---- */

/* Negative errno. mmap() refuses to map nothing. */
static int map_stream(int fd, PayloadBytes *ret) {
        struct stat st;
        void *data;

        *ret = (PayloadBytes){ "", 0 };
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size == 0)
                return 0;
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        *ret = (PayloadBytes){ data, (size_t)st.st_size };
        return 0;
}

static void unmap_stream(PayloadBytes *stream) {
        if (stream->size > 0)
                munmap((void *)stream->data, stream->size);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PayloadBytes, unmap_stream)

/* Output that cannot be read has not passed. */
static void fail(Bench *bench, int error) {
        const PayloadBytes none = { "", 0 };

        bench->metrics = payload_metrics(bench->def, none, none);
        bench->failures = g_new0(char *, 2);
        bench->failures[0] = g_strdup_printf("what it printed could not be mapped: %s", g_strerror(-error));
}

static void judge(Bench *bench) {
        g_auto(PayloadBytes) out = { 0 }, err = { 0 };
        int r = map_stream(bench->memfd[PAYLOAD_STDOUT], &out);

        if (r >= 0)
                r = map_stream(bench->memfd[PAYLOAD_STDERR], &err);
        if (r < 0) {
                fail(bench, r);
                return;
        }
        bench->metrics = payload_metrics(bench->def, out, err);
        bench->failures = payload_judge(bench->def, bench->exit_code, bench->metrics, err);
}

static void *thread_main(void *userdata) {
        Bench *bench = userdata;

        judge(bench);
        eventfd_write(bench->bell, 1); /* cannot fail: the counter was 0 */
        bench_unref(bench);
        return NULL;
}

/* A new thread has the mask of the one that makes it; signals are for the loop's signalfd. */
static int start_thread(Judgement *j) {
        g_autoptr(GError) error = NULL;
        sigset_t all, before;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        g_atomic_ref_count_inc(&j->bench->refs);
        j->thread = g_thread_try_new("judgement", thread_main, j->bench, &error);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (j->thread)
                return 0;
        bench_unref(j->bench);
        return -EAGAIN; /* the one reason that glib knows */
}

/* ---- the loop ---- */

static int on_bell(sd_event_source *source G_GNUC_UNUSED, int fd G_GNUC_UNUSED,
                   uint32_t revents G_GNUC_UNUSED, void *userdata) {
        Judgement *j = userdata;

        j->source = sd_event_source_disable_unref(j->source);
        g_thread_join(g_steal_pointer(&j->thread)); /* it has rung, and has nothing left to do */
        j->done(j->userdata, g_steal_pointer(&j->bench->metrics), g_steal_pointer(&j->bench->failures));
        return 0; /* done may have freed j */
}

static int duplicate(int fd, AutoFd *ret) {
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? -errno : 0;
}

static int start(Judgement *j, sd_event *event, const int memfd[PAYLOAD_STREAMS]) {
        Bench *bench = j->bench;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < PAYLOAD_STREAMS; i++)
                r = duplicate(memfd[i], &bench->memfd[i]);
        if (r < 0)
                return r;
        bench->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (bench->bell < 0)
                return -errno;
        r = sd_event_add_io(event, &j->source, bench->bell, EPOLLIN, on_bell, j);
        return r < 0 ? r : start_thread(j);
}

Judgement *judgement_start(sd_event *event, PayloadDef *def, int exit_code, const int memfd[PAYLOAD_STREAMS],
                           JudgementDone done, void *userdata, int *ret_error) {
        g_autoptr(Judgement) j = g_new0(Judgement, 1);

        j->bench = bench_new(def, exit_code);
        j->done = done;
        j->userdata = userdata;
        *ret_error = start(j, event, memfd);
        return *ret_error < 0 ? NULL : g_steal_pointer(&j);
}

void judgement_free(Judgement *j) {
        if (!j)
                return;
        sd_event_source_disable_unref(j->source);
        g_clear_pointer(&j->thread, g_thread_unref);
        bench_unref(j->bench);
        g_free(j);
}
