/* SPDX-License-Identifier: GPL-2.0-only */
#include "spec-text.h"

#include <math.h>
#include <string.h>

#include "common/error.h"
#include "common/suggest.h"

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

bool spec_refuse(GError **error, const char *given, const char *near, const char *rule) {
        if (near)
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "%s; did you mean '%s'? %c%s",
                            given, near, g_ascii_toupper(rule[0]), rule + 1);
        else
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "%s; %s", given, rule);
        return false;
}

/* All of `word` is compared first, then the letters it begins with: "lcc:0", " llc=0", "cpu.weight". */
static const char *nearest(const char *word, const SpecWords *words) {
        const char *near = suggest_name(word, words->nth, words->n, words->context);
        const char *start = word + strspn(word, " \t");
        size_t letters = strspn(start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");
        g_autofree char *head = g_strndup(start, letters);

        if (!near && strlen(head) < strlen(word))
                near = suggest_name(head, words->nth, words->n, words->context);
        for (size_t i = 0; near && words->shown && i < words->n; i++)
                if (near == words->nth(i, words->context))
                        return words->shown(i, words->context);
        return near;
}

bool spec_unknown_word(GError **error, const char *what, const char *word, const SpecWords *words,
                       const char *rule) {
        g_autofree char *shown = spec_excerpt(word), *given = g_strdup_printf("unknown %s '%s'", what, shown);
        g_autoptr(GString) list = g_string_new(NULL);

        g_string_printf(list, "known %ss: ", what);
        for (size_t i = 0; i < words->n; i++)
                g_string_append_printf(list, "%s%s", i ? ", " : "",
                                       (words->shown ?: words->nth)(i, words->context));
        return spec_refuse(error, given, nearest(word, words), rule ?: list->str);
}

void spec_malformed(GError **error, const char *field, const char *text, const char *grammar,
                    const char *example, const GError *detail) {
        g_autofree char *shown = spec_excerpt(text);

        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "%s '%s' is malformed; it is written %s, for example %s%s%s", field, shown, grammar,
                    example, detail ? "; " : "", detail ? detail->message : "");
}
