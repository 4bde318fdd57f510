/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor-fixture.h"

/* Payloads in plans, and what became of them. */

/* In and with a plain directory. */
Fixture *payload_start_plain(char root[PATH_MAX]);
void payload_stop_plain(Fixture *f);
/* Else says so. */
bool payload_is_root(void);

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The first text is the program, too. It leads a process group and has a cookie of its own; change the spec
 * at will. */
WirePayloadSpec *plan_add_payload(PlanBuilder *b, const char *path, uint32_t id, const char *const *argv);
/* The same of /bin/sh -c. */
WirePayloadSpec *plan_add_shell(PlanBuilder *b, const char *path, uint32_t id, const char *script);
void plan_add_payload_end(PlanBuilder *b, const char *path, uint32_t id);
WireTexts plan_add_texts(PlanBuilder *b, const char *const *texts);
uint32_t plan_add_text(PlanBuilder *b, const char *text);

/* Lets go of the output of all that have come, and of the tale of their ends. */
void payloads_forget(Fixture *f);
/* The latest of that id. */
const FixturePayload *payload_of(const Fixture *f, uint32_t id);
/* Waits for its end. */
const WirePayloadExit *payload_exit_of(Fixture *f, uint32_t id);
bool payload_has_ended(const Fixture *f, uint32_t id);
void payload_assert_exit(Fixture *f, uint32_t id, WorkerExit kind, int value);

/* What comes until the other side is closed, or up to and with the first newline. Valid for three more calls.
 */
const char *payload_output(const Fixture *f, uint32_t id);
const char *payload_errors(const Fixture *f, uint32_t id);
const char *payload_line(const Fixture *f, uint32_t id);
/* A line that is a number. */
pid_t payload_pid_line(const Fixture *f, uint32_t id);

/* ---- somebody who has nothing to do with it ---- */

pid_t stranger_start(const Fixture *f, const char *cgroup);
/* Older than whatever is started from now on. */
pid_t stranger_start_older(const Fixture *f, const char *cgroup);
void stranger_move(pid_t pid, const char *procs);
void stranger_end(pid_t pid);
