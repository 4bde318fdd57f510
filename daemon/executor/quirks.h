/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "executor.h"

/* Tries out in a cgroup of its own what this kernel can and cannot do. */
uint32_t quirks_probe(Executor *e);
