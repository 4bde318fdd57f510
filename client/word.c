/* SPDX-License-Identifier: GPL-2.0-only */
#include "word.h"

#include <math.h>
#include <string.h>

#define WORK_PREFIX "works."

bool word_is_of_work(const VocabularyWord *word) {
        return g_str_has_prefix(word->key, WORK_PREFIX);
}

const char *word_path(const VocabularyWord *word) {
        return word->key + (word_is_of_work(word) ? strlen(WORK_PREFIX) : 0);
}

char *word_option(const VocabularyWord *word) {
        char *name;

        if (g_str_equal(word->key, "name"))
                return NULL;
        name = g_strdelimit(g_strdup(word_path(word)), "._", '-');
        if (word->kind == VOCABULARY_PARAMS) /* one option, one parameter: --param, not --params */
                name[strlen(name) - 1] = '\0';
        return name;
}

const VocabularyWord *word_by_option(const char *option, bool of_work) {
        for (size_t i = 0; i < vocabulary_count; i++) {
                g_autofree char *name = word_option(&vocabulary[i]);
                if (word_is_of_work(&vocabulary[i]) == of_work && !g_strcmp0(name, option))
                        return &vocabulary[i];
        }
        return NULL;
}

const VocabularyWord *word_by_path(const char *path, bool of_work) {
        for (size_t i = 0; i < vocabulary_count; i++)
                if (word_is_of_work(&vocabulary[i]) == of_work &&
                    g_str_equal(word_path(&vocabulary[i]), path))
                        return &vocabulary[i];
        return NULL;
}

/* ---- values ---- */

static JsonNode *node_from_text(const char *text) {
        return json_node_init_string(json_node_alloc(), text);
}

static JsonNode *node_from_integer(const char *text) {
        gint64 value;

        if (!g_ascii_isdigit(text[0]) && !(text[0] == '-' && g_ascii_isdigit(text[1])))
                return node_from_text(text);
        if (!g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &value, NULL))
                return node_from_text(text);
        return json_node_init_int(json_node_alloc(), value);
}

static JsonNode *node_from_number(const char *text) {
        char *end;
        double value = g_ascii_strtod(text, &end);

        if (end == text || *end || !isfinite(value))
                return node_from_text(text);
        return json_node_init_double(json_node_alloc(), value);
}

static JsonNode *node_from_list(const char *text) {
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);
        JsonNode *node = json_node_new(JSON_NODE_ARRAY);
        JsonArray *array = json_array_new();

        for (char **part = parts; *part; part++)
                json_array_add_string_element(array, *part);
        json_node_take_array(node, array);
        return node;
}

static bool is_truth(const char *text) {
        return g_str_equal(text, "true") || g_str_equal(text, "false");
}

static JsonNode *node_from_truth(const char *text) {
        return is_truth(text) ? json_node_init_boolean(json_node_alloc(), text[0] == 't')
                              : node_from_text(text);
}

/* The type of a parameter is its work type's affair: what looks like a number or a boolean is one. */
static JsonNode *node_from_param(const char *text) {
        return is_truth(text) ? node_from_truth(text) : node_from_integer(text);
}

JsonNode *word_value(VocabularyKind kind, const char *text) {
        static JsonNode *(*const readers[])(const char *text) = {
                [VOCABULARY_TEXT] = node_from_text,     [VOCABULARY_COUNT] = node_from_integer,
                [VOCABULARY_NUMBER] = node_from_number, [VOCABULARY_SIZE] = node_from_integer,
                [VOCABULARY_TIME] = node_from_integer,  [VOCABULARY_TEXTS] = node_from_list,
                [VOCABULARY_PARAMS] = node_from_param,  [VOCABULARY_FLAG] = node_from_truth,
        };

        return readers[kind](text);
}

/* ---- members ---- */

static JsonObject *object_in(JsonObject *object, const char *key) {
        if (!json_object_has_member(object, key))
                json_object_set_object_member(object, key, json_object_new());
        return json_object_get_object_member(object, key);
}

/* Goes down a path to the object that holds its last part. */
static JsonObject *descend(JsonObject *object, const char *path, const char **ret_key) {
        for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
                g_autofree char *key = g_strndup(path, dot - path);
                object = object_in(object, key);
        }
        *ret_key = path;
        return object;
}

/* JSON would take the later of two; here, as in a document, the second is a mistake. */
static bool set_once(JsonObject *object, const char *key, VocabularyKind kind, const char *text) {
        if (json_object_has_member(object, key))
                return false;
        json_object_set_member(object, key, word_value(kind, text));
        return true;
}

bool word_set(JsonObject *object, const VocabularyWord *word, const char *text) {
        const char *key;
        JsonObject *place = descend(object, word_path(word), &key);

        return set_once(place, key, word->kind, text);
}

bool word_set_param(JsonObject *object, const VocabularyWord *word, const char *param, const char *text) {
        const char *key;
        JsonObject *place = descend(object, word_path(word), &key);

        return set_once(object_in(place, key), param, word->kind, text);
}
