/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "fields.h"

/* The works of a definition: a FieldReader of a list whose target is a GPtrArray of WorkSpec. */
bool works_read(JsonNode *node, const Field *field, void *target, GError **error);
extern const Field work_fields[];

/* A task name. */
bool field_read_comm(JsonNode *node, const Field *field, void *target, GError **error);

/* Rows for WorkerAttributes, which definitions and works both have. */
#define WORKER_FIELDS(type, base)                                                                            \
        { "nice", field_read_number, offsetof(type, base.nice), -20, 19, "nice values, sched(7)", NULL },    \
                { "comm", field_read_comm, offsetof(type, base.comm), 0, 0, NULL, NULL },                    \
                { "uid", field_read_number, offsetof(type, base.uid),                                        \
                  0,     G_MAXUINT32 - 1,   "user ids; 4294967295 is \"no id\"",                             \
                  NULL },                                                                                    \
                { "gid", field_read_number, offsetof(type, base.gid),                                        \
                  0,     G_MAXUINT32 - 1,   "group ids; 4294967295 is \"no id\"",                            \
                  NULL },                                                                                    \
        {                                                                                                    \
                "numa_node", field_read_number, offsetof(type, base.numa_node), 0, G_MAXINT32,               \
                        "NUMA node ids", NULL                                                                \
        }
