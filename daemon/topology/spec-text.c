/* SPDX-License-Identifier: GPL-2.0-only */
#include "spec-text.h"

#include <math.h>
#include <string.h>

#include "../common/error.h"
#include "../common/suggest.h"

enum { EXCERPT = 80 /* characters */ };

char *spec_excerpt(const char *text) {
        g_autofree char *valid = g_utf8_make_valid(text, strnlen(text, (EXCERPT + 1) * 4 /* bytes each */));
        g_autofree char *head = NULL;

        if (g_utf8_strlen(valid, -1) <= EXCERPT)
                return g_steal_pointer(&valid);
        head = g_utf8_substring(valid, 0, EXCERPT);
        return g_strconcat(head, "...", NULL);
}

bool spec_parse_number(const char *text, size_t length, guint64 *ret) {
        bool fits = true;
        guint64 value = 0;

        if (length == 0)
                return false;
        for (size_t i = 0; i < length; i++) {
                if (!g_ascii_isdigit(text[i]))
                        return false;
                fits = fits && g_uint64_checked_mul(&value, value, 10) &&
                       g_uint64_checked_add(&value, value, g_ascii_digit_value(text[i]));
        }
        *ret = fits ? value : G_MAXUINT64;
        return true;
}

/* Length of the decimal or the word at `text`, 0 when it is neither. */
static size_t fraction_length(const char *text) {
        static const char *const words[] = { "infinity", "inf", "nan" };
        size_t digits = 0, points = 0, n = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_ascii_strncasecmp(text, words[i], strlen(words[i])) == 0)
                        return strlen(words[i]);
        for (; g_ascii_isdigit(text[n]) || text[n] == '.'; n++)
                text[n] == '.' ? points++ : digits++;
        return digits > 0 && points <= 1 ? n : 0;
}

bool spec_parse_fraction(const char **text, double *ret) {
        size_t sign = **text == '-' || **text == '+', length = fraction_length(*text + sign);
        g_autofree char *copy = NULL;

        if (length == 0)
                return false;
        copy = g_strndup(*text, sign + length);
        *ret = g_ascii_strtod(copy, NULL);
        *text += sign + length;
        return true;
}

char *spec_format_fraction(double value) {
        char buffer[1024]; /* the longest: 309 digits, point, 340 decimals */

        if (isnan(value))
                return g_strdup("nan");
        if (isinf(value))
                return g_strdup(value < 0 ? "-inf" : "inf");
        for (int precision = 0; precision <= 340; precision++) {
                char format[16];
                g_snprintf(format, sizeof(format), "%%.%df", precision);
                g_ascii_formatd(buffer, sizeof(buffer), format, value);
                if (g_ascii_strtod(buffer, NULL) == value)
                        break;
        }
        return g_strdup(buffer);
}

char *spec_split(const char *text, const char **ret_argument) {
        const char *colon = strchr(text, ':');

        *ret_argument = colon ? colon + 1 : NULL;
        return colon ? g_strndup(text, colon - text) : g_strdup(text);
}

void spec_unknown_word(GError **error, const char *field, const char *text, const char *word,
                       const char *(*nth)(size_t i, const void *context), size_t n, const char *grammar) {
        g_autofree char *shown = spec_excerpt(text), *hint = NULL;
        const char *near = suggest_name(word, nth, n, NULL);

        hint = near ? g_strdup_printf(" Did you mean '%s'?", near) : g_strdup("");
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "%s '%s' does not begin with a known word.%s It is one of %s.", field, shown, hint,
                    grammar);
}

void spec_malformed(GError **error, const char *field, const char *text, const char *grammar,
                    const char *example, const GError *detail) {
        g_autofree char *shown = spec_excerpt(text);

        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "%s '%s' is malformed: it is written %s, for example %s.%s%s", field, shown, grammar,
                    example, detail ? " " : "", detail ? detail->message : "");
}
