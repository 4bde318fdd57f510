/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "payload.h"

/* Kills the payload and what it left in the cgroup `path`, and in those that payloads have made below it,
 * waits until all of that is gone, removes what is empty below, and forgets the payload. On -ETIMEDOUT
 * (somebody whom not even SIGKILL ends, or who forks faster than he is killed), with who is there in *detail
 * unless it is NULL, and on any other error it stays. */
int payload_end(Executor *e, Payload *p, const char *path, char *detail);
