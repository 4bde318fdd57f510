/* SPDX-License-Identifier: GPL-2.0-only */
#include "colour.h"

#include <glib.h>
#include <unistd.h>

bool colour_wanted(FILE *out) {
        const char *refusal = g_getenv("NO_COLOR"), *terminal = g_getenv("TERM");

        return isatty(fileno(out)) && !(refusal && *refusal) && terminal && *terminal &&
               !g_str_equal(terminal, "dumb");
}
