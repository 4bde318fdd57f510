/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* Names that both ends of the bus use. */
#define KT_BUS_NAME           "org.ktstr.Setup1"
#define KT_BUS_PATH           "/org/ktstr/Setup1"
#define KT_SCENARIO_PREFIX    KT_BUS_PATH "/scenario"
#define KT_MANAGER_INTERFACE  "org.ktstr.Setup1.Manager"
#define KT_SCENARIO_INTERFACE "org.ktstr.Setup1.Scenario"
#define KT_ERROR_PREFIX       "org.ktstr.Setup1.Error."
#define KT_DEFAULT_SCENARIO   "default"
