/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "payload.h"

/* The small grammars of a payload's definition: payload.h has them. Numbers are decimals, with an exponent if
 * need be. The metric may be empty: that is the name of a number that is the whole document. */

/* NULL with KT_ERROR_INVALID_DEFINITION, whose message tells grammar and remedy. */
PayloadCheck *payload_check_parse(const char *text, GError **error);
MetricHint *metric_hint_parse(const char *text, GError **error);
const char *metric_polarity_name(MetricPolarity polarity);

/* The first of `args` that is a long flag and not one of known_flags is an error that names payload, flag and
 * list. Positionals, -s, -- and --=v pass; so does everything without a list. */
bool payload_check_flags(const PayloadDef *def, char *const *args, GError **error);
