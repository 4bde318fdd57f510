/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "conformance/conf-topology.h"
#include "model/decode.h"
#include "plan/plan.h"

/* A desk to plan at: a machine, empty books, all five controllers, the root /r, one worker for each cgroup,
 * at most 50 cgroups, 200 workers and 10 payloads, no payload files, one user: nobody (uid 65534, gid 65533,
 * groups 65534 and 7). Definitions are JSON with ' for ", so that they can be read in C. */
typedef struct Desk {
        Topology *topology;
        Scenario *scenario;
        PayloadSet *payloads;
        PlanContext context;
        GPtrArray *defs;         /* of the last plan */
        PayloadRequest *request; /* the same */
        Plan *plan;              /* the last one */
        GError *error;           /* of the last plan, if it failed */
} Desk;

Desk *desk_new(const char *machine);
void desk_free(Desk *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Desk, desk_free)

JsonNode *json_quoted(const char *text);

/* Plans a list of definitions, "[{'name':'a'}]", for a slot; what is wrong with it is in desk->error. */
bool desk_plans(Desk *d, Slot slot, const char *list);
/* The same, and enters it in the books, as a call that succeeded does. */
void desk_has(Desk *d, Slot slot, const char *list);
void desk_plans_end(Desk *d, Slot slot);

/* What a payload file would define; borrowed, to be filled in further. */
PayloadDef *desk_defines(Desk *d, const char *name, const char *exec);
/* As desk_plans() and desk_has(), with RunPayload's request: "{'payload':'fio','cgroup':'a'}". */
bool desk_runs(Desk *d, Slot slot, const char *request);
void desk_has_payload(Desk *d, Slot slot, const char *request);
/* The end of the one of that name in that cgroup, "" for none. */
void desk_plans_payload_end(Desk *d, const char *name, const char *cgroup);

/* The actions of the last plan, one a line: "mkdir a", "enable . +cpu", "write a/cpu.weight 100",
 * "spawn a #1 SpinWait 2 on 0-2", "spawn a #2 app: SpinWait 1 on 0, Mixed 3 on 0-2" of a container,
 * "phase 1", "release #1", "payload a fio#1: fio --bs 4k", "end-payload a fio#1". A "?" in front: a failure
 * is tolerated. g_free() it. */
char *desk_actions(const Desk *d);
/* Only those that begin with `word`. */
char *desk_actions_of(const Desk *d, const char *word);

void check_text(const char *got, const char *expected, int line);

/* The plan of `list` for the step is exactly these actions. */
#define assert_planned(desk, list, expected)                                                                 \
        do {                                                                                                 \
                desk_must_plan((desk), SLOT_STEP, (list), __LINE__);                                         \
                g_autofree char *got_ = desk_actions(desk);                                                  \
                check_text(got_, (expected), __LINE__);                                                      \
        } while (0)
/* Of the last plan. */
#define assert_actions(desk, word, expected)                                                                 \
        do {                                                                                                 \
                g_autofree char *got_ = desk_actions_of((desk), (word));                                     \
                check_text(got_, (expected), __LINE__);                                                      \
        } while (0)
/* The list is refused as a whole, and the message holds every fragment. */
#define assert_not_planned(desk, slot, list, code, ...)                                                      \
        do {                                                                                                 \
                desk_must_refuse((desk), (slot), (list), __LINE__);                                          \
                assert_refused((desk)->error, (code), __VA_ARGS__);                                          \
        } while (0)

/* The same of a request. */
#define assert_not_run(desk, slot, request, code, ...)                                                       \
        do {                                                                                                 \
                desk_must_not_run((desk), (slot), (request), __LINE__);                                      \
                assert_refused((desk)->error, (code), __VA_ARGS__);                                          \
        } while (0)

void desk_must_plan(Desk *d, Slot slot, const char *list, int line);
void desk_must_refuse(Desk *d, Slot slot, const char *list, int line);
void desk_must_run(Desk *d, Slot slot, const char *request, int line);
void desk_must_not_run(Desk *d, Slot slot, const char *request, int line);
