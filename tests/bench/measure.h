/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Samples of one variant. Variants are measured in turn, round after round, so that whatever else the machine
 * does hits all of them; what is told is the median, and its ratio to that of another variant. */
enum { ROUNDS_MAX = 64 };

typedef struct Samples {
        double values[ROUNDS_MAX];
        unsigned n;
} Samples;

void samples_add(Samples *s, double value);
/* NAN when there are none. */
double samples_median(const Samples *s);
/* The median of what the rounds say one by one: a machine that turns slow halfway hits both sides of each.
 * NAN when one of the two was not measured in every round of the other. */
double samples_ratio(const Samples *s, const Samples *reference);
double samples_difference(const Samples *s, const Samples *reference);

/* RCU is at rest again after that: what waits for a grace period pays for it, as it would in a program that
 * does not do the same thing all the time. */
enum { QUIET_MS = 30 };
void quiet_period(void);

/* ---- tables ---- */

enum { LABEL_WIDTH = 48, CELL_WIDTH = 11 };

/* The kernel, the CPUs, and how busy the machine is with other things. */
void print_machine(void);

void table_begin(const char *explanation, const char *label, const char *const *columns, unsigned n);
void table_label(const char *label);
void cell_text(const char *text);
void cell_duration(double ns);
void cell_ratio(double ratio);
void table_row_end(void);
/* A row of one duration and one ratio. */
void table_row(const char *label, double ns, double reference);
