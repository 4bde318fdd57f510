/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload.h"

#include <string.h>

/* Options that are keys of a definition. A repeatable one is an element of a list. */
static const struct {
        OptionId option;
        const char *key;
} keys[] = {
        { OPTION_NAME, "name" },
        { OPTION_OUTPUT, "output" },
        { OPTION_CHECK, "checks" },
        { OPTION_METRIC, "metrics" },
        { OPTION_PROCESS_GROUP, "process_group" },
        { OPTION_WORKING_DIRECTORY, "working_directory" },
        { OPTION_ENVIRONMENT, "environment" },
        { OPTION_USER, "user" },
};

G_GNUC_PRINTF(2, 3)
static void *refuse(GError **error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (error)
                *error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, ap);
        va_end(ap);
        return NULL;
}

/* Text from `first` on; NULL when some is not UTF-8, which D-Bus wants. `what` is an option, or NULL for
 * arguments. */
static JsonArray *texts_of(const GPtrArray *texts, guint first, const char *what, GError **error) {
        g_autoptr(JsonArray) array = json_array_new();

        for (guint n = first; n < texts->len; n++) {
                const char *text = texts->pdata[n];

                if (g_utf8_validate(text, -1, NULL))
                        json_array_add_string_element(array, text);
                else if (what)
                        return refuse(error, "--%s: value is not UTF-8", what);
                else
                        return refuse(error, "argument %u of the payload is not UTF-8", n - first + 1);
        }
        return g_steal_pointer(&array);
}

/* ---- a command ---- */

static bool set_key(JsonObject *payload, const Invocation *i, OptionId id, const char *key, GError **error) {
        const char *text = i->values[id];
        JsonArray *list;

        if (!text)
                return true;
        if (REPEATABLE_OPTIONS & OPTION_BIT(id)) {
                list = texts_of(i->lists[id], 0, options[id].name, error);
                if (list)
                        json_object_set_array_member(payload, key, list);
                return list;
        }
        if (!g_utf8_validate(text, -1, NULL))
                return refuse(error, "--%s: value is not UTF-8", options[id].name);
        json_object_set_string_member(payload, key, text);
        return true;
}

JsonObject *payload_of_command(const Invocation *i, GError **error) {
        g_autoptr(JsonObject) payload = json_object_new();
        const char *exec = i->command->pdata[0], *slash = strrchr(exec, '/');
        JsonArray *args;

        if (!g_utf8_validate(exec, -1, NULL))
                return refuse(error, "the command is not UTF-8");
        args = texts_of(i->command, 1, NULL, error);
        if (!args)
                return NULL;
        json_object_set_string_member(payload, "name", slash ? slash + 1 : exec);
        json_object_set_string_member(payload, "exec", exec);
        json_object_set_array_member(payload, "args", args);
        for (size_t n = 0; n < G_N_ELEMENTS(keys); n++)
                if (!set_key(payload, i, keys[n].option, keys[n].key, error))
                        return NULL;
        return g_steal_pointer(&payload);
}

/* ---- a request ---- */

static JsonObject *request_of_name(const Invocation *i, GError **error) {
        g_autoptr(JsonObject) request = json_object_new();
        JsonArray *args;

        for (size_t n = 0; n < G_N_ELEMENTS(keys); n++)
                if (i->values[keys[n].option])
                        return refuse(error,
                                      "--%s is for a command behind --; what the payload '%s' is stands in "
                                      "its file",
                                      options[keys[n].option].name, (char *)i->arguments->pdata[0]);
        if (!g_utf8_validate(i->arguments->pdata[0], -1, NULL))
                return refuse(error, "the payload's name is not UTF-8");
        args = texts_of(i->arguments, 1, NULL, error);
        if (!args)
                return NULL;
        json_object_set_string_member(request, "payload", i->arguments->pdata[0]);
        json_object_set_array_member(request, "args", args);
        return g_steal_pointer(&request);
}

static JsonObject *request_of_command(const Invocation *i, GError **error) {
        JsonObject *payload = payload_of_command(i, error), *request;

        if (!payload)
                return NULL;
        request = json_object_new();
        json_object_set_object_member(request, "payload", payload);
        return request;
}

JsonObject *payload_request(const Invocation *i, GError **error) {
        JsonObject *request;

        if (!i->command && !i->arguments->len)
                return refuse(error, "%s: too few arguments; usage: ktctl %s %s", i->verb->name,
                              i->verb->name, i->verb->arguments);
        request = i->command ? request_of_command(i, error) : request_of_name(i, error);
        if (request && i->values[OPTION_CGROUP])
                json_object_set_string_member(request, "cgroup", i->values[OPTION_CGROUP]);
        return request;
}

/* ---- options ---- */

/* A plain number is seconds here, as with every --timeout; on the bus it would be microseconds. */
static char *time_text(const char *text) {
        size_t length = strlen(text);

        return g_strconcat(text, length > 0 && g_ascii_isdigit(text[length - 1]) ? "s" : "", NULL);
}

JsonObject *payload_options(const Invocation *i) {
        JsonObject *call = json_object_new();

        if (i->values[OPTION_CGROUP])
                json_object_set_string_member(call, "cgroup", i->values[OPTION_CGROUP]);
        if (i->values[OPTION_WAIT]) {
                g_autofree char *time = time_text(i->values[OPTION_WAIT]);
                json_object_set_string_member(call, "timeout", time);
        }
        if (invocation_has(i, OPTION_KILL))
                json_object_set_boolean_member(call, "kill", TRUE);
        return call;
}
