/* SPDX-License-Identifier: GPL-2.0-only */
#include "dbus/json-write.h"
#include "failure.h"

#include "colour.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

static char *failure_as_json(const char *name, const char *message) {
        g_autoptr(JsonObject) object = json_object_new();
        g_autoptr(JsonNode) node = json_node_alloc();
        g_autofree char *valid = g_utf8_make_valid(message, -1);

        json_object_set_string_member(object, "error", name);
        json_object_set_string_member(object, "message", valid);
        json_node_init_object(node, object);
        return json_write(node, false);
}

static void failure_as_text(const char *name, const char *message) {
        bool coloured = colour_wanted(stderr);

        fprintf(stderr, "%sktctl:%s %s", coloured ? COLOUR_BAD : "", coloured ? COLOUR_NONE : "", message);
        if (name)
                fprintf(stderr, " [%s]", name);
        fputc('\n', stderr);
}

KtctlExit failure_print(bool json, KtctlExit code, const char *name, const char *format, ...) {
        g_autofree char *message = NULL;
        const char *last_part = strrchr(name, '.');
        va_list ap;

        va_start(ap, format);
        message = g_strdup_vprintf(format, ap);
        va_end(ap);

        if (json) {
                g_autofree char *text = failure_as_json(name, message);
                fprintf(stderr, "%s\n", text);
        } else
                failure_as_text(last_part ? last_part + 1 : NULL, message);
        return code;
}
