/* SPDX-License-Identifier: GPL-2.0-only */
#include "sched-policy.h"

#include <linux/sched.h>
#include <string.h>

#include "common/error.h"
#include "topology/spec-text.h"
#include "quantity.h"

#define GRAMMAR                                                                                              \
        "a sched_policy is one of normal, batch, idle, fifo:P, rr:P, deadline:RUNTIME/DEADLINE/PERIOD and "  \
        "ext"

enum { DEADLINE_RUNTIME_MIN_NS = 1024 }; /* DL_SCALE of kernel/sched/deadline.c: less is refused */

static bool invalid(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool invalid(GError **error, const char *format, ...) {
        va_list args;

        va_start(args, format);
        g_propagate_error(error, g_error_new_valist(KT_ERROR, KT_ERROR_INVALID_DEFINITION, format, args));
        va_end(args);
        return false;
}

static bool parse_priority(const char *text, SchedPolicy *policy, GError **error) {
        guint64 priority;

        if (!text || !g_ascii_string_to_unsigned(text, 10, 1, 99, &priority, NULL))
                return invalid(error,
                               "it has no usable priority; that is a number from 1 to 99, as in fifo:50");
        policy->priority = (uint32_t)priority;
        return true;
}

/* The rules of __checkparam_dl() in kernel/sched/deadline.c that need no look at the machine. */
static bool check_deadline(const SchedPolicy *p, GError **error) {
        const struct {
                const char *name;
                uint64_t ns;
        } parts[] = { { "runtime", p->runtime_ns },
                      { "deadline", p->deadline_ns },
                      { "period", p->period_ns } };

        if (p->deadline_ns == 0)
                return invalid(error, "the deadline is 0; it must be > 0, as in deadline:5ms/10ms/10ms");
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
                if (parts[i].ns > INT64_MAX)
                        return invalid(error,
                                       "%s of %" G_GUINT64_FORMAT
                                       " ns is too long; the kernel's most is 2^63-1 ns",
                                       parts[i].name, parts[i].ns);
        if (p->runtime_ns < DEADLINE_RUNTIME_MIN_NS)
                return invalid(error,
                               "runtime of %" G_GUINT64_FORMAT
                               " ns is too short; the kernel has a floor of 1024 ns",
                               p->runtime_ns);
        if (p->runtime_ns > p->deadline_ns)
                return invalid(error,
                               "runtime of %" G_GUINT64_FORMAT
                               " ns is longer than the deadline of %" G_GUINT64_FORMAT
                               " ns; the order is runtime <= deadline <= period",
                               p->runtime_ns, p->deadline_ns);
        if (p->period_ns != 0 && p->deadline_ns > p->period_ns)
                return invalid(error,
                               "deadline of %" G_GUINT64_FORMAT
                               " ns is longer than the period of %" G_GUINT64_FORMAT
                               " ns; the order is runtime <= deadline <= period, a period of 0 takes the "
                               "deadline",
                               p->deadline_ns, p->period_ns);
        return true;
}

static bool parse_part(const char *text, uint64_t *ret_ns, GError **error) {
        g_autofree char *shown = spec_excerpt(text), *near = NULL, *given = NULL;

        if (time_parse(text, ret_ns))
                return true;
        near = quantity_suggest(text, time_parse);
        given = g_strdup_printf("'%s' is not a time", shown);
        return spec_refuse(error, given, near,
                           "the three times of RUNTIME/DEADLINE/PERIOD are like 5ms/10ms/10ms");
}

static bool parse_deadline(const char *text, SchedPolicy *policy, GError **error) {
        g_auto(GStrv) parts = g_strsplit(text ?: "", "/", -1);

        if (g_strv_length(parts) != 3)
                return invalid(error, "it has not three times; the form is deadline:RUNTIME/DEADLINE/PERIOD, "
                                      "such as deadline:5ms/10ms/10ms (a period of 0 takes the deadline)");
        return parse_part(parts[0], &policy->runtime_ns, error) &&
               parse_part(parts[1], &policy->deadline_ns, error) &&
               parse_part(parts[2], &policy->period_ns, error) && check_deadline(policy, error);
}

static bool parse_nothing(const char *text, G_GNUC_UNUSED SchedPolicy *policy, GError **error) {
        return !text || invalid(error, "this policy takes no parameter; " GRAMMAR);
}

static const struct {
        const char *name, *form;
        uint32_t policy;
        bool (*parse)(const char *text, SchedPolicy *policy, GError **error);
} policies[] = {
        { "normal", "normal", SCHED_NORMAL, parse_nothing },
        { "batch", "batch", SCHED_BATCH, parse_nothing },
        { "idle", "idle", SCHED_IDLE, parse_nothing },
        { "fifo", "fifo:P", SCHED_FIFO, parse_priority },
        { "rr", "rr:P", SCHED_RR, parse_priority },
        { "deadline", "deadline:RUNTIME/DEADLINE/PERIOD", SCHED_DEADLINE, parse_deadline },
        { "ext", "ext", 7 /* SCHED_EXT, since Linux 6.12 */, parse_nothing },
};

static const char *nth_policy(size_t i, G_GNUC_UNUSED const void *context) {
        return policies[i].name;
}

static const char *nth_form(size_t i, G_GNUC_UNUSED const void *context) {
        return policies[i].form;
}

bool sched_policy_parse(const char *text, SchedPolicy *ret, GError **error) {
        g_auto(GStrv) parts = g_strsplit(text, ":", 2);
        g_autofree char *shown = spec_excerpt(text);
        const char *name = parts[0] ?: "";
        static const SpecWords known = { nth_policy, nth_form, G_N_ELEMENTS(policies), NULL };

        for (size_t i = 0; i < G_N_ELEMENTS(policies); i++)
                if (g_str_equal(name, policies[i].name)) {
                        SchedPolicy policy = { .policy = policies[i].policy };
                        if (!policies[i].parse(parts[1], &policy, error)) {
                                g_prefix_error(error, "sched_policy '%s': ", shown);
                                return false;
                        }
                        *ret = policy;
                        return true;
                }
        return spec_unknown_word(error, "sched_policy", text, &known, GRAMMAR);
}
