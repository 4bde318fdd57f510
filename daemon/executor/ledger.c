/* SPDX-License-Identifier: GPL-2.0-only */
#include "ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "executor.h"
#include "payload-end.h"
#include "subtree.h"
#include "util.h"

LedgerEntry *ledger_prepare(LedgerKind kind, const char *path) {
        size_t length = strlen(path);
        LedgerEntry *entry = calloc(1, sizeof(*entry) + length + 1);

        if (!entry)
                return NULL;
        entry->kind = kind;
        memcpy(entry->path, path, length);
        return entry;
}

void ledger_discard(LedgerEntry *entry) {
        if (!entry)
                return;
        free(entry->text);
        free(entry);
}

void ledger_add(Ledger *ledger, LedgerEntry *entry) {
        entry->plan = ledger->plan;
        entry->action = ledger->action;
        entry->older = ledger->newest;
        *(ledger->newest ? &ledger->newest->newer : &ledger->oldest) = entry;
        ledger->newest = entry;
}

void ledger_remove(Ledger *ledger, LedgerEntry *entry) {
        *(entry->older ? &entry->older->newer : &ledger->oldest) = entry->newer;
        *(entry->newer ? &entry->newer->older : &ledger->newest) = entry->older;
        ledger_discard(entry);
}

bool ledger_has_cgroup(const Ledger *ledger, const char *path) {
        for (const LedgerEntry *entry = ledger->newest; entry; entry = entry->older)
                if (entry->kind == LEDGER_CGROUP && strcmp(entry->path, path) == 0)
                        return true;
        return false;
}

void ledger_forget_path(Ledger *ledger, const char *path) {
        for (LedgerEntry *entry = ledger->newest, *older; entry; entry = older) {
                older = entry->older;
                bool is_process = entry->kind == LEDGER_GROUP || entry->kind == LEDGER_PAYLOAD;
                if (is_process || strcmp(entry->path, path) != 0)
                        continue;
                bool made = entry->kind == LEDGER_CGROUP;
                ledger_remove(ledger, entry);
                if (made) /* nothing in it can be older than the cgroup itself */
                        return;
        }
}

static int undo_entry(Executor *e, LedgerEntry *entry, uint64_t settle_ms) {
        int r = 0;

        executor_beat(e);
        switch (entry->kind) {
        case LEDGER_CGROUP:
                r = remove_cgroup(e, entry->path, settle_ms);
                break;
        case LEDGER_CONTROLLERS:
                r = knob_write_in(&e->root, entry->path, "cgroup.subtree_control", entry->text);
                break;
        case LEDGER_GROUP:
                return group_destroy(e, entry->group); /* and the entry with it */
        case LEDGER_PAYLOAD:
                return payload_end(e, entry->payload, entry->path, NULL);
        }
        if (r < 0 && r != -ENOENT)
                return r;
        ledger_remove(&e->ledger, entry);
        return 0;
}

bool ledger_undo_plan(Executor *e, uint64_t settle_ms, LedgerFailed failed) {
        uint32_t plan = e->ledger.plan;
        bool complete = true;

        for (LedgerEntry *entry = e->ledger.newest, *older; entry && entry->plan == plan; entry = older) {
                older = entry->older;
                atomic_store(&e->status->action, entry->action);
                int r = undo_entry(e, entry, settle_ms);
                if (r < 0) {
                        complete = false;
                        failed(e, entry, -r);
                }
        }
        return complete;
}

bool ledger_undo_all(Executor *e, uint64_t settle_ms) {
        bool complete = true;

        for (LedgerEntry *entry = e->ledger.newest, *older; entry; entry = older) {
                older = entry->older;
                int r = undo_entry(e, entry, 0);
                if (r == -EBUSY && entry->kind == LEDGER_CGROUP) {
                        /* May poison the cgroup for clone3 (WireQuirk), but this one goes away. */
                        knob_write_in(&e->root, entry->path, "cgroup.kill", "1");
                        subtree_remove(e, entry->path, after_ms(settle_ms), true);
                        r = undo_entry(e, entry, settle_ms);
                }
                complete = complete && r >= 0;
        }
        return complete;
}
