/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <sys/types.h>

/* Bytes as they are, whatever they are written to. Both give a negative errno on failure. */
int stream_write(int fd, const char *at, size_t left);

/* Writes what `from` has behind *offset to `to`, and moves *offset on. */
int stream_copy(int from, off_t *offset, int to);
