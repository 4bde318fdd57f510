/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <sys/types.h>

#include "model/scenario.h"

/* Who can stall, made up: groups with an arena of their own, a tree of files that stands for cgroups, and
 * real child processes, for what is read of a task is read from /proc. */

/* ---- the tree ---- */

char *crowd_tree_new(void);
void crowd_tree_free(char *root);
/* Makes the directories on the way. */
void crowd_put(const char *root, const char *cgroup, const char *knob, const char *text);
/* An empty cgroup of this test's own in a cgroup2; skips the test where there is none to make it in. Free it
 * with rmdir(). */
char *crowd_real_cgroup(void);

/* ---- tasks ---- */

typedef enum ChildKind {
        CHILD_STOPPED, /* by SIGSTOP */
        CHILD_ASLEEP,  /* in a system call that does not end */
        CHILD_SPINNING,
} ChildKind;

/* Returns when it is where it is to be. */
pid_t child_start(ChildKind kind);
/* Kills and reaps it. */
void child_end(pid_t pid);
/* Sends SIGSTOP, and waits until it stands. */
void child_stop(pid_t pid);
/* Waits until it has used more CPU time. */
void child_await_progress(pid_t pid);

/* ---- books ---- */

/* A group of running SpinWait workers in the step, with ids of its own in the order of the calls. */
GroupState *crowd_add_group(Scenario *s, const char *cgroup, unsigned n_workers);
/* All slots stand for that task. */
void crowd_set_task(GroupState *g, pid_t pid, pid_t tid);
ArenaSlot *crowd_slot(const GroupState *g, unsigned worker);
/* One more iteration. */
void crowd_move(const GroupState *g, unsigned worker);
void crowd_remove_group(Scenario *s, const GroupState *g);
/* `cgroup` "": alone, in "@payload-ID". */
PayloadState *crowd_add_payload(Scenario *s, const char *name, const char *cgroup, pid_t pid);
