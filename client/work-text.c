/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-text.h"

#include "word.h"

#include "common/suggest.h"

#include <string.h>

#define PARAMS_PREFIX "params."

G_GNUC_PRINTF(3, 4)
static bool refuse(GError **error, const char *piece, const char *format, ...) {
        g_autofree char *why = NULL;
        va_list ap;

        va_start(ap, format);
        why = g_strdup_vprintf(format, ap);
        va_end(ap);
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--work, piece '%s': %s", piece, why);
        return false;
}

/* ---- keys ---- */

/* Keys as they stand in pieces. */
static GPtrArray *known_keys(void) {
        GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < vocabulary_count; i++)
                if (word_is_of_work(&vocabulary[i]))
                        g_ptr_array_add(keys, vocabulary[i].kind == VOCABULARY_PARAMS
                                                      ? g_strdup(PARAMS_PREFIX "KEY")
                                                      : g_strdup(word_path(&vocabulary[i])));
        return keys;
}

static const char *nth_key(size_t i, const void *context) {
        return g_ptr_array_index((GPtrArray *)context, i);
}

static bool refuse_key(const char *key, const char *piece, GError **error) {
        const VocabularyWord *outer = word_by_path(key, false);
        g_autofree char *option = outer ? word_option(outer) : NULL, *all = NULL;
        g_autoptr(GPtrArray) keys = NULL;
        const char *near;

        if (option)
                return refuse(error, piece, "%s belongs to the cgroup, not to a worker group; use --%s", key,
                              option);
        keys = known_keys();
        near = suggest_name(key, nth_key, keys->len, keys);
        if (near)
                return refuse(error, piece, "a worker group has no key '%s'; did you mean '%s'?", key, near);
        g_ptr_array_add(keys, NULL);
        all = g_strjoinv(", ", (char **)keys->pdata);
        return refuse(error, piece, "a worker group has no key '%s'; it has %s", key, all);
}

/* ---- pieces ---- */

static bool set_param(JsonObject *work, const char *param, const char *value, const char *piece,
                      GError **error) {
        if (!*param)
                return refuse(error, piece,
                              "the parameter has no name; write params.KEY=VALUE, for instance "
                              "params.burst_duration=10ms");
        return word_set_param(work, word_by_path("params", true), param, value) ||
               refuse(error, piece, "params.%s is given twice; a group has each parameter once", param);
}

static bool add_piece(JsonObject *work, const char *piece, GError **error) {
        const char *sign = strchr(piece, '=');
        g_autofree char *key = g_strndup(piece, sign - piece);
        const VocabularyWord *word = word_by_path(key, true);

        if (g_str_has_prefix(key, PARAMS_PREFIX))
                return set_param(work, key + strlen(PARAMS_PREFIX), sign + 1, piece, error);
        if (!word)
                return refuse_key(key, piece, error);
        if (word->kind == VOCABULARY_PARAMS)
                return set_param(work, "", sign + 1, piece, error);
        return word_set(work, word, sign + 1) ||
               refuse(error, piece, "%s is given twice; start another group with another --work", key);
}

/* Splits at the commas before a KEY=. */
static GPtrArray *split(const char *text, GError **error) {
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);
        g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func(g_free);

        for (char **part = parts; *part; part++) {
                char **last = pieces->len > 0 ? (char **)&pieces->pdata[pieces->len - 1] : NULL;

                if (!**part) {
                        refuse(error, text, "nothing stands beside a comma; leave that comma out");
                        return NULL;
                }
                if (strchr(*part, '='))
                        g_ptr_array_add(pieces, g_strdup(*part));
                else if (last) {
                        g_autofree char *first = *last;
                        *last = g_strjoin(",", first, *part, NULL);
                } else {
                        refuse(error, *part, "it has no key; write KEY=VALUE, for instance work_type=Bursty");
                        return NULL;
                }
        }
        return g_steal_pointer(&pieces);
}

JsonObject *work_from_text(const char *text, GError **error) {
        g_autoptr(JsonObject) work = json_object_new();
        g_autoptr(GPtrArray) pieces = NULL;

        if (!*text) {
                refuse(error, text, "it is empty; write KEY=VALUE,..., for instance work_type=Bursty");
                return NULL;
        }
        pieces = split(text, error);
        if (!pieces)
                return NULL;
        for (guint i = 0; i < pieces->len; i++)
                if (!add_piece(work, pieces->pdata[i], error))
                        return NULL;
        return g_steal_pointer(&work);
}
