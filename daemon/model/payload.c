/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload.h"

#include "common/error.h"
#include "topology/spec-text.h"

void payload_check_free(PayloadCheck *check) {
        if (!check)
                return;
        g_free(check->text);
        g_free(check->metric);
        g_free(check);
}

void metric_hint_free(MetricHint *hint) {
        if (!hint)
                return;
        g_free(hint->metric);
        g_free(hint->unit);
        g_free(hint->text);
        g_free(hint);
}

PayloadDef *payload_def_new(const char *name, const char *exec) {
        PayloadDef *def = g_new0(PayloadDef, 1);

        g_atomic_ref_count_init(&def->refs);
        def->name = g_strdup(name);
        def->exec = g_strdup(exec);
        def->args = g_new0(char *, 1);
        def->checks = g_ptr_array_new_with_free_func((GDestroyNotify)payload_check_free);
        def->metrics = g_ptr_array_new_with_free_func((GDestroyNotify)metric_hint_free);
        def->working_directory = g_strdup("/");
        def->environment = g_new0(char *, 1);
        return def;
}

PayloadDef *payload_def_ref(PayloadDef *def) {
        g_atomic_ref_count_inc(&def->refs);
        return def;
}

void payload_def_unref(PayloadDef *def) {
        if (!def || !g_atomic_ref_count_dec(&def->refs))
                return;
        g_free(def->name);
        g_free(def->exec);
        g_strfreev(def->args);
        g_strfreev(def->known_flags);
        g_ptr_array_unref(def->checks);
        g_ptr_array_unref(def->metrics);
        g_free(def->working_directory);
        g_strfreev(def->environment);
        g_free(def->user);
        g_free(def);
}

/* ---- what is asked for ---- */

void payload_choice_free(PayloadChoice *choice) {
        if (!choice)
                return;
        g_free(choice->name);
        payload_def_unref(choice->def);
        g_free(choice);
}

void payload_request_free(PayloadRequest *request) {
        if (!request)
                return;
        payload_choice_free(request->choice);
        g_strfreev(request->args);
        g_free(request->cgroup);
        g_free(request);
}

void payload_address_clear(PayloadAddress *address) {
        g_clear_pointer(&address->name, g_free);
        g_clear_pointer(&address->cgroup, g_free);
}

/* ---- what the files define ---- */

static void payload_file_free(void *p) {
        PayloadFile *file = p;

        g_free(file->path);
        g_free(file->name);
        payload_def_unref(file->def);
        g_free(file->error);
        g_free(file);
}

PayloadSet *payload_set_new(void) {
        PayloadSet *set = g_new0(PayloadSet, 1);

        set->files = g_ptr_array_new_with_free_func(payload_file_free);
        return set;
}

void payload_set_free(PayloadSet *set) {
        if (!set)
                return;
        g_ptr_array_unref(set->files);
        g_free(set);
}

/* The sound one of that name, else a broken one. */
static const PayloadFile *find_file(const PayloadSet *set, const char *name) {
        const PayloadFile *broken = NULL;

        for (guint i = 0; i < set->files->len; i++) {
                const PayloadFile *file = set->files->pdata[i];
                if (!g_str_equal(file->name, name))
                        continue;
                if (file->def)
                        return file;
                broken = broken ?: file;
        }
        return broken;
}

void payload_set_add(PayloadSet *set, const char *path, const char *name, PayloadDef *def,
                     const char *error) {
        const PayloadFile *first = def ? find_file(set, name) : NULL;
        PayloadFile *file = g_new0(PayloadFile, 1);

        if (first && !first->def) /* a broken file harms no other */
                first = NULL;
        file->path = g_strdup(path);
        file->name = g_strdup(name);
        file->error =
                first ? g_strdup_printf("Name: the payload '%s' is defined by %s already; give this one "
                                        "another name, or the file the same name to hide the other",
                                        name, first->path)
                      : g_strdup(error);
        if (first)
                payload_def_unref(def);
        else
                file->def = def;
        g_ptr_array_add(set->files, file);
}

static const char *nth_name(size_t i, const void *names) {
        return ((const GPtrArray *)names)->pdata[i];
}

static void unknown_name(const PayloadSet *set, const char *name, GError **error) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autoptr(GError) why = NULL;

        for (guint i = 0; i < set->files->len; i++) {
                PayloadFile *file = set->files->pdata[i];
                if (file->def)
                        g_ptr_array_add(names, file->name);
        }
        const SpecWords known = { nth_name, NULL, names->len, names };
        spec_unknown_word(&why, "payload", name, &known,
                          names->len ? NULL
                                     : "no file defines any, see ktsetupd.payload(5); write one, or give the "
                                       "definition in the call");
        g_set_error_literal(error, KT_ERROR, KT_ERROR_NO_SUCH_PAYLOAD, why->message);
}

PayloadDef *payload_set_find(const PayloadSet *set, const char *name, GError **error) {
        const PayloadFile *file = find_file(set, name);

        if (file && file->def)
                return file->def;
        if (file)
                g_set_error(error, KT_ERROR, KT_ERROR_NO_SUCH_PAYLOAD,
                            "the payload '%s' is defined by %s, which is broken: %s", name, file->path,
                            file->error);
        else
                unknown_name(set, name, error);
        return NULL;
}

void user_ids_clear(UserIds *ids) {
        g_clear_pointer(&ids->groups, g_array_unref);
}
