/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-loop.h"

#include "wire/futex.h"

const WorkLoop work_loops[WORK_TYPE_COUNT] = {
        [WORK_SPIN_WAIT] = work_spin_wait,   [WORK_YIELD_HEAVY] = work_yield_heavy,
        [WORK_MIXED] = work_mixed,           [WORK_BURSTY] = work_bursty,
        [WORK_PIPE_IO] = work_pipe_io,       [WORK_FUTEX_PING_PONG] = work_futex_ping_pong,
        [WORK_IDLE_CHURN] = work_idle_churn,
};

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

void work_spin(WorkRun *run, unsigned n) {
        uint64_t units = run->work_units;

        while (n--) {
                units++;
                __asm__ volatile("" : "+r"(units)); /* one add each: the compiler may not fold them */
                cpu_pause();
        }
        run->work_units = units;
}

void work_spin_units(WorkRun *run, uint64_t n) {
        enum { CHUNK = 1024 };

        while (n > CHUNK && !work_stopped(run)) {
                work_spin(run, CHUNK);
                work_publish(run);
                n -= CHUNK;
        }
        work_spin(run, n < CHUNK ? (unsigned)n : CHUNK);
}

void work_spin_for(WorkRun *run, uint64_t ns, unsigned chunk) {
        uint64_t end = monotonic_ns() + ns;

        do {
                work_spin(run, chunk);
                work_publish(run);
        } while (!work_stopped(run) && monotonic_ns() < end);
}

void work_sleep_until(const WorkRun *run, uint64_t until_ns) {
        struct timespec until = timespec_of_ns(until_ns);

        while (!work_stopped(run) && futex_wait(&run->arena->stop, 0, &until) != -ETIMEDOUT)
                ;
}
