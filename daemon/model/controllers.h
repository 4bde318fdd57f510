/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <glib.h>

/* The five controllers a definition can use, as a set of bits; everything renders them in this order. */
typedef enum Controller {
        CONTROLLER_CPUSET = 1 << 0,
        CONTROLLER_CPU = 1 << 1,
        CONTROLLER_MEMORY = 1 << 2,
        CONTROLLER_PIDS = 1 << 3,
        CONTROLLER_IO = 1 << 4,
} Controller;

enum { CONTROLLER_COUNT = 5 };

const char *controller_name(unsigned index);
/* What the kernel must be built with for it. */
const char *controller_config(unsigned index);

/* "cpuset memory" from the content of a cgroup.controllers file; unknown words are other people's. */
unsigned controllers_parse(const char *text);
/* "cpuset memory", or with a sign "+cpuset +memory", the form cgroup.subtree_control takes. */
char *controllers_format(unsigned set, const char *sign);
