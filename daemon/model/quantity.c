/* SPDX-License-Identifier: GPL-2.0-only */
#include "quantity.h"

#include <glib.h>
#include <string.h>

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

/* Exact decimal arithmetic: "7.5ms" must be 7500000 ns, not what a double makes of it. Digits that the unit
 * cannot hold are cut off. */
static bool scale(const char *text, const Unit *units, uint64_t *ret) {
        unsigned __int128 value = 0, fraction = 0, denominator = 1;
        const char *p = text;
        const Unit *u = units;

        if (!g_ascii_isdigit(*p))
                return false;
        for (; g_ascii_isdigit(*p); p++) {
                value = value * 10 + (unsigned)(*p - '0');
                if (value > UINT64_MAX)
                        return false;
        }
        if (*p == '.') {
                if (!g_ascii_isdigit(*++p))
                        return false;
                for (; g_ascii_isdigit(*p); p++)
                        if (denominator < 1000000000000) { /* finer than any unit here needs */
                                fraction = fraction * 10 + (unsigned)(*p - '0');
                                denominator *= 10;
                        }
        }
        while (u->name && strcmp(u->name, p) != 0)
                u++;
        if (!u->name)
                return false;
        value = value * u->factor + fraction * u->factor / denominator;
        if (value > UINT64_MAX)
                return false;
        *ret = (uint64_t)value;
        return true;
}

bool size_parse(const char *text, uint64_t *ret_bytes) {
        static const Unit units[] = { { "", 1 },           { "K", 1ULL << 10 }, { "M", 1ULL << 20 },
                                      { "G", 1ULL << 30 }, { "T", 1ULL << 40 }, { NULL, 0 } };
        return scale(text, units, ret_bytes);
}

bool time_parse(const char *text, uint64_t *ret_ns) {
        static const Unit units[] = { { "", 1000 },      { "ns", 1 },         { "us", 1000 },
                                      { "ms", 1000000 }, { "s", 1000000000 }, { NULL, 0 } };
        return scale(text, units, ret_ns);
}

bool percent_parse(const char *text, uint64_t *ret_millis) {
        static const Unit units[] = { { "%", 1000 }, { NULL, 0 } };
        return scale(text, units, ret_millis);
}

bool count_parse(const char *text, uint64_t *ret) {
        return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret, NULL);
}

/* Other spellings of the units, in lower case. One unit may stand for two: the parser takes the one it knows.
 */
static const struct {
        const char *spelling, *unit;
} spellings[] = {
        { "", "" },        { "b", "" },        { "byte", "" },        { "bytes", "" },       { "k", "K" },
        { "kb", "K" },     { "kib", "K" },     { "m", "M" },          { "mb", "M" },         { "mib", "M" },
        { "g", "G" },      { "gb", "G" },      { "gib", "G" },        { "t", "T" },          { "tb", "T" },
        { "tib", "T" },    { "ns", "ns" },     { "nsec", "ns" },      { "nsecs", "ns" },     { "us", "us" },
        { "usec", "us" },  { "usecs", "us" },  { "\302\265s", "us" }, { "\316\274s", "us" }, { "ms", "ms" },
        { "msec", "ms" },  { "msecs", "ms" },  { "s", "s" },          { "sec", "s" },        { "secs", "s" },
        { "second", "s" }, { "seconds", "s" }, { "%", "%" },          { "percent", "%" },
};

char *quantity_suggest(const char *text, bool (*parse)(const char *text, uint64_t *ret)) {
        g_autofree char *lower = g_ascii_strdown(text, -1);
        char *word = g_strstrip(lower);
        size_t digits = strspn(word, "0123456789.");
        g_autofree char *number = g_strndup(word, digits), *unit = g_strdup(g_strchug(word + digits));
        uint64_t ignored;

        for (size_t i = 0; i < G_N_ELEMENTS(spellings); i++) {
                g_autofree char *candidate = g_strconcat(number, spellings[i].unit, NULL);
                if (strcmp(unit, spellings[i].spelling) == 0 && parse(candidate, &ignored))
                        return g_steal_pointer(&candidate);
        }
        return NULL;
}

char *time_format(uint64_t ns) {
        static const Unit units[] = { { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
        const Unit *u = units;

        while (ns % u->factor != 0)
                u++;
        return g_strdup_printf("%" G_GUINT64_FORMAT "%s", ns / u->factor, u->name);
}
