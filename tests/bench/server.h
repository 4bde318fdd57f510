/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stdbool.h>

typedef struct ServerOptions {
        int socket;
        bool installed;    /* the service of the system bus and all limits; else a private one */
        const char *build; /* NULL, or the build directory whose daemon and executor are taken */
} ServerOptions;

/* Has the service carry out the orders of the socket. It says a ServiceHello first. Returns an exit status:
 * 77 where there is no cgroup2 to make directories in. */
int server_run(const ServerOptions *options);
