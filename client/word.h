/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "dbus/vocabulary.h"

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* The words of a definition as a command line has them. */

/* The option that sets a word, without dashes in front; NULL for the word that is not an option (the name).
 */
char *word_option(const VocabularyWord *word);

/* Is it a key of each element of `works`? */
bool word_is_of_work(const VocabularyWord *word);

/* Its path inside the object that it belongs to: the definition or a worker group. */
const char *word_path(const VocabularyWord *word);

const VocabularyWord *word_by_option(const char *option, bool of_work);
const VocabularyWord *word_by_path(const char *path, bool of_work);

/* Text as the kind wants it: integers, numbers and booleans as such where it is one, else text as it is
 * ("max", "50%", or a mistake that the daemon names). Of VOCABULARY_PARAMS: one parameter's value. */
JsonNode *word_value(VocabularyKind kind, const char *text);

/* Sets the member at `path`, making objects on the way, unless there is one already. */
bool word_set(JsonObject *object, const VocabularyWord *word, const char *text);
/* The same for one parameter. */
bool word_set_param(JsonObject *object, const VocabularyWord *word, const char *param, const char *text);
