/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Executor Executor;
typedef struct Group Group;
typedef struct Payload Payload;

/* What this process has made and still owes the removal of, oldest first. A failed plan takes its own entries
 * back, newest first; the end of the process takes back all of them. */
typedef enum LedgerKind {
        LEDGER_CGROUP,      /* made: rmdir */
        LEDGER_CONTROLLERS, /* enabled in a cgroup's subtree_control: `text` disables them */
        LEDGER_GROUP,       /* born: kill and reap the workers */
        LEDGER_PAYLOAD,     /* born: kill what is left of it; its cgroup is `path` */
} LedgerKind;

typedef struct LedgerEntry LedgerEntry;
struct LedgerEntry {
        LedgerEntry *older, *newer;
        LedgerKind kind;
        uint32_t plan, action; /* what made it */
        Group *group;
        Payload *payload;
        char *text;
        char path[];
};

typedef struct Ledger {
        LedgerEntry *oldest, *newest;
        uint32_t plan,
                action; /* at hand, for new entries; plans are counted here, whatever their serials are */
} Ledger;

/* Room is taken first, so that nothing can be made that could not be noted. NULL: out of memory. */
LedgerEntry *ledger_prepare(LedgerKind kind, const char *path);
void ledger_discard(LedgerEntry *entry);
static inline void ledger_discard_pointer(LedgerEntry **entry) {
        ledger_discard(*entry);
}

void ledger_add(Ledger *ledger, LedgerEntry *entry);
void ledger_remove(Ledger *ledger, LedgerEntry *entry);
bool ledger_has_cgroup(const Ledger *ledger, const char *path);
/* A cgroup is gone, and with it what was enabled in it. */
void ledger_forget_path(Ledger *ledger, const char *path);

/* Takes back what the plan at hand made, newest first. What cannot be taken back stays, and `failed` (if any)
 * is told. Returns whether everything was. */
typedef void (*LedgerFailed)(Executor *e, const LedgerEntry *entry, int error);
bool ledger_undo_plan(Executor *e, uint64_t settle_ms, LedgerFailed failed);
/* The same for everything; whoever sits in a cgroup of ours, or below it, is killed. */
bool ledger_undo_all(Executor *e, uint64_t settle_ms);
