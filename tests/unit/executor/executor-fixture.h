/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/arena.h"
#include "wire/protocol.h"

/* Drives the real ktsetup-executor over a socket pair. Everything waits for an event or a shared counter,
 * with a deadline that only a hang reaches; a failed expectation fails the running cmocka test. */

enum { FIXTURE_GROUPS = 16, FIXTURE_PAYLOADS = 16, FIXTURE_MESSAGES = 4096 };

typedef struct FixtureGroup {
        uint32_t id;
        ArenaHead *arena; /* read-only */
        size_t size;
} FixtureGroup;

typedef struct FixturePayload {
        WirePayload message;
        int output, error; /* read ends */
} FixturePayload;

typedef struct Fixture {
        pid_t pid; /* of the executor; 0 once it has been reaped */
        int socket;
        char root[PATH_MAX];
        uint32_t serial;
        WireHello hello;
        const WireStatus *status;

        /* what has come so far */
        FixtureGroup groups[FIXTURE_GROUPS];
        WireExit exits[FIXTURE_MESSAGES];
        WireNote notes[FIXTURE_MESSAGES];
        FixturePayload payloads[FIXTURE_MESSAGES];
        WirePayloadExit payload_exits[FIXTURE_MESSAGES];
        unsigned n_groups, n_exits, n_notes, n_payloads, n_payload_exits;
} Fixture;

/* What the executor is started as. */
typedef struct FixtureOptions {
        bool delegated;       /* started in the root itself, without --root */
        bool refuse_syscalls; /* a seccomp filter answers clone3 with ENOSYS and openat2 with EPERM */
        uid_t uid;            /* 0 = as the test */
        unsigned processes;   /* RLIMIT_NPROC; 0 = as the test */
} FixtureOptions;

/* A directory of this test on a writable cgroup2, not made yet; skips the test, saying why, where there is
 * none. */
void fixture_cgroup_path(char ret[PATH_MAX]);
/* The same below a temporary directory; made. */
void fixture_plain_path(char ret[PATH_MAX]);

Fixture *fixture_start(const char *root, const FixtureOptions *options);
/* Closes the socket; the executor must end well and leave no root that it made. Frees. */
void fixture_stop(Fixture *f);
/* Reaps the executor and returns its waitid() code and status. */
int fixture_wait_end(Fixture *f, int *ret_status);
void fixture_free(Fixture *f);

/* ---- plans ---- */

typedef struct PlanBuilder {
        WireAction actions[64];
        WireGroupSpec groups[FIXTURE_GROUPS];
        WirePayloadSpec payloads[FIXTURE_PAYLOADS];
        unsigned n_actions, n_groups, n_payloads;
        char blob[1 << 16]; /* texts and masks; offsets count from BLOB_AT until the plan is laid out */
        uint32_t used;
        uint32_t n_nodes, stop_ms, settle_ms;
} PlanBuilder;

void plan_begin(PlanBuilder *b);
WireAction *plan_add(PlanBuilder *b, ActionKind kind, const char *path, const char *value);
WireAction *plan_add_for_group(PlanBuilder *b, ActionKind kind, uint32_t group_id);
/* SpinWait without wishes; change the returned spec at will. */
WireGroupSpec *plan_add_spawn(PlanBuilder *b, const char *path, uint32_t group_id, uint32_t n_workers);
/* The same as a container: n_workers threads of a leader of that name. */
WireGroupSpec *plan_add_container(PlanBuilder *b, const char *path, uint32_t group_id, const char *pcomm,
                                  uint32_t n_workers);
/* One more work for the container that was added last. */
WireGroupSpec *plan_add_work(PlanBuilder *b, uint32_t n_workers);
/* The type with its default parameters and all its samples. */
void plan_set_type(WireGroupSpec *spec, WorkTypeId type);
void plan_add_end(PlanBuilder *b, uint32_t group_id); /* STOP and COLLECT */
/* Offset of a copy of the bytes, 8-byte aligned. */
uint32_t plan_add_bytes(PlanBuilder *b, const void *bytes, size_t size);
/* Bytes of the whole plan in malloc'ed memory. */
WirePlan *plan_finish(const PlanBuilder *b, size_t *ret_size);

/* Sends, and waits for the WireDone. */
WireDone fixture_run(Fixture *f, const PlanBuilder *b);
WireDone fixture_run_bytes(Fixture *f, const void *bytes, size_t size, unsigned seals);
void fixture_submit(Fixture *f, const PlanBuilder *b);
WireDone fixture_await_done(Fixture *f);
/* Takes one message; fails the test when none comes. */
void fixture_receive_one(Fixture *f, WireDone *ret_done);
#define fixture_must(f, b)                                                                                   \
        do {                                                                                                 \
                WireDone done_ = fixture_run((f), (b));                                                      \
                if (!done_.ok)                                                                               \
                        fail_msg("action %u: errno %d: %s", done_.failure.action, done_.failure.error,       \
                                 done_.failure.detail);                                                      \
        } while (0)

/* ---- looking ---- */

ArenaHead *fixture_arena(const Fixture *f, uint32_t group_id);
ArenaSlot *fixture_slot(const Fixture *f, uint32_t group_id, uint32_t worker);
pid_t fixture_worker_pid(const Fixture *f, uint32_t group_id, uint32_t worker);

/* The text, as /proc shows it, is the path of cgroup `name` below the root. */
void fixture_assert_in_cgroup(const Fixture *f, const char *text, const char *name);
/* So says /proc, and so said the worker's first look. */
void fixture_assert_worker_in(const Fixture *f, uint32_t group_id, uint32_t worker, const char *name);
/* Cgroups a and a/b, and n running workers in a/b as group 1. */
void fixture_begin_group(Fixture *f, uint32_t n);

/* Descriptors that the idle executor has open. */
unsigned fixture_descriptors(const Fixture *f);
/* Children of the executor, zombies included. */
unsigned fixture_children(const Fixture *f);
/* Numbers in a file below the root, such as a/cgroup.procs; returns how many there are. */
unsigned fixture_listed(const Fixture *f, const char *file, pid_t *ret, unsigned room);
char process_state(pid_t pid); /* as /proc/PID/stat has it; X for one that is gone */
bool process_gone(pid_t pid);  /* gone, or a zombie */
void proc_text(pid_t pid, const char *file, char *ret, size_t size);
void write_text(const char *path, const char *text);
void read_text(const char *path, char *ret, size_t size);
const char *below(const char *root, const char *name);
bool path_exists(const char *path);

/* Looks again and again, giving the CPU away in between. */
#define wait_until(condition)                                                                                \
        do {                                                                                                 \
                uint64_t until_ = fixture_deadline();                                                        \
                while (!(condition))                                                                         \
                        fixture_look_again(until_, #condition);                                              \
        } while (0)
uint64_t fixture_deadline(void);
void fixture_look_again(uint64_t deadline, const char *condition);
