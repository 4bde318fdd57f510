/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-text.h"

#include <math.h>
#include <string.h>

#include "common/suggest.h"
#include "topology/spec-text.h"
#include "fields.h"

/* Sign, digits, point, exponent, whatever the locale. strtod() alone would also take blanks, hexadecimal and
 * what is not finite, against which every comparison is false. */
static bool read_number(const char *text, double *ret, GError **error) {
        g_autofree char *shown = NULL;
        char *end;

        *ret = g_ascii_strtod(text, &end);
        if (*text && strspn(text, "+-.0123456789eE") == strlen(text) && !*end && isfinite(*ret))
                return true;
        shown = spec_excerpt(text);
        return field_fail(error, "'%s' is not a finite decimal number", shown);
}

/* METRIC=VALUE at the last '=': the program that prints a metric decides what its name contains, a value has
 * none. NULL: there is none. */
static const char *split_metric(const char *text, char **ret_metric, GError **error) {
        const char *equals = strrchr(text, '=');

        if (!equals) {
                field_fail(error, "there is no '='");
                return NULL;
        }
        *ret_metric = g_strndup(text, equals - text);
        return equals + 1;
}

/* ---- checks ---- */

static bool read_exit_code(const char *argument, PayloadCheck *check, GError **error) {
        g_autofree char *shown = spec_excerpt(argument);

        return g_ascii_string_to_signed(argument, 10, -1, 255, &check->exit_code, NULL) ||
               field_fail(error, "'%s' is no exit status: 0 to 255, or -1 for a death by signal", shown);
}

static bool read_min(const char *argument, PayloadCheck *check, GError **error) {
        const char *value = split_metric(argument, &check->metric, error);

        return value && read_number(value, &check->low, error);
}

static bool read_max(const char *argument, PayloadCheck *check, GError **error) {
        const char *value = split_metric(argument, &check->metric, error);

        return value && read_number(value, &check->high, error);
}

static bool read_range(const char *argument, PayloadCheck *check, GError **error) {
        const char *value = split_metric(argument, &check->metric, error);
        const char *dots = value ? strstr(value, "..") : NULL;
        g_autofree char *low = dots ? g_strndup(value, dots - value) : NULL;

        if (!value)
                return false;
        if (!dots)
                return field_fail(error, "there is no '..' between a low and a high bound");
        if (!read_number(low, &check->low, error) || !read_number(dots + 2, &check->high, error))
                return false;
        return check->low <= check->high ||
               field_fail(error, "the low bound %g is above the high bound %g", check->low, check->high);
}

static bool read_exists(const char *argument, PayloadCheck *check, G_GNUC_UNUSED GError **error) {
        check->metric = g_strdup(argument);
        return true;
}

static const struct CheckForm {
        const char *word, *grammar, *example;
        bool (*read)(const char *argument, PayloadCheck *check, GError **error);
} check_forms[] = {
        [CHECK_EXIT_CODE] = { "exit-code", "exit-code:N", "exit-code:0", read_exit_code },
        [CHECK_MIN] = { "min", "min:METRIC=VALUE", "min:jobs.0.read.iops=1000", read_min },
        [CHECK_MAX] = { "max", "max:METRIC=VALUE", "max:latency_us.p99=250.5", read_max },
        [CHECK_RANGE] = { "range", "range:METRIC=LOW..HIGH", "range:load=0.9..1.1", read_range },
        [CHECK_EXISTS] = { "exists", "exists:METRIC", "exists:jobs.0.read.iops", read_exists },
};

static const char *nth_check(size_t i, G_GNUC_UNUSED const void *context) {
        return check_forms[i].word;
}

static const char *nth_check_grammar(size_t i, G_GNUC_UNUSED const void *context) {
        return check_forms[i].grammar;
}

PayloadCheck *payload_check_parse(const char *text, GError **error) {
        static const SpecWords known = { nth_check, nth_check_grammar, G_N_ELEMENTS(check_forms), NULL };
        const char *argument;
        g_autofree char *word = spec_split(text, &argument);
        g_autoptr(GError) why = NULL;
        PayloadCheck *check;
        size_t kind = 0;

        while (kind < G_N_ELEMENTS(check_forms) && !g_str_equal(check_forms[kind].word, word))
                kind++;
        if (kind == G_N_ELEMENTS(check_forms)) {
                spec_unknown_word(error, "check", text, &known, NULL);
                return NULL;
        }
        check = g_new0(PayloadCheck, 1);
        check->kind = (CheckKind)kind;
        check->text = g_strdup(text);
        if (argument && check_forms[kind].read(argument, check, &why))
                return check;
        payload_check_free(check);
        spec_malformed(error, "check", text, check_forms[kind].grammar, check_forms[kind].example, why);
        return NULL;
}

/* ---- metric hints ---- */

#define HINT_GRAMMAR "METRIC=POLARITY[,UNIT]"
#define HINT_EXAMPLE "jobs.0.read.iops=higher-better,iops"

static const struct Polarity {
        const char *word, *grammar;
} polarities[] = {
        [METRIC_UNKNOWN] = { "unknown", "unknown" },
        [METRIC_HIGHER_BETTER] = { "higher-better", "higher-better" },
        [METRIC_LOWER_BETTER] = { "lower-better", "lower-better" },
        [METRIC_TARGET] = { "target", "target:VALUE" },
        [METRIC_INFORMATIONAL] = { "informational", "informational" },
};

const char *metric_polarity_name(MetricPolarity polarity) {
        return polarities[polarity].word;
}

static const char *nth_polarity(size_t i, G_GNUC_UNUSED const void *context) {
        return polarities[i].word;
}

static const char *nth_polarity_grammar(size_t i, G_GNUC_UNUSED const void *context) {
        return polarities[i].grammar;
}

static bool read_polarity(const char *text, MetricHint *hint, GError **error) {
        static const SpecWords known = { nth_polarity, nth_polarity_grammar, G_N_ELEMENTS(polarities), NULL };
        const char *argument;
        g_autofree char *word = spec_split(text, &argument);
        g_autoptr(GError) why = NULL;
        size_t i = 0;

        while (i < G_N_ELEMENTS(polarities) && !g_str_equal(polarities[i].word, word))
                i++;
        if (i == G_N_ELEMENTS(polarities))
                return spec_unknown_word(error, "polarity", text, &known,
                                         "a polarity is one of unknown, higher-better, lower-better, "
                                         "target:VALUE, informational");
        hint->polarity = (MetricPolarity)i;
        if (i == METRIC_TARGET ? argument && read_number(argument, &hint->target, &why) : !argument)
                return true;
        spec_malformed(error, "polarity", text, polarities[i].grammar,
                       i == METRIC_TARGET ? "target:0.5" : word, why);
        return false;
}

MetricHint *metric_hint_parse(const char *text, GError **error) {
        MetricHint *hint = g_new0(MetricHint, 1);
        g_autoptr(GError) why = NULL;
        const char *value = split_metric(text, &hint->metric, &why);
        const char *comma = value ? strchr(value, ',') : NULL;
        g_autofree char *polarity = comma ? g_strndup(value, comma - value) : g_strdup(value);

        hint->text = g_strdup(text);
        hint->unit = g_strdup(comma ? comma + 1 : "");
        if (value && comma && !hint->unit[0])
                field_fail(&why, "behind the ',' stands no unit");
        if (why)
                spec_malformed(error, "metric", text, HINT_GRAMMAR, HINT_EXAMPLE, why);
        else if (read_polarity(polarity, hint, error))
                return hint;
        metric_hint_free(hint);
        return NULL;
}

/* ---- flags of a call ---- */

/* "x" of "--x" and "--x=v"; NULL: no long flag. */
static char *long_flag(const char *argument) {
        const char *name = g_str_has_prefix(argument, "--") ? argument + 2 : "";
        size_t length = strcspn(name, "=");

        return length > 0 ? g_strndup(name, length) : NULL;
}

static bool unknown_flag(const PayloadDef *def, const char *flag, GError **error) {
        enum { SHOWN_MAX = 1000 /* bytes, more or less */ };
        const char *meant = suggest_from(flag, (const char *const *)def->known_flags);
        g_autofree char *shown = spec_excerpt(flag), *near = meant ? g_strconcat("--", meant, NULL) : NULL;
        g_autofree char *given =
                g_strdup_printf("the payload '%s' is not known to take the flag '--%s'", def->name, shown);
        g_autoptr(GString) rule = g_string_new(def->known_flags[0] ? "its known_flags are "
                                                                   : "its known_flags are an empty list");

        for (size_t i = 0; def->known_flags[i]; i++) {
                g_autofree char *known = spec_excerpt(def->known_flags[i]);
                g_string_append_printf(rule, "%s%s", i > 0 ? ", " : "", known);
                if (rule->len > SHOWN_MAX && def->known_flags[i + 1]) {
                        g_string_append(rule, ", ...");
                        break;
                }
        }
        g_string_append(rule, "; leave the flag out, or add it to them");
        return spec_refuse(error, given, near, rule->str);
}

bool payload_check_flags(const PayloadDef *def, char *const *args, GError **error) {
        g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);

        for (char **flag = def->known_flags; flag && *flag; flag++)
                g_hash_table_add(known, *flag);
        for (; def->known_flags && *args; args++) {
                g_autofree char *flag = long_flag(*args);
                if (flag && !g_hash_table_contains(known, flag))
                        return unknown_flag(def, flag, error);
        }
        return true;
}
