/* SPDX-License-Identifier: GPL-2.0-only */
#include "telemetry.h"

#include <sched.h>

#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static uint32_t current_cpu(void) {
        int cpu = sched_getcpu();
        return cpu < 0 ? 0 : (uint32_t)cpu;
}

static void add_cpu(WorkRun *run, uint32_t cpu) {
        uint32_t word = cpu / 64;
        if (word >= run->arena->cpu_words)
                return;
        uint64_t set = atomic_load_explicit(&run->cpus[word], memory_order_relaxed);
        STORE(run->cpus[word], set | UINT64_C(1) << (cpu % 64));
}

static void note_gap(WorkRun *run, uint64_t now) {
        uint64_t gap = now - run->gap_mark_ns;

        run->gap_mark_ns = now;
        if (gap <= run->max_gap_ns)
                return;
        run->max_gap_ns = gap;
        STORE(run->slot->max_gap_ns, gap);
        STORE(run->slot->max_gap_at_ns, now - run->started_ns);
        STORE(run->slot->max_gap_cpu, run->cpu);
}

static void note_migration(WorkRun *run, uint64_t now) {
        uint32_t cpu = current_cpu();
        if (cpu == run->cpu)
                return;

        if (run->migrations < ARENA_MIGRATIONS)
                run->slot->migration_log[run->migrations] = (Migration){
                        .at_ns = now - run->started_ns,
                        .from_cpu = run->cpu,
                        .to_cpu = cpu,
                };
        run->migrations++;
        run->cpu = cpu;
        add_cpu(run, cpu);
        STORE(run->slot->last_cpu, cpu);
        /* Release: who reads the number also sees the entries it counts. */
        atomic_store_explicit(&run->slot->migrations, run->migrations, memory_order_release);
}

void work_checkpoint(WorkRun *run) {
        uint64_t now = monotonic_ns();

        note_gap(run, now); /* first: a gap belongs to the CPU it began on */
        note_migration(run, now);
}

void work_run_begin(WorkRun *run, ArenaHead *arena, ArenaSlot *slot, const uint64_t *params) {
        *run = (WorkRun){
                .arena = arena,
                .slot = slot,
                .cpus = arena_slot_cpus(arena, slot),
                .wake_latency = arena_slot_histogram(arena, slot, SAMPLE_WAKE_LATENCY),
                .params = params,
        };
        run->started_ns = run->gap_mark_ns = monotonic_ns();
        run->cpu = current_cpu();
        add_cpu(run, run->cpu);
        run->sched_valid = schedstat_read(&run->sched_at_start);

        STORE(slot->last_cpu, run->cpu);
        STORE(slot->max_gap_cpu, run->cpu);
        STORE(slot->started_ns, run->started_ns);
        STORE(slot->state, WORKER_RUNNING);
}

static void store_schedstat(WorkRun *run) {
        SchedStat end;
        if (!run->sched_valid || !schedstat_read(&end))
                return;

        STORE(run->slot->run_delay_ns, end.run_delay_ns - run->sched_at_start.run_delay_ns);
        STORE(run->slot->run_count, end.run_count - run->sched_at_start.run_count);
        STORE(run->slot->sched_cpu_ns, end.cpu_ns - run->sched_at_start.cpu_ns);
        STORE(run->slot->schedstat_valid, 1);
}

void work_run_end(WorkRun *run) {
        work_publish(run);
        /* Together, and before the reads of /proc, which are not work. */
        STORE(run->slot->wall_ns, monotonic_ns() - run->started_ns);
        STORE(run->slot->cpu_ns, clock_ns(CLOCK_THREAD_CPUTIME_ID));
        store_schedstat(run);
        atomic_store_explicit(&run->slot->state, WORKER_FINISHED, memory_order_release);
}
