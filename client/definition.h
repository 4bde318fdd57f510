/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "vocabulary.h"

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* A cgroup definition under construction from command line options, in their order: --work-type starts a
 * worker group, and the options of a group apply to the one started last. Values are only sorted into
 * integers, numbers and text here; what they mean and whether they are allowed is the daemon's to say, in one
 * place for all clients. */
typedef struct Definition Definition;

Definition *definition_new(void);
void definition_free(Definition *definition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Definition, definition_free)

/* Is --`option` a word of a definition? Every one of them takes a value. */
bool definition_has_option(const char *option);

/* Sets --`option` to `value`. False with a G_OPTION_ERROR when it was set before or cannot be read. */
bool definition_set(Definition *definition, const char *option, const char *value, GError **error);

/* Names the definition and returns it; it belongs to `definition`. */
JsonObject *definition_finish(Definition *definition, const char *name);

/* The option that sets a word, without dashes in front; NULL for the word that is not an option (the name).
 */
char *definition_option_name(const VocabularyWord *word);

/* Is it a key of each element of `works`? */
bool definition_word_is_of_work(const VocabularyWord *word);
