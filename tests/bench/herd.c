/* SPDX-License-Identifier: GPL-2.0-only */
#include "herd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/futex.h"

bool herd_prepare(Herd *herd, uint32_t n) {
        void *page =
                mmap(NULL, sizeof(*herd->stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        *herd = (Herd){ .n = n,
                        .pids = calloc(n, sizeof(*herd->pids)),
                        .pipes = calloc(n, sizeof(*herd->pipes)) };
        herd->stop = page == MAP_FAILED ? NULL : page;
        return herd->stop && herd->pids && herd->pipes;
}

static _Noreturn void child(const Herd *herd, int pipe) {
        char byte;

        if (read(pipe, &byte, 1) != 1)
                _exit(1);
        while (atomic_load_explicit(herd->stop, memory_order_acquire) == 0)
                futex_wait(herd->stop, 0, NULL);
        _exit(0);
}

pid_t herd_fork_one(Herd *herd) {
        int ends[2];
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -1;
        pid = fork();
        if (pid == 0)
                child(herd, ends[0]);
        close(ends[0]);
        if (pid < 0) {
                close(ends[1]);
                return -1;
        }
        herd->pipes[herd->forked] = ends[1];
        herd->pids[herd->forked++] = pid;
        return pid;
}

bool herd_start(Herd *herd) {
        for (uint32_t i = 0; i < herd->forked; i++)
                if (write(herd->pipes[i], "", 1) != 1)
                        return false;
        return true;
}

bool herd_stop(Herd *herd) {
        siginfo_t info;
        bool good = true;

        atomic_store(herd->stop, 1);
        futex_wake_all(herd->stop);
        for (uint32_t i = 0; i < herd->forked; i++) {
                if (waitid(P_PID, (id_t)herd->pids[i], &info, WEXITED) < 0 || info.si_code != CLD_EXITED ||
                    info.si_status != 0)
                        good = false;
                herd->pids[i] = 0;
        }
        return good;
}

void herd_clear(Herd *herd) {
        for (uint32_t i = 0; i < herd->forked; i++) {
                close(herd->pipes[i]);
                if (herd->pids[i] <= 0)
                        continue;
                kill(herd->pids[i], SIGKILL);
                waitpid(herd->pids[i], NULL, 0);
        }
        if (herd->stop)
                munmap((void *)herd->stop, sizeof(*herd->stop));
        free(herd->pids);
        free(herd->pipes);
        *herd = (Herd){ 0 };
}
