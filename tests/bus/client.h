/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

#include "fixture.h"

/* The caller's side. Arguments and answers are JSON texts, turned into a{sv} and back; ' stands for ". Nodes
 * that are handed out belong to the fixture. */

/* ---- calls of the scenario "default" ---- */

/* `arguments` is a list: an object becomes a{sv}, a list aa{sv}, text s. */
sd_bus_message *request(Fixture *f, const char *method, const char *arguments);
/* The list of values that came back; NULL when the call failed: see f->error. */
JsonNode *send_request(Fixture *f, sd_bus_message *request);
JsonNode *call(Fixture *f, const char *method, const char *arguments);
JsonNode *call_json(Fixture *f, const char *document, const char *options);
/* Those that must succeed, and give the one value. */
JsonNode *add(Fixture *f, const char *definition);
JsonNode *add_to_backdrop(Fixture *f, const char *definition);
JsonNode *state_of(Fixture *f);
JsonNode *property(Fixture *f, const char *path, const char *interface, const char *name);
JsonNode *topology_of(Fixture *f);
void ping(Fixture *f);

/* EndStep or Teardown, which must succeed. */
typedef struct Ending {
        JsonNode *summary, *report;
} Ending;
Ending end_step(Fixture *f);
Ending teardown(Fixture *f);
Ending read_ending(Fixture *f, sd_bus_message *reply);

/* The last call failed with org.ktstr.Setup1.Error.NAME, which maps to that errno, and its message contains
 * each of the texts. */
void assert_refused(Fixture *f, const JsonNode *answer, const char *name, int number,
                    ...) G_GNUC_NULL_TERMINATED;

/* ---- calls that are not waited for ---- */

typedef struct Pending {
        sd_bus_message *reply; /* NULL until it came */
        unsigned order;        /* of arrival among all, from 1 */
        sd_bus_slot *slot;
} Pending;
void send_pending(Fixture *f, Pending *p, sd_bus_message *request);
void pending_clear(Pending *p);
bool pending_failed(const Pending *p, const char *name);

/* ---- signals ---- */

typedef struct Signal {
        char *path, *member;
        JsonNode *arguments; /* list */
        bool taken;
} Signal;
void signals_subscribe(Fixture *f);
void signals_free(gpointer signal);
/* Waits for the next signal of that name, not handed out yet, whose first argument is that text (NULL: any).
 */
JsonNode *await_signal(Fixture *f, const char *member, const char *first);
/* True when such a signal has come and was not handed out. */
bool has_signal(Fixture *f, const char *member, const char *first);
/* Forgets all that came so far. */
void signals_forget(Fixture *f);
/* True when somebody has taken the name of the service since. */
bool name_was_taken(Fixture *f);
/* True when the last that was heard is that nobody has it. */
bool name_was_lost(Fixture *f);
/* Waits until a PropertiesChanged told that value, written as JSON. */
void await_property(Fixture *f, const char *path, const char *name, const char *value);

/* ---- JSON ---- */

JsonNode *parse_json(Fixture *f, const char *text); /* ' is ' here */
/* The node at "cgroups.0.name"; fails the test where there is none. */
JsonNode *at(JsonNode *node, const char *path);
bool has(JsonNode *node, const char *path);
const char *text_at(JsonNode *node, const char *path);
int64_t number_at(JsonNode *node, const char *path);
bool truth_at(JsonNode *node, const char *path);
bool null_at(JsonNode *node, const char *path);
guint length_at(JsonNode *node, const char *path);
void assert_json(JsonNode *node, const char *text);
/* Process ids of all works of a set-up result. */
GArray *pids_of(JsonNode *result);
pid_t pid_at(JsonNode *result, const char *path);
