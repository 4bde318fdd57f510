/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* ktsetupd.conf(5). */
typedef struct Config {
        guint64 idle_exit_sec; /* 0: never */
        char *cgroup_root;     /* NULL: below systemd */
        char *placement_log;   /* NULL: the journal alone */
        guint64 workers_per_cgroup;
        guint64 stall_window;
        guint64 stall_poll_ms; /* KTSTR_STALL_POLL_MS of the environment comes before the files */
        guint64 stop_timeout_sec, settle_timeout_sec;
        char *payload_directories; /* full paths with ':' between; NULL: none */
        guint64 max_output_bytes;  /* of a payload, each stream */
        guint64 max_cgroups, max_workers, max_payloads;
        guint64 max_document_bytes;
} Config;

/* The defaults, overridden by `path` and then by the *.conf files in `path`.d, in the order of their names. A
 * file that is not there is fine unless `required`; an unknown section, key or value is an error. */
Config *config_load(const char *path, bool required, GError **error);
void config_free(Config *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)
