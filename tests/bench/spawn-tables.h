/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>

#include "measure.h"

enum { COUNTS_MAX = 8, VARIANTS_MAX = 8 };

/* The variants by which the others are judged are known by these. */
typedef enum Role { ROLE_OTHER, ROLE_FLOOR, ROLE_SERVICE, ROLE_OTHER_BUILD, ROLE_NAIVE, ROLE_SCOPE } Role;

typedef struct Variant {
        const char *label;
        Role role;
        int socket;
        unsigned how;         /* of an Order */
        unsigned max_workers; /* those that take very long are kept to few */
        Samples born[COUNTS_MAX], gone[COUNTS_MAX];
} Variant;

/* A call with one worker when there is no executor, and an empty call. */
typedef struct FixedCost {
        Samples ping, cold_add, cold_end;
} FixedCost;

typedef struct Results {
        unsigned counts[COUNTS_MAX], n_counts;
        Variant variants[VARIANTS_MAX];
        unsigned n_variants;
        FixedCost cost;
} Results;

void results_print(const Results *r);
