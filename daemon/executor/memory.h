/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stddef.h>

/* Makes zero-filled memory that the caller may write and others, given *ret_fd, may only map for reading and
 * at its full size. Returns the mapping, or NULL with errno set. */
void *memory_new(const char *name, size_t size, int *ret_fd);

/* Zero-filled memory that children do not get: writing to it between forks costs no copy, which is what each
 * fork makes of a page of the heap that is written to next. NULL: out of memory. munmap gives it back. */
void *memory_new_unforked(size_t size);
