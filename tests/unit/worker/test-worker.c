/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/clock.h"
#include "unit/executor/executor-fixture.h"
#include "wire/work-type.h"

enum { NOBODY = 65534 };

static PlanBuilder b;

static bool may_everything(void) {
        if (geteuid() == 0)
                return true;
        print_message("skipped: needs root\n");
        return false;
}

static Fixture *start(char root[PATH_MAX]) {
        fixture_plain_path(root);
        return fixture_start(root, NULL);
}

static void stop(Fixture *f) {
        char root[PATH_MAX];

        strcpy(root, f->root);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

static void collect(Fixture *f) {
        plan_begin(&b);
        plan_add_for_group(&b, ACTION_STOP, 1);
        plan_add_for_group(&b, ACTION_COLLECT, 1);
        fixture_must(f, &b);
}

/* ---- what a worker is when it waits at the gate ---- */

static void assert_line(const char *text, const char *expected) {
        if (!strstr(text, expected))
                fail_msg("no \"%s\" in:\n%s", expected, text);
}

/* work:H14 */
static void test_wishes_come_true(void **state) {
        static const uint64_t cpu0 = 1;
        char root[PATH_MAX], status[8192];
        (void)state;

        if (!may_everything())
                skip();
        Fixture *f = start(root);
        plan_begin(&b);
        WireGroupSpec *g = plan_add_spawn(&b, "", 1, 1);
        g->masks = plan_add_bytes(&b, &cpu0, sizeof(cpu0));
        g->n_masks = g->mask_words = 1;
        g->policy_set = 1;
        g->policy = SCHED_BATCH;
        g->nice_set = 1;
        g->nice = 10;
        strcpy(g->comm, "a worker's name");
        g->uid = NOBODY;
        g->gid = NOBODY - 1;
        fixture_must(f, &b);

        pid_t pid = fixture_worker_pid(f, 1, 0);
        proc_text(pid, "status", status, sizeof(status));
        assert_line(status, "Name:\ta worker's name\n");
        assert_line(status, "Uid:\t65534\t65534\t65534\t65534\n");
        assert_line(status, "Gid:\t65533\t65533\t65533\t65533\n");
        assert_line(status, "Groups:\t \n"); /* none of root's */
        assert_line(status, "Cpus_allowed_list:\t0\n");
        assert_int_equal(sched_getscheduler(pid), SCHED_BATCH);
        assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), 10);
        stop(f);
}

static int highest_fd(pid_t pid) {
        char path[64];
        int highest = -1;

        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *d; (d = readdir(dir));)
                if (d->d_name[0] != '.' && atoi(d->d_name) > highest)
                        highest = atoi(d->d_name);
        closedir(dir);
        return highest;
}

/* Of the memory that the executor shares with others: its own group's arena and nothing more. */
static unsigned count_shared_mappings(pid_t pid) {
        char maps[65536];
        unsigned n = 0;

        proc_text(pid, "maps", maps, sizeof(maps));
        for (const char *p = maps; (p = strstr(p, "memfd:ktsetup-")); p++)
                n++;
        return n;
}

/* Nothing of the executor's own affairs: signals, descriptors, process group, memory. */
static void test_clean_process(void **state) {
        char root[PATH_MAX], status[8192], path[64], target[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        plan_add_spawn(&b, "", 2, 1);
        plan_add_spawn(&b, "", 1, 2);
        fixture_must(f, &b);

        for (uint32_t i = 0; i < 2; i++) {
                pid_t pid = fixture_worker_pid(f, 1, i);
                assert_int_equal(count_shared_mappings(pid), 1);
                proc_text(pid, "status", status, sizeof(status));
                assert_line(status, "SigBlk:\t0000000000000000\n");
                unsigned long long ignored, caught;
                assert_int_equal(sscanf(strstr(status, "SigIgn:"), "SigIgn: %llx", &ignored), 1);
                assert_int_equal(sscanf(strstr(status, "SigCgt:"), "SigCgt: %llx", &caught), 1);
                for (unsigned s = 0; s < 5; s++) {
                        int number = (int[]){ SIGINT, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD }[s];
                        assert_false((ignored | caught) >> (number - 1) & 1);
                }
                assert_int_equal(getpgid(pid), pid);

                wait_until(highest_fd(pid) == 2); /* the last one goes after it has said that it is ready */
                snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
                ssize_t n = readlink(path, target, sizeof(target) - 1);
                assert_true(n > 0);
                target[n] = '\0';
                assert_string_equal(target, "/dev/null");
        }
        stop(f);
}

/* Asked for nothing, a worker may use every CPU, also when the executor may not. */
static void test_inherited_mask_is_undone(void **state) {
        cpu_set_t before, one;
        char root[PATH_MAX];
        (void)state;

        assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
        if (CPU_COUNT(&before) < 2) {
                print_message("skipped: one CPU\n");
                skip();
        }
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
        Fixture *f = start(root);
        assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1);
        fixture_must(f, &b);
        cpu_set_t got;
        assert_int_equal(sched_getaffinity(fixture_worker_pid(f, 1, 0), sizeof(got), &got), 0);
        assert_true(CPU_COUNT(&got) >= CPU_COUNT(&before));
        stop(f);
}

/* work:S12, with a mask for each worker */
static void test_masks_pin_each_worker(void **state) {
        static const uint64_t masks[] = { 1, 2 };
        char root[PATH_MAX];
        (void)state;

        if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
                print_message("skipped: one CPU\n");
                skip();
        }
        Fixture *f = start(root);
        plan_begin(&b);
        WireGroupSpec *g = plan_add_spawn(&b, "", 1, 2);
        g->masks = plan_add_bytes(&b, masks, sizeof(masks));
        g->n_masks = 2;
        g->mask_words = 1;
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        for (uint32_t i = 0; i < 2; i++)
                wait_until(atomic_load(&fixture_slot(f, 1, i)->iterations) > 2);
        collect(f);
        for (uint32_t i = 0; i < 2; i++) {
                ArenaSlot *slot = fixture_slot(f, 1, i);
                assert_int_equal(atomic_load(arena_cpus(fixture_arena(f, 1), slot, NULL)), masks[i]);
                assert_int_equal(atomic_load(&slot->last_cpu), i);
                assert_int_equal(atomic_load(&slot->migrations), 0);
        }
        stop(f);
}

/* ---- refusals ---- */

static void ask_no_cpu(WireGroupSpec *g) {
        static const uint64_t none = 0;
        g->masks = plan_add_bytes(&b, &none, sizeof(none));
        g->n_masks = g->mask_words = 1;
}

static void ask_bad_deadline(WireGroupSpec *g) {
        g->policy_set = 1;
        g->policy = SCHED_DEADLINE;
        g->runtime_ns = 2000000;
        g->deadline_ns = g->period_ns = 1000000;
}

static void ask_bad_mempolicy(WireGroupSpec *g) {
        g->mempolicy_set = 1;
        g->mempolicy_mode = 999;
}

static void ask_higher_nice(WireGroupSpec *g) {
        g->nice_set = 1;
        g->nice = -20;
}

static void ask_gid(WireGroupSpec *g) {
        g->gid = 1;
}

static void ask_uid(WireGroupSpec *g) {
        g->uid = 1;
}

static void test_refusals_name_step_and_errno(void **state) {
        static const struct {
                void (*ask)(WireGroupSpec *g);
                uint32_t step;
                int error, other; /* either */
                bool by_nobody;
        } cases[] = {
                { ask_no_cpu, SETUP_AFFINITY, EINVAL, EINVAL, false },
                { ask_bad_deadline, SETUP_POLICY, EINVAL, EINVAL, false },
                { ask_bad_mempolicy, SETUP_MEMPOLICY, EINVAL, ENOSYS, false },
                { ask_higher_nice, SETUP_POLICY, EACCES, EPERM, true },
                { ask_gid, SETUP_GID, EPERM, EPERM, true },
                { ask_uid, SETUP_UID, EPERM, EPERM, true },
        };
        char root[PATH_MAX];
        (void)state;

        if (!may_everything())
                skip();
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                fixture_plain_path(root);
                assert_int_equal(chown(root, cases[i].by_nobody ? NOBODY : 0, 0), 0);
                Fixture *f = fixture_start(root, &(FixtureOptions){ .uid = cases[i].by_nobody ? NOBODY : 0 });
                plan_begin(&b);
                plan_add(&b, ACTION_MKDIR, "a", NULL);
                WireGroupSpec *g = plan_add_spawn(&b, "a", 1, 3);
                cases[i].ask(g);
                WireDone done = fixture_run(f, &b);
                if (done.ok || done.failure.setup_step != cases[i].step)
                        fail_msg("case %zu: ok %u, step %u", i, done.ok, done.failure.setup_step);
                assert_true(done.failure.error == cases[i].error || done.failure.error == cases[i].other);
                assert_in_range(done.failure.worker, 0, 2);
                assert_int_equal(done.failure.action, 1);
                assert_true(done.undone);
                assert_int_equal(f->n_groups, 0);
                assert_false(path_exists(below(root, "a")));
                stop(f);
        }
}

/* ---- loops ---- */

static WireGroupSpec *add_typed(uint32_t type, uint32_t n) {
        WireGroupSpec *g = plan_add_spawn(&b, "", 1, n);

        g->work_type = type;
        g->samples = work_type_get((WorkTypeId)type)->samples;
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        return g;
}

/* work:S4 */
static void test_yield_heavy(void **state) {
        static const uint64_t cpu0 = 1;
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        WireGroupSpec *g = add_typed(WORK_YIELD_HEAVY, 2);
        g->masks = plan_add_bytes(&b, &cpu0, sizeof(cpu0)); /* each has somebody to yield to */
        g->n_masks = g->mask_words = 1;
        fixture_must(f, &b);
        ArenaSlot *slot = fixture_slot(f, 1, 1);
        wait_until(atomic_load(&slot->iterations) > 2048); /* past two checkpoints */
        wait_until(atomic_load(&fixture_slot(f, 1, 0)->iterations) > 2048);
        assert_true(atomic_load(&slot->max_gap_ns) > 0);
        collect(f);
        assert_int_equal(atomic_load(&slot->work_units), atomic_load(&slot->iterations));
        assert_null(arena_histogram(fixture_arena(f, 1), slot, NULL, SAMPLE_WAKE_LATENCY));
        if (atomic_load(&slot->schedstat_valid))
                assert_true(atomic_load(&slot->run_count) > 0);
        stop(f);
}

/* work:S4 */
static void test_bursty_sleeps_and_measures_it(void **state) {
        enum { BURST_NS = 1000000, SLEEP_NS = 3000000 };
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        plan_begin(&b);
        WireGroupSpec *g = add_typed(WORK_BURSTY, 1);
        g->params[0] = BURST_NS;
        g->params[1] = SLEEP_NS;
        fixture_must(f, &b);
        ArenaSlot *slot = fixture_slot(f, 1, 0);
        wait_until(atomic_load(&slot->iterations) >= 10);
        collect(f);

        Histogram *wake = arena_histogram(fixture_arena(f, 1), slot, NULL, SAMPLE_WAKE_LATENCY);
        uint64_t passes = atomic_load(&slot->iterations), samples = atomic_load(&wake->count);
        assert_in_range(samples, passes - 1, passes);
        assert_true(histogram_percentile(wake, 0) >= SLEEP_NS); /* elapsed, not elapsed minus request */
        assert_true(atomic_load(&slot->max_gap_wall_ns) >= BURST_NS + SLEEP_NS);
        assert_true(atomic_load(&slot->wall_ns) >= 10 * BURST_NS + 9 * SLEEP_NS);
        assert_int_equal(atomic_load(&slot->work_units) % 1024, 0);
        stop(f);
}

/* An hour of sleep, an hour of burst: the stop ends both, and the burst shows progress before its first pass
 * ends. */
static void test_stop_ends_long_bursts_and_sleeps(void **state) {
        static const uint64_t hour = UINT64_C(3600) * NS_PER_S;
        char root[PATH_MAX];
        (void)state;

        Fixture *f = start(root);
        for (unsigned burst = 0; burst < 2; burst++) {
                plan_begin(&b);
                WireGroupSpec *g = add_typed(WORK_BURSTY, 1);
                g->params[0] = burst ? hour : 1;
                g->params[1] = hour;
                fixture_must(f, &b);
                ArenaSlot *slot = fixture_slot(f, 1, 0);
                wait_until(atomic_load(&slot->work_units) > 1024 * burst);
                collect(f);
                assert_int_equal(atomic_load(&slot->iterations), 1);
                assert_int_equal(atomic_load(&slot->exit_kind), WORKER_EXIT_CODE);
                Histogram *wake = arena_histogram(fixture_arena(f, 1), slot, NULL, SAMPLE_WAKE_LATENCY);
                assert_int_equal(atomic_load(&wake->count), 0); /* cut short: not a wake-up */
        }
        stop(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wishes_come_true),
                cmocka_unit_test(test_clean_process),
                cmocka_unit_test(test_inherited_mask_is_undone),
                cmocka_unit_test(test_masks_pin_each_worker),
                cmocka_unit_test(test_refusals_name_step_and_errno),
                cmocka_unit_test(test_yield_heavy),
                cmocka_unit_test(test_bursty_sleeps_and_measures_it),
                cmocka_unit_test(test_stop_ends_long_bursts_and_sleeps),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
