/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "fields.h"

/* The works of a definition: a FieldReader of a list whose target is a GPtrArray of WorkSpec. */
bool works_read(JsonNode *node, const Field *field, void *target, GError **error);
extern const Field work_fields[];

/* A task name. */
bool field_read_comm(JsonNode *node, const Field *field, void *target, GError **error);
/* The name of a work type. */
bool work_type_read(JsonNode *node, WorkTypeId *ret, GError **error);

#define RULE_NICE "sched(7) knows no other nice values"
#define RULE_ID   "ids have 32 bits, and 4294967295 is \"no id\"; give that of a user or group"
#define RULE_NODE "give the id of a NUMA node, as GetTopology lists them"

/* Rows for WorkerAttributes, which definitions and works both have. */
#define WORKER_FIELDS(type, base)                                                                            \
        { "nice", field_read_number, offsetof(type, base.nice), -20, 19, RULE_NICE, NULL },                  \
                { "comm", field_read_comm, offsetof(type, base.comm), 0, 0, NULL, NULL },                    \
                { "uid", field_read_number, offsetof(type, base.uid), 0, G_MAXUINT32 - 1, RULE_ID, NULL },   \
                { "gid", field_read_number, offsetof(type, base.gid), 0, G_MAXUINT32 - 1, RULE_ID, NULL }, { \
                "numa_node", field_read_number, offsetof(type, base.numa_node), 0, G_MAXINT32, RULE_NODE,    \
                        NULL                                                                                 \
        }
