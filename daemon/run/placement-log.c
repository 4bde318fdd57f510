/* SPDX-License-Identifier: GPL-2.0-only */
#include "placement-log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Of the entries in the journal; journalctl MESSAGE_ID=... finds them. */
#define MESSAGE_ID_PLACEMENT "5d9d7bfd6e8344c1a28f54ef25378a9e"

/* The processes: of a container the leader, whose threads the workers are. */
static unsigned count_processes(const GroupState *g) {
        return g->pcomm ? 1 : g->n_workers;
}

static char *format_pids(const GroupState *g) {
        GString *text = g_string_new("[");

        for (unsigned i = 0; g->arena && i < count_processes(g); i++)
                g_string_append_printf(text, "%s%d", i ? ", " : "",
                                       atomic_load(&arena_slot(g->arena, i)->pid));
        return g_string_free(g_string_append_c(text, ']'), FALSE);
}

/* One line stays one line whatever the name is; letters of other alphabets stay themselves. */
static char *quote(const char *name) {
        GString *quoted = g_string_new("\"");

        for (const char *p = name; *p; p++)
                if (*p == '"' || *p == '\\')
                        g_string_append_printf(quoted, "\\%c", *p);
                else if (*p == '\n')
                        g_string_append(quoted, "\\n");
                else if (g_ascii_iscntrl(*p))
                        g_string_append_printf(quoted, "\\x%02x", (guchar)*p);
                else
                        g_string_append_c(quoted, *p);
        return g_string_free(g_string_append_c(quoted, '"'), FALSE);
}

char *placement_log_line(const char *scenario, const GroupState *g, gint64 now_us) {
        g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(now_us / G_USEC_PER_SEC);
        g_autofree char *time = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");
        g_autofree char *cgroup = quote(g->cgroup), *pids = format_pids(g);
        g_autofree char *name = g->pcomm ? quote(g->pcomm) : NULL;

        return g_strdup_printf("%s.%06dZ %s apply_setup: spawned %s workers cgroup=%s%s%s count=%u pids=%s",
                               time, (int)(now_us % G_USEC_PER_SEC), scenario, name ? "pcomm" : "non-pcomm",
                               cgroup, name ? " pcomm=" : "", name ?: "", count_processes(g), pids);
}

/* Whoever may write to the directory could have put something else there: no links, nothing that blocks. */
static void append(const char *path, const char *line) {
        g_auto(AutoFd) fd = open(
                path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
        g_autofree char *text = g_strconcat(line, "\n", NULL);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return;
        /* One write: lines of several daemons do not mix. */
        if (write(fd, text, strlen(text)) < 0)
                sd_journal_print(LOG_DEBUG, "cannot write to %s: %s", path, g_strerror(errno));
}

void placement_log_group(const char *path, const char *scenario, const GroupState *g) {
        g_autofree char *line = placement_log_line(scenario, g, g_get_real_time());
        g_autofree char *pids = format_pids(g);

        if (path)
                append(path, line);
        sd_journal_send("MESSAGE=%u workers started in cgroup %s", g->n_workers, g->cgroup,
                        "MESSAGE_ID=" MESSAGE_ID_PLACEMENT, "PRIORITY=%d", LOG_INFO, "KTSETUP_SCENARIO=%s",
                        scenario, "KTSETUP_CGROUP=%s", g->cgroup, "KTSETUP_PCOMM=%s", g->pcomm ?: "",
                        "KTSETUP_WORKERS=%u", g->n_workers, "KTSETUP_PIDS=%s", pids, NULL);
}
