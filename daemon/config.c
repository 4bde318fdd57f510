/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include "common/error.h"
#include "common/suggest.h"
#include "model/quantity.h"
#include "model/stall.h"
#include "build-config.h"

typedef struct Key {
        const char *group, *name;
        size_t offset;
        bool (*parse)(const char *text, uint64_t *ret); /* NULL: a path, or several */
        guint64 fallback, min, max;
        const char *fallback_path;
        bool many; /* paths with ':' between */
} Key;

#define NUMBER(in, key, field, reader, value, least, most)                                                   \
        {                                                                                                    \
                .group = in, .name = key, .offset = offsetof(Config, field), .parse = reader,                \
                .fallback = value, .min = least, .max = most                                                 \
        }
#define PATH(in, key, field, value, list)                                                                    \
        { .group = in, .name = key, .offset = offsetof(Config, field), .fallback_path = value, .many = list }

static const Key keys[] = {
        NUMBER("Daemon", "IdleExitSec", idle_exit_sec, count_parse, 30, 0, 86400),
        PATH("Daemon", "CgroupRoot", cgroup_root, NULL, false),
        PATH("Daemon", "PlacementLog", placement_log, "/run/ktsetupd/placement.log", false),
        NUMBER("Scenario", "WorkersPerCgroup", workers_per_cgroup, count_parse, 1, 1, 1000000),
        NUMBER("Scenario", "StopTimeoutSec", stop_timeout_sec, count_parse, 5, 1, 3600),
        NUMBER("Scenario", "SettleTimeoutSec", settle_timeout_sec, count_parse, 1, 1, 3600),
        PATH("Payloads", "Directories", payload_directories, KT_PAYLOAD_DIRECTORIES, true),
        NUMBER("Scenario", "StallPollMs", stall_poll_ms, count_parse, 500, 1, STALL_POLL_MS_MAX),
        NUMBER("Scenario", "StallWindow", stall_window, count_parse, 4, STALL_WINDOW_MIN, STALL_WINDOW_MAX),
        NUMBER("Payloads", "MaxOutputBytes", max_output_bytes, size_parse, 16 << 20, 4 << 10, 1 << 30),
        NUMBER("Limits", "MaxCgroups", max_cgroups, count_parse, 1000, 1, 1000000),
        NUMBER("Limits", "MaxWorkers", max_workers, count_parse, 10000, 1, 1000000),
        NUMBER("Limits", "MaxPayloads", max_payloads, count_parse, 1000, 1, 100000),
        NUMBER("Limits", "MaxDocumentBytes", max_document_bytes, size_parse, 1 << 20, 1, 16 << 20),
};

void config_free(Config *c) {
        if (!c)
                return;
        g_free(c->cgroup_root);
        g_free(c->placement_log);
        g_free(c->payload_directories);
        g_free(c);
}

static const char *nth_key(size_t i, G_GNUC_UNUSED const void *context) {
        return keys[i].name;
}

static bool fail(GError **error, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool fail(GError **error, const char *path, const char *format, ...) {
        va_list args;

        va_start(args, format);
        g_propagate_error(error, g_error_new_valist(KT_ERROR, KT_ERROR_INVALID_DEFINITION, format, args));
        va_end(args);
        g_prefix_error(error, "%s: ", path);
        return false;
}

static const Key *find_key(const char *path, const char *group, const char *name, GError **error) {
        const char *near;

        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
                if (g_str_equal(keys[i].group, group) && g_str_equal(keys[i].name, name))
                        return &keys[i];
        near = suggest_name(name, nth_key, G_N_ELEMENTS(keys), NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
                if (g_str_equal(keys[i].name, name)) {
                        fail(error, path, "the key %s belongs into [%s], not [%s]", name, keys[i].group,
                             group);
                        return NULL;
                }
        fail(error, path, "unknown key '%s' in [%s]%s%s%s (ktsetupd.conf(5))", name, group,
             near ? "; did you mean " : "", near ?: "", near ? "?" : "");
        return NULL;
}

/* An empty text is none. */
static bool apply_path(char **target, const char *path, const Key *key, const char *text, GError **error) {
        g_auto(GStrv) parts = key->many ? g_strsplit(text, ":", -1) : NULL;
        bool full = !text[0] || text[0] == '/';

        for (size_t i = 0; parts && parts[i]; i++)
                full = full && parts[i][0] == '/';
        if (!full)
                return fail(error, path, "%s=%s is not %s must begin with /", key->name, text,
                            key->many ? "a list of full paths with ':' between; each" : "a full path; it");
        g_free(*target);
        *target = text[0] ? g_strdup(text) : NULL;
        return true;
}

static bool apply_value(Config *c, const char *path, const Key *key, const char *text, GError **error) {
        void *target = (char *)c + key->offset;
        uint64_t value;

        if (!key->parse)
                return apply_path(target, path, key, text, error);
        if (!key->parse(text, &value) || value < key->min || value > key->max)
                return fail(error, path,
                            "%s=%s is not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                            key->name, text, key->min, key->max);
        *(guint64 *)target = value;
        return true;
}

static bool apply_group(Config *c, const char *path, GKeyFile *file, const char *group, GError **error) {
        g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);

        for (size_t i = 0; names && names[i]; i++) {
                g_autofree char *text = g_key_file_get_string(file, group, names[i], NULL);
                const Key *key = find_key(path, group, names[i], error);
                if (!key || !apply_value(c, path, key, text ? g_strstrip(text) : "", error))
                        return false;
        }
        return true;
}

static bool known_group(const char *group) {
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
                if (g_str_equal(keys[i].group, group))
                        return true;
        return false;
}

static bool apply_file(Config *c, const char *path, bool required, GError **error) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(GError) why = NULL;
        g_auto(GStrv) groups = NULL;

        /* With translations, so that a MaxCgroups[de] is refused and not dropped. */
        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_KEEP_TRANSLATIONS, &why)) {
                if (!required && g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        return true;
                return fail(error, path, "%s", why->message);
        }
        groups = g_key_file_get_groups(file, NULL);
        for (size_t i = 0; groups[i]; i++) {
                if (!known_group(groups[i]))
                        return fail(error, path,
                                    "unknown section [%s]; there are [Daemon], [Scenario], [Payloads] "
                                    "and [Limits]",
                                    groups[i]);
                if (!apply_group(c, path, file, groups[i], error))
                        return false;
        }
        return true;
}

static int by_name(const void *a, const void *b) {
        return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

static bool apply_directory(Config *c, const char *path, GError **error) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        const char *name;

        while (dir && (name = g_dir_read_name(dir)))
                if (g_str_has_suffix(name, ".conf"))
                        g_ptr_array_add(names, g_build_filename(path, name, NULL));
        g_ptr_array_sort(names, by_name);
        for (guint i = 0; i < names->len; i++)
                if (!apply_file(c, names->pdata[i], true, error))
                        return false;
        return true;
}

Config *config_load(const char *path, bool required, GError **error) {
        g_autoptr(Config) c = g_new0(Config, 1);
        g_autofree char *directory = g_strconcat(path, ".d", NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
                if (keys[i].parse)
                        *(guint64 *)((char *)c + keys[i].offset) = keys[i].fallback;
                else
                        *(char **)((char *)c + keys[i].offset) = g_strdup(keys[i].fallback_path);
        if (!apply_file(c, path, required, error) || !apply_directory(c, directory, error))
                return NULL;
        return g_steal_pointer(&c);
}
