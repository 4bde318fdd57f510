/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "call.h"

/* Whole files in and out. Failures are printed; the exit code comes back. */

enum {
        DOCUMENT_MAX = 16 * 1024 * 1024, /* what the daemon takes; D-Bus itself ends at 128 MiB */
        REPORT_MAX = 1024 * 1024 * 1024,
};

/* Reads all of `path`, or of stdin for "-". */
KtctlExit document_read(const Invocation *i, const char *path, GString **ret);

/* Reads the report behind a file descriptor from its start. */
KtctlExit report_read(const Invocation *i, int fd, GString **ret);

/* --report: opened before the call is made, so that no report is lost to a bad path, but written, and what
 * was in it before overwritten, only once there is one. *ret_fd is -1 without the option. */
KtctlExit report_file_open(const Invocation *i, int *ret_fd);
KtctlExit report_file_write(const Invocation *i, int fd, const GString *report);
