/* SPDX-License-Identifier: GPL-2.0-only */
#include "measure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "wire/clock.h"

void samples_add(Samples *s, double value) {
        if (s->n < ROUNDS_MAX)
                s->values[s->n++] = value;
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

double samples_median(const Samples *s) {
        double sorted[ROUNDS_MAX];

        if (s->n == 0)
                return NAN;
        memcpy(sorted, s->values, s->n * sizeof(*sorted));
        qsort(sorted, s->n, sizeof(*sorted), by_value);
        return (sorted[(s->n - 1) / 2] + sorted[s->n / 2]) / 2;
}

static double difference(double a, double b) {
        return a - b;
}

static double quotient(double a, double b) {
        return a / b;
}

static double median_of(double (*compare)(double, double), const Samples *a, const Samples *b) {
        Samples pairs = { .n = a->n };

        if (a->n != b->n)
                return NAN;
        for (unsigned i = 0; i < a->n; i++)
                pairs.values[i] = compare(a->values[i], b->values[i]);
        return samples_median(&pairs);
}

double samples_ratio(const Samples *s, const Samples *reference) {
        return median_of(quotient, s, reference);
}

double samples_difference(const Samples *s, const Samples *reference) {
        return median_of(difference, s, reference);
}

/* The one sleep of these programs. It is part of what is measured, no way of waiting for anything. */
void quiet_period(void) {
        struct timespec left = timespec_of_ns((uint64_t)QUIET_MS * NS_PER_MS);

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

void print_machine(void) {
        struct utsname name;
        double load = 0;
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);

        if (uname(&name) < 0 || getloadavg(&load, 1) < 1)
                return;
        printf("\nLinux %s, %ld CPUs, load %.1f%s\n", name.release, cpus, load,
               load > (double)cpus / 2 ? ": others are at work here, see README.md" : "");
}

void table_begin(const char *explanation, const char *label, const char *const *columns, unsigned n) {
        printf("\n%s\n\n%-*s", explanation, LABEL_WIDTH, label);
        for (unsigned i = 0; i < n; i++)
                printf("%*s", CELL_WIDTH, columns[i]);
        putchar('\n');
}

void table_label(const char *label) {
        printf("%-*s", LABEL_WIDTH, label);
}

void cell_text(const char *text) {
        printf("%*s", CELL_WIDTH, text);
}

void cell_duration(double ns) {
        static const struct {
                double ns;
                const char *name;
        } units[] = { { 1, "ns" }, { 1e3, "us" }, { 1e6, "ms" }, { 1e9, "s" } };
        unsigned i = 0;

        if (isnan(ns)) {
                cell_text("-");
                return;
        }
        while (i < 3 && ns >= 10 * units[i + 1].ns)
                i++;
        printf("%*.*f %s", CELL_WIDTH - 1 - (int)strlen(units[i].name), ns < 100 * units[i].ns ? 1 : 0,
               ns / units[i].ns, units[i].name);
}

void cell_ratio(double ratio) {
        if (isnan(ratio))
                cell_text("-");
        else
                printf("%*.*f x", CELL_WIDTH - 2, ratio < 10 ? 2 : ratio < 100 ? 1 : 0, ratio);
}

void table_row_end(void) {
        putchar('\n');
        fflush(stdout);
}

void table_row(const char *label, double ns, double reference) {
        table_label(label);
        cell_duration(ns);
        cell_ratio(ns / reference);
        table_row_end();
}
