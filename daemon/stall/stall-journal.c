/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-journal.h"

#include <systemd/sd-journal.h>

/* Of the entries; ktsetupd.catalog explains it, journalctl MESSAGE_ID=... finds them. */
#define MESSAGE_ID_STALL "e7d32e1b0c7a4d1c9a41f6b8f3d5a2c6"

void stall_journal_write(const char *scenario, const StallReport *r) {
        g_autofree char *text = stall_report_text(r), *work = g_strdup_printf("%u", r->work_index),
                        *worker = g_strdup_printf("%u", r->worker);

        sd_journal_send("MESSAGE=%s", text, "MESSAGE_ID=" MESSAGE_ID_STALL, "PRIORITY=%d", LOG_WARNING,
                        "KTSETUP_SCENARIO=%s", scenario, "KTSETUP_CGROUP=%s", r->cgroup,
                        "KTSETUP_STALL_CLASS=%s", stall_class_name(r->class), "KTSETUP_STALL_CAUSE=%s",
                        r->cause, "KTSETUP_PID=%d", r->pid, "KTSETUP_TID=%d", r->tid, "KTSETUP_PAYLOAD=%s",
                        r->payload ?: "", "KTSETUP_WORK_TYPE=%s", r->work_type ?: "", "KTSETUP_WORK_INDEX=%s",
                        r->payload ? "" : work, "KTSETUP_WORKER=%s", r->payload ? "" : worker, NULL);
}
