/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

enum { FILE_MAX = 64 * 1024 };

/* ---- files ---- */

#define UNREADABLE "[unreadable: "

static char *unreadable(int error) {
        return g_strdup_printf(UNREADABLE "%s]", g_strerror(error));
}

/* 0, or a positive errno and *ret is the stand-in. Raw bytes that are no UTF-8 are replaced: names in /proc
 * may hold any. */
static int read_file(const char *path, char **ret) {
        g_autofree char *text = g_malloc(FILE_MAX);
        g_auto(AutoFd) fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        size_t used = 0;
        ssize_t n = fd < 0 ? -1 : 0;

        while (fd >= 0 && used < FILE_MAX && (n = read(fd, text + used, FILE_MAX - used)) > 0)
                used += (size_t)n;
        if (n < 0) {
                int error = errno;
                *ret = unreadable(error);
                return error;
        }
        *ret = g_utf8_make_valid(text, (gssize)used);
        g_strchomp(*ret);
        return 0;
}

static int read_knob(const char *root, const char *cgroup, const char *knob, char **ret) {
        g_autofree char *path = g_build_filename(root, cgroup, knob, NULL);

        return read_file(path, ret);
}

bool stall_read_cpu_stat(const char *root, const char *cgroup, CpuStat *ret) {
        g_autofree char *text = NULL;

        return read_knob(root, cgroup, "cpu.stat", &text) == 0 && cpu_stat_parse(text, ret);
}

/* ---- its life ---- */

static void clear_level(gpointer p) {
        StallLevel *level = p;

        g_free(level->cgroup);
        g_free(level->missing);
}

StallReport *stall_report_new(const StallSubject *who, const StallWindow *window) {
        StallReport *r = g_new0(StallReport, 1);

        r->pid = who->pid;
        r->tid = who->tid;
        r->cgroup = g_strdup(who->cgroup);
        r->payload = g_strdup(who->payload);
        r->work_type = g_strdup(who->work_type);
        r->work_index = who->work_index;
        r->worker = who->worker;
        r->window = *window;
        r->state = '?';
        r->cause = g_strdup("");
        for (StallText t = 0; t < STALL_TEXT_COUNT; t++)
                r->texts[t] = t == STALL_STACK ? NULL : g_strdup(UNREADABLE "not asked for]");
        r->levels = g_array_new(FALSE, TRUE, sizeof(StallLevel));
        g_array_set_clear_func(r->levels, clear_level);
        r->scan = g_strdup("not asked for");
        return r;
}

void stall_report_free(StallReport *r) {
        if (!r)
                return;
        for (StallText t = 0; t < STALL_TEXT_COUNT; t++)
                g_free(r->texts[t]);
        g_array_unref(r->levels);
        g_free(r->cgroup);
        g_free(r->payload);
        g_free(r->work_type);
        g_free(r->cause);
        g_free(r->scan);
        g_free(r);
}

/* Takes the text. */
static void set_text(StallReport *r, StallText which, char *text) {
        g_free(r->texts[which]);
        r->texts[which] = text;
}

/* ---- what everybody may read ---- */

static void read_task_texts(StallReport *r) {
        static const struct {
                StallText text;
                const char *file;
        } files[] = {
                { STALL_COMM, "comm" },
                { STALL_STATUS, "status" },
                { STALL_KERNEL_CGROUP, "cgroup" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/%s", r->pid, r->tid, files[i].file);
                char *text;
                read_file(path, &text);
                set_text(r, files[i].text, text);
        }
}

/* "State:\tR (running)". A name cannot forge that line: the kernel escapes the newlines of names here. */
static char find_state(const char *status) {
        const char *line = strstr(status, "\nState:");

        if (!line)
                return '?';
        line += strlen("\nState:");
        line += strspn(line, " \t");
        return g_ascii_isalpha(*line) ? *line : '?';
}

static bool is_frozen(const char *root, const char *cgroup) {
        g_autofree char *text = NULL;

        return read_knob(root, cgroup, "cgroup.events", &text) == 0 && strstr(text, "frozen 1");
}

static void read_level(StallReport *r, const char *root, const char *cgroup, GHashTable *before) {
        const CpuStat *earlier = before ? g_hash_table_lookup(before, cgroup) : NULL;
        StallLevel level = { .cgroup = g_strdup(cgroup) };
        g_autofree char *text = NULL;

        if (read_knob(root, cgroup, "cpu.stat", &text) != 0)
                level.missing = g_steal_pointer(&text);
        else if (!cpu_stat_parse(text, &level.after))
                level.missing = g_strdup(UNREADABLE "the cpu controller is not enabled here]");
        else if (!earlier)
                level.missing = g_strdup(UNREADABLE "not known from before the stall]");
        else
                level.before = *earlier;
        g_array_append_val(r->levels, level);
}

static void read_levels(StallReport *r, const char *root, GHashTable *before) {
        g_autofree char *cgroup = g_strdup(r->cgroup);

        g_array_set_size(r->levels, 0);
        read_level(r, root, cgroup, before);
        while (*cgroup) {
                char *slash = strrchr(cgroup, '/');
                *(slash ?: cgroup) = '\0';
                read_level(r, root, cgroup, before);
        }
}

void stall_report_read(StallReport *r, const char *root, GHashTable *before) {
        char *text;

        read_task_texts(r);
        r->state = find_state(r->texts[STALL_STATUS]);
        read_file("/proc/loadavg", &text);
        set_text(r, STALL_LOADAVG, text);
        read_knob(root, r->cgroup, "cpu.pressure", &text);
        set_text(r, STALL_PRESSURE, text);
        r->frozen = is_frozen(root, r->cgroup);
        read_levels(r, root, before);
}

/* ---- what the executor reads ---- */

void stall_report_ask(const StallReport *r, uint32_t serial, hwloc_const_bitmap_t cpus, WireInspect *ret) {
        *ret = (WireInspect){ .kind = WIRE_INSPECT, .serial = serial, .pid = r->pid, .tid = r->tid };
        for (unsigned cpu = 0; cpu < WIRE_INSPECT_WORDS * 64; cpu++)
                if (!cpus || hwloc_bitmap_isset(cpus, cpu))
                        ret->cpus[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

static char *answered_text(const char *text, size_t room, int error) {
        return error ? unreadable(error) : g_utf8_make_valid(text, (gssize)strnlen(text, room));
}

static char *scan_flaw(const WireInspected *a) {
        int error = a->error ?: a->scan_error;

        if (error)
                return g_strdup(g_strerror(error));
        return a->scan_whole ? NULL : g_strdup("there were more tasks than could be looked at in time");
}

void stall_report_add_inspection(StallReport *r, const WireInspected *a) {
        g_autofree char *stack = answered_text(a->stack, sizeof(a->stack), 0);
        bool has_stack = !a->error && !a->stack_error && *stack;

        set_text(r, STALL_WCHAN, answered_text(a->wchan, sizeof(a->wchan), a->error ?: a->wchan_error));
        set_text(r, STALL_SYSCALL,
                 answered_text(a->syscall, sizeof(a->syscall), a->error ?: a->syscall_error));
        set_text(r, STALL_STACK, has_stack ? g_steal_pointer(&stack) : NULL);
        r->n_competitors = MIN(a->n_competitors, WIRE_COMPETITORS);
        r->n_rivals = MAX(a->n_rivals, r->n_competitors);
        memcpy(r->competitors, a->competitors, sizeof(r->competitors));
        for (unsigned i = 0; i < r->n_competitors; i++)
                r->competitors[i].comm[WIRE_COMPETITOR_COMM - 1] = '\0';
        g_free(r->scan);
        r->scan = scan_flaw(a);
}

StallClass stall_report_judge(StallReport *r) {
        const char *wchan = r->texts[STALL_WCHAN];
        const StallFacts facts = {
                .state = r->state,
                .frozen = r->frozen,
                .wchan = g_str_has_prefix(wchan, UNREADABLE) ? NULL : wchan,
                .window = &r->window,
                .levels = (const StallLevel *)(void *)r->levels->data,
                .n_levels = r->levels->len,
                .competitors = r->competitors,
                .n_competitors = r->n_competitors,
                .n_rivals = r->n_rivals,
                .scanned = !r->scan,
        };

        r->class = stall_classify(&facts);
        g_free(r->cause);
        r->cause = stall_cause(&facts, r->class);
        return r->class;
}
