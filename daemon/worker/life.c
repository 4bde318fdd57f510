/* SPDX-License-Identifier: GPL-2.0-only */
#include "life.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"
#include "wire/proc.h"
#include "work-loop.h"

static void set_state(const WorkerContext *w, WorkerState state) {
        atomic_store_explicit(&arena_slot(w->arena, w->index)->state, state, memory_order_release);
}

void life_begin(const WorkerContext *w) {
        ArenaSlot *slot = arena_slot(w->arena, w->index);

        atomic_store_explicit(&slot->tid, (int32_t)syscall(SYS_gettid), memory_order_relaxed);
        proc_own_cgroup(slot->cgroup, sizeof(slot->cgroup));
        set_state(w, WORKER_BORN);
}

void life_refuse(const WorkerContext *w, SetupStep step, int error) {
        ArenaSlot *slot = arena_slot(w->arena, w->index);

        atomic_store_explicit(&slot->setup_errno, error, memory_order_relaxed);
        atomic_store_explicit(&slot->setup_step, step, memory_order_relaxed);
        set_state(w, WORKER_REFUSED);
        process_settle(w->arena, true);
}

bool life_get_ready(const WorkerContext *w, pid_t parent) {
        SetupStep step = SETUP_NONE;

        int r = worker_set_up(&w->setup, parent, &step);
        if (r < 0) {
                life_refuse(w, step, -r);
                return false;
        }
        set_state(w, WORKER_READY);
        process_settle(w->arena, false);
        return true;
}

void life_work(const WorkerContext *w, int read_fd, int write_fd, NumaGauge *gauge) {
        WorkRun run = {
                .arena = w->arena,
                .slot = arena_slot(w->arena, w->index),
                .params = w->params,
                .position = w->position,
                .region = w->region,
                .read_fd = read_fd,
                .write_fd = write_fd,
                .gauge = gauge,
        };

        process_wait_at_gate(w->arena);
        work_run_begin(&run);
        work_loops[w->type](&run);
        work_run_end(&run);
}
