/* SPDX-License-Identifier: GPL-2.0-only */
#include <glib/gstdio.h>

#include "config.h"
#include "conformance/conf-topology.h"

typedef struct Files {
        char *directory, *path, *drop_ins;
} Files;

static int set_up(void **state) {
        Files *f = g_new0(Files, 1);

        f->directory = g_dir_make_tmp("test-config-XXXXXX", NULL);
        f->path = g_build_filename(f->directory, "ktsetupd.conf", NULL);
        f->drop_ins = g_strconcat(f->path, ".d", NULL);
        *state = f;
        return f->directory && g_mkdir(f->drop_ins, 0755) == 0 ? 0 : -1;
}

static void clear_directory(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);
                if (!g_file_test(file, G_FILE_TEST_IS_DIR))
                        g_unlink(file);
        }
}

static int tear_down(void **state) {
        Files *f = *state;

        clear_directory(f->drop_ins);
        g_rmdir(f->drop_ins);
        clear_directory(f->directory);
        g_rmdir(f->directory);
        g_free(f->directory);
        g_free(f->path);
        g_free(f->drop_ins);
        g_free(f);
        return 0;
}

static void drop_in(const Files *f, const char *name, const char *text) {
        g_autofree char *path = g_build_filename(f->drop_ins, name, NULL);

        assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void main_file(const Files *f, const char *text) {
        assert_true(g_file_set_contents(f->path, text, -1, NULL));
}

static Config *loaded(const Files *f) {
        g_autoptr(GError) error = NULL;
        Config *c = config_load(f->path, true, &error);

        if (!c)
                fail_msg("%s", error->message);
        return c;
}

/* ---- values ---- */

static void defaults(void **state) {
        const Files *f = *state;
        g_autoptr(GError) error = NULL;
        g_autoptr(Config) c = config_load(f->path, false, &error);

        assert_non_null(c);
        assert_int_equal(c->idle_exit_sec, 30);
        assert_null(c->cgroup_root);
        assert_string_equal(c->placement_log, "/run/ktsetupd/placement.log");
        assert_int_equal(c->workers_per_cgroup, 1);
        assert_int_equal(c->stop_timeout_sec, 5);
        assert_int_equal(c->settle_timeout_sec, 1);
        assert_int_equal(c->stall_poll_ms, 500);
        assert_int_equal(c->stall_window, 4);
        assert_int_equal(c->max_cgroups, 1000);
        assert_int_equal(c->max_workers, 10000);
        assert_int_equal(c->max_payloads, 1000);
        assert_int_equal(c->max_document_bytes, 1048576);
        assert_int_equal(c->max_output_bytes, 16777216);
        /* that of the administrator first */
        assert_non_null(strstr(c->payload_directories, "/etc/ktsetupd/payloads.d:/"));
        assert_true(g_str_has_suffix(c->payload_directories, "/lib/ktsetupd/payloads.d"));
        assert_null(config_load(f->path, true, &error));
        assert_invalid(error, f->path, "No such file");
}

static void every_key(void **state) {
        const Files *f = *state;

        main_file(f, "# all of them\n"
                     "[Daemon]\nIdleExitSec=0\nCgroupRoot=/sys/fs/cgroup/test\nPlacementLog=/var/log/placed\n"
                     "[Scenario]\nWorkersPerCgroup = 3 \nStopTimeoutSec=7\nSettleTimeoutSec=8\n"
                     "StallPollMs=250\n"
                     "[Payloads]\nDirectories= /opt/a:/srv/b c \nMaxOutputBytes=4K\n"
                     "[Limits]\nMaxCgroups=9\nMaxWorkers=10\nMaxDocumentBytes=2M\nMaxPayloads=11\n");
        g_autoptr(Config) c = loaded(f);
        assert_int_equal(c->idle_exit_sec, 0);
        assert_string_equal(c->cgroup_root, "/sys/fs/cgroup/test");
        assert_string_equal(c->placement_log, "/var/log/placed");
        assert_int_equal(c->workers_per_cgroup, 3);
        assert_int_equal(c->stop_timeout_sec, 7);
        assert_int_equal(c->settle_timeout_sec, 8);
        assert_int_equal(c->stall_poll_ms, 250);
        assert_int_equal(c->max_cgroups, 9);
        assert_int_equal(c->max_workers, 10);
        assert_int_equal(c->max_document_bytes, 2097152);
        assert_int_equal(c->max_payloads, 11);
        assert_int_equal(c->max_output_bytes, 4096);
        assert_string_equal(c->payload_directories, "/opt/a:/srv/b c");
}

/* Names decide, whatever order a directory happens to list them in: that may be the order of their making, or
 * one of hashes. So several sets of names, each made in descending order. */
static void drop_ins_in_order(void **state) {
        const Files *f = *state;

        for (char set = 'a'; set <= 'l'; set++) {
                g_autoptr(GError) error = NULL;
                clear_directory(f->drop_ins);
                for (unsigned i = 6; i > 0; i--) {
                        g_autofree char *name = g_strdup_printf("%u0-%c.conf", i, set);
                        g_autofree char *text = g_strdup_printf("[Limits]\nMaxCgroups=%u\n", i);
                        drop_in(f, name, text);
                }
                g_autoptr(Config) c = config_load(f->path, false, &error);
                assert_non_null(c);
                assert_int_equal(c->max_cgroups, 6);
        }
}

/* A later file changes what it names, and only that; files of other names are left alone. */
static void drop_ins_override(void **state) {
        const Files *f = *state;

        main_file(f, "[Limits]\nMaxCgroups=1\nMaxWorkers=1\n[Daemon]\nCgroupRoot=/one\nIdleExitSec=1\n");
        drop_in(f, "10-first.conf",
                "[Limits]\nMaxCgroups=2\nMaxWorkers=2\n[Daemon]\nCgroupRoot=\nPlacementLog=\n"
                "[Payloads]\nDirectories=\n");
        drop_in(f, "50-last.conf", "[Limits]\nMaxCgroups=3\n");
        drop_in(f, "99-note.txt", "not a configuration file");
        drop_in(f, "99-old.conf.bak", "[Nonsense]\n");
        g_autoptr(Config) c = loaded(f);
        assert_int_equal(c->max_cgroups, 3);
        assert_int_equal(c->max_workers, 2);
        assert_int_equal(c->idle_exit_sec, 1);
        assert_null(c->cgroup_root); /* an empty value takes it back */
        assert_null(c->placement_log);
        assert_null(c->payload_directories);
}

static void drop_ins_without_a_file(void **state) {
        const Files *f = *state;
        g_autoptr(GError) error = NULL;

        drop_in(f, "a.conf", "[Limits]\nMaxCgroups=2\n");
        g_autoptr(Config) c = config_load(f->path, false, &error);
        assert_non_null(c);
        assert_int_equal(c->max_cgroups, 2);
}

/* ---- refusals ---- */

static const struct {
        const char *text, *fragment, *second;
} REFUSED[] = {
        { "[Limit]\nMaxCgroups=1\n", "unknown section [Limit]",
          "[Daemon], [Scenario], [Payloads] and [Limits]" },
        { "[Limits]\nMaxCgroup=1\n", "unknown key 'MaxCgroup' in [Limits]", "did you mean MaxCgroups?" },
        { "[Limits]\nmax_cgroups=1\n", "unknown key 'max_cgroups' in [Limits]", "did you mean MaxCgroups?" },
        { "[Limits]\nColour=1\n", "unknown key 'Colour' in [Limits]", "ktsetupd.conf(5)" },
        { "[Daemon]\nMaxCgroups=1\n", "the key MaxCgroups belongs into [Limits], not [Daemon]", "" },
        { "[Limits]\nMaxCgroups=0\n", "MaxCgroups=0 is not a number from 1 to 1000000", "" },
        { "[Limits]\nMaxCgroups=1000001\n", "MaxCgroups=1000001 is not a number from 1 to 1000000", "" },
        { "[Limits]\nMaxWorkers=-1\n", "MaxWorkers=-1 is not a number", "" },
        { "[Limits]\nMaxWorkers=1e3\n", "MaxWorkers=1e3 is not a number", "" },
        { "[Limits]\nMaxWorkers=\n", "MaxWorkers= is not a number", "" },
        { "[Limits]\nMaxDocumentBytes=17M\n", "MaxDocumentBytes=17M is not a number from 1 to 16777216", "" },
        { "[Limits]\nMaxDocumentBytes=0K\n", "MaxDocumentBytes=0K is not a number", "" },
        { "[Daemon]\nIdleExitSec=86401\n", "IdleExitSec=86401 is not a number from 0 to 86400", "" },
        { "[Scenario]\nWorkersPerCgroup=0\n", "WorkersPerCgroup=0 is not a number from 1 to", "" },
        { "[Scenario]\nStopTimeoutSec=0\n", "StopTimeoutSec=0 is not a number from 1 to 3600", "" },
        { "[Scenario]\nSettleTimeoutSec=3601\n", "SettleTimeoutSec=3601 is not a number from 1 to 3600", "" },
        { "[Scenario]\nStallPollMs=0\n", "StallPollMs=0 is not a number from 1 to 3600000", "" },
        { "[Scenario]\nStallPollMs=3600001\n", "StallPollMs=3600001 is not a number from 1 to 3600000", "" },
        { "[Scenario]\nStallPollMs=500ms\n", "StallPollMs=500ms is not a number", "" },
        { "[Scenario]\nStallPolMs=1\n", "unknown key 'StallPolMs' in [Scenario]",
          "did you mean StallPollMs?" },
        { "[Daemon]\nCgroupRoot=cgroup\n", "CgroupRoot=cgroup is not a full path; it must begin with /", "" },
        { "[Limits]\nMaxPayloads=0\n", "MaxPayloads=0 is not a number from 1 to 100000", "" },
        { "[Limits]\nMaxPayloads=100001\n", "MaxPayloads=100001 is not a number from 1 to 100000", "" },
        { "[Payloads]\nMaxOutputBytes=4095\n", "MaxOutputBytes=4095 is not a number from 4096 to 1073741824",
          "" },
        { "[Payloads]\nMaxOutputBytes=2G\n", "MaxOutputBytes=2G is not a number from 4096 to", "" },
        { "[Payloads]\nDirectories=/a:b\n", "Directories=/a:b is not a list of full paths with ':' between",
          "each must begin with /" },
        { "[Payloads]\nDirectories=/a:\n", "Directories=/a: is not a list of full paths", "" },
        { "[Payloads]\nMaxPayloads=1\n", "the key MaxPayloads belongs into [Limits], not [Payloads]", "" },
        { "[Limits]\nMaxCgroups[de]=1\n", "unknown key 'MaxCgroups[de]' in [Limits]",
          "did you mean MaxCgroups?" },
        { "[Daemon]\nPlacementLog=placement.log\n", "PlacementLog=placement.log is not a full path", "" },
        { "MaxCgroups=1\n", "", "" },
        { "[Limits\n", "", "" },
};

static void refusals(void **state) {
        const Files *f = *state;

        for (size_t i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
                g_autoptr(GError) error = NULL;
                main_file(f, REFUSED[i].text);
                assert_null(config_load(f->path, false, &error));
                assert_invalid(error, f->path, REFUSED[i].fragment, REFUSED[i].second);
        }
}

/* The file that is wrong is the one that is named. */
static void wrong_drop_in(void **state) {
        const Files *f = *state;
        g_autoptr(GError) error = NULL;

        main_file(f, "[Limits]\nMaxCgroups=1\n");
        drop_in(f, "20-bad.conf", "[Limits]\nMaxCgroups=none\n");
        assert_null(config_load(f->path, true, &error));
        assert_invalid(error, "ktsetupd.conf.d/20-bad.conf: MaxCgroups=none");
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FILES(defaults),
                WITH_FILES(every_key),
                WITH_FILES(drop_ins_in_order),
                WITH_FILES(drop_ins_override),
                WITH_FILES(drop_ins_without_a_file),
                WITH_FILES(refusals),
                WITH_FILES(wrong_drop_in),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
