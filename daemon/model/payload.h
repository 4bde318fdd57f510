/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A program that runs beside the workers: its definition, as decoded. Plain values, counted references: a
 * definition that files gave up on reload lives on in what runs. */

typedef enum PayloadOutput {
        PAYLOAD_OUTPUT_EXIT_CODE, /* "exit-code": nothing is read out of what it prints */
        PAYLOAD_OUTPUT_JSON,      /* "json": metrics, the numbers of the first JSON region */
} PayloadOutput;

typedef enum MetricPolarity {
        METRIC_UNKNOWN, /* "unknown" */
        METRIC_HIGHER_BETTER,
        METRIC_LOWER_BETTER,
        METRIC_TARGET, /* "target:VALUE" */
        METRIC_INFORMATIONAL,
} MetricPolarity;

/* Text form: METRIC=POLARITY[,UNIT], split at the last '='. */
typedef struct MetricHint {
        char *metric;
        MetricPolarity polarity;
        double target; /* METRIC_TARGET; finite */
        char *unit;    /* "" = none */
        char *text;    /* as given */
} MetricHint;

typedef enum CheckKind {
        CHECK_EXIT_CODE, /* "exit-code:N"; -1 is a death by signal */
        CHECK_MIN,       /* "min:METRIC=VALUE", split at the last '=' */
        CHECK_MAX,       /* "max:METRIC=VALUE" */
        CHECK_RANGE,     /* "range:METRIC=LOW..HIGH", both included */
        CHECK_EXISTS,    /* "exists:METRIC" */
} CheckKind;

typedef struct PayloadCheck {
        CheckKind kind;
        char *text; /* as given, for messages */
        char *metric;
        int64_t exit_code;
        double low, high; /* CHECK_MIN: low; CHECK_MAX: high; CHECK_RANGE: low <= high */
} PayloadCheck;

typedef struct PayloadDef {
        gatomicrefcount refs;
        char *name;
        char *exec;  /* a full path, or a name to be looked up in PATH */
        char **args; /* put before those of the call; never NULL */
        PayloadOutput output;
        char **known_flags;        /* long flags without dashes that a call may add; NULL: any */
        GPtrArray *checks;         /* of PayloadCheck */
        GPtrArray *metrics;        /* of MetricHint */
        bool parent_process_group; /* "process_group": "parent"; else it leads one of its own */
        char *working_directory;   /* full path; "/" when not given */
        char **environment;        /* KEY=VALUE, added to what the executor has; never NULL */
        char *user;                /* a name or number; NULL: as the executor */
} PayloadDef;

PayloadDef *payload_def_new(const char *name, const char *exec);
PayloadDef *payload_def_ref(PayloadDef *def);
void payload_def_unref(PayloadDef *def);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PayloadDef, payload_def_unref)

void payload_check_free(PayloadCheck *check);
void metric_hint_free(MetricHint *hint);

/* ---- what is asked for ---- */

/* A payload in a call or a definition: by name from the files, or inline. */
typedef struct PayloadChoice {
        char *name;      /* of a file's definition; NULL when inline */
        PayloadDef *def; /* inline; NULL when by name */
} PayloadChoice;
void payload_choice_free(PayloadChoice *choice);

/* RunPayload: {"payload": "NAME" or {...}, "args": [...], "cgroup": "NAME"} */
typedef struct PayloadRequest {
        PayloadChoice *choice;
        char **args;  /* after the definition's; never NULL */
        char *cgroup; /* NULL: none, it gets one of its own */
} PayloadRequest;
void payload_request_free(PayloadRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PayloadRequest, payload_request_free)

/* Which one WaitPayload, KillPayload and GetPayloadOutput mean. */
typedef struct PayloadAddress {
        char *name;
        char *cgroup; /* NULL: the only one of that name; "": the one without a cgroup */
} PayloadAddress;
void payload_address_clear(PayloadAddress *address);

/* ---- what the files define ---- */

typedef struct PayloadFile {
        char *path;
        char *name;      /* as defined, or else the file's name without its suffix */
        PayloadDef *def; /* NULL: broken */
        char *error;     /* why; NULL when it is sound */
} PayloadFile;

/* A set is never changed once it is made: a reload makes another. */
typedef struct PayloadSet {
        GPtrArray *files; /* of PayloadFile, in order of their names */
} PayloadSet;

PayloadSet *payload_set_new(void);
void payload_set_free(PayloadSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PayloadSet, payload_set_free)
/* Takes def, which may be NULL with an error. A name that the set has already makes this file a broken one.
 */
void payload_set_add(PayloadSet *set, const char *path, const char *name, PayloadDef *def, const char *error);
/* Borrowed. KT_ERROR_NO_SUCH_PAYLOAD with the nearest name, or what is wrong with the file that defines it.
 */
PayloadDef *payload_set_find(const PayloadSet *set, const char *name, GError **error);

/* ---- the user it runs as ---- */

typedef struct UserIds {
        uid_t uid;
        gid_t gid;
        GArray *groups; /* of gid_t: supplementary ones */
} UserIds;
/* Looks a user up by name or number. KT_ERROR_INVALID_DEFINITION when there is none. */
typedef bool (*UserFinder)(const char *user, UserIds *ret, GError **error);
void user_ids_clear(UserIds *ids);
