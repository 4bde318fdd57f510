/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Colour marks what went wrong, and nothing else. Sequences of ECMA-48; libsmartcols takes them as they are.
 */
#define COLOUR_BAD  "\033[31m"
#define COLOUR_NONE "\033[0m"

/* On a terminal that knows sequences, for a user who did not say otherwise (https://no-color.org). */
bool colour_wanted(FILE *out);
