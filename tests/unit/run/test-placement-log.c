/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "run/placement-log.h"

/* A born group of two workers, with pids. */
static GroupState *born_group(const char *cgroup, const char *pcomm) {
        ArenaShape shape = { .n_workers = 2, .cpu_words = 1, .n_nodes = 1, .leader = pcomm != NULL };
        GroupState *g = group_state_new(7, cgroup, pcomm, SLOT_STEP);
        ArenaHead *arena;

        group_state_add_work(g, 0, WORK_SPIN_WAIT);
        group_state_set_workers(g, 2);
        g->arena_size = arena_size(&shape);
        arena = mmap(NULL, g->arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(arena, MAP_FAILED);
        arena_init(arena, &shape);
        for (unsigned i = 0; i < 2; i++)
                atomic_store(&arena_slot(arena, i)->pid, pcomm ? 40 : (int)(41 + i));
        g->arena = arena;
        return g;
}

/* 2001-09-09T01:46:40Z and a bit. */
static const gint64 NOW = G_GINT64_CONSTANT(1000000000) * G_USEC_PER_SEC + 42;

static void lines(G_GNUC_UNUSED void **state) {
        g_autoptr(GroupState) plain = born_group("a/b", NULL), container = born_group("a", "db \"x\"");
        g_autofree char *one = placement_log_line("default", plain, NOW);
        g_autofree char *two = placement_log_line("default", container, NOW);

        assert_string_equal(one, "2001-09-09T01:46:40.000042Z default apply_setup: spawned non-pcomm workers "
                                 "cgroup=\"a/b\" count=2 pids=[41, 42]");
        assert_string_equal(two, "2001-09-09T01:46:40.000042Z default apply_setup: spawned pcomm workers "
                                 "cgroup=\"a\" pcomm=\"db \\\"x\\\"\" count=1 pids=[40]");
}

static void names_stay_on_one_line(G_GNUC_UNUSED void **state) {
        g_autoptr(GroupState) g = born_group("a\nb\\\t\"ü\"", NULL);
        g_autofree char *line = placement_log_line("default", g, NOW);

        assert_non_null(strstr(line, "cgroup=\"a\\nb\\\\\\x09\\\"ü\\\"\" count=2"));
}

/* ---- the file ---- */

static char *in_new_directory(char **ret_dir, const char *name) {
        *ret_dir = g_dir_make_tmp("kt-log-XXXXXX", NULL);
        assert_non_null(*ret_dir);
        return g_build_filename(*ret_dir, name, NULL);
}

static void appends(G_GNUC_UNUSED void **state) {
        g_autoptr(GroupState) g = born_group("a", NULL);
        g_autofree char *dir = NULL, *path = in_new_directory(&dir, "log"), *text = NULL;

        assert_true(g_file_set_contents(path, "from before\n", -1, NULL));
        placement_log_group(path, "default", g);
        placement_log_group(path, "default", g);
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_auto(GStrv) rows = g_strsplit(text, "\n", -1);
        assert_int_equal(g_strv_length(rows), 4); /* the last one is empty */
        assert_string_equal(rows[0], "from before");
        assert_true(g_str_has_suffix(rows[1], "cgroup=\"a\" count=2 pids=[41, 42]"));
        assert_string_equal(rows[3], "");
        g_unlink(path);
        g_rmdir(dir);
}

static void follows_no_link(G_GNUC_UNUSED void **state) {
        g_autoptr(GroupState) g = born_group("a", NULL);
        g_autofree char *dir = NULL, *path = in_new_directory(&dir, "log"), *text = NULL;
        g_autofree char *target = g_build_filename(dir, "target", NULL);

        assert_true(g_file_set_contents(target, "", -1, NULL));
        assert_int_equal(symlink(target, path), 0);
        placement_log_group(path, "default", g);
        assert_true(g_file_get_contents(target, &text, NULL, NULL));
        assert_string_equal(text, "");
        g_unlink(path);
        g_unlink(target);
        g_rmdir(dir);
}

/* A reader that never comes must not hold the daemon; nor must a missing directory or a full device fail. */
static void nothing_blocks(G_GNUC_UNUSED void **state) {
        g_autoptr(GroupState) g = born_group("a", NULL);
        g_autofree char *dir = NULL, *path = in_new_directory(&dir, "log");

        assert_int_equal(mkfifo(path, 0600), 0);
        placement_log_group(path, "default", g);
        placement_log_group("/nonexistent/directory/log", "default", g);
        placement_log_group("/dev/full", "default", g);
        placement_log_group(dir, "default", g);
        placement_log_group(NULL, "default", g);
        g_unlink(path);
        g_rmdir(dir);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines),          cmocka_unit_test(names_stay_on_one_line),
                cmocka_unit_test(appends),        cmocka_unit_test(follows_no_link),
                cmocka_unit_test(nothing_blocks),
        };
        return cmocka_run_group_tests_name("placement-log", tests, NULL, NULL);
}
