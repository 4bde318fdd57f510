/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-loop.h"

#include <sched.h>
#include <sys/prctl.h>

/* Loops that use a CPU and little else. */

enum { SPIN_CHUNK = 1024, CHURN_CHUNK = 256 };

void work_spin_wait(WorkRun *run) {
        while (!work_stopped(run)) {
                work_spin(run, SPIN_CHUNK);
                work_pass_end(run);
        }
}

void work_yield_heavy(WorkRun *run) {
        while (!work_stopped(run)) {
                run->work_units++;
                sched_yield();
                work_pass_end(run);
        }
}

void work_mixed(WorkRun *run) {
        while (!work_stopped(run)) {
                work_spin(run, SPIN_CHUNK);
                sched_yield();
                work_pass_end(run);
        }
}

/* Returns how long the sleep really was; 0 when a stop cut it short, which says nothing about wake-ups. */
static uint64_t sleep_for(WorkRun *run, uint64_t ns) {
        uint64_t start = monotonic_ns();

        work_sleep_until(run, start + ns);
        uint64_t end = monotonic_ns();
        return work_stopped(run) || end <= start ? 0 : end - start;
}

void work_bursty(WorkRun *run) {
        uint64_t burst_ns = run->params[0], sleep_ns = run->params[1];

        while (!work_stopped(run)) {
                work_spin_for(run, burst_ns, SPIN_CHUNK);
                uint64_t slept = sleep_for(run, sleep_ns);
                if (slept)
                        work_record_wake(run, slept);
                work_pass_end(run);
        }
}

/* A sleep by futex is as precise as nanosleep: kernel/futex and hrtimer_nanosleep() both let the timer be
 * late by the thread's timer slack, 50 us for normal policies unless it is set; 0 would mean the default. */
void work_idle_churn(WorkRun *run) {
        uint64_t burst_ns = run->params[0], sleep_ns = run->params[1];

        if (run->params[2])
                prctl(PR_SET_TIMERSLACK, 1);
        while (!work_stopped(run)) {
                work_spin_for(run, burst_ns, CHURN_CHUNK);
                uint64_t slept = sleep_for(run, sleep_ns);
                if (slept)
                        work_record_wake(run, slept > sleep_ns ? slept - sleep_ns : 0);
                work_gap_reset(run);
                work_pass_end(run);
        }
}
