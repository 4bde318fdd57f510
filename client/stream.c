/* SPDX-License-Identifier: GPL-2.0-only */
#include "stream.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

int stream_write(int fd, const char *at, size_t left) {
        struct pollfd ready = { .fd = fd, .events = POLLOUT };

        while (left > 0) {
                ssize_t n = write(fd, at, left);

                if (n < 0 && errno == EAGAIN) /* whoever gave us this one made it so */
                        poll(&ready, 1, -1);
                else if (n < 0 && errno != EINTR)
                        return -errno;
                at += MAX(n, 0);
                left -= (size_t)MAX(n, 0);
        }
        return 0;
}

/* Not sendfile(2): it refuses files opened to append, such as a shell's ">>". */
int stream_copy(int from, off_t *offset, int to) {
        g_autofree char *part = g_malloc(CHUNK);

        for (;;) {
                ssize_t n = pread(from, part, CHUNK, *offset);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = stream_write(to, part, (size_t)n);
                if (r < 0)
                        return r;
                *offset += n;
        }
}
