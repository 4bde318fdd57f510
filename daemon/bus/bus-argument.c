/* SPDX-License-Identifier: GPL-2.0-only */
#include "bus-argument.h"

#include <errno.h>

#include "common/error.h"
#include "topology/spec-text.h"
#include "dbus/bus-json.h"

JsonNode *bus_argument_read(sd_bus_message *call, const char *name, GError **error) {
        g_autofree char *path = NULL, *shown = NULL;
        JsonNode *node = NULL;
        int r = bus_json_read(call, &node, &path);

        if (r >= 0)
                return node;
        const char *dot = path && path[0] != '[' ? "." : "";
        shown = spec_excerpt(path ?: ""); /* keys are the caller's words, of any length */
        if (r == -ENOTUNIQ)
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "%s%s%s: the key is given twice",
                            name, dot, shown);
        else
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "%s%s%s: only text, numbers, booleans, lists and dictionaries with text keys "
                            "have a meaning here, nested at most 16 deep",
                            name, dot, shown);
        return NULL;
}
