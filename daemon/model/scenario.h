/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <hwloc.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "wire/protocol.h"
#include "wire/arena.h"
#include "wire/work-type.h"
#include "payload.h"

/* What exists, as the books have it: cgroups, worker groups and payloads of one scenario, each owned by the
 * step or by the backdrop. The planner reads it, an operation that succeeded writes it. */
typedef enum Slot {
        SLOT_STEP,     /* until the step's end */
        SLOT_BACKDROP, /* until teardown */
} Slot;

const char *slot_name(Slot slot);

typedef struct KnobValue {
        char *file;  /* "cpu.max" */
        char *value; /* as written */
} KnobValue;

typedef struct CgroupState {
        char *name;
        Slot slot;
        bool implicit;         /* made on the way to a nested name; lives as long as something is below it */
        unsigned enabled;      /* Controller bits in its own cgroup.subtree_control */
        hwloc_bitmap_t cpuset; /* as resolved; NULL when inherited */
        GPtrArray *knobs;      /* of KnobValue, in the order of writing */
} CgroupState;

/* The workers of one WorkSpec. */
typedef struct WorkState {
        unsigned index; /* in its definition */
        WorkTypeId work_type;
        unsigned first, n_workers; /* their slots in the group's arena */
        hwloc_bitmap_t cpus;       /* what they may use: affinity, else cpuset, else every CPU */
} WorkState;

/* What was started together and stops together: the workers of one work, each a process; or a pcomm
 * container: one leader, whose threads are the workers of all works of that name. */
typedef struct GroupState {
        uint32_t id; /* never used twice in a scenario's life */
        char *cgroup;
        char *pcomm; /* of a container, else NULL */
        Slot slot;
        GPtrArray *works;   /* of WorkState, in the order of their slots; one, unless it is a container */
        unsigned n_workers; /* of all works */
        unsigned exited;    /* workers that are gone */
        /* Mapped read-only once the group is born; NULL before. */
        const ArenaHead *arena;
        size_t arena_size;
} GroupState;

typedef enum PayloadOrigin {
        PAYLOAD_OF_DEFINITION, /* the definition of its cgroup */
        PAYLOAD_OF_CALL,       /* RunPayload */
} PayloadOrigin;

/* What a payload has printed to one stream. */
typedef struct PayloadCount {
        uint64_t bytes; /* all of it */
        uint64_t kept;  /* the first so many; the rest was dropped */
} PayloadCount;

/* A payload from its start until somebody asked for its result: WaitPayload, KillPayload, or the end of its
 * slot. It may have exited long before. */
typedef struct PayloadState {
        uint32_t id;     /* never used twice in a scenario's life */
        PayloadDef *def; /* its name is the payload's */
        char *cgroup;    /* as it was addressed; "" = none */
        char *directory; /* the cgroup that it lives in: `cgroup`, or one of its own, "@payload-ID" */
        Slot slot;
        PayloadOrigin origin;
        char **args;            /* the call's, behind the definition's */
        int pid;                /* 0: not started yet */
        bool moved;             /* its placement: WorkerPlacement */
        WirePayloadExit *exit;  /* NULL: its leader runs */
        bool timed_out;         /* what ended it was the timeout of a wait */
        PayloadCount output[2]; /* stdout, stderr */
} PayloadState;

typedef struct Scenario {
        char *name;
        uint32_t step_index;   /* of the step that is open; counts from 0 */
        unsigned root_enabled; /* Controller bits in the root's cgroup.subtree_control */
        uint32_t next_group_id;
        GPtrArray *cgroups;       /* of CgroupState, in order of creation: parents before children */
        GPtrArray *groups;        /* of GroupState, in order of creation */
        uint32_t next_payload_id; /* counts from 1 */
        GPtrArray *payloads;      /* of PayloadState, in order of their start */
        bool stalls_decided;      /* whether and how the step that is open is watched */
        unsigned stall_fails;     /* StallClass bits: what fails the step that is open */
        GPtrArray *stalls;        /* of StallRecord, in order of detection */
        GPtrArray *records; /* of PayloadRecord: results that were asked for already, for the slot's report */
} Scenario;

/* A task that stopped making progress during the step that is open. */
typedef struct StallRecord {
        bool fails;    /* the step: its class is one of stall_fails */
        char *failure; /* one line */
        JsonObject *record;
} StallRecord;

/* The result of a payload, kept until its slot's report tells it. */
typedef struct PayloadRecord {
        Slot slot;
        JsonObject *record;
} PayloadRecord;

CgroupState *cgroup_state_new(const char *name, Slot slot, bool implicit);
void cgroup_state_free(CgroupState *c);
void cgroup_state_add_knob(CgroupState *c, const char *file, const char *value);

/* pcomm may be NULL. */
GroupState *group_state_new(uint32_t id, const char *cgroup, const char *pcomm, Slot slot);
/* The next work's workers come after those that are there. */
WorkState *group_state_add_work(GroupState *g, unsigned index, WorkTypeId type);
/* Once the number of the last work's workers is known. */
void group_state_set_workers(GroupState *g, unsigned n_workers);
/* The work of the worker in that slot of the arena; NULL when there is no such slot. */
const WorkState *group_state_find_work(const GroupState *g, uint32_t worker);
void group_state_free(GroupState *g);

Scenario *scenario_new(const char *name);
void scenario_free(Scenario *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupState, cgroup_state_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GroupState, group_state_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scenario, scenario_free)

/* slot, origin and args are the caller's to fill in; takes a reference to def. cgroup may be "". */
PayloadState *payload_state_new(uint32_t id, PayloadDef *def, const char *cgroup);
void payload_state_free(PayloadState *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PayloadState, payload_state_free)
/* It has no cgroup, and so one of its own. */
bool payload_state_is_alone(const PayloadState *p);
/* The program, the definition's arguments, those of the call. g_strfreev() it. */
char **payload_state_argv(const PayloadState *p);
/* "'a'", or "(no cgroup)" for "". g_free() it. */
char *payload_cgroup_text(const char *cgroup);
/* "in cgroup 'a'", or "(no cgroup)" for "". g_free() it. */
char *payload_place_text(const char *cgroup);
/* "the definition of cgroup 'a'", "RunPayload". */
char *payload_origin_text(const PayloadState *p);
PayloadState *scenario_find_payload(const Scenario *s, uint32_t id);
/* The one of that name in that cgroup ("" = none): step first, then backdrop. NULL: none. */
PayloadState *scenario_payload_at(const Scenario *s, const char *name, const char *cgroup);
/* The one that is meant; `verb` is the method's name, for the messages: KT_ERROR_NO_SUCH_PAYLOAD (nearest
 * name, and how to start one) or KT_ERROR_AMBIGUOUS_PAYLOAD (how many, where, and how to say which). */
PayloadState *scenario_address_payload(const Scenario *s, const PayloadAddress *address, const char *verb,
                                       GError **error);
/* Takes both. */
void scenario_add_record(Scenario *s, Slot slot, JsonObject *record);
/* Takes both texts over. */
void scenario_add_stall(Scenario *s, bool fails, char *failure, JsonObject *record);
/* Payloads whose leader runs. */
unsigned scenario_live_payloads(const Scenario *s);

/* Nothing that needs an executor. */
bool scenario_is_empty(const Scenario *s);
CgroupState *scenario_find_cgroup(const Scenario *s, const char *name);
GroupState *scenario_find_group(const Scenario *s, uint32_t id);
/* Workers that have not exited. */
unsigned scenario_live_workers(const Scenario *s);
unsigned scenario_count_workers(const Scenario *s);
unsigned group_live_workers(const GroupState *g);
/* Forgets everything that was there, for a scenario whose executor is gone, and all of its things with it;
 * results that are known already stay until a report tells them. */
void scenario_clear(Scenario *s);
