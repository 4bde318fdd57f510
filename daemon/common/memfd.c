/* SPDX-License-Identifier: GPL-2.0-only */
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"

int memfd_new_sealed(const char *name, const void *data, size_t size) {
        g_auto(AutoFd) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const char *at = data;

        if (fd < 0)
                return -errno;
        while (size > 0) {
                ssize_t n = write(fd, at, size);
                if (n < 0)
                        return -errno;
                at += n;
                size -= (size_t)n;
        }
        if (lseek(fd, 0, SEEK_SET) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        return auto_fd_steal(&fd);
}
