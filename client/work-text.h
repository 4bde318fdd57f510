/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <json-glib/json-glib.h>

/* One worker group as text: KEY=VALUE pieces with commas between them. A piece without '=' is no piece of its
 * own but goes on with the value before it, so that lists need no quoting: "affinity=cpus:0,2,workers=4".
 * Keys are those of an element of `works`; a parameter is params.KEY. NULL with a G_OPTION_ERROR that names
 * the piece, the rule and the remedy. */
JsonObject *work_from_text(const char *text, GError **error);
