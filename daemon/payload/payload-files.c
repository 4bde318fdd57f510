/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "model/decode-payload.h"

#define GROUP  "Payload"
#define SUFFIX ".payload"

enum { FILE_BYTES_MAX = 1 << 20, DETAIL_MAX = 300 /* characters */ };

/* ---- keys: KnownFlags in a file is known_flags of a definition ---- */

static char *camel_case(const char *key) {
        GString *name = g_string_new(NULL);

        for (bool first = true; *key; key++) {
                if (*key != '_')
                        g_string_append_c(name, first ? g_ascii_toupper(*key) : *key);
                first = *key == '_';
        }
        return g_string_free(name, FALSE);
}

static GPtrArray *key_names(void) {
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

        for (const Field *f = payload_fields; f->key; f++)
                g_ptr_array_add(names, camel_case(f->key));
        return names;
}

static const char *nth_name(size_t i, const void *names) {
        return ((const GPtrArray *)names)->pdata[i];
}

static const Field *find_field(const char *key, const GPtrArray *names, GError **error) {
        const SpecWords known = { nth_name, NULL, names->len, names };

        for (guint i = 0; i < names->len; i++)
                if (g_str_equal(names->pdata[i], key))
                        return &payload_fields[i];
        spec_unknown_word(error, "key", key, &known, NULL);
        return NULL;
}

/* The decoder's message begins with its own key: "known_flags[1]: ...". */
static void rename_key(GError *error) {
        size_t length = strcspn(error->message, ".[:");
        g_autofree char *key = g_strndup(error->message, length), *name = camel_case(key);
        char *message = g_strconcat(name, error->message + length, NULL);

        g_free(error->message);
        error->message = message;
}

/* ---- a file's text ---- */

/* A list is words as a shell would read them. GKeyFile's own reading, with ';' between and escapes of its
 * own, would leave no text as it stands. */
static JsonNode *list_node(const char *key, const char *text, GError **error) {
        g_autoptr(JsonArray) array = json_array_new();
        g_autoptr(GError) why = NULL;
        g_auto(GStrv) words = NULL;

        if (!g_shell_parse_argv(text, NULL, &words, &why) &&
            !g_error_matches(why, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING)) {
                field_fail(error,
                           "%s: a quote is not closed, or nothing follows the last backslash; the words "
                           "of a list are quoted as in sh(1)",
                           key);
                return NULL;
        }
        for (size_t i = 0; words && words[i]; i++)
                json_array_add_string_element(array, words[i]);
        return json_node_init_array(json_node_alloc(), array);
}

static JsonNode *value_node(const Field *field, const char *key, char *text, GError **error) {
        return payload_field_is_list(field) ? list_node(key, text, error)
                                            : json_node_init_string(json_node_alloc(), g_strstrip(text));
}

/* The object that an inline definition would be. */
static JsonNode *object_of(GKeyFile *file, GError **error) {
        g_autoptr(JsonObject) object = json_object_new();
        g_autoptr(GPtrArray) names = key_names();
        g_auto(GStrv) keys = g_key_file_get_keys(file, GROUP, NULL, NULL);

        for (size_t i = 0; keys[i]; i++) {
                g_autofree char *text = g_key_file_get_value(file, GROUP, keys[i], NULL);
                const Field *field = find_field(keys[i], names, error);
                JsonNode *value = field ? value_node(field, keys[i], text, error) : NULL;
                if (!value)
                        return NULL;
                json_object_set_member(object, field->key, value);
        }
        if (!json_object_has_member(object, "exec")) {
                field_fail(error, "there is no Exec; give the program, a full path or a name for PATH");
                return NULL;
        }
        return json_node_init_object(json_node_alloc(), object);
}

static bool check_groups(GKeyFile *file, GError **error) {
        g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);

        for (size_t i = 0; groups[i]; i++)
                if (!g_str_equal(groups[i], GROUP)) {
                        g_autofree char *shown = spec_excerpt(groups[i]);
                        return field_fail(error, "unknown section [%s]; there is [" GROUP "] alone", shown);
                }
        return groups[0] || field_fail(error, "there is no section; begin with the line [" GROUP "]");
}

/* sd-bus refuses noncharacters (utf8_is_valid() in systemd's utf8.c), and all of a file may be told over it.
 */
static bool is_bus_text(const char *text, size_t length) {
        const char *end = text + length;

        if (!g_utf8_validate(text, (gssize)length, NULL))
                return false;
        for (; text < end; text = g_utf8_next_char(text)) {
                gunichar c = g_utf8_get_char(text);
                if ((c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
                        return false;
        }
        return true;
}

static bool load_text(GKeyFile *file, const GString *text, GError **error) {
        g_autoptr(GError) why = NULL;
        g_autofree char *detail = NULL;

        if (!is_bus_text(text->str, text->len))
                return field_fail(error, "it is not UTF-8 text; write it as such");
        /* Translations are kept so that a Name[de] is not dropped but refused as a key that nobody knows. */
        if (g_key_file_load_from_data(file, text->str, text->len, G_KEY_FILE_KEEP_TRANSLATIONS, &why))
                return check_groups(file, error);
        detail = g_utf8_substring(why->message, 0, MIN(g_utf8_strlen(why->message, -1), DETAIL_MAX));
        return field_fail(error, "%s", detail);
}

/* *ret_name is what the file says of it, as far as it can be read; else NULL. */
static PayloadDef *decode_text(const GString *text, const char *stem, char **ret_name, GError **error) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(JsonNode) object = NULL;
        g_autofree char *name = NULL;
        g_autoptr(GError) why = NULL;
        PayloadDef *def = NULL;

        if (!load_text(file, text, error))
                return NULL;
        name = g_key_file_get_value(file, GROUP, "Name", NULL);
        if (name && g_strstrip(name)[0])
                *ret_name = g_steal_pointer(&name);
        object = object_of(file, error);
        if (object)
                def = decode_payload(object, "", stem, &why);
        if (why) {
                rename_key(why);
                g_propagate_error(error, g_steal_pointer(&why));
        }
        return def;
}

/* ---- files ---- */

/* So as not to be held up by a FIFO or a terminal; nothing is read of what is not a regular file. */
static int open_file(const char *path, struct stat *ret, GError **error) {
        g_auto(AutoFd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd < 0 || fstat(fd, ret) < 0) {
                field_fail(error, "it cannot be opened: %s", g_strerror(errno));
                return -EIO;
        }
        return auto_fd_steal(&fd);
}

static bool read_all(int fd, GString *text, GError **error) {
        char chunk[4096];
        ssize_t n;

        while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return field_fail(error, "it cannot be read: %s", g_strerror(errno));
                g_string_append_len(text, chunk, n);
                if (text->len > FILE_BYTES_MAX)
                        return field_fail(error, "it has more than 1 MiB; a payload needs far less");
        }
        return true;
}

/* Leaves the text empty when the file only hides others: /dev/null is the device 1:3 (devices.txt). */
static bool read_file(const char *path, GString *text, GError **error) {
        struct stat st;
        g_auto(AutoFd) fd = open_file(path, &st, error);

        if (fd < 0)
                return false;
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                return true;
        if (!S_ISREG(st.st_mode))
                return field_fail(error, "it is not a regular file; a link to /dev/null hides others");
        return read_all(fd, text, error);
}

static void add_file(PayloadSet *set, const char *path) {
        g_autofree char *base = g_path_get_basename(path), *name = NULL;
        g_autofree char *stem = g_strndup(base, strlen(base) - strlen(SUFFIX));
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        PayloadDef *def = NULL;

        if (read_file(path, text, &error) && text->len == 0)
                return;
        if (!error)
                def = decode_text(text, stem, &name, &error);
        payload_set_add(set, path, def ? def->name : name ?: stem, def, error ? error->message : NULL);
}

/* A path that cannot be told over the bus as it is. */
static void add_unnameable(PayloadSet *set, const char *path) {
        g_autofree char *shown = g_strescape(path, NULL);

        payload_set_add(set, shown, shown, NULL, "the file's name is not UTF-8 text; give it another");
}

/* ---- directories ---- */

/* "*.payload" as a shell has it: without hidden files, such as those that an editor leaves. */
static bool is_payload_file(const char *name) {
        return g_str_has_suffix(name, SUFFIX) && name[0] != '.';
}

/* A path for each file name: that of the first directory that has it. */
static void collect(const char *directory, GTree *paths, PayloadSet *set) {
        g_autoptr(GError) why = NULL;
        g_autoptr(GDir) dir = g_dir_open(directory, 0, &why);
        const char *name;

        if (!dir && !g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                payload_set_add(set, directory, directory, NULL, why->message);
        while (dir && (name = g_dir_read_name(dir)))
                if (is_payload_file(name) && !g_tree_lookup(paths, name))
                        g_tree_insert(paths, g_strdup(name), g_build_filename(directory, name, NULL));
}

static int by_name(const void *a, const void *b, G_GNUC_UNUSED void *userdata) {
        return strcmp(a, b);
}

PayloadSet *payload_files_load(const char *directories) {
        g_auto(GStrv) list = g_strsplit(directories ?: "", ":", -1);
        g_autoptr(GTree) paths = g_tree_new_full(by_name, NULL, g_free, g_free);
        PayloadSet *set = payload_set_new();

        for (size_t i = 0; list[i]; i++)
                if (list[i][0])
                        collect(list[i], paths, set);
        for (GTreeNode *n = g_tree_node_first(paths); n; n = g_tree_node_next(n)) {
                const char *path = g_tree_node_value(n);
                if (is_bus_text(path, strlen(path)))
                        add_file(set, path);
                else
                        add_unnameable(set, path);
        }
        return set;
}
