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

/* An option that names a file to write: opened before the call is made, so that nothing is lost to a bad
 * path, but written, and what was in it before overwritten, only once there is something. *ret_fd is -1
 * without the option. "-" for a payload's stream is our own stream of that name. */
KtctlExit output_file_open(const Invocation *i, OptionId id, int *ret_fd);
KtctlExit output_file_write(const Invocation *i, OptionId id, int fd, const GString *text);
/* All that is behind the descriptor `from`. Nothing happens when fd is -1. */
KtctlExit output_file_copy(const Invocation *i, OptionId id, int fd, int from);
