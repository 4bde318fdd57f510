/* SPDX-License-Identifier: GPL-2.0-only */
#include "json-text.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "topology/spec-text.h"

enum { DEPTH_MAX = 16 };

/* ---- the lexer: checks every token, leaves the structure to json-glib ---- */

typedef struct Lexer {
        const char *start, *at, *end;
        const char *wrong; /* what is wrong at `at` */
        unsigned depth;
} Lexer;

static bool lexer_fail(Lexer *l, const char *wrong) {
        l->wrong = wrong;
        return false;
}

/* The four digits behind \u. */
static bool lex_code_unit(Lexer *l, unsigned *ret) {
        *ret = 0;
        for (unsigned i = 0; i < 4; i++, l->at++) {
                if (l->at == l->end || !g_ascii_isxdigit(*l->at))
                        return lexer_fail(l, "\\u needs four hexadecimal digits");
                *ret = *ret * 16 + (unsigned)g_ascii_xdigit_value(*l->at);
        }
        return true;
}

/* sd-bus carries no noncharacters (utf8_is_valid() in systemd's utf8.c): text with one could come in by an
 * escape, but nothing that quotes it, not even the refusal, could be sent. */
static bool check_character(Lexer *l, gunichar c) {
        if ((c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
                return lexer_fail(l, "a Unicode noncharacter, which D-Bus does not carry");
        return true;
}

/* Characters beyond U+FFFF are written as a pair; json-glib would make text that is no UTF-8 of a half one.
 */
static bool lex_unicode(Lexer *l) {
        unsigned unit, low;

        if (!lex_code_unit(l, &unit))
                return false;
        if (unit == 0)
                return lexer_fail(l, "text must not contain NUL (\\u0000)");
        if (unit < 0xd800 || unit > 0xdfff)
                return check_character(l, unit);
        if (unit > 0xdbff || l->end - l->at < 2 || memcmp(l->at, "\\u", 2) != 0)
                return lexer_fail(l, "half of a surrogate pair");
        l->at += 2;
        if (!lex_code_unit(l, &low))
                return false;
        if (low < 0xdc00 || low > 0xdfff)
                return lexer_fail(l, "half of a surrogate pair");
        return check_character(l, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
}

static bool lex_escape(Lexer *l) {
        if (l->at == l->end || !*l->at || !strchr("\"\\/bfnrtu", *l->at))
                return lexer_fail(l, "unknown escape sequence");
        return *l->at++ != 'u' || lex_unicode(l);
}

static bool lex_utf8(Lexer *l) {
        gunichar c = g_utf8_get_char_validated(l->at, l->end - l->at);

        if ((gint32)c < 0)
                return lexer_fail(l, "text that is not UTF-8");
        if (!check_character(l, c))
                return false;
        l->at = g_utf8_next_char(l->at);
        return true;
}

static bool lex_string(Lexer *l) {
        l->at++;
        while (l->at < l->end) {
                char c = *l->at;
                if ((unsigned char)c >= 0x80) {
                        if (!lex_utf8(l))
                                return false;
                        continue;
                }
                l->at++;
                if (c == '"')
                        return true;
                if ((unsigned char)c < ' ') {
                        l->at--;
                        return lexer_fail(l, "control character in text; write it as an escape");
                }
                if (c == '\\' && !lex_escape(l))
                        return false;
        }
        return lexer_fail(l, "text without a closing quote");
}

static const char *skip_digits(const char *p, const char *end) {
        while (p < end && g_ascii_isdigit(*p))
                p++;
        return p;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool lex_number(Lexer *l) {
        const char *from = l->at, *p = from + (*from == '-'), *digits = p;
        bool integer = true;

        p = skip_digits(p, l->end);
        if (p == digits)
                return lexer_fail(l, "'-' without a number");
        if (*digits == '0' && p - digits > 1)
                return lexer_fail(l, "number with leading zeros");
        if (p < l->end && *p == '.') {
                const char *fraction = ++p;
                integer = false;
                p = skip_digits(p, l->end);
                if (p == fraction)
                        return lexer_fail(l, "number without digits after the point");
        }
        if (p < l->end && (*p == 'e' || *p == 'E')) {
                const char *exponent = ++p;
                integer = false;
                if (p < l->end && (*p == '+' || *p == '-'))
                        exponent = ++p;
                p = skip_digits(p, l->end);
                if (p == exponent)
                        return lexer_fail(l, "number without digits in its exponent");
        }
        if (p < l->end && (g_ascii_isalnum(*p) || *p == '.'))
                return lexer_fail(l, "malformed number (write 256M and the like as text, in quotes)");
        if (integer) {
                g_autofree char *copy = g_strndup(from, (size_t)(p - from));
                errno = 0;
                g_ascii_strtoll(copy, NULL, 10);
                if (errno == ERANGE)
                        return lexer_fail(
                                l,
                                "integer that does not fit 64 bits with sign; write it as text, in quotes");
        }
        l->at = p;
        return true;
}

static bool lex_literal(Lexer *l) {
        static const char *const literals[] = { "true", "false", "null" };

        for (size_t i = 0; i < G_N_ELEMENTS(literals); i++) {
                size_t n = strlen(literals[i]);
                if ((size_t)(l->end - l->at) >= n && memcmp(l->at, literals[i], n) == 0) {
                        l->at += n;
                        return true;
                }
        }
        return lexer_fail(l, "unexpected character");
}

static bool lex_token(Lexer *l) {
        char c = *l->at;

        if (c == '"')
                return lex_string(l);
        if (c == '-' || g_ascii_isdigit(c))
                return lex_number(l);
        if (c == '{' || c == '[') {
                if (++l->depth > DEPTH_MAX)
                        return lexer_fail(l, "nested too deeply");
        } else if (c == '}' || c == ']') {
                if (l->depth-- == 0)
                        return lexer_fail(l, "closing bracket without an opening one");
        } else if (!strchr(" \t\r\n,:", c) || !c)
                return lex_literal(l);
        l->at++;
        return true;
}

/* Every token well formed, and exactly one value at the top. */
static bool lex_document(Lexer *l) {
        bool seen = false;

        while (l->at < l->end) {
                bool blank = *l->at && strchr(" \t\r\n", *l->at);
                if (!blank && seen && l->depth == 0)
                        return lexer_fail(l, "something follows the end of the document");
                if (!lex_token(l))
                        return false;
                seen = seen || !blank;
        }
        return seen || lexer_fail(l, "empty document");
}

static void set_lexer_error(const Lexer *l, GError **error) {
        unsigned line = 1, column = 1;

        for (const char *p = l->start; p < l->at; p++) {
                column++;
                if (*p == '\n') {
                        line++;
                        column = 1;
                }
        }
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "JSON document, line %u, column %u: %s",
                    line, column, l->wrong);
}

/* ---- the tree ---- */

typedef struct Duplicates {
        GHashTable *seen; /* "object address/key" */
        char *first;
} Duplicates;

/* json-glib tells of every member as it is parsed, also of one that replaces an earlier one. */
static void on_member(G_GNUC_UNUSED JsonParser *parser, JsonObject *object, const char *key, Duplicates *d) {
        char *id = g_strdup_printf("%p/%s", (void *)object, key);

        if (!g_hash_table_add(d->seen, id) && !d->first)
                d->first = g_strdup(key);
}

JsonNode *json_text_parse(const char *text, size_t size, GError **error) {
        Lexer lexer = { .start = text, .at = text, .end = text + size };
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GError) why = NULL;
        g_autofree char *duplicate = NULL;
        Duplicates duplicates = { .seen = seen };
        bool parsed;

        if (!lex_document(&lexer)) {
                set_lexer_error(&lexer, error);
                return NULL;
        }
        g_signal_connect(parser, "object-member", G_CALLBACK(on_member), &duplicates);
        parsed = json_parser_load_from_data(parser, text, (gssize)size, &why);
        duplicate = duplicates.first;
        if (!parsed) {
                /* json-glib quotes the first bytes of a token, be it half a character. */
                g_autofree char *reason = g_utf8_make_valid(why->message, -1);
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "JSON document: %s", reason);
                return NULL;
        }
        if (duplicate) {
                g_autofree char *shown = spec_excerpt(duplicate);
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "JSON document: the key '%s' stands twice in one object; remove one of them",
                            shown);
                return NULL;
        }
        return json_node_copy(json_parser_get_root(parser));
}
