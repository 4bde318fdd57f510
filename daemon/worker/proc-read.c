/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "proc.h"

ssize_t proc_read(const char *path, char *buffer, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        size_t used = 0;
        ssize_t n = 0;
        while (used < size - 1 && (n = read(fd, buffer + used, size - 1 - used)) > 0)
                used += (size_t)n;
        int error = errno;
        close(fd);
        if (n < 0)
                return -error;
        buffer[used] = '\0';
        return (ssize_t)used;
}
