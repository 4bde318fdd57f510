/* SPDX-License-Identifier: GPL-2.0-only */
#include "outcome.h"

#include <string.h>

#include "common/error.h"

bool is_bus_text(const char *text) {
        if (!g_utf8_validate(text, -1, NULL))
                return false;
        for (const char *p = text; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);
                if ((c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
                        return false;
        }
        return true;
}

void check_outcome(bool good, GError **error, size_t max) {
        const char *message;

        require(good == !*error);
        if (good)
                return;
        message = (*error)->message;
        require((*error)->domain == KT_ERROR);
        require(g_ascii_isgraph(message[0])); /* a path or a sentence, nothing of how paths are collected */
        require(strlen(message) < max);
        require(is_bus_text(message));
        g_clear_error(error);
}

const Topology *machine_at(unsigned index) {
        static const char *const shapes[MACHINES] = {
                "numa:2(indexes=0,3) l3:2 core:2 pu:2",  "pu:1",
                "pack:2 [numa] [numa] l3:1 core:4 pu:1", "numa:1 l2:5 l1:7 pu:1",
                "pack:2 numa:4 l3:2 core:8 pu:2",
        };
        static const Topology *machines[MACHINES];

        if (!machines[index])
                machines[index] = topology_new_synthetic(shapes[index], NULL);
        require(machines[index]);
        return machines[index];
}
