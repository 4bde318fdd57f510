/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "executor/plan.h"

static int sealed(const void *bytes, size_t size) {
        int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -1;
        if (write(fd, bytes, size) == (ssize_t)size &&
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0)
                return fd;
        close(fd);
        return -1;
}

bool plan_check(const void *bytes, size_t size, char *ret_reason, size_t reason_size) {
        WireFailure failure = { 0 };
        Plan plan = { 0 };
        int fd = sealed(bytes, size);
        int r = plan_open(&plan, fd, 1, &failure);

        close(fd);
        if (r == 0)
                plan_close(&plan);
        if (ret_reason)
                snprintf(ret_reason, reason_size, "%s (action %u)", failure.detail, failure.action);
        return r == 0;
}
