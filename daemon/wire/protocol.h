/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "work-type.h"

/* What ktsetupd and ktsetup-executor say to each other over the SOCK_SEQPACKET pair on the executor's
 * standard input. Both come from one build and live on one machine, so messages are plain structs in host
 * byte order; the first message carries the protocol number.
 *
 * The daemon sends a plan: a WireSubmit with one sealed memfd. The executor carries out the actions in order.
 * On a failure it undoes what it had done, newest first, and says so. It sends WireGroup (with the arena's
 * fd) when a worker group is born, WirePayload (with the read ends of its pipes) when a payload runs,
 * WireExit and WirePayloadExit when a worker or a payload ends, WireNote for a failure that the plan
 * tolerates, and WireDone once for each plan. Between plans it answers a WireInspect. When the socket closes
 * it kills and removes everything it made and exits. */
enum { WIRE_PROTOCOL = 4, WIRE_PLAN_MAGIC = 0x6b745031 /* "ktP1" */, WIRE_TEXT = 1024 };

typedef enum WireKind {
        WIRE_HELLO = 1,    /* executor: ready; carries the status page's memfd */
        WIRE_SUBMIT,       /* daemon: carries the plan's memfd */
        WIRE_GROUP,        /* executor: carries the arena's memfd */
        WIRE_EXIT,         /* executor */
        WIRE_NOTE,         /* executor */
        WIRE_DONE,         /* executor */
        WIRE_PAYLOAD,      /* executor: carries the read ends of its stdout and stderr */
        WIRE_PAYLOAD_EXIT, /* executor */
        WIRE_INSPECT,      /* daemon */
        WIRE_INSPECTED,    /* executor: one for each WIRE_INSPECT */
} WireKind;

/* Kernel faults that change what may be done; probed once by the executor. */
typedef enum WireQuirk {
        /* A child cloned into a cgroup that cgroup.kill was once written to dies at once (seen on 6.18.44).
         */
        QUIRK_KILL_POISONS_CLONE = 1 << 0,
        /* clone3(CLONE_INTO_CGROUP) is refused here: workers are forked and moved. */
        QUIRK_NO_CLONE_INTO_CGROUP = 1 << 1,
} WireQuirk;

/* ---- a plan ---- */

typedef enum ActionKind {
        ACTION_MKDIR,   /* path: a cgroup. Undone by rmdir */
        ACTION_ENABLE,  /* path: a cgroup; value: "+cpu +memory" for its cgroup.subtree_control. Undone by
                           "-..." */
        ACTION_WRITE,   /* path: a knob file; value: its new content */
        ACTION_SPAWN,   /* path: a cgroup; group, n_groups: what to start there. Ends when all workers wait at
                           the gate. With a pcomm: one leader whose threads are the workers of all n_groups
                           specs, which are one group, in one arena, in their order; without: n_groups is 1 */
        ACTION_PHASE,   /* phase: told to all workers, and to those that are still to come */
        ACTION_RELEASE, /* group_id: open the gate */
        ACTION_STOP,    /* group_id: ask its workers to stop; does not wait */
        ACTION_COLLECT, /* group_id: wait until all its workers are gone, kill them at the deadline */
        ACTION_EVACUATE, /* path: a cgroup: move processes that are not ours to the executor's own cgroup */
        ACTION_AWAIT_EMPTY, /* path: a cgroup: wait for `populated 0` in cgroup.events */
        ACTION_RMDIR,       /* path: a cgroup; one that is gone already is fine */
        ACTION_PAYLOAD,     /* path: a cgroup; payload: index of the payload spec. Ends when the program has
                               replaced the child (exec); undone by ending it */
        ACTION_END_PAYLOAD, /* path: its cgroup; payload_id. Kills its process group, and in the cgroup
                               whatever it left; ends when all of that is gone. One that is not there any more
                               is fine */
        ACTION_KIND_COUNT,
} ActionKind;

typedef enum ActionFlag {
        ACTION_TOLERATE = 1 << 0, /* a failure is noted, and the plan goes on */
} ActionFlag;

/* Paths are relative to the scenario's root and canonical (no leading '/', no '.', no '..'); "" is the root
 * itself. All offsets count from the start of the plan; text ends with NUL; offset 0 is "no text". */
typedef struct WireAction {
        uint32_t kind, flags;
        uint32_t path, value;
        uint32_t group, n_groups; /* ACTION_SPAWN: indices into the plan's group specs */
        uint32_t group_id;        /* the others that speak of a group */
        uint32_t phase;           /* ACTION_PHASE */
        uint32_t payload;         /* ACTION_PAYLOAD: index into the plan's payload specs */
        uint32_t payload_id;      /* ACTION_END_PAYLOAD */
} WireAction;

enum { WIRE_COMM = 16, WIRE_ID_KEEP = 0xffffffffu /* for uid and gid: leave as it is */ };
#define WIRE_LEADER UINT32_MAX

/* The workers of one work. Specs of one container carry the same group_id, pcomm, uid, gid and lasting. */
typedef struct WireGroupSpec {
        uint32_t group_id;
        uint32_t n_workers;
        uint32_t work_type; /* WorkTypeId */
        uint32_t samples;
        uint32_t lasting; /* may outlive a step: keeps a slice for each phase */
        uint64_t params[WORK_PARAMS_MAX];

        /* n_masks affinity masks of mask_words 64-bit words each at offset `masks`: 0 = every CPU (which
         * undoes an inherited mask: since Linux 6.2 one survives entry into a cpuset), 1 = for all, n_workers
         * = one each. */
        uint32_t masks, n_masks, mask_words;

        uint32_t policy_set, policy; /* SCHED_* */
        uint32_t priority;
        uint32_t nice_set;
        int32_t nice;
        uint64_t runtime_ns, deadline_ns, period_ns;

        uint32_t mempolicy_set, mempolicy_mode; /* MPOL_* with flags or-ed in */
        uint32_t nodes, node_words;             /* mask of unsigned long words at offset `nodes` */
        uint32_t max_node;                      /* the maxnode argument of set_mempolicy(2) */

        uint32_t uid, gid;     /* or WIRE_ID_KEEP */
        char comm[WIRE_COMM];  /* "" = leave as it is */
        char pcomm[WIRE_COMM]; /* "" = each worker is a process */
} WireGroupSpec;

/* A list of texts: n offsets at an 8-byte aligned offset. */
typedef struct WireTexts {
        uint32_t offsets, n;
} WireTexts;

typedef struct WirePayloadSpec {
        uint32_t payload_id;
        uint32_t exec;  /* text: a full path, or a name for PATH (its own, else the executor's, else the
                           usual one) */
        WireTexts argv; /* argv[0] and what follows; n >= 1 */
        WireTexts environment; /* KEY=VALUE: over what the executor has */
        uint32_t cookie; /* text KEY=VALUE, also put into the environment: by it whatever the payload left in
                            the cgroup is told from what others did */
        uint32_t alone;  /* nothing but this payload is in its cgroup: no cookie is looked for */
        uint32_t own_group;        /* it leads a process group; else it stays in the executor's */
        uint32_t directory;        /* text: a full path */
        uint32_t uid, gid;         /* or WIRE_ID_KEEP, and then groups are kept as well */
        uint32_t groups, n_groups; /* supplementary ones, uint32_t each at an 8-byte aligned offset */
} WirePayloadSpec;

/* Where a payload's set-up was when it failed: WireFailure.setup_step of ACTION_PAYLOAD. */
typedef enum PayloadStep {
        PAYLOAD_STEP_BIRTH,     /* descriptors, pipes, clone3 or the move into the cgroup */
        PAYLOAD_STEP_IDS,       /* groups, gid, uid */
        PAYLOAD_STEP_DIRECTORY, /* chdir; WireFailure.detail: the directory */
        PAYLOAD_STEP_EXEC,  /* WireFailure.detail: the file that was tried; after a tab, the interpreter that
                               its first line asks for, if it has one */
        PAYLOAD_STEP_START, /* it was not born, or not done with the above, in time: ETIMEDOUT; or died:
                               ECHILD */
        PAYLOAD_STEP_COUNT,
} PayloadStep;

typedef struct WirePlan {
        uint32_t magic;
        uint32_t size; /* of the whole, bytes */
        uint32_t n_actions, n_groups, n_payloads;
        uint32_t actions, groups, payloads; /* offsets; 8-byte aligned */
        uint32_t n_nodes;                   /* highest NUMA node + 1, for arenas */
        uint32_t stop_ms;   /* how long the workers of one plan may take to stop, all together */
        uint32_t settle_ms; /* how long AWAIT_EMPTY waits */
} WirePlan;

/* ---- messages; each begins with its kind ---- */

typedef struct WireSubmit {
        uint32_t kind;
        uint32_t serial;
} WireSubmit;

typedef struct WireHello {
        uint32_t kind;
        uint32_t protocol;
        uint32_t quirks;
        int32_t pid;
        char root[4096]; /* absolute path of the directory that holds the scenario's cgroups */
} WireHello;

/* The page behind WIRE_HELLO's memfd: lets the daemon tell slow from stuck without a message for each action.
 */
typedef struct WireStatus {
        _Atomic uint32_t serial; /* plan being carried out */
        _Atomic uint32_t action; /* index of the action being carried out (or undone) */
        _Atomic uint64_t beat;   /* moves with every bit of progress */
} WireStatus;

typedef struct WireGroup {
        uint32_t kind;
        uint32_t group_id;
} WireGroup;

/* Only for groups that WireGroup announced; those that a failed plan takes back included. When a leader ends,
 * one for each of its threads: with the leader's end, or exit code 0 for a thread that had finished. */
typedef struct WireExit {
        uint32_t kind;
        uint32_t group_id;
        uint32_t worker;    /* slot in the group's arena */
        int32_t pid;        /* of a thread: its tid */
        uint32_t exit_kind; /* WorkerExit */
        int32_t exit_value;
} WireExit;

typedef struct WirePayload {
        uint32_t kind;
        uint32_t payload_id;
        int32_t pid;
        uint32_t placement; /* WorkerPlacement */
} WirePayload;

/* Its leader has ended, whoever asked for that: at once, not when it is asked for. What it left behind goes
 * on until ACTION_END_PAYLOAD. */
typedef struct WirePayloadExit {
        uint32_t kind;
        uint32_t payload_id;
        int32_t pid;
        uint32_t exit_kind; /* WORKER_EXIT_CODE or WORKER_EXIT_SIGNAL */
        int32_t exit_value;
        uint32_t asked;     /* 1: killed by ACTION_END_PAYLOAD or an undo */
        uint64_t oom_kills; /* in its cgroup since it was born: oom_kill of memory.events; 0 where there is
                               none */
        uint64_t run_ns;    /* from birth, CLOCK_MONOTONIC */
        /* getrusage(2) of the leader and of the children that it waited for */
        uint64_t user_us, system_us, max_rss_kib, minor_faults, major_faults, in_blocks, out_blocks;
        uint64_t voluntary_switches, involuntary_switches;
} WirePayloadExit;

/* A failure as the executor saw it: facts, no advice.
 *
 * Errors with a meaning of their own: EBADMSG, the plan is not sound and nothing was done; ECHILD, a worker
 * died before it was ready; ENOENT, the plan speaks of a group that is not there; EEXIST, a group of that id
 * is; EBUSY, for ENABLE also when the kernel would not refuse but turn the cgroup into a threaded domain. */
typedef struct WireFailure {
        uint32_t action;
        int32_t error;       /* positive errno; ETIMEDOUT for a deadline; 0 in a note that is no failure */
        uint32_t worker;     /* ACTION_SPAWN: slot of the worker it happened to, or WIRE_LEADER */
        uint32_t setup_step; /* ACTION_SPAWN: SetupStep; SETUP_NONE when the worker could not be created or
                                died. ACTION_PAYLOAD: PayloadStep */
        uint32_t exit_kind;  /* ACTION_SPAWN: WorkerExit, of a worker that died before it was ready;
                                ACTION_PAYLOAD: the same of its leader, with ECHILD */
        int32_t exit_value;
        char detail[WIRE_TEXT]; /* state of the cgroup at that moment, or "" */
} WireFailure;

/* A failure that the plan tolerates or that befell an undo, or (error 0) processes that EVACUATE moved. */
typedef struct WireNote {
        uint32_t kind;
        uint32_t serial;
        WireFailure failure;
} WireNote;

typedef struct WireDone {
        uint32_t kind;
        uint32_t serial;
        uint32_t ok;     /* 1: every action done */
        uint32_t undone; /* with ok 0: 1 when the undo was complete */
        WireFailure failure;
} WireDone;

/* ---- looking at one task ---- */

enum {
        WIRE_INSPECT_WORDS = 128, /* 8,192 CPUs, the most that NR_CPUS can be */
        WIRE_STACK = 4096,        /* 64 frames (MAX_STACK_TRACE_DEPTH, fs/proc/base.c) of 64 bytes */
        WIRE_COMPETITORS = 16,
        WIRE_COMPETITOR_COMM = 32, /* kernel workers show longer names than a comm */
};

/* What of a task only a privileged reader is told. The executor answers for its own workers and for what
 * lives in its cgroups, and for nobody else. */
typedef struct WireInspect {
        uint32_t kind;
        uint32_t serial; /* comes back in the answer */
        int32_t pid, tid;
        uint64_t cpus[WIRE_INSPECT_WORDS]; /* where the task may run: who runs there is looked for */
} WireInspect;

/* A task that was runnable or running on one of those CPUs. */
typedef struct WireCompetitor {
        int32_t pid, tid;
        uint32_t cpu, policy, priority; /* SCHED_*; that of the realtime policies */
        int32_t nice;
        char comm[WIRE_COMPETITOR_COMM]; /* raw bytes, and a NUL */
} WireCompetitor;

typedef struct WireInspected {
        uint32_t kind;
        uint32_t serial;
        int32_t pid, tid;
        int32_t error; /* positive errno: ESRCH, the task is gone; EPERM, it is none of ours. The rest is 0
                          then */
        int32_t wchan_error, syscall_error, stack_error; /* positive errno, and then the text is "" */
        char wchan[128], syscall[256], stack[WIRE_STACK];
        int32_t scan_error;     /* why nobody could be looked for */
        uint32_t scan_whole;    /* 1: all tasks were looked at; 0: time ran out before */
        uint32_t n_rivals;      /* how many tasks were found */
        uint32_t n_competitors; /* the first of them, best class first: deadline, realtime by priority, others
                               by nice, idle */
        WireCompetitor competitors[WIRE_COMPETITORS];
} WireInspected;
