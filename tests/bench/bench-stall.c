/* SPDX-License-Identifier: GPL-2.0-only */
/* What it costs to watch workers for stalls, against reading the scheduler's numbers of each. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/clock.h"
#include "measure.h"
#include "stall/proc-sched.h"
#include "stall/stall-monitor.h"
#include "stall/stall-watch.h"
#include "unit/stall/stall-crowd.h"

enum { ROUNDS = 15, SIZES = 3, PER_CGROUP = 100, THREADS = 1000, HERDS = 10, TASKS = THREADS * HERDS };
enum { SETTLE = 6 /* ticks: by then whoever stands has been told */, TURN_TICKS = 8, PERIOD_MS = 200 };
#define INTERVAL UINT64_C(500000000)

static const unsigned sizes[SIZES] = { 100, 1000, 10000 };

typedef enum Mode { ALL_MOVE, ALL_STAND, ONE_PERCENT, MODES } Mode;
static const char *const mode_names[MODES] = { "all progress", "none progresses", "1 % stand still" };

typedef struct Task {
        pid_t pid, tid;
} Task;

/* Some workers, in cgroups of PER_CGROUP each. */
typedef struct Crowd {
        Mode mode;
        unsigned n;
        Scenario *scenario;
        StallWatch *watch;
        uint64_t now_ns;
        Samples tick;
        double turn_ns, turn_cpu_ns; /* the longest of its loop */
} Crowd;

typedef struct Bench {
        char *root;
        pid_t herds[HERDS];
        Task tasks[TASKS];
        Crowd crowds[SIZES][MODES];
        Samples naive[SIZES];
} Bench;

/* ---- tasks that sleep ---- */

static void *sleep_on(G_GNUC_UNUSED void *unused) {
        for (;;)
                pause();
        return NULL;
}

static _Noreturn void be_herd(int ready) {
        pthread_attr_t small;
        pthread_t thread;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 64 * 1024);
        for (unsigned i = 1; i < THREADS; i++)
                if (pthread_create(&thread, &small, sleep_on, NULL) != 0)
                        _exit(1);
        if (write(ready, "", 1) != 1)
                _exit(1);
        sleep_on(NULL);
        _exit(0);
}

static void list_tasks(pid_t pid, Task *ret) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        for (const char *name; n < THREADS && (name = g_dir_read_name(dir)); n++)
                ret[n] = (Task){ pid, atoi(name) };
        assert_int_equal(n, THREADS);
}

static void start_herds(Bench *b) {
        for (unsigned i = 0; i < HERDS; i++) {
                int ready[2];
                char byte;

                assert_int_equal(pipe(ready), 0);
                b->herds[i] = fork();
                assert_true(b->herds[i] >= 0);
                if (b->herds[i] == 0)
                        be_herd(ready[1]);
                close(ready[1]);
                if (read(ready[0], &byte, 1) != 1)
                        fail_msg("%u threads cannot be had here", TASKS);
                close(ready[0]);
                list_tasks(b->herds[i], &b->tasks[(size_t)i * THREADS]);
        }
}

/* ---- workers ---- */

static void on_found(G_GNUC_UNUSED void *userdata, G_GNUC_UNUSED const StallSubject *who,
                     G_GNUC_UNUSED const StallWindow *window, G_GNUC_UNUSED GHashTable *before,
                     G_GNUC_UNUSED hwloc_const_bitmap_t cpus) {
}

static void put_files(const Bench *b, const char *cgroup) {
        crowd_put(b->root, cgroup, "cgroup.events", "populated 1\nfrozen 0\n");
        crowd_put(b->root, cgroup, "cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
        crowd_put(b->root, cgroup, "cpu.stat",
                  "usage_usec 1\nnr_periods 1\nnr_throttled 0\nthrottled_usec 0\n");
}

static void make_crowd(const Bench *b, Crowd *c, Mode mode, unsigned n) {
        c->mode = mode;
        c->n = n;
        c->now_ns = 1000 * INTERVAL;
        c->scenario = scenario_new("default");
        c->watch = stall_watch_new(b->root, INTERVAL, 4, on_found, NULL);
        for (unsigned first = 0; first < n; first += PER_CGROUP) {
                g_autofree char *cgroup = g_strdup_printf("cg%u", first / PER_CGROUP);
                const GroupState *g = crowd_add_group(c->scenario, cgroup, PER_CGROUP);
                put_files(b, cgroup);
                for (unsigned i = 0; i < PER_CGROUP; i++) {
                        atomic_store(&crowd_slot(g, i)->pid, b->tasks[first + i].pid);
                        atomic_store(&crowd_slot(g, i)->tid, b->tasks[first + i].tid);
                }
        }
}

/* What workers do by themselves between two ticks. */
static void move(const Crowd *c) {
        for (guint g = 0; g < c->scenario->groups->len && c->mode != ALL_STAND; g++)
                for (unsigned i = c->mode == ONE_PERCENT; i < PER_CGROUP; i++)
                        crowd_move(c->scenario->groups->pdata[g], i);
}

static double tick(Crowd *c) {
        StallCursor at = { 0 };
        uint64_t start;

        move(c);
        c->now_ns += INTERVAL;
        start = monotonic_ns();
        stall_watch_begin(c->watch);
        while (stall_watch_next(c->watch, c->scenario, &at, c->now_ns))
                ;
        stall_watch_prune(c->watch, c->scenario);
        return (double)(monotonic_ns() - start);
}

static double read_each(const Bench *b, unsigned n) {
        uint64_t start = monotonic_ns();

        for (unsigned i = 0; i < n; i++) {
                StallSample s;
                assert_int_equal(proc_sched_read(b->tasks[i].pid, b->tasks[i].tid, &s), 0);
        }
        return (double)(monotonic_ns() - start);
}

/* ---- turns of a loop ---- */

static bool refuse(G_GNUC_UNUSED void *userdata, G_GNUC_UNUSED const WireInspect *request) {
        return false;
}

/* Most of what the daemon does with it. */
static void take(G_GNUC_UNUSED void *userdata, const StallReport *report) {
        g_free(stall_report_line(report));
        g_free(stall_report_text(report));
        json_object_unref(stall_report_to_json(report));
}

static double cpu_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure_turn(Crowd *c, sd_event *event) {
        if (sd_event_prepare(event) == 0)
                sd_event_wait(event, UINT64_MAX);
        double cpu = cpu_ns(), start = (double)monotonic_ns();
        sd_event_dispatch(event);
        c->turn_ns = MAX(c->turn_ns, (double)monotonic_ns() - start);
        c->turn_cpu_ns = MAX(c->turn_cpu_ns, cpu_ns() - cpu);
}

/* From the monitor's start on, so with the tick in which all that stand are found and told. */
static void measure_turns(const Bench *b, Crowd *c) {
        static const StallMonitorEvents events = { .inspect = refuse, .detected = take };
        sd_event *event = NULL;

        assert_return_code(sd_event_new(&event), 0);
        g_autoptr(StallMonitor) m = stall_monitor_new(event, c->scenario, &events, NULL);
        assert_int_equal(stall_monitor_start(m, b->root, PERIOD_MS, 4), 0);
        for (uint64_t done = 0; done < TURN_TICKS;) {
                if (stall_monitor_ticks(m) != done)
                        move(c);
                done = stall_monitor_ticks(m);
                measure_turn(c, event);
        }
        stall_monitor_stop(m);
        sd_event_unref(event);
}

/* ---- all of it ---- */

static void measure_round(Bench *b, bool counts) {
        for (unsigned s = 0; s < SIZES; s++) {
                double naive = read_each(b, sizes[s]);
                if (counts)
                        samples_add(&b->naive[s], naive);
                for (Mode m = 0; m < MODES; m++) {
                        Crowd *c = &b->crowds[s][m];
                        double ns = tick(c);
                        if (counts)
                                samples_add(&c->tick, ns);
                }
        }
}

static void print_row(const char *label, const Samples *tick, const Samples *naive, unsigned n,
                      const Crowd *c) {
        table_label(label);
        cell_duration(samples_median(tick));
        cell_duration(samples_median(tick) / n);
        cell_ratio(samples_ratio(naive, tick));
        if (c) {
                cell_duration(c->turn_cpu_ns);
                cell_duration(c->turn_ns);
        }
        table_row_end();
}

static void print_size(const Bench *b, unsigned s) {
        static const char *const columns[] = { "tick", "a worker", "cheaper", "turn, CPU", "turn, wall" };
        g_autofree char *title = g_strdup_printf("%u workers:", sizes[s]);

        table_begin(title, "tick", columns, G_N_ELEMENTS(columns));
        print_row("read /proc/PID/task/TID/sched of each", &b->naive[s], &b->naive[s], sizes[s], NULL);
        for (Mode m = 0; m < MODES; m++)
                print_row(mode_names[m], &b->crowds[s][m].tick, &b->naive[s], sizes[s], &b->crowds[s][m]);
}

static void print_aim(const char *what, bool reached, double value, const char *unit) {
        printf("  %-52s %8.2f %-2s  %s\n", what, value, unit, reached ? "reached" : "MISSED");
}

static void print_aims(const Bench *b) {
        const Crowd *all = &b->crowds[SIZES - 1][ALL_MOVE];
        double ratio = samples_ratio(&b->naive[SIZES - 1], &all->tick),
               tick_ms = samples_median(&all->tick) / 1e6, turn_ms = 0;

        for (unsigned s = 0; s < SIZES; s++)
                for (Mode m = 0; m < MODES; m++)
                        turn_ms = MAX(turn_ms, b->crowds[s][m].turn_cpu_ns / 1e6);
        puts("\nAims:");
        print_aim("10000 that progress: 50 x cheaper than reading each", ratio >= 50, ratio, "x");
        print_aim("a tick over 10000 that progress: below 20 ms", tick_ms < 20, tick_ms, "ms");
        print_aim("no turn of the loop above 5 ms of CPU time", turn_ms <= 5, turn_ms, "ms");
}

static void print(const Bench *b) {
        print_machine();
        puts("\nOne tick, as a multiple of which the scheduler's numbers are read of every worker; the "
             "longest turn of\n"
             "the loop, with the turns in which those that stand are found, looked at and told.");
        for (unsigned s = 0; s < SIZES; s++)
                print_size(b, s);
        print_aims(b);
}

static void bench_stall(G_GNUC_UNUSED void **state) {
        Bench *b = g_new0(Bench, 1);

        b->root = crowd_tree_new();
        put_files(b, "");
        start_herds(b);
        for (unsigned s = 0; s < SIZES; s++)
                for (Mode m = 0; m < MODES; m++)
                        make_crowd(b, &b->crowds[s][m], m, sizes[s]);
        for (unsigned round = 0; round < SETTLE + ROUNDS; round++)
                measure_round(b, round >= SETTLE);
        for (unsigned s = 0; s < SIZES; s++)
                for (Mode m = 0; m < MODES; m++)
                        measure_turns(b, &b->crowds[s][m]);
        print(b);
        for (unsigned s = 0; s < SIZES; s++)
                for (Mode m = 0; m < MODES; m++) {
                        stall_watch_free(b->crowds[s][m].watch);
                        scenario_free(b->crowds[s][m].scenario);
                }
        for (unsigned i = 0; i < HERDS; i++)
                child_end(b->herds[i]);
        crowd_tree_free(b->root);
        g_free(b);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(bench_stall) };

        return cmocka_run_group_tests_name("bench-stall", tests, NULL, NULL);
}
