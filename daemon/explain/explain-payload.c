/* SPDX-License-Identifier: GPL-2.0-only */
#include "explain-payload.h"

#include <errno.h>
#include <string.h>

#include "explain-rules.h"

static const Rule birth_rules[] = {
        { EAGAIN, NULL,
          "the kernel has no room for another task: pids.max of this cgroup or of one above it, "
          "RLIMIT_NPROC, "
          "or kernel.pid_max; raise the limit, or run fewer things at once" },
        { EBUSY, NULL,
          "the cgroup gives controllers to its children, so it cannot hold processes (no internal processes, "
          "cgroup-v2.rst); use a cgroup below it" },
        { EOPNOTSUPP, NULL, "the cgroup is in an invalid threaded domain; it cannot hold processes" },
        { ENODEV, NULL, "the cgroup vanished meanwhile; somebody else removes cgroups here" },
        { ENOENT, NULL, "the cgroup vanished meanwhile; somebody else removes cgroups here" },
        { ENOMEM, NULL,
          "there is no memory for another process: memory.max of the cgroup or of one above it, or the "
          "machine's; raise it, or run fewer things at once" },
        { EMFILE, NULL,
          "the executor has RLIMIT_NOFILE files open, and each payload needs some; end payloads, or raise "
          "LimitNOFILE of the unit" },
        { ENFILE, NULL,
          "the machine has fs.file-max files open, or the executor's pipes hold fs.pipe-user-pages-hard "
          "pages "
          "(pipe(7)); raise the limit, or run fewer payloads" },
        { EACCES, NULL, "the cgroup is not delegated to this user" },
        { EPERM, NULL, "the cgroup is not delegated to this user" },
};

static const Rule ids_rules[] = {
        { EPERM, NULL,
          "another user and its groups need CAP_SETUID and CAP_SETGID; run the daemon with them, or leave "
          "`user` out" },
        { EAGAIN, NULL, "that user's RLIMIT_NPROC is reached; end processes of it, or raise the limit" },
        { EINVAL, NULL,
          "the user or one of its groups has no number in the daemon's user namespace "
          "(user_namespaces(7)); choose one that has, or leave `user` out" },
};

static const Rule directory_rules[] = {
        { ENOENT, NULL, "there is no such directory; create it, or give another working_directory" },
        { ENOTDIR, NULL,
          "it is no directory, or something above it is none; give another working_directory" },
        { EACCES, NULL,
          "the payload's user may not enter it or a directory above it; grant that (chmod +x), or give "
          "another working_directory" },
        { ELOOP, NULL, "there are too many symbolic links on the way; give the path without them" },
};

/* The file has an interpreter; or it is a name still, as nothing of that name was found. */
#define HAS_INTERPRETER "interpreter"
#define BARE_NAME       "PATH"

static const Rule exec_rules[] = {
        { ENOENT, HAS_INTERPRETER,
          "the script is there, but the interpreter that its first line names is not; install it, or correct "
          "that line" },
        { ENOENT, BARE_NAME,
          "no directory of PATH has a program of that name; install it, or give its full path. PATH is that "
          "of the payload's `environment`, else the daemon's" },
        { ENOENT, NULL,
          "there is no such file; install the program, or correct the path. If the file is there, it is a "
          "binary whose dynamic loader is not, such as one that was built for another C library" },
        { ENOEXEC, NULL,
          "it is no program of this machine; a script needs a first line such as #!/bin/sh, a binary must be "
          "built for this architecture" },
        { EACCES, HAS_INTERPRETER,
          "the script or its interpreter is a directory or not executable (chmod +x), or lies on a file "
          "system that is mounted noexec" },
        { EACCES, NULL,
          "it is a directory or not executable by the payload's user (chmod +x), a directory above it cannot "
          "be searched, or its file system is mounted noexec" },
        { ENOTDIR, NULL, "something on the way to it is no directory; correct the path" },
        { ELOOP, NULL,
          "there are too many symbolic links on the way to it, or too many scripts that are interpreters of "
          "each other; give the path of the program itself" },
        { ETXTBSY, NULL,
          "a process has it open for writing, as an installation or a build does; try again when that is "
          "done" },
        { E2BIG, NULL,
          "arguments and environment are too long: all together at most a quarter of RLIMIT_STACK, each at "
          "most 128 KiB (execve(2)); give less, or put it into a file" },
        { ENOMEM, NULL,
          "there is no memory for it: memory.max of the cgroup or of one above it, or the machine's; raise "
          "it, or run fewer things at once" },
        { EAGAIN, NULL, "that user's RLIMIT_NPROC is exceeded; end processes of it, or raise the limit" },
};

static const Rule start_rules[] = {
        { ETIMEDOUT, NULL,
          "the cgroup or one above it is frozen, or has no CPU time left by its cpu.max; thaw it, or raise "
          "the limit" },
};

#define RULES(list) list, G_N_ELEMENTS(list)

static const struct {
        const char *failed;
        const Rule *rules;
        size_t n;
} steps[PAYLOAD_STEP_COUNT] = {
        [PAYLOAD_STEP_BIRTH] = { "cannot create its process", RULES(birth_rules) },
        [PAYLOAD_STEP_IDS] = { "cannot become the user", RULES(ids_rules) },
        [PAYLOAD_STEP_DIRECTORY] = { "cannot enter the directory", RULES(directory_rules) },
        [PAYLOAD_STEP_EXEC] = { "cannot execute", RULES(exec_rules) },
        [PAYLOAD_STEP_START] = { "it did not come to run its program", RULES(start_rules) },
};

bool explain_payload_has_file(const PlanAction *action, const WireFailure *f) {
        return action->kind == ACTION_PAYLOAD &&
               (f->setup_step == PAYLOAD_STEP_DIRECTORY || f->setup_step == PAYLOAD_STEP_EXEC);
}

/* The first line of a script is whatever bytes stand there. */
static void append_quoted(GString *text, const char *name) {
        g_autofree char *valid = g_utf8_make_valid(name, -1);

        g_string_append_printf(text, "'%s'", valid);
}

/* " '/usr/bin/fio'", or with an interpreter " '/opt/run' (interpreter '/bin/bash')". Returns what finds the
 * rule. */
static const char *append_program(GString *text, const PayloadDef *def, const char *detail) {
        g_auto(GStrv) parts = g_strsplit(detail, "\t", 2);
        const char *file = parts[0] && parts[0][0] ? parts[0] : def->exec;

        g_string_append_c(text, ' ');
        append_quoted(text, file);
        if (parts[0] && parts[1]) {
                g_string_append(text, " (interpreter ");
                append_quoted(text, parts[1]);
                g_string_append_c(text, ')');
                return HAS_INTERPRETER;
        }
        return strchr(file, '/') ? NULL : BARE_NAME;
}

/* What it was that failed, where the step has a name for it. */
static const char *append_subject(GString *text, const PayloadDef *def, const WireFailure *f) {
        if (f->setup_step == PAYLOAD_STEP_EXEC)
                return append_program(text, def, f->detail);
        if (f->setup_step == PAYLOAD_STEP_DIRECTORY)
                g_string_append_printf(text, " '%s'", def->working_directory);
        if (f->setup_step == PAYLOAD_STEP_IDS)
                g_string_append_printf(text, " '%s'", def->user ?: "");
        return NULL;
}

static void append_failed_step(GString *text, const PayloadDef *def, const WireFailure *f) {
        const bool known = f->setup_step < PAYLOAD_STEP_COUNT;
        const char *what;

        g_string_append(text, known ? steps[f->setup_step].failed : "cannot set itself up");
        what = append_subject(text, def, f);
        g_string_append(text, ": ");
        explain_errno(text, f->error);
        if (known)
                explain_rule(text,
                             rule_find(steps[f->setup_step].rules, steps[f->setup_step].n, f->error, what));
}

KtError explain_payload(GString *text, const PlanAction *action, const char *path, const WireFailure *f) {
        g_string_append_printf(text, "cannot start the payload '%s' in %s: ", action->payload_name, path);
        if (f->exit_kind != WORKER_EXIT_NONE) {
                g_string_append(text, "its process");
                explain_early_end(text, f);
        } else
                append_failed_step(text, action->payload->state->def, f);
        return KT_ERROR_PAYLOAD_FAILED;
}

KtError explain_end_payload(GString *text, const PlanAction *action, const char *path, const WireFailure *f) {
        g_string_append_printf(text, "cannot end the payload '%s' in %s: ", action->payload_name, path);
        explain_errno(text, f->error);
        if (f->error == ETIMEDOUT)
                explain_rule(text,
                             "processes of it survive SIGKILL, as one does while the kernel waits for a "
                             "device on its behalf (state D); they end when that wait does");
        return KT_ERROR_KERNEL_REFUSED;
}
