/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"

/* One read a turn for each stream: what floods its output must not keep the bus waiting. */
enum { READ_BYTES = 64 << 10, CLOSE_READS_MAX = 64, CAPTURE_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10 };

typedef struct Stream {
        Capture *capture;
        int pipe; /* -1: ended */
        int memfd;
        sd_event_source *source;
        PayloadCount *count;
} Stream;

struct Capture {
        Stream streams[PAYLOAD_STREAMS];
        int changes;
        uint64_t limit;
        CaptureEnded ended;
        void *userdata;
};

static void tell_change(const Capture *c) {
        /* Never blocks: the counter would have to go through 2^64 changes. */
        eventfd_write(c->changes, 1);
}

bool capture_has_ended(const Capture *c) {
        for (int i = 0; i < PAYLOAD_STREAMS; i++)
                if (c->streams[i].pipe >= 0)
                        return false;
        return true;
}

/* ---- draining ---- */

static void end_stream(Stream *s) {
        s->source = sd_event_source_disable_unref(s->source);
        g_close(s->pipe, NULL);
        s->pipe = -1;
        fcntl(s->memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
        tell_change(s->capture);
}

/* What the memfd does not take, the limit being reached or memory being short, counts as dropped. Once
 * something was dropped nothing more is kept: what is there is the beginning, without a gap. */
static void keep(Stream *s, const char *data, size_t size) {
        bool whole = s->count->kept == s->count->bytes;
        uint64_t room = whole ? s->capture->limit - s->count->kept : 0;
        size_t wanted = MIN(size, room);
        ssize_t n = wanted ? write(s->memfd, data, wanted) : 0;

        s->count->kept += n > 0 ? (uint64_t)n : 0;
        s->count->bytes += size;
}

/* 1: took something; 0: nothing there now; -1: the stream has ended. */
static int drain_once(Stream *s) {
        char data[READ_BYTES];
        ssize_t n = read(s->pipe, data, sizeof(data));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return -1;
        keep(s, data, (size_t)n);
        return 1;
}

static int on_output(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED int fd,
                     G_GNUC_UNUSED uint32_t revents, void *userdata) {
        Stream *s = userdata;
        Capture *c = s->capture;
        int r = drain_once(s);

        if (r > 0)
                tell_change(c);
        else if (r < 0)
                end_stream(s);
        if (r < 0 && capture_has_ended(c))
                c->ended(c->userdata); /* may free it */
        return 0;
}

void capture_close(Capture *c) {
        if (capture_has_ended(c))
                return;
        for (int i = 0; i < PAYLOAD_STREAMS; i++) {
                Stream *s = &c->streams[i];
                if (s->pipe < 0)
                        continue;
                for (int reads = 0; reads < CLOSE_READS_MAX && drain_once(s) > 0; reads++)
                        ;
                end_stream(s);
        }
        c->ended(c->userdata);
}

/* ---- making it ---- */

static int open_stream(Stream *s, sd_event *event, int pipe) {
        static const char *const name = "ktsetup-output";
        int r;

        s->memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (s->memfd < 0)
                return -errno;
        if (fcntl(pipe, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        r = sd_event_add_io(event, &s->source, pipe, EPOLLIN, on_output, s);
        return r < 0 ? r : sd_event_source_set_priority(s->source, CAPTURE_PRIORITY);
}

Capture *capture_new(sd_event *event, const int pipes[PAYLOAD_STREAMS], uint64_t limit,
                     PayloadCount counts[PAYLOAD_STREAMS], CaptureEnded ended, void *userdata,
                     int *ret_error) {
        g_autoptr(Capture) c = g_new0(Capture, 1);
        int r = 0;

        c->limit = limit;
        c->ended = ended;
        c->userdata = userdata;
        for (int i = 0; i < PAYLOAD_STREAMS; i++)
                c->streams[i] = (Stream){ .capture = c, .pipe = pipes[i], .memfd = -1, .count = &counts[i] };
        c->changes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (c->changes < 0)
                r = -errno;
        for (int i = 0; r >= 0 && i < PAYLOAD_STREAMS; i++)
                r = open_stream(&c->streams[i], event, pipes[i]);
        if (r < 0) {
                *ret_error = r;
                return NULL;
        }
        return g_steal_pointer(&c);
}

void capture_free(Capture *c) {
        if (!c)
                return;
        for (int i = 0; i < PAYLOAD_STREAMS; i++) {
                Stream *s = &c->streams[i];
                sd_event_source_disable_unref(s->source);
                if (s->pipe >= 0)
                        g_close(s->pipe, NULL);
                if (s->memfd >= 0)
                        g_close(s->memfd, NULL);
        }
        if (c->changes >= 0)
                g_close(c->changes, NULL);
        g_free(c);
}

/* ---- looking at it ---- */

int capture_memfd(const Capture *c, PayloadStream stream) {
        return c->streams[stream].memfd;
}

int capture_open(const Capture *c, PayloadStream stream) {
        char path[64];
        int fd;

        g_snprintf(path, sizeof(path), "/proc/self/fd/%d", c->streams[stream].memfd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int capture_changes(const Capture *c) {
        return c->changes;
}
