/* SPDX-License-Identifier: GPL-2.0-only */
#include "executor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { FDS_MAX = 2 /* those of a WIRE_PAYLOAD */ };

static ssize_t send_now(int socket, const void *message, size_t size, const int *fds, size_t n_fds) {
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(FDS_MAX * sizeof(*fds))];
        } control = { 0 };
        struct iovec part = { .iov_base = (void *)message, .iov_len = size };
        struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

        if (n_fds) {
                header.msg_control = &control;
                header.msg_controllen = CMSG_SPACE(n_fds * sizeof(*fds));
                struct cmsghdr *c = CMSG_FIRSTHDR(&header);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n_fds * sizeof(*fds));
                memcpy(CMSG_DATA(c), fds, n_fds * sizeof(*fds));
        }
        return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Room on the socket, or a reason to leave. The daemon reads from its event loop whatever else it does. */
static void wait_for_room(Executor *e) {
        struct pollfd fds[] = { { .fd = e->socket, .events = POLLOUT },
                                { .fd = e->quit_fd, .events = POLLIN } };

        if (poll(fds, 2, -1) > 0 && fds[1].revents)
                e->quit = true;
}

/* What may stand in the way of a descriptor, and of this one only (unix(7)). */
static bool is_shortage(int error) {
        return error == ETOOMANYREFS || error == ENOBUFS || error == ENOMEM;
}

int executor_send_fds(Executor *e, const void *message, size_t size, const int *fds, size_t n_fds) {
        while (!e->quit) {
                if (send_now(e->socket, message, size, fds, n_fds) >= 0)
                        return 0;
                if (errno == EAGAIN)
                        wait_for_room(e);
                else if (n_fds && is_shortage(errno))
                        return -errno;
                else if (errno != EINTR)
                        e->quit = true; /* EPIPE, ECONNRESET: nobody there */
        }
        return -ECANCELED;
}

int executor_send(Executor *e, const void *message, size_t size, int fd) {
        return executor_send_fds(e, message, size, &fd, fd >= 0);
}
