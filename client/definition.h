/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "word.h"

/* A cgroup definition under construction from command line options, in their order. Worker groups come in one
 * of two ways, never both in one definition: --work makes a whole group; or --work-type starts one, and the
 * options of a group apply to the one started last. Values are only sorted into integers, numbers, booleans
 * and text here; what they mean and whether they are allowed is the daemon's to say, in one place for all
 * clients. */
typedef struct Definition Definition;

#define DEFINITION_WORK "work" /* the option that is no word of the vocabulary */

Definition *definition_new(void);
void definition_free(Definition *definition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Definition, definition_free)

/* Is --`option` an option of a definition, and does it take a value? */
bool definition_has_option(const char *option);
bool definition_option_takes_value(const char *option);

/* Sets --`option` to `value` (NULL for one that takes none). False with a G_OPTION_ERROR when it was set
 * before or cannot be read. */
bool definition_set(Definition *definition, const char *option, const char *value, GError **error);

/* Takes the payload, an object: a command, where --payload names one that a file defines. False with a
 * G_OPTION_ERROR when --payload was given. */
bool definition_set_payload(Definition *definition, JsonObject *payload, GError **error);

/* Names the definition and returns it; it belongs to `definition`. */
JsonObject *definition_finish(Definition *definition, const char *name);
