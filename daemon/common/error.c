/* SPDX-License-Identifier: GPL-2.0-only */
#include "error.h"

GQuark kt_error_quark(void) {
        return g_quark_from_static_string("kt-error-quark");
}
