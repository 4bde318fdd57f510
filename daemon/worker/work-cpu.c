/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-loop.h"

#include <sched.h>

#include "futex.h"

/* Loops that use a CPU and little else. */

enum { SPIN_CHUNK = 1024 };

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

static void spin(WorkRun *run, unsigned n) {
        uint64_t units = run->work_units;

        while (n--) {
                units++;
                __asm__ volatile("" : "+r"(units)); /* one add each: the compiler may not fold them */
                cpu_pause();
        }
        run->work_units = units;
}

void work_spin_wait(WorkRun *run) {
        while (!work_stopped(run)) {
                spin(run, SPIN_CHUNK);
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

static void burst(WorkRun *run, uint64_t ns) {
        uint64_t end = monotonic_ns() + ns;

        do { /* at least once: the shortest burst is still work */
                spin(run, SPIN_CHUNK);
                work_publish(run);
        } while (!work_stopped(run) && monotonic_ns() < end);
}

/* Sleeps on the stop word, so that a long sleep does not delay the end. */
static void sleep_until(const WorkRun *run, uint64_t until_ns) {
        struct timespec until = timespec_of_ns(until_ns);

        while (!work_stopped(run) && futex_wait(&run->arena->stop, 0, &until) != -ETIMEDOUT)
                ;
}

void work_bursty(WorkRun *run) {
        uint64_t burst_ns = run->params[0], sleep_ns = run->params[1];

        while (!work_stopped(run)) {
                burst(run, burst_ns);
                if (!work_stopped(run)) {
                        uint64_t start = monotonic_ns();
                        sleep_until(run, start + sleep_ns);
                        /* A sleep cut short by the stop says nothing about wake-ups. */
                        if (run->wake_latency && !work_stopped(run))
                                histogram_record(run->wake_latency, monotonic_ns() - start);
                }
                work_pass_end(run);
        }
}

const WorkLoop work_loops[WORK_TYPE_COUNT] = {
        [WORK_SPIN_WAIT] = work_spin_wait,
        [WORK_YIELD_HEAVY] = work_yield_heavy,
        [WORK_BURSTY] = work_bursty,
};
