/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "options.h"

/* What the verbs that talk to the daemon do; each returns a KtctlExit. */
int verb_add_cgroup(const Invocation *i);
int verb_apply(const Invocation *i);
int verb_status(const Invocation *i);
int verb_topology(const Invocation *i);
int verb_end_step(const Invocation *i);
int verb_teardown(const Invocation *i);
int verb_version(const Invocation *i);

int verb_payloads(const Invocation *i);
int verb_reload_payloads(const Invocation *i);
int verb_run_payload(const Invocation *i);
int verb_wait_payload(const Invocation *i);
int verb_kill_payload(const Invocation *i);
int verb_payload_output(const Invocation *i);

/* Until SIGINT, SIGTERM, --count or the end of the bus. */
int verb_monitor(const Invocation *i);
