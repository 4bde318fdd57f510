/* SPDX-License-Identifier: GPL-2.0-only */
#include "cpuset-spec.h"

#include <math.h>
#include <string.h>

#include "common/error.h"
#include "spec-text.h"

#define GRAMMAR "a cpuset is one of llc:N, numa:N, range:A-B, disjoint:I/N, overlap:I/N@F and cpus:LIST"

/* ---- parsing: an argument to its fields; without an error set, false means that the form is wrong ---- */

static bool parse_index(const char *argument, CpusetSpec *spec, GError **error G_GNUC_UNUSED) {
        return spec_parse_number(argument, strlen(argument), &spec->index);
}

static bool parse_range(const char *argument, CpusetSpec *spec, GError **error G_GNUC_UNUSED) {
        return spec_parse_fraction(&argument, &spec->start) && *argument++ == '-' &&
               spec_parse_fraction(&argument, &spec->end) && !*argument;
}

static bool parse_part(const char *argument, size_t length, CpusetSpec *spec) {
        const char *slash = memchr(argument, '/', length);

        return slash && spec_parse_number(argument, slash - argument, &spec->index) &&
               spec_parse_number(slash + 1, argument + length - slash - 1, &spec->of);
}

static bool parse_disjoint(const char *argument, CpusetSpec *spec, GError **error G_GNUC_UNUSED) {
        return parse_part(argument, strlen(argument), spec);
}

static bool parse_overlap(const char *argument, CpusetSpec *spec, GError **error G_GNUC_UNUSED) {
        const char *at = strchr(argument, '@');

        if (!at || !parse_part(argument, at - argument, spec))
                return false;
        at++;
        return spec_parse_fraction(&at, &spec->fraction) && !*at;
}

static bool parse_cpus(const char *argument, CpusetSpec *spec, GError **error) {
        spec->cpus = bitmap_new();
        return cpulist_parse(argument, spec->cpus, error);
}

/* ---- formatting the argument ---- */

static char *format_index(const CpusetSpec *spec) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, spec->index);
}

static char *format_range(const CpusetSpec *spec) {
        g_autofree char *start = spec_format_fraction(spec->start), *end = spec_format_fraction(spec->end);
        return g_strconcat(start, "-", end, NULL);
}

static char *format_disjoint(const CpusetSpec *spec) {
        return g_strdup_printf("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, spec->index, spec->of);
}

static char *format_overlap(const CpusetSpec *spec) {
        g_autofree char *part = format_disjoint(spec), *fraction = spec_format_fraction(spec->fraction);
        return g_strconcat(part, "@", fraction, NULL);
}

static char *format_cpus(const CpusetSpec *spec) {
        return cpulist_format(spec->cpus);
}

/* ---- resolution ---- */

/* Adds the usable CPUs number `start` up to, but not including, number `end`. */
static void add_usable(const Topology *t, guint64 start, guint64 end, hwloc_bitmap_t set) {
        guint64 i = 0;
        int cpu;

        hwloc_bitmap_foreach_begin(cpu, t->usable) {
                if (i >= start && i < end)
                        hwloc_bitmap_set(set, cpu);
                i++;
        }
        hwloc_bitmap_foreach_end();
}

static void resolve_llc(const CpusetSpec *spec, const Topology *t, hwloc_bitmap_t set) {
        hwloc_bitmap_copy(set, t->llcs[MIN(spec->index, t->n_llcs - 1)].cpus);
}

static void resolve_numa(const CpusetSpec *spec, const Topology *t, hwloc_bitmap_t set) {
        const NumaNode *node = topology_node(t, spec->index);
        hwloc_bitmap_copy(set, (node ?: &t->nodes[t->n_nodes - 1])->cpus);
}

static double finite_within(double fraction) {
        return isfinite(fraction) ? CLAMP(fraction, 0, 1) : 0;
}

static void resolve_range(const CpusetSpec *spec, const Topology *t, hwloc_bitmap_t set) {
        double n = bitmap_size(t->usable);

        add_usable(t, n * finite_within(spec->start), n * finite_within(spec->end), set);
}

static void resolve_disjoint(const CpusetSpec *spec, const Topology *t, hwloc_bitmap_t set) {
        guint64 n = bitmap_size(t->usable), chunk;

        if (spec->index >= spec->of) /* so too when there are 0 parts */
                return;
        chunk = n / spec->of;
        add_usable(t, spec->index * chunk, spec->index == spec->of - 1 ? n : (spec->index + 1) * chunk, set);
}

static void resolve_overlap(const CpusetSpec *spec, const Topology *t, hwloc_bitmap_t set) {
        guint64 n = bitmap_size(t->usable), chunk, wing, start, end;

        if (spec->of == 0)
                return;
        chunk = n / spec->of;
        wing = chunk * finite_within(spec->fraction);
        if (spec->index == spec->of - 1) {
                end = n;
        } else if (spec->index > n) { /* beyond the parts and the CPUs; keeps the products small */
                return;
        } else {
                end = MIN((spec->index + 1) * chunk + wing, n);
        }
        start = spec->index * chunk;
        add_usable(t, start > wing ? start - wing : 0, end, set);
}

static void resolve_cpus(const CpusetSpec *spec, const Topology *t G_GNUC_UNUSED, hwloc_bitmap_t set) {
        hwloc_bitmap_copy(set, spec->cpus);
}

/* ---- validation ---- */

static bool refuse(const CpusetSpec *spec, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool refuse(const CpusetSpec *spec, GError **error, const char *format, ...) {
        g_autofree char *text = cpuset_spec_format(spec), *shown = spec_excerpt(text), *reason = NULL;
        va_list args;

        va_start(args, format);
        reason = g_strdup_vprintf(format, args);
        va_end(args);
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "cpuset '%s' is not valid: %s", shown,
                    reason);
        return false;
}

static bool validate_llc(const CpusetSpec *spec, const Topology *t, GError **error) {
        if (topology_llc(t, spec->index))
                return true;
        return refuse(spec, error,
                      "LLC %" G_GUINT64_FORMAT
                      " is out of range; the number of LLCs here is %u; use llc:0 to llc:%u",
                      spec->index, t->n_llcs, t->n_llcs - 1);
}

static bool validate_numa(const CpusetSpec *spec, const Topology *t, GError **error) {
        g_autofree char *known = cpulist_format(t->node_ids);

        if (topology_node(t, spec->index))
                return true;
        return refuse(spec, error,
                      "NUMA node %" G_GUINT64_FORMAT
                      " is out of range; the number of nodes here is %u; use one of %s",
                      spec->index, t->n_nodes, known);
}

static bool validate_partition(const CpusetSpec *spec, GError **error) {
        if (spec->of == 0)
                return refuse(spec, error,
                              "the partition count is 0; it must be > 0; I/N is part I of N, as in 0/2");
        if (spec->index >= spec->of)
                return refuse(spec, error,
                              "index %" G_GUINT64_FORMAT " is >= partition count %" G_GUINT64_FORMAT
                              "; parts count from 0 to %" G_GUINT64_FORMAT,
                              spec->index, spec->of, spec->of - 1);
        return true;
}

static bool validate_enough(const CpusetSpec *spec, const Topology *t, GError **error) {
        unsigned n = bitmap_size(t->usable);

        if (n >= spec->of)
                return true;
        return refuse(spec, error,
                      "not enough usable CPUs: %u for %" G_GUINT64_FORMAT
                      " partitions; use at most %u, or name the CPUs with cpus:LIST",
                      n, spec->of, n);
}

static bool validate_range(const CpusetSpec *spec, const Topology *t G_GNUC_UNUSED, GError **error) {
        g_autofree char *start = spec_format_fraction(spec->start), *end = spec_format_fraction(spec->end);

        if (!isfinite(spec->start) || !isfinite(spec->end))
                return refuse(spec, error,
                              "start %s or end %s is not finite; both are fractions within [0.0, 1.0]", start,
                              end);
        if (spec->start < 0 || spec->end > 1)
                return refuse(
                        spec, error,
                        "start %s or end %s lies outside [0.0, 1.0]; both are fractions of the usable CPUs",
                        start, end);
        if (spec->start >= spec->end)
                return refuse(spec, error, "start %s is not below end %s; give the lower fraction first",
                              start, end);
        return true;
}

static bool validate_disjoint(const CpusetSpec *spec, const Topology *t, GError **error) {
        return validate_partition(spec, error) && validate_enough(spec, t, error);
}

static bool validate_overlap(const CpusetSpec *spec, const Topology *t, GError **error) {
        g_autofree char *fraction = spec_format_fraction(spec->fraction);

        if (!validate_partition(spec, error))
                return false;
        if (!isfinite(spec->fraction))
                return refuse(spec, error, "the overlap fraction %s is not finite; it lies within [0.0, 1.0]",
                              fraction);
        if (spec->fraction < 0 || spec->fraction > 1)
                return refuse(
                        spec, error,
                        "the overlap fraction %s lies outside [0.0, 1.0]; 0.5 shares half of a part with "
                        "each neighbour",
                        fraction);
        return validate_enough(spec, t, error);
}

static bool validate_cpus(const CpusetSpec *spec, const Topology *t, GError **error) {
        g_auto(hwloc_bitmap_t) missing = bitmap_new();
        g_autofree char *text = NULL, *known = cpulist_format(t->cpus);

        if (hwloc_bitmap_iszero(spec->cpus)) {
                g_set_error(
                        error, KT_ERROR, KT_ERROR_EMPTY_CPUSET,
                        "cpuset 'cpus:' is not valid: the exact set is empty; name at least one CPU, as in "
                        "cpus:0-3");
                return false;
        }
        hwloc_bitmap_andnot(missing, spec->cpus, t->cpus);
        if (hwloc_bitmap_iszero(missing))
                return true;
        text = cpulist_excerpt(missing);
        return refuse(spec, error,
                      "CPUs %s are not in the physical CPU set of this machine; its highest CPU is %d; use "
                      "CPUs of %s",
                      text, hwloc_bitmap_last(t->cpus), known);
}

/* ---- the forms ---- */

static const struct {
        const char *word, *form, *grammar, *example;
        bool (*parse)(const char *argument, CpusetSpec *spec, GError **error);
        char *(*format)(const CpusetSpec *spec);
        void (*resolve)(const CpusetSpec *spec, const Topology *t, hwloc_bitmap_t set);
        bool (*validate)(const CpusetSpec *spec, const Topology *t, GError **error);
} FORMS[] = {
        [CPUSET_LLC] = { "llc", "llc:N", "llc:N", "llc:0", parse_index, format_index, resolve_llc,
                         validate_llc },
        [CPUSET_NUMA] = { "numa", "numa:N", "numa:N", "numa:0", parse_index, format_index, resolve_numa,
                          validate_numa },
        [CPUSET_RANGE] = { "range", "range:A-B", "range:A-B with plain decimal fractions", "range:0-0.5",
                           parse_range, format_range, resolve_range, validate_range },
        [CPUSET_DISJOINT] = { "disjoint", "disjoint:I/N", "disjoint:I/N", "disjoint:0/2", parse_disjoint,
                              format_disjoint, resolve_disjoint, validate_disjoint },
        [CPUSET_OVERLAP] = { "overlap", "overlap:I/N@F", "overlap:I/N@F with a plain decimal fraction",
                             "overlap:0/2@0.5", parse_overlap, format_overlap, resolve_overlap,
                             validate_overlap },
        [CPUSET_CPUS] = { "cpus", "cpus:LIST", "cpus:LIST", "cpus:0-3,5", parse_cpus, format_cpus,
                          resolve_cpus, validate_cpus },
};

static const char *nth_word(size_t i, const void *context G_GNUC_UNUSED) {
        return FORMS[i].word;
}

static const char *nth_form(size_t i, const void *context G_GNUC_UNUSED) {
        return FORMS[i].form;
}

static const SpecWords WORDS = { nth_word, nth_form, G_N_ELEMENTS(FORMS), NULL };

static bool find_form(const char *word, CpusetKind *ret) {
        for (size_t i = 0; i < G_N_ELEMENTS(FORMS); i++)
                if (strcmp(word, FORMS[i].word) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

/* A bare list is the likeliest mistake of all. */
static void unknown_form(const char *text, GError **error) {
        g_auto(hwloc_bitmap_t) list = bitmap_new();

        if (cpulist_parse(text, list, NULL) && !hwloc_bitmap_iszero(list)) {
                g_autofree char *shown = spec_excerpt(text);
                g_autofree char *given = g_strdup_printf("cpuset '%s' is a bare CPU list", shown);
                g_autofree char *meant = g_strconcat("cpus:", shown, NULL);
                spec_refuse(error, given, meant, GRAMMAR);
                return;
        }
        spec_unknown_word(error, "cpuset", text, &WORDS, GRAMMAR);
}

CpusetSpec *cpuset_spec_parse(const char *text, GError **error) {
        g_autoptr(CpusetSpec) spec = g_new0(CpusetSpec, 1);
        g_autoptr(GError) detail = NULL;
        const char *argument;
        g_autofree char *word = spec_split(text, &argument);

        if (!find_form(word, &spec->kind)) {
                unknown_form(text, error);
                return NULL;
        }
        if (!argument || !FORMS[spec->kind].parse(argument, spec, &detail)) {
                spec_malformed(error, "cpuset", text, FORMS[spec->kind].grammar, FORMS[spec->kind].example,
                               detail);
                return NULL;
        }
        return g_steal_pointer(&spec);
}

void cpuset_spec_free(CpusetSpec *spec) {
        if (!spec)
                return;
        hwloc_bitmap_free(spec->cpus);
        g_free(spec);
}

char *cpuset_spec_format(const CpusetSpec *spec) {
        g_autofree char *argument = FORMS[spec->kind].format(spec);
        return g_strconcat(FORMS[spec->kind].word, ":", argument, NULL);
}

hwloc_bitmap_t cpuset_spec_resolve(const CpusetSpec *spec, const Topology *t) {
        hwloc_bitmap_t set = bitmap_new();

        FORMS[spec->kind].resolve(spec, t, set);
        return set;
}

unsigned cpuset_spec_count(const CpusetSpec *spec, const Topology *t) {
        g_auto(hwloc_bitmap_t) set = cpuset_spec_resolve(spec, t);
        return bitmap_size(set);
}

bool cpuset_spec_validate(const CpusetSpec *spec, const Topology *t, GError **error) {
        return FORMS[spec->kind].validate(spec, t, error);
}
