/* SPDX-License-Identifier: GPL-2.0-only */
#include "definition.h"

#include "work-text.h"

#include <string.h>

struct Definition {
        JsonObject *object;
        JsonObject *work;  /* the worker group that options apply to; owned by object */
        bool work_started; /* by --work-type */
        bool work_typed;   /* that group has its type */
        bool works_whole;  /* a --work was given */
        char *work_option; /* the first option of a group that was given by itself */
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
        g_free(d->work_option);
        g_free(d);
}

static bool is_work(const char *option) {
        return g_str_equal(option, DEFINITION_WORK);
}

bool definition_has_option(const char *option) {
        return is_work(option) || word_by_option(option, false) || word_by_option(option, true);
}

bool definition_option_takes_value(const char *option) {
        const VocabularyWord *word = word_by_option(option, false) ?: word_by_option(option, true);

        return !word || word->kind != VOCABULARY_FLAG;
}

G_GNUC_PRINTF(2, 3)
static bool refuse(GError **error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (error)
                *error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, ap);
        va_end(ap);
        return false;
}

static JsonArray *works_of(Definition *d) {
        if (!json_object_has_member(d->object, "works"))
                json_object_set_array_member(d->object, "works", json_array_new());
        return json_object_get_array_member(d->object, "works");
}

/* ---- groups by single options ---- */

/* Some words are keys of the definition and of a worker group: the definition's are defaults for all groups.
 */
static const VocabularyWord *choose_word(const Definition *d, const char *option) {
        const VocabularyWord *outer = word_by_option(option, false), *inner = word_by_option(option, true);

        return outer && (!inner || !d->work_started) ? outer : inner;
}

static bool starts_work(const VocabularyWord *word) {
        return g_str_equal(word_path(word), "work_type");
}

/* The group that `word` goes to. A group that began with another option, such as --workers, and has no type
 * yet takes the next --work-type: the order of the options of a first group does not matter. */
static JsonObject *current_work(Definition *d, const VocabularyWord *word) {
        if (!d->work || (starts_work(word) && d->work_typed)) {
                d->work = json_object_new();
                json_array_add_object_element(works_of(d), d->work);
        }
        if (starts_work(word))
                d->work_started = d->work_typed = true;
        return d->work;
}

static bool refuse_mixture(const char *option, GError **error) {
        const VocabularyWord *word = word_by_option(option, true);

        return refuse(
                error,
                "--work and --%s exclude each other: --work makes whole worker groups; write %s%s= as a "
                "piece of it",
                option, word_path(word), word->kind == VOCABULARY_PARAMS ? ".KEY" : "");
}

static bool set_param(JsonObject *object, const VocabularyWord *word, const char *value, GError **error) {
        const char *sign = strchr(value, '=');
        g_autofree char *param = NULL;

        if (!sign || sign == value)
                return refuse(error, "--param %s: needs KEY=VALUE, for instance burst_duration=10ms", value);
        param = g_strndup(value, sign - value);
        return word_set_param(object, word, param, sign + 1) ||
               refuse(error, "--param %s is given twice for one worker group", param);
}

static bool set_word(Definition *d, const char *option, const char *value, GError **error) {
        const VocabularyWord *word = choose_word(d, option);

        if (!word_is_of_work(word))
                return word_set(d->object, word, value) || refuse(error, "--%s is given twice", option);
        if (d->works_whole)
                return refuse_mixture(option, error);
        if (!d->work_option)
                d->work_option = g_strdup(option);
        if (word->kind == VOCABULARY_PARAMS)
                return set_param(current_work(d, word), word, value, error);
        return word_set(current_work(d, word), word, value) ||
               refuse(error, "--%s is given twice for one worker group", option);
}

/* ---- whole groups ---- */

static bool add_work(Definition *d, const char *text, GError **error) {
        JsonObject *work;

        if (d->work_option)
                return refuse_mixture(d->work_option, error);
        work = work_from_text(text, error);
        if (!work)
                return false;
        d->works_whole = true;
        json_array_add_object_element(works_of(d), work);
        return true;
}

bool definition_set(Definition *d, const char *option, const char *value, GError **error) {
        g_return_val_if_fail(definition_has_option(option), false);
        if (!definition_option_takes_value(option))
                value = "true";
        if (!g_utf8_validate(value, -1, NULL))
                return refuse(error, "--%s: value is not UTF-8", option);
        return is_work(option) ? add_work(d, value, error) : set_word(d, option, value, error);
}

bool definition_set_payload(Definition *d, JsonObject *payload, GError **error) {
        if (json_object_has_member(d->object, "payload")) {
                json_object_unref(payload);
                return refuse(error, "--payload and a command behind -- exclude each other: a cgroup has one "
                                     "payload; start others with run-payload");
        }
        json_object_set_object_member(d->object, "payload", payload);
        return true;
}

JsonObject *definition_finish(Definition *d, const char *name) {
        json_object_set_string_member(d->object, "name", name);
        return d->object;
}
