/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "wire/protocol.h"
#include "model/controllers.h"
#include "model/definition.h"
#include "model/scenario.h"
#include "topology/topology.h"

/* A plan is everything a call will do, decided before anything is touched: pure values from definitions,
 * topology and books. It is shown (dry_run), sent to the executor, and entered in the books when it
 * succeeded. */

typedef struct PlanLimits {
        unsigned max_cgroups;
        unsigned max_workers;
        unsigned max_payloads;
} PlanLimits;

typedef struct PlanContext {
        const Topology *topology;
        const Scenario *scenario;
        const char *root;     /* absolute directory of the scenario's cgroups, for messages and dry runs */
        unsigned controllers; /* Controller bits that can be had at the root */
        const char *controllers_file; /* where that stands */
        PlanLimits limits;
        unsigned workers_per_cgroup;
        const WorkType *work_type_override; /* for works of swappable definitions whose count it divides;
                                               NULL: none */
        unsigned stop_ms, settle_ms;
        guint32 seed;               /* for affinities drawn by lot */
        const PayloadSet *payloads; /* what the files define */
        UserFinder find_user;
} PlanContext;

/* What the executor is told of one WorkState. */
typedef struct PlanWork {
        WireGroupSpec spec; /* its offsets are filled in when encoded */
        GArray *masks;      /* of guint64 */
        GArray *nodes;      /* of unsigned long */
} PlanWork;

typedef struct PlanGroup {
        GroupState *state; /* enters the books */
        GPtrArray *works;  /* of PlanWork, as state->works */
} PlanGroup;

/* What is needed to start one; its texts are filled in when encoded. */
typedef struct PlanPayload {
        PayloadState *state; /* enters the books */
        UserIds ids;
        char *cookie; /* KTSETUP_PAYLOAD_ID=SCENARIO-ID */
} PlanPayload;

typedef struct PlanAction {
        ActionKind kind;
        unsigned flags;   /* ActionFlag */
        char *cgroup;     /* name below the scenario, "" for its root */
        const char *file; /* ACTION_WRITE: the knob */
        char *value;
        PlanGroup *group;     /* ACTION_SPAWN; borrowed from the plan */
        uint32_t group_id;    /* the others that speak of a group */
        uint32_t phase;       /* ACTION_PHASE */
        PlanPayload *payload; /* ACTION_PAYLOAD; borrowed from the plan */
        uint32_t payload_id;  /* ACTION_END_PAYLOAD */
        char *payload_name;   /* of these two, for dry runs and messages */
        int def;              /* index of the definition it serves, -1 for none */
        char *origin;         /* place in the definition, "cgroups[1].cpu.weight"; of a spawn, the list of
                                 works, "cgroups[1].works"; in RunPayload's request, "payload"; or NULL */
} PlanAction;

/* More controllers for the children of a cgroup that exists already ("" = the root). */
typedef struct PlanEnable {
        char *cgroup;
        unsigned controllers;
} PlanEnable;

typedef struct Plan {
        GPtrArray *actions;  /* of PlanAction */
        GPtrArray *cgroups;  /* of CgroupState that come into being */
        GPtrArray *groups;   /* of PlanGroup */
        GPtrArray *enables;  /* of PlanEnable */
        GPtrArray *removals; /* names of cgroups that go, in order */
        GPtrArray *payloads; /* of PlanPayload */
        GArray *endings;     /* of uint32_t: ids of payloads that end, in order */
        guint64 n_workers;   /* set-up: in the books and in `groups` */
        unsigned n_nodes;    /* highest NUMA node + 1 */
        unsigned stop_ms, settle_ms;
} Plan;

void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

/* All of `defs` (CgroupDef) into `slot`, or an error and nothing. */
Plan *plan_setup(const PlanContext *context, const GPtrArray *defs, Slot slot, GError **error);

/* One more payload. Refuses in this order: the flags of the call, a cgroup that is not there or cannot hold
 * it, a payload of that name in that cgroup, one too many, a user that is not there. */
Plan *plan_run_payload(const PlanContext *context, const PayloadRequest *request, Slot slot, GError **error);

/* The end of one payload, running or not: as the end of its slot would do it. Cannot fail. */
Plan *plan_end_payload(const PlanContext *context, const PayloadState *payload);

/* Stop, collect and remove what the slot owns; SLOT_BACKDROP means everything. Cannot fail: every removal
 * is tried whatever became of the ones before. */
Plan *plan_end(const PlanContext *context, Slot slot);

/* The form the executor reads: a WirePlan. */
GByteArray *plan_encode(const Plan *plan);

/* The actions that serve definition `def` (-1: none, as all those of a plan for one payload), as a dry run
 * shows them. */
JsonArray *plan_actions_to_json(const Plan *plan, const PlanContext *context, int def);

/* ---- for the planners ---- */

Plan *plan_new(const PlanContext *context);
PlanAction *plan_add(Plan *plan, ActionKind kind, const char *cgroup);
/* The plan will make the scenario's executor start anew after a step: it has to be told that there was one.
 */
bool plan_follows_a_step(const PlanContext *context);
/* The directory of a cgroup or of a knob below the root, relative. */
char *plan_action_path(const PlanAction *action);
