/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* The small change of the `word:argument` strings: cpuset, affinity and memory policy. No function here
 * depends on the locale. */

/* `text` as it may stand in a message: cut after 80 characters, valid UTF-8. g_free() it. */
char *spec_excerpt(const char *text);

/* `length` decimal digits, nothing else; a value beyond 64 bits saturates. */
bool spec_parse_number(const char *text, size_t length, guint64 *ret);

/* A plain decimal at *text (sign, digits, point; also "nan", "inf", so that validation can say what is wrong
 * with them); *text moves behind it. No exponents, no hexadecimal. */
bool spec_parse_fraction(const char **text, double *ret);

/* The shortest plain decimal that reads back as the same value. g_free() it. */
char *spec_format_fraction(double value);

/* The word before ':' (all of `text` when there is none) and what follows it, NULL when there is no ':'. */
char *spec_split(const char *text, const char **ret_argument);

/* Names to choose from. `shown`, where there is one, is how messages write them: "llc:N" for "llc". */
typedef struct SpecWords {
        const char *(*nth)(size_t i, const void *context);
        const char *(*shown)(size_t i, const void *context);
        size_t n;
        const void *context;
} SpecWords;

/* The one form of a message: "GIVEN; rule", or with a near miss "GIVEN; did you mean 'near'? Rule". `near`
 * may be NULL. Returns false. */
bool spec_refuse(GError **error, const char *given, const char *near, const char *rule);

/* `word` is none of `words`: "unknown WHAT 'word'; ...". `rule` NULL lists them. Returns false. */
bool spec_unknown_word(GError **error, const char *what, const char *word, const SpecWords *words,
                       const char *rule);

/* Sets the error for an argument that does not follow its word's grammar; `detail` may be NULL. */
void spec_malformed(GError **error, const char *field, const char *text, const char *grammar,
                    const char *example, const GError *detail);
