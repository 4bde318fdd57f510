/* SPDX-License-Identifier: GPL-2.0-only */
#include <glib/gstdio.h>

#include "conformance/conf-topology.h"
#include "payload/user.h"

typedef struct Files {
        char *directory, *passwd, *group;
} Files;

static const char PASSWD[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "# not a line of anybody\n"
                             "broken\n"
                             "alice:x:1000:1000::/home/alice:/bin/sh\n"
                             "alias:x:1000:1001::/home/alice:/bin/sh\n"
                             "7:x:1007:1008::/:/bin/sh\n"
                             "seven:x:7:70::/:/bin/sh\n"
                             "+alien::::::\n"
                             "-:x:5:5::/:\n";
static const char GROUP[] = "root:x:0:\n"
                            "alice:x:1000:alice\n"
                            "audio:x:29:bob,alice\n"
                            "video:x:44:alicex,xalice\n"
                            "+:x:99:alice\n"
                            "disk:x:6:alice,root\n";

static void write_text(const char *path, const char *text) {
        assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int set_up(void **state) {
        Files *f = g_new0(Files, 1);

        f->directory = g_dir_make_tmp("test-user-XXXXXX", NULL);
        f->passwd = g_build_filename(f->directory, "passwd", NULL);
        f->group = g_build_filename(f->directory, "group", NULL);
        write_text(f->passwd, PASSWD);
        write_text(f->group, GROUP);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Files *f = *state;

        g_unlink(f->passwd);
        g_rmdir(f->passwd);
        g_unlink(f->group);
        g_rmdir(f->directory);
        g_free(f->directory);
        g_free(f->passwd);
        g_free(f->group);
        g_free(f);
        return 0;
}

/* "UID:GID:GROUP,..." */
static char *found(const Files *f, const char *user) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        UserIds ids;

        if (!user_find_in(f->passwd, f->group, user, &ids, &error))
                fail_msg("%s", error->message);
        g_string_printf(text, "%u:%u:", ids.uid, ids.gid);
        for (guint i = 0; i < ids.groups->len; i++)
                g_string_append_printf(text, "%s%u", i ? "," : "", g_array_index(ids.groups, gid_t, i));
        user_ids_clear(&ids);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static void names_and_numbers(void **state) {
        static const struct {
                const char *user, *ids;
        } cases[] = {
                { "root", "0:0:0,6" },
                { "0", "0:0:0,6" },
                { "alice", "1000:1000:1000,29,6" },
                { "alias", "1000:1001:1001" },
                { "1000", "1000:1000:1000,29,6" }, /* the first line of it */
                { "7", "1007:1008:1008" },         /* a name first */
                { "1007", "1007:1008:1008" },
                { "5", "5:5:" }, /* "-" is nobody */
                { "4711", "4711:4711:" },
                { "4294967294", "4294967294:4294967294:" },
                { "00", "0:0:0,6" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *ids = found(*state, cases[i].user);
                if (!g_str_equal(ids, cases[i].ids))
                        fail_msg("%s: %s, expected %s", cases[i].user, ids, cases[i].ids);
        }
}

static void unknown_users(void **state) {
        static const struct {
                const char *user, *start;
        } cases[] = {
                { "alicf", "unknown user 'alicf'; did you mean 'alice'? A user is a name in " },
                { "Alice", "unknown user 'Alice'; did you mean 'alice'? A user is a name in " },
                { "nobody-at-all", "unknown user 'nobody-at-all'; a user is a name in " },
                { "broken", "unknown user 'broken'; a user is a name in " },
                { "4294967295", "unknown user '4294967295'; a user is a name in " },
                { "-1", "unknown user '-1'; " },
                { "+alien", "unknown user '+alien'; " }, /* it would be uid 0 */
                { "-", "unknown user '-'; " },
        };
        const Files *f = *state;

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                UserIds ids = { .uid = 77 };
                g_autoptr(GError) error = NULL;
                if (user_find_in(f->passwd, f->group, cases[i].user, &ids, &error))
                        fail_msg("found: %s", cases[i].user);
                if (!g_str_has_prefix(error->message, cases[i].start))
                        fail_msg("%s", error->message);
                assert_invalid(error, f->passwd, "or a number from 0 to 4294967294");
                assert_int_equal(ids.uid, 77);
        }
}

/* Longer than any buffer that one would begin with. */
static void long_lines(void **state) {
        const Files *f = *state;
        g_autoptr(GString) group = g_string_new("crowd:x:500:");
        g_autofree char *gecos = g_strnfill(100000, 'g'), *ids = NULL;
        g_autofree char *passwd = g_strdup_printf("a:x:1:1:%s:/:\nbob:x:2:3:%s:/:\n", gecos, gecos);

        for (unsigned i = 0; i < 20000; i++)
                g_string_append_printf(group, "u%u,", i);
        g_string_append(group, "bob\nnext:x:501:bob\n");
        write_text(f->passwd, passwd);
        write_text(f->group, group->str);
        ids = found(f, "bob");
        assert_string_equal(ids, "2:3:3,500,501");
}

static void files_that_are_not_there(void **state) {
        const Files *f = *state;
        g_autoptr(GError) error = NULL;
        UserIds ids;

        g_unlink(f->group);
        g_autofree char *alone = found(f, "alice");
        assert_string_equal(alone, "1000:1000:1000");
        g_unlink(f->passwd);
        g_autofree char *number = found(f, "12");
        assert_string_equal(number, "12:12:");
        assert_false(user_find_in(f->passwd, f->group, "alice", &ids, &error));
        assert_invalid(error, "unknown user 'alice'");
}

/* Its groups are unknown, so it is not run without them. */
static void unreadable_file(void **state) {
        const Files *f = *state;
        g_autofree char *below = g_build_filename(f->group, "x", NULL); /* ENOTDIR, for root too */
        g_autoptr(GError) error = NULL;
        UserIds ids;

        assert_false(user_find_in(below, f->group, "1000", &ids, &error));
        assert_invalid(error, below, "cannot be read", "Not a directory");
        assert_false(user_find_in(f->passwd, below, "alice", &ids, &error));
        assert_invalid(error, below, "cannot be read");
}

static void this_machine(void **state G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;
        UserIds ids;

        assert_true(user_find("0", &ids, &error));
        assert_int_equal(ids.uid, 0);
        user_ids_clear(&ids);
        assert_false(user_find("no such user, surely", &ids, &error));
        assert_invalid(error, "/etc/passwd");
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FILES(names_and_numbers), WITH_FILES(unknown_users),
                WITH_FILES(long_lines),        WITH_FILES(files_that_are_not_there),
                WITH_FILES(unreadable_file),   cmocka_unit_test(this_machine),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
