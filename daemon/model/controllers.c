/* SPDX-License-Identifier: GPL-2.0-only */
#include "controllers.h"

static const struct {
        const char *name, *config;
} controllers[CONTROLLER_COUNT] = {
        { "cpuset", "CONFIG_CPUSETS" },   { "cpu", "CONFIG_CGROUP_SCHED" }, { "memory", "CONFIG_MEMCG" },
        { "pids", "CONFIG_CGROUP_PIDS" }, { "io", "CONFIG_BLK_CGROUP" },
};

const char *controller_name(unsigned index) {
        return controllers[index].name;
}

const char *controller_config(unsigned index) {
        return controllers[index].config;
}

unsigned controllers_parse(const char *text) {
        g_auto(GStrv) words = g_strsplit_set(text, " \t\n", -1);
        unsigned set = 0;

        for (size_t w = 0; words[w]; w++)
                for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
                        if (g_str_equal(words[w], controllers[i].name))
                                set |= 1u << i;
        return set;
}

char *controllers_format(unsigned set, const char *sign) {
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
                if (set & (1u << i))
                        g_string_append_printf(text, "%s%s%s", text->len ? " " : "", sign,
                                               controllers[i].name);
        return g_string_free(text, FALSE);
}
