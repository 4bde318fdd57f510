/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "util.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static int new_memfd(const char *name) {
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
        if (fd < 0 && errno == EINVAL)
                fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd;
}

void *memory_new(const char *name, size_t size, int *ret_fd) {
        CLEANUP(close_fd) int fd = new_memfd(name);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                return NULL;
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return NULL;
        /* After the mapping: this seal leaves existing ones writable, across fork too, and allows no more. */
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
                int error = errno;
                munmap(p, size);
                errno = error;
                return NULL;
        }
        *ret_fd = take_fd(&fd);
        return p;
}

void *memory_new_unforked(size_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                return NULL;
        madvise(p, size, MADV_DONTFORK); /* without it, no more than slower */
        return p;
}
