/* SPDX-License-Identifier: GPL-2.0-only */

/* The table of live children. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "executor/children.h"

enum { PIDS = 1 << 13, ROUNDS = 200000 };

static Child children[PIDS]; /* by pid; `live`: it is in the table */

static void assert_all_found(const PidTable *table) {
        uint32_t n = 0;

        for (pid_t pid = 0; pid < PIDS; pid++) {
                assert_ptr_equal(pid_table_find(table, pid), children[pid].live ? &children[pid] : NULL);
                n += children[pid].live;
        }
        assert_int_equal(table->used, n);
}

static void add(PidTable *table, pid_t pid) {
        children[pid] = (Child){ .pid = pid, .live = true };
        pid_table_add(table, &children[pid]);
}

static void take_out(PidTable *table, pid_t pid) {
        pid_table_remove(table, &children[pid]);
        children[pid].live = false;
}

static void clear(PidTable *table) {
        for (pid_t pid = 0; pid < PIDS; pid++)
                if (children[pid].live)
                        take_out(table, pid);
        assert_int_equal(table->used, 0);
        pid_table_free(table);
}

static void test_rows_of_pids(void **state) {
        PidTable *table = NULL;
        (void)state;

        assert_null(pid_table_find(table, 1));
        for (pid_t first = 1; first + 100 < PIDS; first += 700) {
                assert_int_equal(pid_table_reserve(&table, 100), 0);
                for (pid_t pid = first; pid < first + 100; pid++)
                        add(table, pid);
        }
        assert_all_found(table);
        for (pid_t pid = 1; pid < PIDS; pid += 2)
                if (children[pid].live)
                        take_out(table, pid);
        assert_all_found(table);
        clear(table);
}

/* Children come and go; now and then a row is full of them, so that what stands behind must close up. */
static void test_come_and_go(void **state) {
        PidTable *table = NULL;
        (void)state;

        srandom(1);
        for (unsigned i = 0; i < ROUNDS; i++) {
                pid_t pid = (pid_t)(random() % (i / 10000 % 2 ? PIDS : 300));
                if (children[pid].live)
                        take_out(table, pid);
                else {
                        assert_int_equal(pid_table_reserve(&table, 1), 0);
                        add(table, pid);
                }
                if (i % 5000 == 0)
                        assert_all_found(table);
        }
        assert_all_found(table);
        clear(table);
}

/* What was reserved is there: the table does not move while children are born. */
static void test_room_is_made_before(void **state) {
        PidTable *table = NULL;
        (void)state;

        assert_int_equal(pid_table_reserve(&table, PIDS), 0);
        const PidTable *reserved = table;
        for (pid_t pid = 0; pid < PIDS; pid++) {
                assert_int_equal(pid_table_reserve(&table, (uint32_t)(PIDS - pid)), 0);
                add(table, pid);
        }
        assert_ptr_equal(table, reserved);
        assert_int_equal(pid_table_reserve(&table, UINT32_MAX), -ENOMEM);
        assert_ptr_equal(table, reserved); /* and as it was */
        assert_all_found(table);
        clear(table);
}

/* Else each fork would have the parent copy it. */
static void test_children_do_not_get_it(void **state) {
        PidTable *table = NULL;
        unsigned char there;
        int status;
        (void)state;

        assert_int_equal(pid_table_reserve(&table, 1), 0);
        assert_int_equal(mincore(table, 1, &there), 0);
        pid_t pid = fork();
        if (pid == 0)
                _exit(mincore(table, 1, &there) == 0 || errno != ENOMEM);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        pid_table_free(table);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_of_pids),
                cmocka_unit_test(test_come_and_go),
                cmocka_unit_test(test_room_is_made_before),
                cmocka_unit_test(test_children_do_not_get_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
