/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall.h"

#include <glib.h>
#include <string.h>

#include "topology/spec-text.h"

static const char *const class_names[STALL_CLASS_COUNT] = {
        [STALL_NONE] = "none",       [STALL_STARVED] = "starved", [STALL_THROTTLED] = "throttled",
        [STALL_STOPPED] = "stopped", [STALL_BLOCKED] = "blocked", [STALL_SLEEPING] = "sleeping",
};

const char *stall_class_name(StallClass class) {
        return class_names[class];
}

bool stall_class_parse(const char *name, StallClass *ret) {
        for (StallClass c = STALL_NONE + 1; c < STALL_CLASS_COUNT; c++)
                if (strcmp(name, class_names[c]) == 0) {
                        *ret = c;
                        return true;
                }
        return false;
}

unsigned stall_poll_ms_choose(const char *environment, unsigned fallback) {
        g_autofree char *text = g_strstrip(g_strdup(environment ?: ""));
        guint64 ms;

        if (!text[0] || !spec_parse_number(text, strlen(text), &ms) || ms == 0)
                return fallback;
        return (unsigned)MIN(ms, STALL_POLL_MS_MAX);
}
