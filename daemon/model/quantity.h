/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "256M", "1.5G", "4096" as bytes; K M G T are powers of 1024. False when malformed or above 2^64-1. */
bool size_parse(const char *text, uint64_t *ret_bytes);

/* "100ms", "7.5ms", "250us", "10ns", "2s" as nanoseconds; a number without unit counts microseconds. */
bool time_parse(const char *text, uint64_t *ret_ns);

/* "50%" as thousandths of a percent (50000). */
bool percent_parse(const char *text, uint64_t *ret_millis);

/* A plain decimal number. */
bool count_parse(const char *text, uint64_t *ret);

/* A number with a unit as definitions have it: how it is read, and what messages say of it. */
typedef struct Quantity {
        bool (*parse)(const char *text, uint64_t *ret);
        const char *noun;        /* "a size" */
        const char *forms;       /* what one is: "bytes (4096) or text with ..." */
        uint64_t integer_factor; /* an integer counts this many of what `parse` counts */
        bool takes_max;          /* "max" is a value too */
} Quantity;

/* What a malformed text most likely means: "256M" for "256MB", "5ms" for "5 msec". NULL when nothing is near.
 * g_free() it. */
char *quantity_suggest(const char *text, bool (*parse)(const char *text, uint64_t *ret));

/* The shortest text that time_parse() reads as `ns`: "50ms". g_free() it. */
char *time_format(uint64_t ns);
