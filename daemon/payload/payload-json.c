/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-json.h"

#include <math.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd };

/* ---- text ---- */

PayloadBytes payload_trim_end(PayloadBytes text) {
        while (text.size > 0 && g_ascii_isspace(text.data[text.size - 1]))
                text.size--;
        return text;
}

static PayloadBytes trim(PayloadBytes text) {
        text = payload_trim_end(text);
        while (text.size > 0 && g_ascii_isspace(text.data[0])) {
                text.data++;
                text.size--;
        }
        return text;
}

/* utf8_is_valid() in systemd's utf8.c, which every text on its way to the bus has to pass. */
static gunichar carried(gunichar c) {
        bool noncharacter = (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);

        return c == 0 || noncharacter ? REPLACEMENT : c;
}

gunichar payload_next_character(PayloadBytes *text) {
        gunichar c = g_utf8_get_char_validated(text->data, (gssize)text->size);
        size_t n = (gint32)c < 0 ? 1 : (size_t)g_unichar_to_utf8(c, NULL);

        text->data += n;
        text->size -= n;
        return (gint32)c < 0 ? REPLACEMENT : carried(c);
}

/* ---- the walk ---- */

typedef struct Level {
        char closer;
        uint32_t n;  /* elements that have begun */
        size_t name; /* length of its own name */
} Level;

typedef struct Walk {
        PayloadBytes rest;
        Level levels[JSON_DEPTH_MAX]; /* the objects and arrays around */
        unsigned depth;               /* how many those are: the depth of the value that comes */
        GString *name;                /* of the value that comes */
        GString *digits;              /* strtod() needs them with a NUL behind */
        JsonNumberSeen seen;
        void *userdata;
} Walk;

/* NUL at the end; one in the text is no token either. */
static char peek(const Walk *w) {
        return w->rest.size > 0 ? w->rest.data[0] : '\0';
}

static void skip(Walk *w, size_t n) {
        w->rest.data += n;
        w->rest.size -= n;
}

static bool take(Walk *w, char c) {
        if (w->rest.size == 0 || w->rest.data[0] != c)
                return false;
        skip(w, 1);
        return true;
}

static void skip_blanks(Walk *w) {
        while (peek(w) == ' ' || peek(w) == '\n' || peek(w) == '\r' || peek(w) == '\t')
                skip(w, 1);
}

static bool take_token(Walk *w, char c) {
        skip_blanks(w);
        return take(w, c);
}

/* ---- strings; `to` is NULL for those that nobody wants ---- */

/* One character above the limit is enough to tell that it is exceeded. */
static void put(GString *to, gunichar c) {
        if (to && to->len <= METRIC_NAME_MAX)
                g_string_append_unichar(to, c);
}

/* The four digits behind \u; above 0xffff when they are none. */
static unsigned take_code_unit(Walk *w) {
        unsigned unit = 0;

        for (unsigned i = 0; i < 4; i++) {
                int digit = g_ascii_xdigit_value(peek(w));
                if (digit < 0)
                        return G_MAXUINT;
                unit = unit * 16 + (unsigned)digit;
                skip(w, 1);
        }
        return unit;
}

/* Characters above U+FFFF are a pair of surrogates, and half a pair is no character. */
static bool walk_unicode(Walk *w, GString *to) {
        unsigned c = take_code_unit(w), low;

        if (c > 0xffff || (c >= 0xdc00 && c <= 0xdfff))
                return false;
        if (c >= 0xd800 && c <= 0xdbff) {
                if (!take(w, '\\') || !take(w, 'u'))
                        return false;
                low = take_code_unit(w);
                if (low < 0xdc00 || low > 0xdfff)
                        return false;
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        put(to, carried(c));
        return true;
}

static bool walk_escape(Walk *w, GString *to) {
        static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        const char *escape = memchr(escapes, peek(w), sizeof(escapes) - 1);

        if (take(w, 'u'))
                return walk_unicode(w, to);
        if (!escape)
                return false;
        skip(w, 1);
        put(to, (gunichar)meanings[escape - escapes]);
        return true;
}

static bool walk_string(Walk *w, GString *to) {
        if (!take_token(w, '"'))
                return false;
        while (w->rest.size > 0) {
                if (take(w, '"'))
                        return true;
                if ((unsigned char)peek(w) < ' ')
                        return false;
                if (take(w, '\\')) {
                        if (!walk_escape(w, to))
                                return false;
                } else if (to)
                        put(to, payload_next_character(&w->rest));
                else
                        skip(w, 1);
        }
        return false;
}

/* ---- numbers ---- */

static bool read_integer(PayloadBytes digits, MetricValue *ret) {
        bool negative = digits.data[0] == '-';
        uint64_t u = 0;

        for (size_t i = negative; i < digits.size; i++)
                if (!g_uint64_checked_mul(&u, u, 10) ||
                    !g_uint64_checked_add(&u, u, (uint64_t)g_ascii_digit_value(digits.data[i])))
                        return false;
        if (negative && u - 1 > INT64_MAX) /* also for -0, whose sign only a double keeps */
                return false;
        if (negative)
                *ret = (MetricValue){ .kind = METRIC_INT, .i = -(int64_t)(u - 1) - 1 };
        else if (u <= INT64_MAX)
                *ret = (MetricValue){ .kind = METRIC_INT, .i = (int64_t)u };
        else
                *ret = (MetricValue){ .kind = METRIC_UINT, .u = u };
        return true;
}

static bool read_real(Walk *w, PayloadBytes digits, MetricValue *ret) {
        g_string_truncate(w->digits, 0);
        g_string_append_len(w->digits, digits.data, (gssize)digits.size);
        *ret = (MetricValue){ .kind = METRIC_REAL, .d = g_ascii_strtod(w->digits->str, NULL) };
        return isfinite(ret->d);
}

static void tell_number(Walk *w, PayloadBytes digits, bool integer) {
        MetricValue value;
        bool named = w->name->len <= METRIC_NAME_MAX;
        bool held = (integer && read_integer(digits, &value)) || read_real(w, digits, &value);

        w->seen(w->userdata, w->name->str, named && held ? &value : NULL);
}

static void tell_too_deep(Walk *w) {
        const MetricValue depth = { .kind = METRIC_INT, .i = w->depth };

        if (w->seen && w->depth == METRICS_DEPTH_MAX + 1)
                w->seen(w->userdata, METRIC_TOO_DEEP, &depth);
}

static size_t take_digits(Walk *w) {
        size_t n = 0;

        while (n < w->rest.size && g_ascii_isdigit(w->rest.data[n]))
                n++;
        skip(w, n);
        return n;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool walk_number(Walk *w) {
        const char *from = w->rest.data;
        bool integer = true;

        take(w, '-');
        if (!take(w, '0') && take_digits(w) == 0)
                return false;
        if (take(w, '.')) {
                integer = false;
                if (take_digits(w) == 0)
                        return false;
        }
        if (take(w, 'e') || take(w, 'E')) {
                integer = false;
                if (!take(w, '+'))
                        take(w, '-');
                if (take_digits(w) == 0)
                        return false;
        }
        if (w->seen && w->depth <= METRICS_DEPTH_MAX)
                tell_number(w, (PayloadBytes){ from, (size_t)(w->rest.data - from) }, integer);
        else
                tell_too_deep(w);
        return true;
}

/* ---- structure ---- */

static bool walk_word(Walk *w, const char *word) {
        size_t n = strlen(word);

        if (w->rest.size < n || memcmp(w->rest.data, word, n) != 0)
                return false;
        skip(w, n);
        return true;
}

static bool walk_open(Walk *w, char closer) {
        if (w->depth == JSON_DEPTH_MAX)
                return false;
        tell_too_deep(w);
        w->levels[w->depth++] = (Level){ .closer = closer, .name = w->name->len };
        skip(w, 1);
        return true;
}

/* All of it, or of an object or array no more than its opening bracket. */
static bool walk_value(Walk *w) {
        skip_blanks(w);
        switch (peek(w)) {
        case '{':
                return walk_open(w, '}');
        case '[':
                return walk_open(w, ']');
        case '"':
                return walk_string(w, NULL);
        case 't':
                return walk_word(w, "true");
        case 'f':
                return walk_word(w, "false");
        case 'n':
                return walk_word(w, "null");
        default:
                return walk_number(w);
        }
}

/* The key or index of the element that comes, which is added to the name of what it is in. */
static bool walk_label(Walk *w, Level *in) {
        GString *name = w->seen && w->depth <= METRICS_DEPTH_MAX ? w->name : NULL;
        uint32_t index = in->n++;

        if (name) {
                g_string_truncate(name, in->name);
                if (w->depth > 1)
                        put(name, '.');
                if (in->closer == ']')
                        g_string_append_printf(name, "%u", index);
        }
        return in->closer == ']' || (walk_string(w, name) && take_token(w, ':'));
}

/* In an object or array: its next element, or its end. */
static bool walk_on(Walk *w) {
        Level *in = &w->levels[w->depth - 1];

        if (take_token(w, in->closer)) {
                w->depth--;
                return true;
        }
        return (in->n == 0 || take(w, ',')) && walk_label(w, in) && walk_value(w);
}

bool payload_walk_json(PayloadBytes document, JsonNumberSeen seen, void *userdata) {
        Walk w = { .rest = document, .seen = seen, .userdata = userdata };
        g_autoptr(GString) name = g_string_new(NULL), digits = g_string_new(NULL);
        bool good;

        w.name = name;
        w.digits = digits;
        good = document.size > 0 && walk_value(&w);
        while (good && w.depth > 0)
                good = walk_on(&w);
        skip_blanks(&w);
        return good && w.rest.size == 0;
}

/* ---- where it is ---- */

/* From the first bracket that opens to its closer; the other kind of bracket does not count. */
static bool find_brackets(PayloadBytes text, PayloadBytes *ret) {
        const char *end = text.data + text.size, *from = text.data, *p;
        bool quoted = false;
        size_t depth = 0;
        char closer;

        while (from < end && *from != '{' && *from != '[')
                from++;
        closer = from < end && *from == '{' ? '}' : ']';
        for (p = from; p < end; p++) {
                if (*p == '"')
                        quoted = !quoted;
                else if (quoted)
                        p += *p == '\\';
                else if (*p == *from)
                        depth++;
                else if (*p == closer && --depth == 0) {
                        *ret = (PayloadBytes){ from, (size_t)(p + 1 - from) };
                        return true;
                }
        }
        return false;
}

bool payload_find_json(PayloadBytes text, PayloadBytes *ret_region) {
        PayloadBytes region = trim(text);

        if (region.size == 0)
                return false;
        if (!payload_walk_json(region, NULL, NULL) &&
            !(find_brackets(region, &region) && payload_walk_json(region, NULL, NULL)))
                return false;
        *ret_region = region;
        return true;
}
