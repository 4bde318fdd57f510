/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "fuzz.h"
#include "topology/topology.h"

/* What a message may have: excerpts of the caller's words, and the sentence around them; of a definition also
 * cgroup names, which stand there whole. */
enum { SENTENCE_MAX = 2000, MESSAGE_MAX = 10000 };

/* Either a result or a reason: a KT_ERROR whose message is a sentence of at most `max` bytes, in text that
 * every D-Bus client can read. Clears the error. */
void check_outcome(bool good, GError **error, size_t max);

/* sd-bus refuses noncharacters, utf8_is_valid() in systemd's utf8.c, though UTF-8 has a form for them. */
bool is_bus_text(const char *text);

/* Machines to resolve on, of all kinds: sparse node ids, one CPU, memory-only nodes, no L3, many CPUs. */
enum { MACHINES = 5 };
const Topology *machine_at(unsigned index);
