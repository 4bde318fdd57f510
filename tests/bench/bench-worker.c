/* SPDX-License-Identifier: GPL-2.0-only */
/* What a worker does besides its work: counters, checkpoints, histograms. */
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "measure.h"
#include "worker/work-loop.h"

enum { ROUNDS = 15, SLICE_US = 20000, PAUSES = 1024, CALLS = 100000, VALUES = 100000, CPU_WORDS = 16 };

static WorkRun run;
static uint64_t values[VALUES], sorted[VALUES];
static uint64_t sink;

/* ---- loops that run until the timer says stop; each returns CPU time for one pass ---- */

static void on_alarm(int number) {
        (void)number;
        atomic_store_explicit(&run.arena->stop, 1, memory_order_relaxed);
}

static void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

static void bare_spin(WorkRun *r) {
        while (!work_stopped(r)) {
                uint64_t units = r->work_units;
                for (unsigned i = PAUSES; i--;) {
                        units++;
                        __asm__ volatile("" : "+r"(units));
                        cpu_pause();
                }
                r->work_units = units;
                r->iterations++;
        }
}

static void bare_yield(WorkRun *r) {
        while (!work_stopped(r)) {
                sched_yield();
                r->iterations++;
        }
}

static double pass_ns(WorkLoop loop) {
        const struct itimerval slice = { .it_value = { .tv_usec = SLICE_US } };
        uint64_t passes = run.iterations, start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

        atomic_store(&run.arena->stop, 0);
        setitimer(ITIMER_REAL, &slice, NULL);
        loop(&run);
        return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)(run.iterations - passes);
}

/* ---- calls ---- */

static void read_clock(unsigned i) {
        (void)i;
        sink += monotonic_ns();
}

static void checkpoint(unsigned i) {
        (void)i;
        work_checkpoint(&run);
}

static void record(unsigned i) {
        histogram_record(run.wake_latency, values[i % VALUES]);
}

static double call_ns(void (*call)(unsigned), unsigned n) {
        uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

        for (unsigned i = 0; i < n; i++)
                call(i);
        return (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / n;
}

/* ---- percentiles ---- */

/* From 1 ns to 2^39 ns, as many in each octave; the same in every run. */
static void make_values(void) {
        uint64_t state = 88172645463325252U;

        for (unsigned i = 0; i < VALUES; i++) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                values[i] = (UINT64_C(1) << state % 39) + (state >> 8) % (UINT64_C(1) << state % 39);
        }
}

static int by_value(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
        return (x > y) - (x < y);
}

static void percentile(unsigned i) {
        sink += histogram_percentile(run.wake_latency, i % 2 ? 0.99 : 0.5);
}

/* The other way: keep every sample, sort them when asked. */
static void sort_samples(unsigned i) {
        (void)i;
        memcpy(sorted, values, sizeof(sorted));
        qsort(sorted, VALUES, sizeof(*sorted), by_value);
        sink += sorted[VALUES / 2];
}

/* The largest relative error of percentiles of `values`, against their sorted list; 1 when one is too low. */
static double worst_error(void) {
        static const double shares[] = { 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1 };
        double worst = 0;

        memset(run.wake_latency, 0, sizeof(*run.wake_latency));
        for (unsigned i = 0; i < VALUES; i++)
                histogram_record(run.wake_latency, values[i]);
        sort_samples(0);
        for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
                uint64_t exact = sorted[(size_t)ceil(shares[i] * VALUES) - 1];
                uint64_t got = histogram_percentile(run.wake_latency, shares[i]);
                worst = fmax(worst, got < exact ? 1 : (double)(got - exact) / (double)exact);
        }
        return worst;
}

/* ---- the run ---- */

typedef struct Costs {
        Samples bare_spin, spin, bare_yield, yield, clock, checkpoint, record, percentile, sort;
} Costs;

static void measure_round(Costs *c) {
        samples_add(&c->bare_spin, pass_ns(bare_spin));
        samples_add(&c->spin, pass_ns(work_spin_wait));
        samples_add(&c->bare_yield, pass_ns(bare_yield));
        samples_add(&c->yield, pass_ns(work_yield_heavy));
        samples_add(&c->clock, call_ns(read_clock, CALLS));
        samples_add(&c->checkpoint, call_ns(checkpoint, CALLS));
        samples_add(&c->record, call_ns(record, CALLS));
        samples_add(&c->percentile, call_ns(percentile, 100));
        samples_add(&c->sort, call_ns(sort_samples, 1));
}

static void print_row(const char *label, const Samples *s, const Samples *reference) {
        table_row(label, samples_median(s), samples_median(reference));
}

static void print(const Costs *c) {
        static const char *const columns[] = { "CPU time", "ratio" };

        print_machine();
        table_begin("One pass of a work loop, as multiples of the same work without telemetry:", "pass",
                    columns, 2);
        print_row("1024 pauses, nothing else", &c->bare_spin, &c->bare_spin);
        print_row("SpinWait", &c->spin, &c->bare_spin);
        print_row("sched_yield, nothing else", &c->bare_yield, &c->bare_yield);
        print_row("YieldHeavy", &c->yield, &c->bare_yield);

        table_begin("Pieces of it, as multiples of one read of CLOCK_MONOTONIC:", "call", columns, 2);
        print_row("CLOCK_MONOTONIC", &c->clock, &c->clock);
        print_row("work_checkpoint", &c->checkpoint, &c->clock);
        print_row("histogram_record", &c->record, &c->clock);

        table_begin("One percentile of 100,000 samples, as multiples of asking the histogram:", "way",
                    columns, 2);
        print_row("histogram_percentile", &c->percentile, &c->percentile);
        print_row("copy and qsort all samples", &c->sort, &c->percentile);
        printf("\nA histogram takes %zu bytes, the samples %zu.\n", sizeof(Histogram), sizeof(values));
}

static bool begin(void) {
        const struct sigaction action = { .sa_handler = on_alarm };
        const ArenaShape shape = { .n_workers = 1, .cpu_words = CPU_WORDS, .samples = SAMPLE_WAKE_LATENCY };
        static const uint64_t params[WORK_PARAMS_MAX];
        ArenaHead *arena =
                mmap(NULL, arena_size(&shape), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (arena == MAP_FAILED || sigaction(SIGALRM, &action, NULL) < 0)
                return false;
        arena_init(arena, &shape);
        run = (WorkRun){ .arena = arena, .slot = arena_slot(arena, 0), .params = params };
        work_run_begin(&run);
        make_values();
        return run.wake_latency;
}

int main(void) {
        const double bound = 1.0 / (1 << HISTOGRAM_SUB_BITS);
        Costs costs = { 0 };
        double worst;

        if (!begin())
                return EXIT_FAILURE;
        for (unsigned i = 0; i < ROUNDS; i++)
                measure_round(&costs);
        print(&costs);
        worst = worst_error();
        printf("Its percentiles are at most %.2f %% above the exact ones, never below; bound %.2f %%.\n",
               worst * 100, bound * 100);
        return worst <= bound && sink ? EXIT_SUCCESS : EXIT_FAILURE;
}
