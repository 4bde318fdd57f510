/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as a message: the method on the first line, then its argument in the words of busctl, one a line
 * ("a{sv}" is a number of entries, then key, type and value of each). Numbers that are none are 0, what is
 * missing is empty, "#x" is some word of the vocabulary, so that nearly every text makes a message; the
 * reader, the decoder and the planner get it as a call would bring it. */

#include <string.h>

#include "bus/bus-argument.h"
#include "definitions.h"
#include "message.h"
#include "dbus/vocabulary.h"

enum { ELEMENTS_MAX = 64 };

typedef struct Writer {
        sd_bus_message *message;
        char **lines; /* the next one */
} Writer;

static const char *next_line(Writer *w) {
        return *w->lines ? *w->lines++ : "";
}

/* The last part of a word's path, "weight" of "cpu.weight"; or the first. */
static char *some_word(unsigned choice) {
        g_auto(GStrv) parts = g_strsplit(vocabulary[choice % vocabulary_count].key, ".", 2);

        return g_strdup(parts[1] && choice / vocabulary_count % 2 == 0 ? parts[1] : parts[0]);
}

static char *next_text(Writer *w) {
        const char *line = next_line(w);

        if (line[0] == '#')
                return some_word((unsigned char)line[1]);
        return g_strdup(is_bus_text(line) ? line : "?"); /* sd-bus lets nothing else out, or in */
}

/* Length of the complete type at `s`, 0 when there is none. */
static size_t type_length(const char *s) {
        const char close = s[0] == '(' ? ')' : '}';
        size_t n = 1, part;

        if (s[0] == '\0')
                return 0;
        if (s[0] == 'a')
                return (part = type_length(s + 1)) ? part + 1 : 0;
        if (s[0] != '(' && s[0] != '{')
                return strchr("ynqiuxtbdsogv", s[0]) ? 1 : 0;
        for (; s[n] != close; n += part)
                if (!(part = type_length(s + n)))
                        return 0;
        return n + 1;
}

static int put(Writer *w, const char *type);

static int put_number(Writer *w, char type) {
        const char *line = next_line(w);
        gint64 i = g_ascii_strtoll(line, NULL, 0);
        guint64 u = g_ascii_strtoull(line, NULL, 0);

        switch (type) {
        case 'x':
                return sd_bus_message_append(w->message, "x", i);
        case 't':
                return sd_bus_message_append(w->message, "t", u);
        case 'd':
                return sd_bus_message_append(w->message, "d", g_ascii_strtod(line, NULL));
        case 'b':
                return sd_bus_message_append(w->message, "b", (int)(i & 1));
        default:
                return sd_bus_message_append(w->message, (char[]){ type, '\0' }, (int)i);
        }
}

static int put_text(Writer *w, char type) {
        g_autofree char *text = next_text(w);
        const char *fallback = type == 'o' ? "/" : "";

        /* An append that fails spoils the message for good. */
        if ((type == 'o' && !sd_bus_object_path_is_valid(text)) || (type == 'g' && text[0]))
                return sd_bus_message_append_basic(w->message, type, fallback);
        return sd_bus_message_append_basic(w->message, type, text);
}

/* The types one after the other, as in a struct. */
static int put_all(Writer *w, const char *types) {
        int r = 0;

        while (r >= 0 && *types) {
                g_autofree char *type = g_strndup(types, type_length(types));
                r = put(w, type);
                types += strlen(type);
        }
        return r;
}

static int put_container(Writer *w, char kind, const char *contents) {
        int r = sd_bus_message_open_container(w->message, kind, contents);

        if (r >= 0)
                r = put_all(w, contents);
        return r < 0 ? r : sd_bus_message_close_container(w->message);
}

static int put_array(Writer *w, const char *contents) {
        guint64 n = g_ascii_strtoull(next_line(w), NULL, 10);
        int r = sd_bus_message_open_container(w->message, 'a', contents);

        for (guint64 i = 0; r >= 0 && i < MIN(n, ELEMENTS_MAX) && *w->lines; i++)
                r = put(w, contents);
        return r < 0 ? r : sd_bus_message_close_container(w->message);
}

static int put_variant(Writer *w) {
        const char *type = next_line(w);
        size_t n = type_length(type);

        return put_container(w, 'v', n > 0 && type[0] != '{' && n == strlen(type) ? type : "s");
}

/* One complete type; its value comes from the next lines. */
static int put(Writer *w, const char *type) {
        g_autofree char *contents = NULL;

        if (type[0] == 'v')
                return put_variant(w);
        if (type[0] == 'a')
                return put_array(w, type + 1);
        if (type[0] == '(' || type[0] == '{') {
                contents = g_strndup(type + 1, strlen(type) - 2);
                return put_container(w, type[0] == '(' ? 'r' : 'e', contents);
        }
        return strchr("sog", type[0]) ? put_text(w, type[0]) : put_number(w, type[0]);
}

/* ---- methods ---- */

static void add_cgroup_def(sd_bus_message *m, const Topology *machine) {
        g_autoptr(GPtrArray) defs = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_def_free);
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = bus_argument_read(m, "definition", &error);
        CgroupDef *def;

        check_outcome(node, &error, SENTENCE_MAX);
        if (!node)
                return;
        def = decode_definition(node, "", &error);
        check_outcome(def, &error, MESSAGE_MAX);
        if (!def)
                return;
        g_ptr_array_add(defs, def);
        check_definitions(defs, machine);
}

static void apply_setup(sd_bus_message *m, const Topology *machine) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = bus_argument_read(m, "definitions", &error);
        g_autoptr(GPtrArray) defs = NULL;

        if (!node) {
                check_decoded(NULL, "definitions", &error);
                return;
        }
        defs = decode_definitions(node, "definitions", &error);
        check_decoded(defs, "definitions", &error);
        if (defs)
                check_definitions(defs, machine);
}

static void read_options(sd_bus_message *m, const Topology *machine G_GNUC_UNUSED) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = bus_argument_read(m, "options", &error);
        ApplyOptions options;

        check_outcome(node, &error, SENTENCE_MAX);
        if (!node)
                return;
        check_outcome(decode_apply_options(node, &options, &error), &error, SENTENCE_MAX);
        check_outcome(decode_no_options(node, &error), &error, SENTENCE_MAX);
}

static const struct {
        const char *name, *type;
        void (*call)(sd_bus_message *m, const Topology *machine);
} methods[] = {
        { "AddCgroupDef", "a{sv}", add_cgroup_def },
        { "ApplySetup", "aa{sv}", apply_setup },
        { "Options", "a{sv}", read_options },
        { "Any", "v", apply_setup },
};

static size_t find_method(const char *name) {
        size_t i = 0;

        while (i < G_N_ELEMENTS(methods) - 1 && strcmp(name, methods[i].name) != 0)
                i++;
        return i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = g_strndup((const char *)data, size);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        g_autoptr(sd_bus_message) m = message_new();
        Writer w = { .message = m, .lines = lines };
        size_t method = find_method(next_line(&w));

        if (put(&w, methods[method].type) < 0)
                return 0; /* deeper than D-Bus allows */
        message_seal(m);
        methods[method].call(m, machine_at(size % MACHINES));
        return 0;
}
