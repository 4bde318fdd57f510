/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/task-stat.h"

/* Fields 3 to 52; those that are looked at have numbers of their own. */
#define REST                                                                                                 \
        " R 4 5 6 7 -1 9 10 11 12 13 14 15 16 17 18 -5 3 0 4242 23 24 25 26 27 28 29 30 31 32 33 34 35 36 "  \
        "37 38 6 50 1 42 43 44 45 46 47 48 49 50 51 0\n"

static void check(const char *text, const char *comm) {
        TaskStat s;

        if (!task_stat_parse(text, &s))
                fail_msg("refused: %s", text);
        assert_string_equal(s.comm, comm);
        assert_int_equal(s.state, 'R');
        assert_int_equal(s.nice, -5);
        assert_int_equal(s.n_threads, 3);
        assert_int_equal(s.start, 4242);
        assert_int_equal(s.cpu, 6);
        assert_int_equal(s.priority, 50);
        assert_int_equal(s.policy, 1);
}

static void test_names(void **state) {
        (void)state;

        check("12 (cat)" REST, "cat");
        check("12 ()" REST, "");
        check("12 (a) S 1 2 3 (b)" REST, "a) S 1 2 3 (b");
        check("12 (a\nb (\xff)" REST, "a\nb (\xff");
        check("12 (kworker/u16:3-a_name_of_a_queue_that_is_long)" REST, "kworker/u16:3-a_name_of_a_queue");
}

static void test_what_is_none(void **state) {
        static const char *const bad[] = {
                "",
                "12",
                "12 (cat",
                "12 cat)" REST,
                "12 )(" REST,
                "12 (cat)",
                "12 (cat) R 1 2 3\n",
                "12 (cat) R a b c d e f g h i j k l m n o p q r s t u v w x y z\n",
        };
        TaskStat s;
        (void)state;

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                if (task_stat_parse(bad[i], &s))
                        fail_msg("taken: %s", bad[i]);
        /* cut off anywhere before the policy */
        static const char whole[] = "12 (cat)" REST;
        size_t known = (size_t)(strstr(whole, " 1 42 43") - whole);
        for (size_t length = 0; length <= known; length++) {
                char *text = strndup(whole, length);
                assert_non_null(text);
                assert_false(task_stat_parse(text, &s));
                free(text);
        }
}

static void test_this_task(void **state) {
        TaskStat whole, thread;
        char name[17] = "";
        (void)state;

        assert_int_equal(prctl(PR_SET_NAME, "a) b\n(c"), 0);
        prctl(PR_GET_NAME, name);
        assert_int_equal(task_stat_read(getpid(), getpid(), &thread), 0);
        assert_int_equal(task_stat_read(getpid(), 0, &whole), 0);
        assert_string_equal(thread.comm, name);
        assert_int_equal(thread.state, 'R');
        assert_int_equal(thread.n_threads, 1);
        assert_int_equal(thread.policy, sched_getscheduler(0));
        assert_int_equal(thread.nice, getpriority(PRIO_PROCESS, 0));
        assert_true(thread.start > 0 && thread.start == whole.start);
        assert_int_equal(task_stat_read(0, 0, &whole), -ENOENT);
        assert_int_equal(task_stat_read(getpid(), getppid(), &whole), -ENOENT);
}

static void test_fields(void **state) {
        static const char *const texts[] = { "12 (cat)" REST, "12 (a) S 1 2 3 (b)" REST };
        char own[TASK_STAT_TEXT];
        (void)state;

        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
                assert_int_equal(task_stat_field(texts[i], TASK_STAT_PARENT), 4);
                assert_int_equal(task_stat_field(texts[i], TASK_STAT_FLAGS), 9);
                assert_int_equal(task_stat_field(texts[i], TASK_STAT_UTIME), 14);
                assert_int_equal(task_stat_field(texts[i], TASK_STAT_CSTIME), 17);
                assert_int_equal(task_stat_field(texts[i], TASK_STAT_START_TIME), 4242);
                assert_int_equal(task_stat_field(texts[i], TASK_STAT_ENV_END), 51);
        }
        assert_int_equal(task_stat_field("12 (cat", TASK_STAT_PARENT), 0);
        assert_int_equal(task_stat_field("12 (cat) R", TASK_STAT_PARENT), 0);
        assert_int_equal(task_stat_field("12 (cat) R 7 8\n", TASK_STAT_ENV_END), 0);
        assert_int_equal(task_stat_text(getpid(), 0, own), 0);
        assert_int_equal(task_stat_field(own, TASK_STAT_PARENT), getppid());
        assert_int_equal(task_stat_text(0, 0, own), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_what_is_none),
                cmocka_unit_test(test_this_task),
                cmocka_unit_test(test_fields),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
