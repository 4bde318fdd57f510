/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "256M", "1.5G", "4096" as bytes; K M G T are powers of 1024. False when malformed or above 2^64-1. */
bool size_parse(const char *text, uint64_t *ret_bytes);

/* "100ms", "7.5ms", "250us", "10ns", "2s" as nanoseconds; a number without unit counts microseconds. */
bool time_parse(const char *text, uint64_t *ret_ns);

/* "50%" as thousandths of a percent (50000). */
bool percent_parse(const char *text, uint64_t *ret_millis);

/* A plain decimal number. */
bool count_parse(const char *text, uint64_t *ret);
