/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stddef.h>

/* A memfd with this content, sealed: whoever is handed it may follow offsets in it or map it and knows that
 * nobody changes it meanwhile. Its offset is at the start. Negative errno on failure. */
int memfd_new_sealed(const char *name, const void *data, size_t size);
