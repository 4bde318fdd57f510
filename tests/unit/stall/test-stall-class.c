/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/sched.h>

#include "stall/stall-class.h"

#define SECOND UINT64_C(1000000000)

/* Two seconds of standstill. */
static const StallWindow flat = {
        .n = 4, .samples = { { 5, 7, 0 }, { 5, 7, SECOND / 2 }, { 5, 7, SECOND }, { 5, 7, 2 * SECOND } }
};

static const WireCompetitor hog = {
        .pid = 12, .tid = 12, .cpu = 3, .policy = SCHED_FIFO, .priority = 50, .comm = "hog"
};
static const WireCompetitor nice_one = { .pid = 14, .tid = 15, .cpu = 3, .nice = -5, .comm = "a\n\"b\"" };

static StallFacts of_state(char letter) {
        return (StallFacts){ .state = letter, .window = &flat, .scanned = true };
}

/* Grown since `before`. */
static StallLevel level(const char *cgroup, uint64_t periods, uint64_t throttled, uint64_t usec) {
        return (StallLevel){ .cgroup = (char *)cgroup,
                             .before = { 100, 50, 7000000 },
                             .after = { 100 + periods, 50 + throttled, 7000000 + usec } };
}

static void check(const StallFacts *f, StallClass class, const char *cause) {
        g_autofree char *text = stall_cause(f, stall_classify(f));

        assert_string_equal(stall_class_name(stall_classify(f)), stall_class_name(class));
        assert_string_equal(text, cause);
}

static void names(G_GNUC_UNUSED void **state) {
        static const char *const expected[] = { "none",    "starved", "throttled",
                                                "stopped", "blocked", "sleeping" };
        StallClass class;

        assert_int_equal(G_N_ELEMENTS(expected), STALL_CLASS_COUNT);
        for (StallClass c = 0; c < STALL_CLASS_COUNT; c++) {
                assert_string_equal(stall_class_name(c), expected[c]);
                assert_int_equal(stall_class_parse(expected[c], &class), c != STALL_NONE);
                if (c != STALL_NONE)
                        assert_int_equal(class, c);
        }
        assert_false(stall_class_parse("", &class));
        assert_false(stall_class_parse("Starved", &class));
}

static void states(G_GNUC_UNUSED void **state) {
        static const struct {
                char letter;
                StallClass class;
                const char *cause;
        } cases[] = {
                { 'R', STALL_STARVED,
                  "runnable for 2.0 s and never picked; nothing else was seen on its CPUs" },
                { 'T', STALL_STOPPED, "stopped by a signal for 2.0 s; SIGCONT sets it going" },
                { 't', STALL_STOPPED, "held by a tracer for 2.0 s; the tracer sets it going" },
                { 'D', STALL_BLOCKED, "blocked uninterruptibly in some_place for 2.0 s" },
                { 'S', STALL_SLEEPING, "asleep in some_place for 2.0 s" },
                { 'I', STALL_SLEEPING, "asleep in some_place for 2.0 s" },
                { 'P', STALL_SLEEPING, "asleep in some_place for 2.0 s" },
                { 'Z', STALL_NONE, "it has ended" },
                { 'X', STALL_NONE, "it has ended" },
                { '?', STALL_NONE, "it has ended" },
                { '\0', STALL_NONE, "it has ended" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                StallFacts f = of_state(cases[i].letter);
                f.wchan = "some_place";
                check(&f, cases[i].class, cases[i].cause);
                f.frozen = true;
                check(&f, STALL_NONE, "its cgroup is frozen");
        }
}

static void places_that_are_not_known(G_GNUC_UNUSED void **state) {
        static const char *const places[] = { NULL, "", "0" };

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                StallFacts f = of_state('S');
                f.wchan = places[i];
                check(&f, STALL_SLEEPING, "asleep for 2.0 s");
        }
}

static void one_that_runs_is_not_starved(G_GNUC_UNUSED void **state) {
        StallWindow moving = flat;
        StallFacts f = of_state('R');

        moving.samples[3].runtime_ns++;
        f.window = &moving;
        check(&f, STALL_NONE, "it runs");
        f.window = &(StallWindow){ 0 };
        check(&f, STALL_NONE, "it runs");
}

/* ---- competitors ---- */

static void thieves_are_named(G_GNUC_UNUSED void **state) {
        StallFacts f = of_state('R');
        WireCompetitor several[] = { hog, nice_one, hog, hog, hog };

        f.competitors = several;
        f.n_competitors = f.n_rivals = 1;
        check(&f, STALL_STARVED,
              "runnable for 2.0 s and never picked; CPU 3 is taken by hog (pid 12, SCHED_FIFO 50)");
        f.n_competitors = f.n_rivals = 2; /* the second waits, as the task itself does */
        check(&f, STALL_STARVED,
              "runnable for 2.0 s and never picked; CPU 3 is taken by hog (pid 12, SCHED_FIFO 50), and 1 "
              "more "
              "is runnable there");
        several[2].cpu = 4;
        several[3].cpu = 5;
        several[4].cpu = 6;
        f.n_competitors = 5;
        f.n_rivals = 20;
        check(&f, STALL_STARVED,
              "runnable for 2.0 s and never picked; CPU 3 is taken by hog (pid 12, SCHED_FIFO 50), CPU 4 is "
              "taken by hog (pid 12, SCHED_FIFO 50), CPU 5 is taken by hog (pid 12, SCHED_FIFO 50), and 17 "
              "more are runnable there");
}

static void nobody_looked_for(G_GNUC_UNUSED void **state) {
        StallFacts f = of_state('R');

        f.scanned = false;
        check(&f, STALL_STARVED, "runnable for 2.0 s and never picked");
}

static void thieves_of_each_policy(G_GNUC_UNUSED void **state) {
        static const struct {
                uint32_t policy;
                const char *text;
        } cases[] = {
                { SCHED_NORMAL, "x (pid 9, SCHED_OTHER nice -5)" },
                { SCHED_FIFO, "x (pid 9, SCHED_FIFO 7)" },
                { SCHED_RR, "x (pid 9, SCHED_RR 7)" },
                { SCHED_BATCH, "x (pid 9, SCHED_BATCH nice -5)" },
                { 4, "x (pid 9, unknown policy)" },
                { SCHED_IDLE, "x (pid 9, SCHED_IDLE)" },
                { SCHED_DEADLINE, "x (pid 9, SCHED_DEADLINE)" },
                { 7, "x (pid 9, SCHED_EXT)" },
                { UINT32_MAX, "x (pid 9, unknown policy)" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                const WireCompetitor t = { 8, 9, 1, cases[i].policy, 7, -5, "x" };
                g_autofree char *text = stall_competitor_text(&t);
                assert_string_equal(text, cases[i].text);
        }
        g_autofree char *odd = stall_competitor_text(&nice_one);
        assert_string_equal(odd, "a\\n\\\"b\\\" (pid 15, SCHED_OTHER nice -5)");
}

/* ---- throttling ---- */

static void throttled_by_its_own_cgroup(G_GNUC_UNUSED void **state) {
        const StallLevel levels[] = { level("a/b", 2, 2, 1900000), level("a", 0, 0, 0), level("", 0, 0, 0) };
        StallFacts f = of_state('R');

        f.levels = levels;
        f.n_levels = 3;
        check(&f, STALL_THROTTLED,
              "runnable for 2.0 s, but not allowed to run; cgroup 'a/b' used up its cpu.max in 2 of 2 "
              "periods and "
              "was throttled for 1.9 s");
        f.state = 'S'; /* one that sleeps is not kept from running */
        check(&f, STALL_SLEEPING, "asleep for 2.0 s");
}

/* Seen with 1 ms in a second after a tick of 150 ms: nothing is booked for more than a hundred periods. */
static void throttled_through_many_periods(G_GNUC_UNUSED void **state) {
        const StallLevel levels[] = { level("a", 2, 2, 0), level("", 0, 0, 0) };
        StallFacts f = of_state('R');

        f.levels = levels;
        f.n_levels = 2;
        check(&f, STALL_THROTTLED,
              "runnable for 2.0 s, but not allowed to run; cgroup 'a' used up its cpu.max in 2 of 2 periods "
              "and "
              "was throttled all along");
}

static void throttled_from_above(G_GNUC_UNUSED void **state) {
        const StallLevel levels[] = { level("a/b", 20, 20, 1100000), level("a", 20, 19, 1900000),
                                      level("", 20, 20, 1800000) };
        StallFacts f = of_state('R');

        f.levels = levels;
        f.n_levels = 3;
        check(&f, STALL_THROTTLED,
              "runnable for 2.0 s, but not allowed to run; cgroup 'a' used up its cpu.max in 19 of 20 "
              "periods and "
              "was throttled for 1.9 s");
        f.levels = levels + 2;
        f.n_levels = 1;
        check(&f, STALL_THROTTLED,
              "runnable for 2.0 s, but not allowed to run; the scenario's root used up its cpu.max in 20 of "
              "20 "
              "periods and was throttled for 1.8 s");
}

static void not_throttled_enough(G_GNUC_UNUSED void **state) {
        StallLevel levels[] = {
                level("a", 20, 20, 900000),  /* half of the time it might have run */
                level("a", 20, 9, 1900000),  /* in most periods nobody was stopped */
                level("a", 20, 0, 1900000),  /* cannot be */
                level("a", 20, 20, 1900000), /* not known */
                level("a", 0, 0, 0),
                level("a", 20, 20, 1900000), /* numbers that fell: another cgroup of that name */
        };
        StallFacts f = of_state('R');

        levels[3].missing = (char *)"[unreadable: gone]";
        levels[5].before = (CpuStat){ 1000, 1000, UINT64_C(1000000000) };
        f.levels = levels;
        f.n_levels = G_N_ELEMENTS(levels);
        assert_int_equal(stall_classify(&f), STALL_STARVED);
        levels[0] = level("a", 20, 10, 1000000); /* just enough */
        assert_int_equal(stall_classify(&f), STALL_THROTTLED);
}

static void cpu_stat_texts(G_GNUC_UNUSED void **state) {
        static const char *const bad[] = {
                "",
                "usage_usec 5\nuser_usec 3\nsystem_usec 2\n", /* the cpu controller is not enabled */
                "nr_periods 1\nnr_throttled 2\n",
                "nr_periods 1\nnr_throttled 2\nthrottled_usec\n",
                "nr_periods 1\nnr_throttled 2\nthrottled_usec x\n",
                "nr_periods 1\nnr_throttled -2\nthrottled_usec 3\n",
                "nr_periods 18446744073709551616\nnr_throttled 2\nthrottled_usec 3\n",
                "nr_periodsx 1\nnr_throttled 2\nthrottled_usec 3\n",
                "xnr_periods 1\nnr_throttled 2\nthrottled_usec 3\n",
                "nr_periods  1\nnr_throttled 2\nthrottled_usec 3\n",
        };
        CpuStat s = { 7, 8, 9 };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                if (cpu_stat_parse(bad[i], &s))
                        fail_msg("taken: %s", bad[i]);
        assert_int_equal(s.periods, 7);
        assert_true(cpu_stat_parse("usage_usec 5\nnr_periods 1\nnr_throttled 2\nthrottled_usec "
                                   "18446744073709551615\nnr_bursts 0\nburst_usec 0",
                                   &s));
        assert_int_equal(s.periods, 1);
        assert_int_equal(s.throttled, 2);
        assert_true(s.throttled_usec == UINT64_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names),
                cmocka_unit_test(states),
                cmocka_unit_test(places_that_are_not_known),
                cmocka_unit_test(one_that_runs_is_not_starved),
                cmocka_unit_test(thieves_are_named),
                cmocka_unit_test(nobody_looked_for),
                cmocka_unit_test(thieves_of_each_policy),
                cmocka_unit_test(throttled_by_its_own_cgroup),
                cmocka_unit_test(throttled_through_many_periods),
                cmocka_unit_test(throttled_from_above),
                cmocka_unit_test(not_throttled_enough),
                cmocka_unit_test(cpu_stat_texts),
        };
        return cmocka_run_group_tests_name("stall-class", tests, NULL, NULL);
}
