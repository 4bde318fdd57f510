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
        OPTION_STALL_MONITOR,
        OPTION_STALL_POLL_MS,
        OPTION_STALL_WINDOW,
        OPTION_STALL_FAILS,
        OPTION_LIMITS,
        OPTION_REPORT,
        OPTION_SIGNALS,
        OPTION_CGROUP,
        OPTION_NAME,
        OPTION_OUTPUT,
        OPTION_CHECK,
        OPTION_METRIC,
        OPTION_ENVIRONMENT,
        OPTION_WORKING_DIRECTORY,
        OPTION_USER,
        OPTION_PROCESS_GROUP,
        OPTION_WAIT, /* --timeout of what waits for a payload: OPTION_TIMEOUT does not hold there */
        OPTION_KILL,
        OPTION_STDOUT_FILE,
        OPTION_STDERR_FILE,
        OPTION_STDERR,
        OPTION_FOLLOW,
        OPTION_COUNT,
} OptionId;

#define OPTION_BIT(id) (UINT64_C(1) << (id))
_Static_assert(OPTION_COUNT <= 64, "a Verb has one bit for each option");

typedef struct Option {
        const char *name;
        const char *argument; /* placeholder of its value; NULL: takes none */
        const char *help;
} Option;

/* Those of every verb. */
#define GLOBAL_OPTIONS (OPTION_BIT(OPTION_BACKDROP) - 1)
/* Those that may be given more than once, and then all count. */
#define REPEATABLE_OPTIONS                                                                                   \
        (OPTION_BIT(OPTION_STALL_FAILS) | OPTION_BIT(OPTION_CHECK) | OPTION_BIT(OPTION_METRIC) |             \
         OPTION_BIT(OPTION_ENVIRONMENT))

extern const Option options[OPTION_COUNT];

typedef struct Invocation Invocation;

typedef struct Verb {
        const char *name;
        const char *arguments; /* usage, after the name */
        const char *help;      /* one line */
        unsigned min_arguments, max_arguments;
        uint64_t options; /* OPTION_BITs, besides the global ones */
        unsigned takes;   /* VERB_* */
        int (*run)(const Invocation *invocation);
} Verb;

enum {
        VERB_DEFINITION = 1 << 0, /* the options of a definition */
        VERB_COMMAND = 1 << 1,    /* a command, behind a "--" that stands behind min_arguments arguments */
};

/* A command line, taken apart. Text in it belongs to the argv it was made from. */
struct Invocation {
        const Verb *verbs;                /* ends with a row without name */
        const Verb *verb;                 /* NULL: none was given */
        const char *values[OPTION_COUNT]; /* "" for an option without value, NULL when not given */
        GPtrArray *lists[OPTION_COUNT];   /* of a repeatable one all values, of const char *; else NULL */
        uint64_t timeout_us;              /* UINT64_MAX: no end */
        uint64_t signals;                 /* of --count; G_MAXUINT64: no end */
        GPtrArray *arguments;             /* of const char * */
        GPtrArray *command;               /* of const char *; NULL: none was given */
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

/* The global options of a verb: some have one of their own instead. */
uint64_t verb_globals(const Verb *verb);

const Verb *verb_find(const Verb *verbs, const char *name, GError **error);

/* Usage of ktctl, and of one verb. */
void help_print(FILE *out, const Verb *verbs);
void help_print_verb(FILE *out, const Verb *verb);
