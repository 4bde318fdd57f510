/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <hwloc.h>
#include <json-glib/json-glib.h>

#include "wire/arena.h"

/* One worker as JSON, from its slot in the arena. `samples`: WorkSample bits of its own type; the arena of a
 * container has the histograms of all its works. */

/* For the report: all it measured. */
JsonObject *worker_report(const ArenaHead *arena, ArenaSlot *slot, unsigned samples);
/* For the state: where it is. */
JsonObject *worker_live(const ArenaHead *arena, ArenaSlot *slot, unsigned samples);

/* It came to its end by itself, so its report is whole. */
bool worker_completed(const ArenaSlot *slot);
/* Of a process its pid. */
int worker_tid(const ArenaSlot *slot);
/* "exited", "signaled", "deadline"; NULL for a WorkerExit that is none of these. */
const char *worker_exit_kind(uint32_t kind);

/* What JSON's integers cannot hold stays at the largest of them. */
void report_set_u64(JsonObject *o, const char *key, guint64 value);
/* "" for NULL. */
void report_set_cpus(JsonObject *o, const char *key, hwloc_const_bitmap_t cpus);
guint64 report_load(const _Atomic uint64_t *counter);
