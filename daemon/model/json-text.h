/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

/* Parses one strict JSON document (RFC 8259). json-glib builds the tree, but by itself it lets through things
 * that would silently mean something else: comments, octal and hexadecimal numbers, integers that do not fit,
 * duplicate keys (the last one wins), a second document, text cut at \u0000, nesting without bound. All of
 * these are errors here that name line and column, or the key. */
JsonNode *json_text_parse(const char *text, size_t size, GError **error);
