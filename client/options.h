/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "definition.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Options whose names are ours; those of a definition come out of the vocabulary. */
typedef enum OptionId {
        OPTION_SYSTEM,
        OPTION_SESSION,
        OPTION_ADDRESS,
        OPTION_SCENARIO,
        OPTION_JSON,
        OPTION_TIMEOUT,
        OPTION_NO_LEGEND,
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_BACKDROP,
        OPTION_DRY_RUN,
        OPTION_WORKERS_PER_CGROUP,
        OPTION_WORK_TYPE_OVERRIDE,
        OPTION_LIMITS,
        OPTION_REPORT,
        OPTION_SIGNALS,
        OPTION_COUNT,
} OptionId;

#define OPTION_BIT(id) (1u << (id))

typedef struct Option {
        const char *name;
        const char *argument; /* placeholder of its value; NULL: takes none */
        const char *help;
} Option;

/* Those of every verb. */
#define GLOBAL_OPTIONS (OPTION_BIT(OPTION_BACKDROP) - 1)

extern const Option options[OPTION_COUNT];

typedef struct Invocation Invocation;

typedef struct Verb {
        const char *name;
        const char *arguments; /* usage, after the name */
        const char *help;      /* one line */
        unsigned min_arguments, max_arguments;
        unsigned options; /* OPTION_BITs, besides the global ones */
        bool definition;  /* takes the options of a definition */
        int (*run)(const Invocation *invocation);
} Verb;

/* A command line, taken apart. Text in it belongs to the argv it was made from. */
struct Invocation {
        const Verb *verbs;                /* ends with a row without name */
        const Verb *verb;                 /* NULL: none was given */
        const char *values[OPTION_COUNT]; /* "" for an option without value, NULL when not given */
        uint64_t timeout_us;
        uint64_t signals;     /* of --count; G_MAXUINT64: no end */
        GPtrArray *arguments; /* of const char * */
        Definition *definition;
};

/* NULL with a G_OPTION_ERROR for a wrong command line. */
Invocation *invocation_parse(const Verb *verbs, char *const *argv, GError **error);
void invocation_free(Invocation *invocation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Invocation, invocation_free)

bool invocation_has(const Invocation *invocation, OptionId id);
const char *invocation_scenario(const Invocation *invocation);

/* Options of the calls that make cgroups, as they go to the daemon. */
JsonObject *invocation_setup_options(const Invocation *invocation);

const Verb *verb_find(const Verb *verbs, const char *name, GError **error);

/* Usage of ktctl, and of one verb. */
void help_print(FILE *out, const Verb *verbs);
void help_print_verb(FILE *out, const Verb *verb);
