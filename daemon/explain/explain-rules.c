/* SPDX-License-Identifier: GPL-2.0-only */
#include "explain-rules.h"

#include <signal.h>
#include <string.h>

#include "wire/arena.h"

const char *rule_find(const Rule *rules, size_t n, int error, const char *what) {
        for (size_t i = 0; i < n; i++)
                if (rules[i].error == error && (!rules[i].what || (what && g_str_equal(rules[i].what, what))))
                        return rules[i].text;
        return NULL;
}

void explain_errno(GString *text, int error) {
        g_string_append_printf(text, "%s (%s)", strerrorname_np(error) ?: "error",
                               strerrordesc_np(error) ?: "unknown");
}

void explain_rule(GString *text, const char *rule) {
        if (rule)
                g_string_append_printf(text, ": %s", rule);
}

void explain_early_end(GString *text, const WireFailure *f) {
        if (f->exit_kind == WORKER_EXIT_SIGNAL)
                g_string_append_printf(text, " was killed by signal %d (%s) before it was ready",
                                       f->exit_value, sigabbrev_np(f->exit_value) ?: "?");
        else
                g_string_append_printf(text, " exited with code %d before it was ready", f->exit_value);
        if (f->exit_kind == WORKER_EXIT_SIGNAL && f->exit_value == SIGKILL)
                g_string_append(text,
                                "; the kernel does that when memory.max is too small to start a process, see "
                                "memory.events and the kernel log");
}
