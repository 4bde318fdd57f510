/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker.h"

#include <unistd.h>

#include "life.h"
#include "process.h"

/* Everything here and below runs in a process forked without exec, mostly by a raw clone3 behind the C
 * library's back: no malloc, no stdio, no lock that the parent may have held. */

_Noreturn void worker_main(const WorkerContext *w) {
        NumaGauge gauge = NUMA_GAUGE_INIT;

        process_hold(w);
        life_begin(w);

        int r = process_begin(w);
        if (r < 0)
                life_refuse(w, SETUP_PIPES, -r);
        if (r < 0 || !life_get_ready(w, w->parent))
                _exit(EXIT_REFUSED);
        close(SETTLE_FD);
        life_work(w, READ_FD, WRITE_FD, &gauge);
        _exit(0);
}
