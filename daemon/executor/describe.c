/* SPDX-License-Identifier: GPL-2.0-only */
#include "describe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/proc.h"
#include "util.h"

enum { NAMED_PROCESSES = 5 };

void describe_append(char ret[WIRE_TEXT], const char *format, ...) {
        size_t used = strlen(ret);
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(ret + used, WIRE_TEXT - used, format, arguments);
        va_end(arguments);
}

static void separate(char ret[WIRE_TEXT]) {
        if (*ret)
                describe_append(ret, "; ");
}

void describe_process(char ret[WIRE_TEXT], int pid) {
        char path[32], comm[32];

        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        if (proc_read(path, comm, sizeof(comm)) <= 0)
                strcpy(comm, "gone");
        describe_append(ret, "%d (%.*s)", pid, (int)strcspn(comm, "\n"), comm);
}

void describe_processes(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup) {
        char named[WIRE_TEXT] = "", line[32];
        unsigned n = 0;
        int fd = knob_open(root, cgroup, "cgroup.procs", O_RDONLY);
        CLEANUP(close_file) FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");

        if (!procs)
                return;
        for (; fgets(line, sizeof(line), procs); n++)
                if (n < NAMED_PROCESSES) {
                        describe_append(named, n ? ", " : ": ");
                        describe_process(named, atoi(line));
                }
        if (!n)
                return;
        separate(ret);
        describe_append(ret, "%u process%s in cgroup.procs%s%s", n, n == 1 ? "" : "es", named,
                        n > NAMED_PROCESSES ? ", ..." : "");
}

static void describe_knob(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup, const char *knob,
                          const char *label) {
        char text[256];

        if (knob_read(root, cgroup, knob, text, sizeof(text)) < 0)
                return;
        separate(ret);
        describe_append(ret, "%s%s \"%s\"", label, knob, text);
}

static void describe_parent(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup) {
        char parent[PATH_MAX];

        if (!*cgroup) /* what is above the root is not ours to read */
                return;
        snprintf(parent, sizeof(parent), "%.*s", (int)parent_length(cgroup), cgroup);
        describe_knob(ret, root, parent, "cgroup.controllers", "parent's ");
        describe_knob(ret, root, parent, "cgroup.subtree_control", "parent's ");
}

static bool exists(const CgroupRoot *root, const char *cgroup, const char *knob) {
        CLEANUP(close_fd) int fd = knob_open(root, cgroup, knob, O_PATH);
        return fd >= 0;
}

/* A cgroup is as frozen as those above it; what is above the root is not ours to read. */
static void describe_frozen(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup) {
        char path[PATH_MAX], text[8];

        snprintf(path, sizeof(path), "%s", cgroup);
        for (bool own = true;; own = false) {
                if (knob_read(root, path, "cgroup.freeze", text, sizeof(text)) > 0 &&
                    strcmp(text, "1") == 0) {
                        separate(ret);
                        describe_append(ret, "cgroup.freeze%s%s \"1\"", own ? "" : " of ",
                                        own     ? ""
                                        : *path ? path
                                                : "the root");
                }
                if (!*path)
                        return;
                path[parent_length(path)] = '\0';
        }
}

void describe_cgroup(char ret[WIRE_TEXT], const CgroupRoot *root, const char *cgroup, const char *knob,
                     int error) {
        describe_knob(ret, root, cgroup, "cgroup.controllers", "");
        describe_parent(ret, root, cgroup);
        if (knob) {
                separate(ret);
                describe_append(ret, "%s %s", knob, exists(root, cgroup, knob) ? "exists" : "does not exist");
        }
        if (error == ETIMEDOUT)
                describe_frozen(ret, root, cgroup);
        if (error == EBUSY)
                describe_processes(ret, root, cgroup);
        if (error == EAGAIN || error == EOPNOTSUPP)
                for (size_t i = 0; i < 3; i++)
                        describe_knob(ret, root, cgroup,
                                      (const char *[]){ "cgroup.type", "pids.max", "pids.current" }[i], "");
}
