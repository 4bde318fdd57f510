/* SPDX-License-Identifier: GPL-2.0-only */
#include "spawn-tables.h"

#include <math.h>
#include <stdio.h>

#include "wire/clock.h"

static const Samples *samples_of(const Variant *v, unsigned i, bool born) {
        return born ? &v->born[i] : &v->gone[i];
}

static const Variant *variant_of(const Results *r, Role role) {
        for (unsigned k = 0; k < r->n_variants; k++)
                if (r->variants[k].role == role)
                        return &r->variants[k];
        return NULL;
}

/* ---- times and ratios ---- */

static void begin(const Results *r, const char *explanation) {
        char texts[COUNTS_MAX][16];
        const char *columns[COUNTS_MAX];

        for (unsigned i = 0; i < r->n_counts; i++) {
                snprintf(texts[i], sizeof(texts[i]), "%u", r->counts[i]);
                columns[i] = texts[i];
        }
        table_begin(explanation, "workers", columns, r->n_counts);
}

static void print_ratios(const Results *r, const Variant *v, const Variant *reference, bool born) {
        for (unsigned i = 0; i < r->n_counts; i++)
                cell_ratio(samples_ratio(samples_of(v, i, born), samples_of(reference, i, born)));
        table_row_end();
}

static void print_half(const Results *r, const char *explanation, bool born) {
        const Variant *floor_variant = variant_of(r, ROLE_FLOOR), *other = variant_of(r, ROLE_OTHER_BUILD);

        begin(r, explanation);
        for (unsigned k = 0; k < r->n_variants; k++) {
                const Variant *v = &r->variants[k];
                table_label(v->label);
                for (unsigned i = 0; i < r->n_counts; i++)
                        cell_duration(samples_median(samples_of(v, i, born)));
                table_row_end();
        }
        puts("as a multiple of the floor");
        for (unsigned k = 0; k < r->n_variants; k++) {
                table_label(r->variants[k].label);
                print_ratios(r, &r->variants[k], floor_variant, born);
        }
        if (other) {
                table_label("the other build, as a multiple of this one");
                print_ratios(r, other, variant_of(r, ROLE_SERVICE), born);
        }
}

static void print_fixed(const FixedCost *cost) {
        static const char *const columns[] = { "median", "ratio" };
        double ping_ns = samples_median(&cost->ping);

        table_begin("A call with one worker when the scenario has no executor; an empty call = 1:", "call",
                    columns, 2);
        table_row("Peer.Ping", ping_ns, ping_ns);
        table_row("AddCgroupDef, the executor is started", samples_median(&cost->cold_add), ping_ns);
        table_row("EndStep, the executor leaves", samples_median(&cost->cold_end), ping_ns);
}

/* ---- what is aimed at ---- */

/* How far `of` may be above `to`, for groups of min_workers to max_workers. */
typedef struct Aim {
        const char *label;
        Role of, to;
        unsigned min_workers, max_workers;
        double at_most, at_least; /* ratio; 0 = no bound */
        double at_most_more_ns;   /* difference; 0 = no bound */
} Aim;

static const Aim aims[] = {
        { "ktsetupd / floor", ROLE_SERVICE, ROLE_FLOOR, 256, ~0U, 1.3, 0, 0 },
        { "ktsetupd - floor", ROLE_SERVICE, ROLE_FLOOR, 1, 1, 0, 0, 2 * NS_PER_MS },
        { "fork, cgroup.procs / ktsetupd", ROLE_NAIVE, ROLE_SERVICE, 8, 8, 0, 5, 0 },
        { "systemd scope / ktsetupd", ROLE_SCOPE, ROLE_SERVICE, 1, ~0U, 0, 8, 0 },
};

static void print_aim(const Aim *aim, const Samples *of, const Samples *to, unsigned workers) {
        double ratio = samples_ratio(of, to), more_ns = samples_difference(of, to);
        bool met = (aim->at_most == 0 || ratio <= aim->at_most) && ratio >= aim->at_least &&
                   (aim->at_most_more_ns == 0 || more_ns <= aim->at_most_more_ns);
        char label[LABEL_WIDTH], bound[32];

        snprintf(label, sizeof(label), "%s, %u worker%s", aim->label, workers, workers == 1 ? "" : "s");
        table_label(label);
        if (aim->at_most_more_ns > 0) {
                cell_duration(more_ns);
                snprintf(bound, sizeof(bound), "<= %.0f ms", aim->at_most_more_ns / NS_PER_MS);
        } else {
                cell_ratio(ratio);
                snprintf(bound, sizeof(bound), aim->at_most > 0 ? "<= %.1f x" : ">= %.1f x",
                         aim->at_most > 0 ? aim->at_most : aim->at_least);
        }
        cell_text(bound);
        cell_text(met ? "yes" : "no");
        table_row_end();
}

static void print_aims(const Results *r) {
        static const char *const columns[] = { "here", "aim", "reached" };

        table_begin("From nothing to all workers let go; aims, which nothing depends on:", "", columns, 3);
        for (const Aim *aim = aims; aim < aims + sizeof(aims) / sizeof(*aims); aim++) {
                const Variant *of = variant_of(r, aim->of), *to = variant_of(r, aim->to);
                for (unsigned i = 0; of && to && i < r->n_counts; i++)
                        if (r->counts[i] >= aim->min_workers && r->counts[i] <= aim->max_workers &&
                            r->counts[i] <= of->max_workers)
                                print_aim(aim, &of->born[i], &to->born[i], r->counts[i]);
        }
}

void results_print(const Results *r) {
        print_half(r, "From nothing to all workers in their cgroup, set up and let go:", true);
        print_half(r, "From the stop to all workers reaped and the cgroup removed (ktsetupd: and reported):",
                   false);
        print_fixed(&r->cost);
        print_aims(r);
        printf("\nMedians of %u rounds; each measurement after %d ms of quiet.\n", r->cost.ping.n, QUIET_MS);
}
