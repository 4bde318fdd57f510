/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* Carries out the orders of the socket by the service manager: workers forked as a Herd, put into a transient
 * scope with the limits that server.c gives a cgroup, let go once the manager says that its job is done.
 * Returns an exit status. */
int scope_run(int socket);
