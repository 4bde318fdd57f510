/* SPDX-License-Identifier: GPL-2.0-only */
#include "report-worker.h"

#include "topology/cpulist.h"
#include "wire/work-type.h"

guint64 report_load(const _Atomic uint64_t *counter) {
        return atomic_load_explicit(counter, memory_order_relaxed);
}

void report_set_u64(JsonObject *o, const char *key, guint64 value) {
        json_object_set_int_member(o, key, value > G_MAXINT64 ? G_MAXINT64 : (gint64)value);
}

void report_set_cpus(JsonObject *o, const char *key, hwloc_const_bitmap_t cpus) {
        g_autofree char *text = cpus ? cpulist_format(cpus) : g_strdup("");

        json_object_set_string_member(o, key, text);
}

/* ---- its life ---- */

static const char *worker_state(const ArenaSlot *slot) {
        static const char *const names[] = {
                [WORKER_UNBORN] = "unborn",   [WORKER_BORN] = "born",       [WORKER_READY] = "ready",
                [WORKER_REFUSED] = "refused", [WORKER_RUNNING] = "running", [WORKER_FINISHED] = "finished",
        };
        uint32_t state = atomic_load(&slot->state), ended = atomic_load(&slot->exit_kind);

        if (ended != WORKER_EXIT_NONE && state != WORKER_FINISHED)
                return "killed";
        return state < G_N_ELEMENTS(names) ? names[state] : "unknown";
}

bool worker_completed(const ArenaSlot *slot) {
        return atomic_load(&slot->state) == WORKER_FINISHED;
}

/* One that never came to its first instruction has told no tid. */
int worker_tid(const ArenaSlot *slot) {
        int tid = atomic_load(&slot->tid);

        return tid ? tid : atomic_load(&slot->pid);
}

const char *worker_exit_kind(uint32_t kind) {
        static const char *const kinds[] = {
                [WORKER_EXIT_CODE] = "exited",
                [WORKER_EXIT_SIGNAL] = "signaled",
                [WORKER_EXIT_DEADLINE] = "deadline",
        };

        return kind < G_N_ELEMENTS(kinds) ? kinds[kind] : NULL;
}

static void set_exit_info(JsonObject *o, const ArenaSlot *slot) {
        const char *kind = worker_exit_kind(atomic_load(&slot->exit_kind));
        JsonObject *info;

        if (worker_completed(slot) || !kind) {
                json_object_set_null_member(o, "exit_info");
                return;
        }
        info = json_object_new();
        json_object_set_string_member(info, "kind", kind);
        json_object_set_int_member(info, "value", atomic_load(&slot->exit_value));
        json_object_set_object_member(o, "exit_info", info);
}

JsonObject *worker_live(G_GNUC_UNUSED const ArenaHead *arena, ArenaSlot *slot,
                        G_GNUC_UNUSED unsigned samples) {
        JsonObject *o = json_object_new();
        int pid = atomic_load(&slot->pid), tid = worker_tid(slot);

        json_object_set_int_member(o, "pid", pid);
        if (tid != pid)
                json_object_set_int_member(o, "tid", tid);
        json_object_set_string_member(o, "state", worker_state(slot));
        report_set_u64(o, "iterations", report_load(&slot->iterations));
        report_set_u64(o, "work_units", report_load(&slot->work_units));
        return o;
}

/* ---- records: a worker's whole life, or one phase of it ---- */

static void set_histogram(JsonObject *o, const char *key, const Histogram *h) {
        static const struct {
                const char *key;
                double p;
        } percentiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
        JsonObject *entry = json_object_new();
        guint64 count = report_load(&h->count);

        report_set_u64(entry, "count", count);
        if (count > 0) {
                report_set_u64(entry, "mean", report_load(&h->sum) / count);
                for (size_t i = 0; i < G_N_ELEMENTS(percentiles); i++)
                        report_set_u64(entry, percentiles[i].key, histogram_percentile(h, percentiles[i].p));
                report_set_u64(entry, "max", report_load(&h->max));
        }
        json_object_set_object_member(o, key, entry);
}

static void set_histograms(JsonObject *o, const ArenaHead *arena, ArenaSlot *slot, PhaseSlice *slice,
                           unsigned samples) {
        static const struct {
                WorkSample sample;
                const char *key;
        } histograms[] = { { SAMPLE_WAKE_LATENCY, "wake_latency_ns" } };

        for (size_t i = 0; i < G_N_ELEMENTS(histograms); i++) {
                const Histogram *h = samples & histograms[i].sample
                                             ? arena_histogram(arena, slot, slice, histograms[i].sample)
                                             : NULL;
                if (h)
                        set_histogram(o, histograms[i].key, h);
        }
}

static void set_cpus_used(JsonObject *o, const ArenaHead *arena, ArenaSlot *slot, PhaseSlice *slice) {
        _Atomic uint64_t *words = arena_cpus(arena, slot, slice);
        g_auto(hwloc_bitmap_t) cpus = bitmap_new();

        for (uint32_t w = 0; w < arena->cpu_words; w++) {
                guint64 word = report_load(&words[w]);
                for (unsigned b = 0; b < 64; b++)
                        if (word >> b & 1)
                                hwloc_bitmap_set(cpus, w * 64 + b);
        }
        report_set_cpus(o, "cpus_used", cpus);
}

static void set_numa_pages(JsonObject *o, const ArenaHead *arena, ArenaSlot *slot, PhaseSlice *slice,
                           bool known) {
        _Atomic uint64_t *pages = arena_numa_pages(arena, slot, slice);
        JsonObject *nodes;

        if (!known) {
                json_object_set_null_member(o, "numa_pages");
                return;
        }
        nodes = json_object_new();
        for (uint32_t n = 0; n < arena->n_nodes; n++) {
                g_autofree char *node = g_strdup_printf("%u", n);
                guint64 count = report_load(&pages[n]);
                if (count > 0)
                        report_set_u64(nodes, node, count);
        }
        json_object_set_object_member(o, "numa_pages", nodes);
}

/* What is counted for a life and for a phase alike. */
typedef struct Span {
        guint64 iterations, work_units, wall_ns, cpu_ns, migrations;
        guint64 max_gap_ns, max_gap_wall_ns, max_gap_cpu;
        guint64 run_delay_ns, sched_cpu_ns, numa_migrated;
        bool timed, schedstat, numa_migrated_known, numa_pages_known;
} Span;

static Span span_of_life(const ArenaSlot *slot) {
        return (Span){
                .iterations = report_load(&slot->iterations),
                .work_units = report_load(&slot->work_units),
                .wall_ns = report_load(&slot->wall_ns),
                .cpu_ns = report_load(&slot->cpu_ns),
                .migrations = report_load(&slot->migrations),
                .max_gap_ns = report_load(&slot->max_gap_ns),
                .max_gap_wall_ns = report_load(&slot->max_gap_wall_ns),
                .max_gap_cpu = atomic_load(&slot->max_gap_cpu),
                .run_delay_ns = report_load(&slot->run_delay_ns),
                .sched_cpu_ns = report_load(&slot->sched_cpu_ns),
                .numa_migrated = report_load(&slot->numa_migrated),
                .timed = worker_completed(slot),
                .schedstat = atomic_load(&slot->schedstat_valid),
                .numa_migrated_known = atomic_load(&slot->numa_migrated_valid),
                .numa_pages_known = atomic_load(&slot->numa_pages_valid),
        };
}

static Span span_of_phase(const PhaseSlice *slice) {
        return (Span){
                .iterations = slice->iterations,
                .work_units = slice->work_units,
                .wall_ns = slice->wall_ns,
                .cpu_ns = slice->cpu_ns,
                .migrations = slice->migrations,
                .max_gap_ns = slice->max_gap_ns,
                .max_gap_wall_ns = slice->max_gap_wall_ns,
                .max_gap_cpu = slice->max_gap_cpu,
                .run_delay_ns = slice->run_delay_ns,
                .sched_cpu_ns = slice->sched_cpu_ns,
                .numa_migrated = slice->numa_migrated,
                .timed = true,
                .schedstat = slice->schedstat_valid,
                .numa_migrated_known = slice->numa_migrated_valid,
                .numa_pages_known = slice->numa_pages_valid,
        };
}

typedef struct Number {
        const char *key;
        guint64 value;
        bool known; /* else null: 0 would be a lie */
} Number;

static void set_numbers(JsonObject *o, const Number *numbers, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (numbers[i].known)
                        report_set_u64(o, numbers[i].key, numbers[i].value);
                else
                        json_object_set_null_member(o, numbers[i].key);
}

static void set_span(JsonObject *o, const Span *s) {
        const Number numbers[] = {
                { "iterations", s->iterations, true },
                { "work_units", s->work_units, true },
                /* only the end of a worker can tell these */
                { "wall_time_ns", s->wall_ns, s->timed },
                { "cpu_time_ns", s->cpu_ns, s->timed },
                { "off_cpu_ns", s->wall_ns - MIN(s->wall_ns, s->cpu_ns), s->timed },
                { "schedstat_run_delay_ns", s->run_delay_ns, s->schedstat },
                { "schedstat_cpu_time_ns", s->sched_cpu_ns, s->schedstat },
                { "migration_count", s->migrations, true },
                { "max_gap_ms", s->max_gap_ns / 1000000, true },
                { "max_gap_cpu", s->max_gap_cpu, true },
                { "max_gap_wall_ms", s->max_gap_wall_ns / 1000000, true },
                { "vmstat_numa_pages_migrated", s->numa_migrated, s->numa_migrated_known },
        };

        set_numbers(o, numbers, G_N_ELEMENTS(numbers));
}

static void set_record(JsonObject *o, const Span *span, const ArenaHead *arena, ArenaSlot *slot,
                       PhaseSlice *slice, unsigned samples) {
        set_span(o, span);
        set_cpus_used(o, arena, slot, slice);
        set_numa_pages(o, arena, slot, slice, span->numa_pages_known);
        set_histograms(o, arena, slot, slice, samples);
}

/* Between two steps the phase is null, so that what compares it with a number finds steps only. */
static JsonObject *slice_report(const ArenaHead *arena, ArenaSlot *slot, PhaseSlice *slice,
                                unsigned samples) {
        JsonObject *o = json_object_new();
        const Span span = span_of_phase(slice);

        set_numbers(o, &(Number){ "phase", slice->phase, slice->phase != PHASE_BETWEEN }, 1);
        set_record(o, &span, arena, slot, slice, samples);
        return o;
}

static void set_slices(JsonObject *o, const ArenaHead *arena, ArenaSlot *slot, unsigned samples) {
        /* A slice is written before it is counted. */
        uint32_t closed = atomic_load_explicit(&slot->phases, memory_order_acquire);
        JsonArray *slices;

        if (arena->n_phases == 0)
                return;
        slices = json_array_new();
        for (uint32_t i = 0; i < MIN(closed, arena->n_phases); i++)
                json_array_add_object_element(
                        slices, slice_report(arena, slot, arena_slice(arena, slot, i), samples));
        json_object_set_array_member(o, "phase_slices", slices);
        if (closed > arena->n_phases)
                report_set_u64(o, "phases_closed", closed);
}

/* ---- the whole ---- */

static void set_migrations(JsonObject *o, const ArenaSlot *slot) {
        JsonArray *log = json_array_new();
        guint64 n = MIN(report_load(&slot->migrations), ARENA_MIGRATIONS);

        for (guint64 i = 0; i < n; i++) {
                const Migration *m = &slot->migration_log[i];
                JsonObject *entry = json_object_new();
                report_set_u64(entry, "at_ns", m->at_ns);
                json_object_set_int_member(entry, "from_cpu", m->from_cpu);
                json_object_set_int_member(entry, "to_cpu", m->to_cpu);
                json_array_add_object_element(log, entry);
        }
        json_object_set_array_member(o, "migrations", log);
}

JsonObject *worker_report(const ArenaHead *arena, ArenaSlot *slot, unsigned samples) {
        JsonObject *o = json_object_new();
        g_autofree char *born_in = g_strndup(slot->cgroup, sizeof(slot->cgroup));
        const Span span = span_of_life(slot);
        const Number numbers[] = {
                { "schedstat_run_count", report_load(&slot->run_count), span.schedstat },
                { "max_gap_at_ms", report_load(&slot->max_gap_at_ns) / 1000000, true },
        };

        json_object_set_int_member(o, "tid", worker_tid(slot));
        json_object_set_boolean_member(o, "completed", worker_completed(slot));
        set_exit_info(o, slot);
        set_record(o, &span, arena, slot, NULL, samples);
        set_numbers(o, numbers, G_N_ELEMENTS(numbers));
        set_migrations(o, slot);
        json_object_set_string_member(o, "born_in", born_in);
        set_slices(o, arena, slot, samples);
        return o;
}
