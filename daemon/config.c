/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include "common/error.h"
#include "common/suggest.h"
#include "model/quantity.h"

typedef struct Key {
        const char *group, *name;
        size_t offset;
        guint64 fallback, min, max;
        bool (*parse)(const char *text, uint64_t *ret); /* NULL: a path */
        const char *fallback_path;
} Key;

static const Key keys[] = {
        { "Daemon", "IdleExitSec", offsetof(Config, idle_exit_sec), 30, 0, 86400, count_parse, NULL },
        { "Daemon", "CgroupRoot", offsetof(Config, cgroup_root), 0, 0, 0, NULL, NULL },
        { "Daemon", "PlacementLog", offsetof(Config, placement_log), 0, 0, 0, NULL,
          "/run/ktsetupd/placement.log" },
        { "Scenario", "WorkersPerCgroup", offsetof(Config, workers_per_cgroup), 1, 1, 1000000, count_parse,
          NULL },
        { "Scenario", "StopTimeoutSec", offsetof(Config, stop_timeout_sec), 5, 1, 3600, count_parse, NULL },
        { "Scenario", "SettleTimeoutSec", offsetof(Config, settle_timeout_sec), 1, 1, 3600, count_parse,
          NULL },
        { "Limits", "MaxCgroups", offsetof(Config, max_cgroups), 1000, 1, 1000000, count_parse, NULL },
        { "Limits", "MaxWorkers", offsetof(Config, max_workers), 10000, 1, 1000000, count_parse, NULL },
        { "Limits", "MaxDocumentBytes", offsetof(Config, max_document_bytes), 1 << 20, 1, 16 << 20,
          size_parse, NULL },
};

void config_free(Config *c) {
        if (!c)
                return;
        g_free(c->cgroup_root);
        g_free(c->placement_log);
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

static bool apply_value(Config *c, const char *path, const Key *key, const char *text, GError **error) {
        void *target = (char *)c + key->offset;
        uint64_t value;

        if (!key->parse) {
                if (text[0] && text[0] != '/')
                        return fail(error, path, "%s=%s is not a full path; it must begin with /", key->name,
                                    text);
                g_free(*(char **)target);
                *(char **)target = text[0] ? g_strdup(text) : NULL;
                return true;
        }
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

        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &why)) {
                if (!required && g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        return true;
                return fail(error, path, "%s", why->message);
        }
        groups = g_key_file_get_groups(file, NULL);
        for (size_t i = 0; groups[i]; i++) {
                if (!known_group(groups[i]))
                        return fail(error, path,
                                    "unknown section [%s]; there are [Daemon], [Scenario] and [Limits]",
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
