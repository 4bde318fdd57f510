/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Numbers in JSON that nobody vouches for: up to a gigabyte of it, printed by a program under test. json-glib
 * builds a tree (a hundred bytes for each byte of "[[[["), recurses as deep as the text nests and reads what
 * is above INT64_MAX as something else; this reads strictly (RFC 8259), once, in constant room, builds
 * nothing, and keeps integers exact. */

typedef struct PayloadBytes {
        const char *data; /* need not end with NUL, and may have some within */
        size_t size;
} PayloadBytes;

/* A number as it stood there: integers of 64 bits are exact. */
typedef struct MetricValue {
        enum { METRIC_INT, METRIC_UINT, METRIC_REAL } kind; /* METRIC_UINT: above INT64_MAX only */
        union {
                int64_t i;
                uint64_t u;
                double d; /* also for -0, which no integer is */
        };
} MetricValue;

enum {
        METRICS_DEPTH_MAX = 64, /* of a number: that many objects and arrays are around it */
        JSON_DEPTH_MAX = 128,   /* of objects and arrays in each other; more is no JSON here */
        METRIC_NAME_MAX = 1024, /* bytes: thousands of numbers below one long key would fill the memory */
};

/* Stands for everything that is deeper than METRICS_DEPTH_MAX: one for each number, object and array there
 * that is in none of the others. Its value is the depth. */
#define METRIC_TOO_DEEP "__walk_json_leaves_truncated"

/* The first JSON region: all of the trimmed text, or the first '{' or '[' to its closer, which is found by
 * counting this kind of bracket outside of strings. Only a sound document is one. False: none. */
bool payload_find_json(PayloadBytes text, PayloadBytes *ret_region);

/* A number of the document. `name` is the keys and indices on the way to it, joined by '.'; "" for a number
 * that is the whole document. Always text that D-Bus carries: what is not becomes U+FFFD. `value` is NULL for
 * a number that has to be left out, because no double holds it or its name is too long. */
typedef void (*JsonNumberSeen)(void *userdata, const char *name, const MetricValue *value);

/* All numbers in order of the document; false when it is none, be it after some numbers. `seen` may be NULL.
 */
bool payload_walk_json(PayloadBytes document, JsonNumberSeen seen, void *userdata);

/* Without the white space (ASCII) behind it. */
PayloadBytes payload_trim_end(PayloadBytes text);

/* A character of `text` that has some: U+FFFD for a byte that begins none, and for what D-Bus does not carry
 * (NUL, noncharacters). Moves behind it. */
gunichar payload_next_character(PayloadBytes *text);
