/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The catalogue of work types: names, parameters, defaults and what each type measures. It is plain data,
 * read by the decoder, the planner and the report; the loops themselves are in work-*.c and run only in a
 * worker. To add a type: a value here, a row in work-type.c, a loop, a line in work_loops[]
 * (CONTRIBUTING.md). */
typedef enum WorkTypeId {
        WORK_SPIN_WAIT,
        WORK_YIELD_HEAVY,
        WORK_MIXED,
        WORK_BURSTY,
        WORK_PIPE_IO,
        WORK_FUTEX_PING_PONG,
        WORK_IDLE_CHURN,
        WORK_TYPE_COUNT,
} WorkTypeId;

/* Histograms a worker keeps. */
typedef enum WorkSample {
        SAMPLE_WAKE_LATENCY = 1 << 0,
} WorkSample;

typedef enum WorkParamKind {
        PARAM_COUNT,    /* a plain number */
        PARAM_DURATION, /* nanoseconds here; text with a unit or microseconds in a definition */
        PARAM_BOOLEAN,
} WorkParamKind;

enum { WORK_PARAMS_MAX = 8 };

typedef struct WorkParam {
        const char *key;
        WorkParamKind kind;
        uint64_t fallback, min, max;
        const char *rule; /* why the range is what it is, and what to use instead; or NULL */
} WorkParam;

/* What the members of a communication group share, besides their fate. */
typedef enum WorkLink {
        LINK_NONE,
        LINK_REGION, /* `region_size` bytes of zero-filled shared memory */
        LINK_PIPES,  /* a ring of pipes: member p writes to p + 1 and reads from p - 1 */
} WorkLink;

typedef struct WorkType {
        const char *name;
        const char *summary;
        unsigned
                group_size; /* workers come in communication groups of this many; 1 = they are on their own */
        WorkLink link;
        unsigned region_size; /* bytes, LINK_REGION */
        unsigned samples;     /* WorkSample bits */
        unsigned n_params;
        WorkParam params[WORK_PARAMS_MAX];
} WorkType;

const WorkType *work_type_get(WorkTypeId id);
/* Exact, case-sensitive lookup; false when there is no such type. */
bool work_type_find(const char *name, WorkTypeId *ret);
