/* SPDX-License-Identifier: GPL-2.0-only */
#include "executor-link.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/memfd.h"

struct ExecutorLink {
        int fd;
        sd_event_source *source;
        const ExecutorLinkEvents *events;
        void *userdata;
        const WireStatus *status; /* mapped with the hello */
        bool dispatching;         /* a handler runs; it may free the link, which then has to wait */
        bool freed;
};

/* As many messages as one turn of the loop may take: 10,000 workers that end at once must not starve the bus.
 */
enum { MESSAGES_A_TURN = 256 };

typedef union WireMessage {
        uint32_t kind;
        WireHello hello;
        WireGroup group;
        WireExit exit;
        WireNote note;
        WireDone done;
        WirePayload payload;
        WirePayloadExit payload_exit;
        WireInspected inspected;
} WireMessage;

/* What comes along with a message; whoever keeps a descriptor puts -1 in its place. */
enum { FDS_MAX = 2 };
typedef struct WireFds {
        int fd[FDS_MAX];
} WireFds;

static void wire_fds_close(WireFds *fds) {
        for (int i = 0; i < FDS_MAX; i++)
                if (fds->fd[i] >= 0)
                        g_close(fds->fd[i], NULL);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireFds, wire_fds_close)

static void map_status(ExecutorLink *link, int fd) {
        void *page = mmap(NULL, sizeof(WireStatus), PROT_READ, MAP_SHARED, fd, 0);

        if (page != MAP_FAILED)
                link->status = page;
}

/* The arena, read-only; its head must agree with its size before anybody follows an offset in it. */
static const ArenaHead *map_arena(int fd, size_t *ret_size) {
        struct stat st;
        void *arena;

        if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(ArenaHead))
                return NULL;
        arena = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (arena == MAP_FAILED)
                return NULL;
        if (arena_check(arena, (size_t)st.st_size) < 0) {
                munmap(arena, (size_t)st.st_size);
                return NULL;
        }
        *ret_size = (size_t)st.st_size;
        return arena;
}

static const char *receive_hello(ExecutorLink *link, const WireMessage *m, WireFds *fds) {
        if (m->hello.protocol != WIRE_PROTOCOL)
                return "daemon and executor come from different versions; reinstall, or restart the daemon";
        if (fds->fd[0] >= 0)
                map_status(link, fds->fd[0]);
        link->events->hello(link->userdata, &m->hello);
        return NULL;
}

static const char *receive_group(ExecutorLink *link, const WireMessage *m, WireFds *fds) {
        size_t size = 0;
        const ArenaHead *arena = map_arena(fds->fd[0], &size);

        if (!arena)
                return "a worker group's arena cannot be mapped";
        link->events->group(link->userdata, m->group.group_id, arena, size);
        return NULL;
}

static const char *receive_exit(ExecutorLink *link, const WireMessage *m, G_GNUC_UNUSED WireFds *fds) {
        link->events->worker_exit(link->userdata, &m->exit);
        return NULL;
}

static const char *receive_note(ExecutorLink *link, const WireMessage *m, G_GNUC_UNUSED WireFds *fds) {
        link->events->note(link->userdata, &m->note);
        return NULL;
}

static const char *receive_done(ExecutorLink *link, const WireMessage *m, G_GNUC_UNUSED WireFds *fds) {
        link->events->done(link->userdata, &m->done);
        return NULL;
}

static const char *receive_payload(ExecutorLink *link, const WireMessage *m, WireFds *fds) {
        WireFds pipes = *fds;

        if (pipes.fd[0] < 0 || pipes.fd[1] < 0)
                return "a payload came without its output";
        *fds = (WireFds){ { -1, -1 } };
        link->events->payload(link->userdata, &m->payload, pipes.fd);
        return NULL;
}

static const char *receive_payload_exit(ExecutorLink *link, const WireMessage *m,
                                        G_GNUC_UNUSED WireFds *fds) {
        link->events->payload_exit(link->userdata, &m->payload_exit);
        return NULL;
}

static const char *receive_inspected(ExecutorLink *link, const WireMessage *m, G_GNUC_UNUSED WireFds *fds) {
        link->events->inspected(link->userdata, &m->inspected);
        return NULL;
}

static const struct {
        size_t size;
        const char *(*receive)(ExecutorLink *link, const WireMessage *m,
                               WireFds *fds); /* what is wrong, or NULL */
} messages[] = {
        [WIRE_HELLO] = { sizeof(WireHello), receive_hello },
        [WIRE_GROUP] = { sizeof(WireGroup), receive_group },
        [WIRE_EXIT] = { sizeof(WireExit), receive_exit },
        [WIRE_NOTE] = { sizeof(WireNote), receive_note },
        [WIRE_DONE] = { sizeof(WireDone), receive_done },
        [WIRE_PAYLOAD] = { sizeof(WirePayload), receive_payload },
        [WIRE_PAYLOAD_EXIT] = { sizeof(WirePayloadExit), receive_payload_exit },
        [WIRE_INSPECTED] = { sizeof(WireInspected), receive_inspected },
};

static WireFds take_fds(struct msghdr *h) {
        struct cmsghdr *c = CMSG_FIRSTHDR(h);
        WireFds fds = { { -1, -1 } };

        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                memcpy(fds.fd, CMSG_DATA(c), MIN(c->cmsg_len - CMSG_LEN(0), sizeof(fds.fd)));
        return fds;
}

/* 1: something was there; 0: nothing more now; negative: the link is lost. */
static int receive(ExecutorLink *link) {
        union {
                char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
                struct cmsghdr align;
        } control;
        WireMessage m;
        struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
        struct msghdr h = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        const char *wrong = NULL;
        g_auto(WireFds) fds = { { -1, -1 } };
        ssize_t n = recvmsg(link->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                link->events->lost(link->userdata, n < 0 ? g_strerror(errno) : NULL);
                return -1;
        }
        fds = take_fds(&h);
        if ((size_t)n < sizeof(m.kind) || m.kind >= G_N_ELEMENTS(messages) || !messages[m.kind].receive ||
            (size_t)n != messages[m.kind].size)
                wrong = "it sent a message that is not part of the protocol";
        else
                wrong = messages[m.kind].receive(link, &m, &fds);
        if (wrong) {
                link->events->lost(link->userdata, wrong);
                return -1;
        }
        return 1;
}

static int on_readable(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED int fd,
                       G_GNUC_UNUSED uint32_t revents, void *userdata) {
        ExecutorLink *link = userdata;

        link->dispatching = true;
        for (unsigned i = 0; i < MESSAGES_A_TURN && !link->freed; i++)
                if (receive(link) <= 0)
                        break;
        link->dispatching = false;
        if (link->freed)
                executor_link_free(link);
        return 0;
}

ExecutorLink *executor_link_new(sd_event *event, int fd, const ExecutorLinkEvents *events, void *userdata,
                                GError **error) {
        g_autoptr(ExecutorLink) link = g_new0(ExecutorLink, 1);
        int r;

        link->fd = fd;
        link->events = events;
        link->userdata = userdata;
        r = sd_event_add_io(event, &link->source, fd, EPOLLIN, on_readable, link);
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "cannot watch the executor's socket: %s",
                            g_strerror(-r));
                return NULL;
        }
        return g_steal_pointer(&link);
}

void executor_link_free(ExecutorLink *link) {
        if (!link)
                return;
        /* Now, not later: a closed socket is what tells the executor to leave. */
        link->source = sd_event_source_disable_unref(link->source);
        if (link->fd >= 0)
                g_close(link->fd, NULL);
        link->fd = -1;
        if (link->dispatching) {
                link->freed = true;
                return;
        }
        if (link->status)
                munmap((void *)link->status, sizeof(WireStatus));
        g_free(link);
}

int executor_link_submit(ExecutorLink *link, uint32_t serial, const GByteArray *plan) {
        WireSubmit m = { .kind = WIRE_SUBMIT, .serial = serial };
        union {
                char space[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = { .space = { 0 } };
        struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
        struct msghdr h = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        g_auto(AutoFd) fd = memfd_new_sealed("ktsetup-plan", plan->data, plan->len);

        if (fd < 0)
                return fd;
        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS,
                               .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
        return sendmsg(link->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int executor_link_inspect(ExecutorLink *link, const WireInspect *request) {
        return send(link->fd, request, sizeof(*request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool executor_link_progress(const ExecutorLink *link, uint32_t *ret_action, uint64_t *ret_beat) {
        if (!link->status)
                return false;
        *ret_action = atomic_load_explicit(&link->status->action, memory_order_relaxed);
        *ret_beat = atomic_load_explicit(&link->status->beat, memory_order_relaxed);
        return true;
}
