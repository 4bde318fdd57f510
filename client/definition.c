/* SPDX-License-Identifier: GPL-2.0-only */
#include "definition.h"

#include <math.h>
#include <string.h>

#define WORK_PREFIX "works."

struct Definition {
        JsonObject *object;
        JsonObject *work;  /* the worker group that options apply to; owned by object */
        bool work_started; /* by --work-type */
        bool work_typed;   /* that group has its type */
};

Definition *definition_new(void) {
        Definition *d = g_new0(Definition, 1);

        d->object = json_object_new();
        return d;
}

void definition_free(Definition *d) {
        if (!d)
                return;
        json_object_unref(d->object);
        g_free(d);
}

bool definition_word_is_of_work(const VocabularyWord *word) {
        return g_str_has_prefix(word->key, WORK_PREFIX);
}

/* The word's path inside the object that it belongs to. */
static const char *path_of(const VocabularyWord *word) {
        return word->key + (definition_word_is_of_work(word) ? strlen(WORK_PREFIX) : 0);
}

char *definition_option_name(const VocabularyWord *word) {
        char *name;

        if (g_str_equal(word->key, "name"))
                return NULL;
        name = g_strdelimit(g_strdup(path_of(word)), "._", '-');
        if (word->kind == VOCABULARY_PARAMS) /* one option, one parameter: --param, not --params */
                name[strlen(name) - 1] = '\0';
        return name;
}

static const VocabularyWord *find_word(const char *option, bool of_work) {
        for (size_t i = 0; i < vocabulary_count; i++) {
                g_autofree char *name = definition_option_name(&vocabulary[i]);
                if (definition_word_is_of_work(&vocabulary[i]) == of_work && !g_strcmp0(name, option))
                        return &vocabulary[i];
        }
        return NULL;
}

bool definition_has_option(const char *option) {
        return find_word(option, false) || find_word(option, true);
}

/* Some words are keys of the definition and of a worker group: the definition's are defaults for all groups.
 */
static const VocabularyWord *choose_word(const Definition *d, const char *option) {
        const VocabularyWord *outer = find_word(option, false), *inner = find_word(option, true);

        return outer && (!inner || !d->work_started) ? outer : inner;
}

static bool starts_work(const VocabularyWord *word) {
        return g_str_equal(word->key, WORK_PREFIX "work_type");
}

/* The group that `word` goes to. A group that began with another option, such as --workers, and has no type
 * yet takes the next --work-type: the order of the options of a first group does not matter. */
static JsonObject *current_work(Definition *d, const VocabularyWord *word) {
        if (!d->work || (starts_work(word) && d->work_typed)) {
                if (!d->work)
                        json_object_set_array_member(d->object, "works", json_array_new());
                d->work = json_object_new();
                json_array_add_object_element(json_object_get_array_member(d->object, "works"), d->work);
        }
        if (starts_work(word))
                d->work_started = d->work_typed = true;
        return d->work;
}

/* Goes down a path to the object that holds its last part, making objects on the way. */
static JsonObject *descend(JsonObject *object, const char *path, const char **ret_key) {
        for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
                g_autofree char *key = g_strndup(path, dot - path);
                if (!json_object_has_member(object, key))
                        json_object_set_object_member(object, key, json_object_new());
                object = json_object_get_object_member(object, key);
        }
        *ret_key = path;
        return object;
}

static JsonNode *node_from_text(const char *text) {
        return json_node_init_string(json_node_alloc(), text);
}

/* An integer when it is one that fits, else text as it is: "max", "50%" or a mistake for the daemon to name.
 */
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

static JsonNode *(*const readers[])(const char *text) = {
        [VOCABULARY_TEXT] = node_from_text,      [VOCABULARY_COUNT] = node_from_integer,
        [VOCABULARY_NUMBER] = node_from_number,  [VOCABULARY_SIZE] = node_from_integer,
        [VOCABULARY_TIME] = node_from_integer,   [VOCABULARY_TEXTS] = node_from_list,
        [VOCABULARY_PARAMS] = node_from_integer, /* of one parameter's value */
};

/* JSON would take the later of two; here, as in a document, the second is a mistake. */
static bool set_once(JsonObject *object, const char *key, const VocabularyWord *word, const char *what,
                     const char *value, GError **error) {
        if (json_object_has_member(object, key)) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s is given twice%s", what,
                            definition_word_is_of_work(word) ? " for one worker group" : "");
                return false;
        }
        json_object_set_member(object, key, readers[word->kind](value));
        return true;
}

static bool set_param(JsonObject *object, const char *key, const VocabularyWord *word, const char *value,
                      GError **error) {
        const char *sign = strchr(value, '=');
        g_autofree char *param = NULL, *what = NULL;

        if (!sign || sign == value) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            "--param %s: needs KEY=VALUE, for instance burst_duration=10ms", value);
                return false;
        }
        param = g_strndup(value, sign - value);
        what = g_strdup_printf("--param %s", param);
        if (!json_object_has_member(object, key))
                json_object_set_object_member(object, key, json_object_new());
        return set_once(json_object_get_object_member(object, key), param, word, what, sign + 1, error);
}

bool definition_set(Definition *d, const char *option, const char *value, GError **error) {
        const VocabularyWord *word = choose_word(d, option);
        g_autofree char *what = g_strdup_printf("--%s", option);
        const char *key;
        JsonObject *object;

        g_return_val_if_fail(word, false);
        if (!g_utf8_validate(value, -1, NULL)) {
                g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: value is not UTF-8", what);
                return false;
        }
        object = definition_word_is_of_work(word) ? current_work(d, word) : d->object;
        object = descend(object, path_of(word), &key);
        if (word->kind == VOCABULARY_PARAMS)
                return set_param(object, key, word, value, error);
        return set_once(object, key, word, what, value, error);
}

JsonObject *definition_finish(Definition *d, const char *name) {
        json_object_set_string_member(d->object, "name", name);
        return d->object;
}
