/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "cgroup.h"
#include "wire/protocol.h"

/* Facts about a cgroup at the moment at which something failed, for WireFailure.detail: what the kernel
 * offers there and who is in the way. Facts only; what to do about them is for the daemon to say. */

/* Appends to the text in ret; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) void describe_append(char ret[WIRE_TEXT], const char *format, ...);

/* `cgroup` is the one concerned, `knob` a file in it or NULL, `error` the positive errno. */
void describe_cgroup(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup, const char *knob,
                     int error);
/* The first processes in the cgroup: number, then pid and name of each. */
void describe_processes(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup);
/* "12 (bash)" */
void describe_process(char ret[WIRE_TEXT], int pid);
