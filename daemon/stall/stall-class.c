/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-class.h"

#include <linux/sched.h>
#include <string.h>

#include "model/quantity.h"

enum { NAMED_THIEVES = 3 };

const char *stall_policy_name(uint32_t policy) {
        static const char *const names[] = {
                [SCHED_NORMAL] = "SCHED_OTHER",
                [SCHED_FIFO] = "SCHED_FIFO",
                [SCHED_RR] = "SCHED_RR",
                [SCHED_BATCH] = "SCHED_BATCH",
                [SCHED_IDLE] = "SCHED_IDLE",
                [SCHED_DEADLINE] = "SCHED_DEADLINE",
                [7] = "SCHED_EXT", /* Linux 6.12 */
        };
        const char *name = policy < G_N_ELEMENTS(names) ? names[policy] : NULL;

        return name ?: "unknown policy";
}

/* ---- cpu.stat ---- */

static bool find_number(char **lines, const char *key, uint64_t *ret) {
        size_t length = strlen(key);

        for (; *lines; lines++)
                if (strncmp(*lines, key, length) == 0 && (*lines)[length] == ' ')
                        return count_parse(*lines + length + 1, ret);
        return false;
}

bool cpu_stat_parse(const char *text, CpuStat *ret) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        CpuStat s;

        if (!find_number(lines, "nr_periods", &s.periods) ||
            !find_number(lines, "nr_throttled", &s.throttled) ||
            !find_number(lines, "throttled_usec", &s.throttled_usec))
                return false;
        *ret = s;
        return true;
}

static uint64_t grown(uint64_t before, uint64_t after) {
        return after > before ? after - before : 0;
}

CpuStat stall_level_growth(const StallLevel *l) {
        return (CpuStat){ grown(l->before.periods, l->after.periods),
                          grown(l->before.throttled, l->after.throttled),
                          grown(l->before.throttled_usec, l->after.throttled_usec) };
}

/* A throttled time is booked when it ends. A group that overran its quota by far, by a tick of the clock say,
 * pays with its next periods and stays throttled through them all: they are counted, but no time is booked.
 * Where some is, but little, each period ended with a short wait, and that keeps nobody from running. */
static bool is_throttled(const StallLevel *l, uint64_t span_ns) {
        CpuStat g = stall_level_growth(l);
        bool for_long = g.throttled_usec == 0 || g.throttled_usec >= span_ns / 2000;

        return !l->missing && g.throttled > 0 && 2 * g.throttled >= g.periods && for_long;
}

static const StallLevel *find_throttled(const StallFacts *f) {
        const StallLevel *worst = NULL;
        uint64_t most = 0;

        for (unsigned i = 0; i < f->n_levels; i++) {
                uint64_t usec = stall_level_growth(&f->levels[i]).throttled_usec;
                if (is_throttled(&f->levels[i], stall_window_span(f->window)) && (!worst || usec > most)) {
                        worst = &f->levels[i];
                        most = usec;
                }
        }
        return worst;
}

/* ---- the class ---- */

static bool stands(const StallWindow *w) {
        return w->n > 0 && w->samples[0].runtime_ns == w->samples[w->n - 1].runtime_ns;
}

static StallClass classify_runnable(const StallFacts *f) {
        if (!stands(f->window))
                return STALL_NONE;
        return find_throttled(f) ? STALL_THROTTLED : STALL_STARVED;
}

StallClass stall_classify(const StallFacts *f) {
        if (f->frozen)
                return STALL_NONE;
        switch (f->state) {
        case 'R':
                return classify_runnable(f);
        case 'T':
        case 't':
                return STALL_STOPPED;
        case 'D':
                return STALL_BLOCKED;
        case 'S':
        case 'I':
        case 'P':
                return STALL_SLEEPING;
        default: /* Z, X, or not to be read: it has ended */
                return STALL_NONE;
        }
}

/* ---- the cause ---- */

char *stall_competitor_text(const WireCompetitor *t) {
        g_autofree char *comm = g_strescape(t->comm, NULL);
        const char *policy = stall_policy_name(t->policy);

        switch (t->policy) {
        case SCHED_FIFO:
        case SCHED_RR:
                return g_strdup_printf("%s (pid %d, %s %u)", comm, t->tid, policy, t->priority);
        case SCHED_NORMAL:
        case SCHED_BATCH:
                return g_strdup_printf("%s (pid %d, %s nice %d)", comm, t->tid, policy, t->nice);
        default:
                return g_strdup_printf("%s (pid %d, %s)", comm, t->tid, policy);
        }
}

/* They are sorted: the first on a CPU is the one that has it. */
static bool has_cpu(const StallFacts *f, unsigned index) {
        for (unsigned i = 0; i < index; i++)
                if (f->competitors[i].cpu == f->competitors[index].cpu)
                        return false;
        return true;
}

static void add_competitors(GString *text, const StallFacts *f) {
        unsigned named = 0, others;

        for (unsigned i = 0; i < f->n_competitors && named < NAMED_THIEVES; i++)
                if (has_cpu(f, i)) {
                        g_autofree char *competitor = stall_competitor_text(&f->competitors[i]);
                        g_string_append_printf(text, "%s CPU %u is taken by %s", named++ ? "," : ";",
                                               f->competitors[i].cpu, competitor);
                }
        others = f->n_rivals - MIN(named, f->n_rivals);
        if (!named && f->scanned)
                g_string_append(text, "; nothing else was seen on its CPUs");
        else if (others)
                g_string_append_printf(text, ", and %u more %s runnable there", others,
                                       others == 1 ? "is" : "are");
}

static void add_throttling(GString *text, const StallLevel *l) {
        CpuStat g;

        if (!l)
                return;
        g = stall_level_growth(l);
        if (*l->cgroup)
                g_string_append_printf(text, "; cgroup '%s'", l->cgroup);
        else
                g_string_append(text, "; the scenario's root");
        g_string_append_printf(text,
                               " used up its cpu.max in %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                               " periods and was throttled ",
                               g.throttled, g.periods);
        if (g.throttled_usec)
                g_string_append_printf(text, "for %.1f s", (double)g.throttled_usec / 1e6);
        else
                g_string_append(text, "all along");
}

static bool is_place(const char *wchan) {
        return wchan && *wchan && strcmp(wchan, "0") != 0;
}

static void add_place(GString *text, const StallFacts *f) {
        if (is_place(f->wchan))
                g_string_append_printf(text, " in %s", f->wchan);
}

static const char *none_reason(const StallFacts *f) {
        if (f->frozen)
                return "its cgroup is frozen";
        return f->state == 'R' ? "it runs" : "it has ended";
}

char *stall_cause(const StallFacts *f, StallClass class) {
        double seconds = (double)stall_window_span(f->window) / 1e9;
        GString *text = g_string_new(NULL);

        switch (class) {
        case STALL_STARVED:
                g_string_append_printf(text, "runnable for %.1f s and never picked", seconds);
                add_competitors(text, f);
                break;
        case STALL_THROTTLED:
                g_string_append_printf(text, "runnable for %.1f s, but not allowed to run", seconds);
                add_throttling(text, find_throttled(f));
                break;
        case STALL_STOPPED:
                g_string_append_printf(text, "%s for %.1f s; %s",
                                       f->state == 't' ? "held by a tracer" : "stopped by a signal", seconds,
                                       f->state == 't' ? "the tracer sets it going"
                                                       : "SIGCONT sets it going");
                break;
        case STALL_BLOCKED:
        case STALL_SLEEPING:
                g_string_append(text, class == STALL_BLOCKED ? "blocked uninterruptibly" : "asleep");
                add_place(text, f);
                g_string_append_printf(text, " for %.1f s", seconds);
                break;
        default:
                g_string_append(text, none_reason(f));
        }
        return g_string_free(text, FALSE);
}
