/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "stall-report.h"

/* The entry in the journal, with fields; journalctl -x shows the text of systemd/ktsetupd.catalog. */
void stall_journal_write(const char *scenario, const StallReport *report);
