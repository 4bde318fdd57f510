/* SPDX-License-Identifier: GPL-2.0-only */
#include "proc-sched.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "model/quantity.h"
#include "wire/proc.h"

enum { VALUE_ROOM = 32, NS_DIGITS = 6 };

/* From `start` up to `end`, without the blanks on both sides. */
typedef struct Span {
        const char *start, *end;
} Span;

static Span trim(const char *start, const char *end) {
        while (start < end && g_ascii_isspace(*start))
                start++;
        while (start < end && g_ascii_isspace(end[-1]))
                end--;
        return (Span){ start, end };
}

static bool equals(Span s, const char *text) {
        return strlen(text) == (size_t)(s.end - s.start) && memcmp(s.start, text, strlen(text)) == 0;
}

static bool parse_count(Span s, uint64_t *ret) {
        char text[VALUE_ROOM];
        size_t length = (size_t)(s.end - s.start);

        if (length >= sizeof(text))
                return false;
        memcpy(text, s.start, length);
        text[length] = '\0';
        return count_parse(text, ret);
}

/* "1234.567890": milliseconds and the nanoseconds below one. Two integers: a double holds no more than 104
 * days of nanoseconds exactly. */
static bool parse_ms(Span s, uint64_t *ret) {
        const char *dot = memchr(s.start, '.', (size_t)(s.end - s.start));
        uint64_t ms, ns;

        if (!dot || s.end - dot - 1 != NS_DIGITS)
                return false;
        return parse_count((Span){ s.start, dot }, &ms) && parse_count((Span){ dot + 1, s.end }, &ns) &&
               !__builtin_mul_overflow(ms, 1000000, &ms) && !__builtin_add_overflow(ms, ns, ret);
}

/* The first line has the task's name, which may hold a newline and then what looks like a line of numbers;
 * the line of dashes behind it is longer than any name. */
static const char *skip_name(const char *text) {
        static const char dashes[] = "\n--------------------";
        const char *rule = strstr(text, dashes);

        return rule ? rule + strlen(dashes) : text;
}

bool proc_sched_parse(const char *text, StallSample *ret) {
        bool switches = false, runtime = false;
        StallSample s = { 0 };

        text = skip_name(text);
        for (const char *line = text, *end; *line && !(switches && runtime); line = end + (*end == '\n')) {
                end = strchrnul(line, '\n');
                const char *colon = memchr(line, ':', (size_t)(end - line));
                if (!colon)
                        continue;
                Span key = trim(line, colon), value = trim(colon + 1, end);
                if (equals(key, "nr_switches"))
                        switches = parse_count(value, &s.switches);
                /* proc_sched_show_task(), kernel/sched/debug.c, prints the field as it is spelled in C:
                 * "se.sum_exec_runtime" from Linux 2.6.23 to 6.18 at least. The statistics beside it lost
                 * such a prefix in 5.16, when they moved out of `se`; without it this one says the same. */
                else if (equals(key, "se.sum_exec_runtime") || equals(key, "sum_exec_runtime"))
                        runtime = parse_ms(value, &s.runtime_ns);
        }
        if (!switches || !runtime)
                return false;
        ret->switches = s.switches;
        ret->runtime_ns = s.runtime_ns;
        return true;
}

int proc_sched_read(int pid, int tid, StallSample *ret) {
        char path[64], text[8192]; /* some 60 lines of 60 bytes; what is looked for is in the first half */

        g_snprintf(path, sizeof(path), "/proc/%d/task/%d/sched", pid, tid);
        ssize_t n = proc_read(path, text, sizeof(text));
        if (n < 0)
                return (int)n;
        return proc_sched_parse(text, ret) ? 0 : -EBADMSG;
}
