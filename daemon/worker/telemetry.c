/* SPDX-License-Identifier: GPL-2.0-only */
#include "telemetry.h"

#include <sched.h>

#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define LOAD(field)         atomic_load_explicit(&(field), memory_order_relaxed)

static uint64_t since(uint64_t start, uint64_t end) {
        return end > start ? end - start : 0;
}

/* ---- CPUs ---- */

static uint32_t current_cpu(void) {
        int cpu = sched_getcpu();
        return cpu < 0 ? 0 : (uint32_t)cpu;
}

static void add_to_set(const WorkRun *run, _Atomic uint64_t *cpus, uint32_t cpu) {
        uint32_t word = cpu / 64;

        if (word < run->arena->cpu_words)
                STORE(cpus[word], LOAD(cpus[word]) | UINT64_C(1) << (cpu % 64));
}

static void add_cpu(const WorkRun *run) {
        add_to_set(run, arena_cpus(run->arena, run->slot, NULL), run->cpu);
        if (run->slice)
                add_to_set(run, run->slice_cpus, run->cpu);
}

/* ---- checkpoints ---- */

static void note_slice_gaps(const WorkRun *run, uint64_t wall_gap, uint64_t cpu_gap) {
        PhaseSlice *slice = run->slice;

        if (!slice)
                return;
        if (wall_gap > slice->max_gap_wall_ns)
                slice->max_gap_wall_ns = wall_gap;
        if (cpu_gap > slice->max_gap_ns) {
                slice->max_gap_ns = cpu_gap;
                slice->max_gap_cpu = run->cpu;
        }
}

static void note_gaps(WorkRun *run, uint64_t wall_ns, uint64_t cpu_ns) {
        uint64_t wall_gap = since(run->gap_wall_ns, wall_ns), cpu_gap = since(run->gap_cpu_ns, cpu_ns);
        ArenaSlot *slot = run->slot;

        run->gap_wall_ns = wall_ns;
        run->gap_cpu_ns = cpu_ns;
        note_slice_gaps(run, wall_gap, cpu_gap);
        if (wall_gap > LOAD(slot->max_gap_wall_ns))
                STORE(slot->max_gap_wall_ns, wall_gap);
        if (cpu_gap > LOAD(slot->max_gap_ns)) {
                STORE(slot->max_gap_ns, cpu_gap);
                STORE(slot->max_gap_at_ns, since(run->start.wall_ns, wall_ns));
                STORE(slot->max_gap_cpu, run->cpu);
        }
}

static void note_migration(WorkRun *run, uint64_t now) {
        uint32_t cpu = current_cpu();
        if (cpu == run->cpu)
                return;

        if (run->migrations < ARENA_MIGRATIONS)
                run->slot->migration_log[run->migrations] = (Migration){
                        .at_ns = since(run->start.wall_ns, now),
                        .from_cpu = run->cpu,
                        .to_cpu = cpu,
                };
        run->migrations++;
        run->cpu = cpu;
        add_cpu(run);
        STORE(run->slot->last_cpu, cpu);
        /* Release: who reads the number also sees the entries it counts. */
        atomic_store_explicit(&run->slot->migrations, run->migrations, memory_order_release);
}

void work_checkpoint(WorkRun *run) {
        uint64_t now = monotonic_ns();

        note_gaps(run, now,
                  clock_ns(CLOCK_THREAD_CPUTIME_ID)); /* first: a gap belongs to the CPU it began on */
        note_migration(run, now);
}

void work_gap_reset(WorkRun *run) {
        run->gap_wall_ns = monotonic_ns();
        run->gap_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void work_record_wake(WorkRun *run, uint64_t ns) {
        if (run->wake_latency)
                histogram_record(run->wake_latency, ns);
        if (run->slice_wake_latency)
                histogram_record(run->slice_wake_latency, ns);
}

/* ---- marks ---- */

static void read_clocks(const WorkRun *run, WorkMark *m) {
        m->wall_ns = monotonic_ns();
        m->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        m->iterations = run->iterations;
        m->work_units = run->work_units;
        m->migrations = run->migrations;
}

static void read_statistics(const WorkRun *run, WorkMark *m) {
        m->sched_valid = schedstat_read(&m->sched);
        m->numa_migrated_valid = LOAD(run->arena->numa_migrated_valid);
        m->numa_migrated = LOAD(run->arena->numa_migrated);
}

/* Between a begin and an end lies work alone: reading /proc is none. */
static void mark_begin(WorkRun *run, WorkMark *m) {
        read_statistics(run, m);
        read_clocks(run, m);
        run->gap_wall_ns = m->wall_ns;
        run->gap_cpu_ns = m->cpu_ns;
}

static void mark_end(const WorkRun *run, WorkMark *m) {
        read_clocks(run, m);
        read_statistics(run, m);
}

void work_mark_difference(const WorkMark *from, const WorkMark *to, PhaseSlice *ret) {
        ret->wall_ns = since(from->wall_ns, to->wall_ns);
        ret->cpu_ns = since(from->cpu_ns, to->cpu_ns);
        ret->iterations = since(from->iterations, to->iterations);
        ret->work_units = since(from->work_units, to->work_units);
        ret->migrations = since(from->migrations, to->migrations);
        ret->schedstat_valid = from->sched_valid && to->sched_valid;
        if (ret->schedstat_valid) {
                ret->sched_cpu_ns = since(from->sched.cpu_ns, to->sched.cpu_ns);
                ret->run_delay_ns = since(from->sched.run_delay_ns, to->sched.run_delay_ns);
        }
        ret->numa_migrated_valid = from->numa_migrated_valid && to->numa_migrated_valid;
        if (ret->numa_migrated_valid)
                ret->numa_migrated = since(from->numa_migrated, to->numa_migrated);
}

/* Into the record of the slot, or of the slice. */
static bool read_pages(const WorkRun *run, PhaseSlice *slice) {
        const ArenaHead *arena = run->arena;
        return numa_gauge_read(run->gauge, arena_numa_pages(arena, run->slot, slice), arena->n_nodes);
}

/* ---- phases ---- */

static void open_phase(WorkRun *run, uint32_t phase) {
        const ArenaHead *arena = run->arena;
        uint32_t n = LOAD(run->slot->phases);

        run->phase = phase;
        run->slice = n < arena->n_phases ? arena_slice(arena, run->slot, n) : NULL;
        run->slice_cpus = NULL;
        run->slice_wake_latency = NULL;
        if (!run->slice)
                return;
        run->slice->phase = phase;
        run->slice->max_gap_cpu = run->cpu;
        run->slice_cpus = arena_cpus(arena, run->slot, run->slice);
        run->slice_wake_latency = arena_histogram(arena, run->slot, run->slice, SAMPLE_WAKE_LATENCY);
}

static void close_phase(WorkRun *run, const WorkMark *end) {
        const ArenaHead *arena = run->arena;

        if (arena->n_phases == 0)
                return;
        if (run->slice) {
                work_mark_difference(&run->slice_start, end, run->slice);
                run->slice->numa_pages_valid = read_pages(run, run->slice);
        }
        /* Release: the slices that are counted are complete. */
        atomic_store_explicit(&run->slot->phases, LOAD(run->slot->phases) + 1, memory_order_release);
}

__attribute__((cold)) void work_phase_change(WorkRun *run) {
        /* Acquire: what the executor had read of /proc/vmstat before it set this. */
        uint32_t phase = atomic_load_explicit(&run->arena->phase, memory_order_acquire);
        WorkMark end;

        if (run->arena->n_phases == 0) {
                run->phase = phase;
                return;
        }
        work_checkpoint(run);
        mark_end(run, &end);
        close_phase(run, &end);
        open_phase(run, phase);
        add_cpu(run); /* the CPU at the boundary is used by both */
        if (run->slice)
                mark_begin(run, &run->slice_start);
}

/* ---- begin and end ---- */

void work_run_begin(WorkRun *run) {
        ArenaSlot *slot = run->slot;

        run->cpu = current_cpu();
        run->wake_latency = arena_histogram(run->arena, slot, NULL, SAMPLE_WAKE_LATENCY);
        open_phase(run, atomic_load_explicit(&run->arena->phase, memory_order_acquire));
        add_cpu(run);
        mark_begin(run, &run->start);
        run->slice_start = run->start;

        STORE(slot->last_cpu, run->cpu);
        STORE(slot->max_gap_cpu, run->cpu);
        STORE(slot->started_ns, run->start.wall_ns);
        STORE(slot->state, WORKER_RUNNING);
}

static void store_totals(const WorkRun *run, const WorkMark *end) {
        ArenaSlot *slot = run->slot;
        PhaseSlice total = { 0 };

        work_mark_difference(&run->start, end, &total);
        STORE(slot->wall_ns, total.wall_ns);
        STORE(slot->cpu_ns, end->cpu_ns); /* of the thread's whole life, its set-up included */
        STORE(slot->run_delay_ns, total.run_delay_ns);
        STORE(slot->sched_cpu_ns, total.sched_cpu_ns);
        if (total.schedstat_valid)
                STORE(slot->run_count, since(run->start.sched.run_count, end->sched.run_count));
        STORE(slot->schedstat_valid, total.schedstat_valid);
        STORE(slot->numa_migrated, total.numa_migrated);
        STORE(slot->numa_migrated_valid, total.numa_migrated_valid);
}

void work_run_end(WorkRun *run) {
        ArenaSlot *slot = run->slot;
        WorkMark end;

        work_publish(run);
        /* As for a phase: what the executor had read before it told to stop. */
        atomic_load_explicit(&run->arena->stop, memory_order_acquire);
        mark_end(run, &end);
        close_phase(run, &end);
        store_totals(run, &end);
        STORE(slot->numa_pages_valid, read_pages(run, NULL));
        atomic_store_explicit(&slot->state, WORKER_FINISHED, memory_order_release);
}
