/* SPDX-License-Identifier: GPL-2.0-only */
#include "error.h"

G_DEFINE_QUARK(kt - error - quark, kt_error)
