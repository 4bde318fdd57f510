/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "conformance/conf-topology.h"
#include "explain/explain.h"

/* An action on the cgroup 'c' below /r that stands at cgroups[1].key in a document. */
static GError *explained(ActionKind kind, const char *file, const char *value, const WireFailure *failure) {
        PlanAction action = { .kind = kind,
                              .cgroup = (char *)"c",
                              .file = file,
                              .value = (char *)value,
                              .origin = (char *)"cgroups[1].key" };

        return explain_failure(&action, "/r", failure);
}

/* The same of a spawn: works[2] with two workers and works[5] with three, threads of 'app' or processes. */
static GError *explained_spawn(const char *pcomm, const WireFailure *failure) {
        g_autoptr(GroupState) state = group_state_new(1, "c", pcomm, SLOT_STEP);
        PlanGroup group = { .state = state };
        PlanAction action = { .kind = ACTION_SPAWN,
                              .cgroup = (char *)"c",
                              .group = &group,
                              .origin = (char *)"cgroups[1].works" };

        group_state_add_work(state, 2, WORK_SPIN_WAIT);
        group_state_set_workers(state, 2);
        group_state_add_work(state, 5, WORK_BURSTY);
        group_state_set_workers(state, 3);
        return explain_failure(&action, "/r", failure);
}

static void check_at(GError *error, const char *place, KtError code, const char *head, const char *rule) {
        g_autofree char *start = g_strconcat(place, ": cgroup 'c': ", head, NULL);

        if (!g_error_matches(error, KT_ERROR, code) || !g_str_has_prefix(error->message, start) ||
            !strstr(error->message, rule))
                fail_msg("expected (%d) '%s...%s', got (%d) '%s'", code, start, rule, error->code,
                         error->message);
        g_error_free(error);
}

static void check(GError *error, KtError code, const char *head, const char *rule) {
        check_at(error, "cgroups[1].key", code, head, rule);
}

/* ---- files and directories ---- */

/* res:R29: the cgroup, the file with the value, the errno's name, the controller behind it */
static const struct {
        ActionKind kind;
        const char *file, *value;
        int error;
        KtError code;
        const char *head, *rule;
} REFUSALS[] = {
        { ACTION_MKDIR, NULL, NULL, EEXIST, KT_ERROR_CGROUP_EXISTS,
          "cannot create the cgroup /r/c: EEXIST (File exists): ", "is none of this scenario's" },
        { ACTION_MKDIR, NULL, NULL, EAGAIN, KT_ERROR_KERNEL_REFUSED,
          "cannot create the cgroup /r/c: EAGAIN (", "cgroup.max.descendants" },
        { ACTION_MKDIR, NULL, NULL, ENAMETOOLONG, KT_ERROR_KERNEL_REFUSED, "cannot create", "255 bytes" },
        { ACTION_MKDIR, NULL, NULL, ENOENT, KT_ERROR_KERNEL_REFUSED, "cannot create", "a parent vanished" },
        { ACTION_MKDIR, NULL, NULL, ENOSPC, KT_ERROR_KERNEL_REFUSED, "cannot create", "no cgroup ids left" },
        { ACTION_MKDIR, NULL, NULL, EROFS, KT_ERROR_KERNEL_REFUSED,
          "cannot create the cgroup /r/c: EROFS (Read-only file system)", "" },

        { ACTION_ENABLE, NULL, "+cpu +io", EBUSY, KT_ERROR_KERNEL_REFUSED,
          "cannot write '+cpu +io' to /r/c/cgroup.subtree_control: EBUSY (", "no internal processes" },
        { ACTION_ENABLE, NULL, "+cpu", ENOENT, KT_ERROR_CONTROLLER_UNAVAILABLE,
          "cannot write '+cpu' to /r/c/cgroup.subtree_control: ENOENT (", "cgroup.controllers" },
        { ACTION_ENABLE, NULL, "+cpu", EINVAL, KT_ERROR_KERNEL_REFUSED, "cannot write", "real-time tasks" },
        { ACTION_ENABLE, NULL, "+cpu", EOPNOTSUPP, KT_ERROR_KERNEL_REFUSED, "cannot write", "threaded" },
        { ACTION_ENABLE, NULL, "+cpu", EACCES, KT_ERROR_KERNEL_REFUSED, "cannot write", "not delegated" },
        { ACTION_ENABLE, NULL, "+cpu", EPERM, KT_ERROR_KERNEL_REFUSED, "cannot write", "not delegated" },

        { ACTION_WRITE, "memory.swap.max", "0", ENOENT, KT_ERROR_CONTROLLER_UNAVAILABLE,
          "cannot set memory.swap.max = '0' (/r/c/memory.swap.max): ENOENT (", "leave memory.swap_max out" },
        { ACTION_WRITE, "io.weight", "5", ENOENT, KT_ERROR_CONTROLLER_UNAVAILABLE,
          "cannot set io.weight = '5'", "leave io.weight out" },
        { ACTION_WRITE, "cpu.weight", "5", ENOENT, KT_ERROR_CONTROLLER_UNAVAILABLE,
          "cannot set cpu.weight = '5' (/r/c/cpu.weight): ENOENT (", "not enabled in the parent's" },
        { ACTION_WRITE, "cgroup.freeze", "0", ENOENT, KT_ERROR_KERNEL_REFUSED,
          "cannot set cgroup.freeze = '0'", "" },
        { ACTION_WRITE, "cpuset.cpus", "9", EINVAL, KT_ERROR_KERNEL_REFUSED,
          "cannot set cpuset.cpus = '9' (/r/c/cpuset.cpus): EINVAL (Invalid argument): ",
          "does not exist or is offline" },
        { ACTION_WRITE, "cpuset.mems", "9", EINVAL, KT_ERROR_KERNEL_REFUSED, "cannot set cpuset.mems = '9'",
          "has no memory" },
        { ACTION_WRITE, "cpuset.cpus", "0", EBUSY, KT_ERROR_KERNEL_REFUSED, "cannot set cpuset.cpus = '0'",
          "SCHED_DEADLINE" },
        { ACTION_WRITE, "cpuset.cpus", "", ENOSPC, KT_ERROR_KERNEL_REFUSED, "cannot set cpuset.cpus = ''",
          "left without a CPU" },
        { ACTION_WRITE, "cpu.max", "1 100000", EINVAL, KT_ERROR_KERNEL_REFUSED,
          "cannot set cpu.max = '1 100000'", "1 ms to 1 s" },
        { ACTION_WRITE, "cpu.weight", "0", ERANGE, KT_ERROR_KERNEL_REFUSED, "cannot set cpu.weight = '0'",
          "1..10000" },
        { ACTION_WRITE, "io.weight", "0", ERANGE, KT_ERROR_KERNEL_REFUSED, "cannot set io.weight = '0'",
          "1..10000" },
        { ACTION_WRITE, "pids.max", "x", EINVAL, KT_ERROR_KERNEL_REFUSED, "cannot set pids.max = 'x'",
          "does not take this value" },
        { ACTION_WRITE, "memory.max", "1", EACCES, KT_ERROR_KERNEL_REFUSED, "cannot set memory.max = '1'",
          "not writable here" },
        { ACTION_WRITE, "memory.max", "1", EPERM, KT_ERROR_KERNEL_REFUSED, "cannot set memory.max = '1'",
          "not delegated" },
        { ACTION_WRITE, "memory.max", "1", ENODEV, KT_ERROR_KERNEL_REFUSED, "cannot set memory.max = '1'",
          "vanished meanwhile" },
        /* a deadline is a deadline whatever was tried */
        { ACTION_WRITE, "memory.max", "1", ETIMEDOUT, KT_ERROR_TIMED_OUT,
          "cannot set memory.max = '1' (/r/c/memory.max): ETIMEDOUT (", "" },

        /* res:R53 */
        { ACTION_RMDIR, NULL, NULL, EBUSY, KT_ERROR_KERNEL_REFUSED, "cannot remove the cgroup /r/c: EBUSY (",
          "a process or a cgroup that is not ours" },
        { ACTION_RMDIR, NULL, NULL, EACCES, KT_ERROR_KERNEL_REFUSED,
          "cannot remove the cgroup /r/c: EACCES (Permission denied): ", "permission is missing" },
        { ACTION_RMDIR, NULL, NULL, EPERM, KT_ERROR_KERNEL_REFUSED, "cannot remove", "not delegated" },
        { ACTION_RMDIR, NULL, NULL, ENOTEMPTY, KT_ERROR_KERNEL_REFUSED, "cannot remove",
          "teardown tries again" },
        { ACTION_AWAIT_EMPTY, NULL, NULL, ETIMEDOUT, KT_ERROR_TIMED_OUT,
          "cannot remove the cgroup /r/c: ETIMEDOUT (", "is still in it" },
        { ACTION_EVACUATE, NULL, NULL, 0, KT_ERROR_KERNEL_REFUSED,
          "processes that are not workers were moved out of /r/c", "" },
        { ACTION_EVACUATE, NULL, NULL, EPERM, KT_ERROR_KERNEL_REFUSED,
          "processes that are not workers cannot be moved out of /r/c: EPERM (", "" },

        { ACTION_PHASE, NULL, NULL, EBADF, KT_ERROR_WORKERS_FAILED,
          "cannot tell the workers of the scenario's next phase: EBADF (", "" },
        { ACTION_RELEASE, NULL, NULL, EBADF, KT_ERROR_WORKERS_FAILED,
          "cannot reach the workers of /r/c: EBADF (", "" },
        { ACTION_STOP, NULL, NULL, ESRCH, KT_ERROR_WORKERS_FAILED,
          "cannot reach the workers of /r/c: ESRCH (", "" },
        { ACTION_COLLECT, NULL, NULL, ETIMEDOUT, KT_ERROR_TIMED_OUT,
          "workers of /r/c did not end: ETIMEDOUT (", "" },
};

static void refusals(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(REFUSALS); i++) {
                WireFailure failure = { .error = REFUSALS[i].error };
                check(explained(REFUSALS[i].kind, REFUSALS[i].file, REFUSALS[i].value, &failure),
                      REFUSALS[i].code, REFUSALS[i].head, REFUSALS[i].rule);
        }
}

/* ---- workers ---- */

static const struct {
        SetupStep step;
        int error;
        const char *head, *rule;
} SET_UPS[] = {
        { SETUP_NONE, EAGAIN, "cannot start worker 1 in /r/c: EAGAIN (", "pids.max" },
        { SETUP_NONE, EBUSY, "cannot start worker 1 in /r/c: EBUSY (", "no internal processes" },
        { SETUP_NONE, EOPNOTSUPP, "cannot start worker 1 in /r/c: EOPNOTSUPP (", "threaded domain" },
        { SETUP_NONE, ENOMEM, "cannot start worker 1 in /r/c: ENOMEM (", "no memory" },
        { SETUP_PIPES, EMFILE, "worker 1 cannot make the pipes between workers: EMFILE (", "two more" },
        { SETUP_PARENT, ESRCH, "worker 1 cannot set its parent-death signal: ESRCH (", "" },
        { SETUP_AFFINITY, EINVAL, "worker 1 cannot set its affinity: EINVAL (", "cpuset.cpus.effective" },
        { SETUP_POLICY, EBUSY, "worker 1 cannot set its sched_policy: EBUSY (", "admission control" },
        { SETUP_POLICY, EPERM, "worker 1 cannot set its sched_policy: EPERM (", "CAP_SYS_NICE" },
        { SETUP_POLICY, EINVAL, "worker 1 cannot set its sched_policy: EINVAL (", "sched_ext kernel" },
        { SETUP_POLICY, EACCES, "worker 1 cannot set its sched_policy: EACCES (", "does not take this task" },
        { SETUP_MEMPOLICY, EINVAL, "worker 1 cannot set its mem_policy: EINVAL (", "cpuset.mems.effective" },
        { SETUP_COMM, EINVAL, "worker 1 cannot set its comm: EINVAL (Invalid argument)", "" },
        { SETUP_GID, EPERM, "worker 1 cannot set its gid: EPERM (", "CAP_SETGID" },
        { SETUP_UID, EPERM, "worker 1 cannot set its uid: EPERM (", "CAP_SETUID" },
        { SETUP_UID, EAGAIN, "worker 1 cannot set its uid: EAGAIN (", "RLIMIT_NPROC" },
        { SETUP_STEP_COUNT, EIO, "worker 1 cannot set itself up: EIO (", "" },
};

static void set_ups(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(SET_UPS); i++) {
                WireFailure failure = { .error = SET_UPS[i].error,
                                        .worker = 1,
                                        .setup_step = SET_UPS[i].step };
                check_at(explained_spawn(NULL, &failure), "cgroups[1].works[2]", KT_ERROR_WORKERS_FAILED,
                         SET_UPS[i].head, SET_UPS[i].rule);
        }
}

/* Which of the works it was, and which of its workers. */
static void threads(void **state G_GNUC_UNUSED) {
        static const struct {
                uint32_t worker;
                const char *place, *head;
        } cases[] = {
                { 0, "cgroups[1].works[2]", "worker 0 cannot set its uid: EPERM (" },
                { 2, "cgroups[1].works[5]", "worker 0 cannot set its uid: EPERM (" },
                { 4, "cgroups[1].works[5]", "worker 2 cannot set its uid: EPERM (" },
                { WIRE_LEADER, "cgroups[1].works[2].pcomm",
                  "the leader of 'app' cannot set its uid: EPERM (" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                WireFailure failure = { .error = EPERM, .worker = cases[i].worker, .setup_step = SETUP_UID };
                check_at(explained_spawn("app", &failure), cases[i].place, KT_ERROR_WORKERS_FAILED,
                         cases[i].head, "CAP_SETUID");
        }
}

static void leaders(void **state G_GNUC_UNUSED) {
        static const struct {
                WireFailure failure;
                const char *head, *rule;
        } cases[] = {
                { { .error = EMFILE, .setup_step = SETUP_PIPES },
                  "the leader of 'app' cannot make the pipes between workers: EMFILE (",
                  "RLIMIT_NOFILE" },
                { { .error = ENFILE, .setup_step = SETUP_PIPES },
                  "the leader of 'app' cannot make the pipes between workers: ENFILE (",
                  "fs.file-max" },
                { { .error = ENOMEM, .setup_step = SETUP_PIPES },
                  "the leader of 'app' cannot make the pipes between workers: ENOMEM (",
                  "no memory" },
                { { .error = EAGAIN, .setup_step = SETUP_THREAD },
                  "the leader of 'app' cannot start its threads: EAGAIN (",
                  "pids.max" },
                { { .error = EAGAIN, .setup_step = SETUP_THREAD },
                  "the leader of 'app' cannot start its threads: EAGAIN (",
                  "kernel.threads-max" },
                { { .error = ENOMEM, .setup_step = SETUP_THREAD },
                  "the leader of 'app' cannot start its threads: ENOMEM (",
                  "memory.max" },
                { { .error = EAGAIN }, "cannot start the leader of 'app' in /r/c: EAGAIN (", "pids.max" },
                { { .exit_kind = WORKER_EXIT_SIGNAL, .exit_value = 9 },
                  "the leader of 'app' was killed by signal 9 (KILL) before it was ready",
                  "memory.max is too small" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                WireFailure failure = cases[i].failure;
                failure.worker = WIRE_LEADER;
                check_at(explained_spawn("app", &failure), "cgroups[1].works[2].pcomm",
                         KT_ERROR_WORKERS_FAILED, cases[i].head, cases[i].rule);
        }
}

static void early_ends(void **state G_GNUC_UNUSED) {
        WireFailure killed = { .worker = 1, .exit_kind = WORKER_EXIT_SIGNAL, .exit_value = 9 };
        WireFailure crashed = { .worker = 1, .exit_kind = WORKER_EXIT_SIGNAL, .exit_value = 11 };
        WireFailure left = { .worker = 0, .exit_kind = WORKER_EXIT_CODE, .exit_value = 2 };
        GError *error;

        check_at(explained_spawn(NULL, &killed), "cgroups[1].works[2]", KT_ERROR_WORKERS_FAILED,
                 "worker 1 was killed by signal 9 (KILL) before it was ready", "memory.max is too small");
        error = explained_spawn(NULL, &crashed);
        assert_null(strstr(error->message, "memory"));
        check_at(error, "cgroups[1].works[2]", KT_ERROR_WORKERS_FAILED,
                 "worker 1 was killed by signal 11 (SEGV) before it was ready", "");
        check_at(explained_spawn(NULL, &left), "cgroups[1].works[2]", KT_ERROR_WORKERS_FAILED,
                 "worker 0 exited with code 2 before it was ready", "");
}

/* ---- payloads ---- */

/* The start of a payload 'load' of the user 'joe' in 'directory', a cgroup 'c' or one of its own. */
static GError *explained_payload(const char *exec, const char *directory, const WireFailure *failure) {
        PayloadDef *def = payload_def_new("load", exec);
        g_autoptr(PayloadState) state = payload_state_new(3, def, "c");
        PlanPayload payload = { .state = state };
        PlanAction action = { .kind = ACTION_PAYLOAD,
                              .cgroup = (char *)directory,
                              .payload = &payload,
                              .payload_name = (char *)"load",
                              .origin = (char *)"cgroups[1].payload" };

        def->user = g_strdup("joe");
        g_free(def->working_directory);
        def->working_directory = g_strdup("/work");
        payload_def_unref(def);
        return explain_failure(&action, "/r", failure);
}

static const struct {
        PayloadStep step;
        int error;
        const char *exec, *detail, *head, *rule;
} STARTS[] = {
        { PAYLOAD_STEP_BIRTH, EAGAIN, "x", "", "cannot create its process: EAGAIN (", "pids.max" },
        { PAYLOAD_STEP_BIRTH, EBUSY, "x", "", "cannot create its process: EBUSY (", "no internal processes" },
        { PAYLOAD_STEP_BIRTH, EOPNOTSUPP, "x", "", "cannot create its process: EOPNOTSUPP (",
          "threaded domain" },
        { PAYLOAD_STEP_BIRTH, ENODEV, "x", "", "cannot create its process: ENODEV (", "vanished meanwhile" },
        { PAYLOAD_STEP_BIRTH, ENOENT, "x", "", "cannot create its process: ENOENT (", "vanished meanwhile" },
        { PAYLOAD_STEP_BIRTH, ENOMEM, "x", "", "cannot create its process: ENOMEM (", "memory.max" },
        { PAYLOAD_STEP_BIRTH, EMFILE, "x", "", "cannot create its process: EMFILE (", "LimitNOFILE" },
        { PAYLOAD_STEP_BIRTH, ENFILE, "x", "", "cannot create its process: ENFILE (", "fs.file-max" },
        { PAYLOAD_STEP_BIRTH, EACCES, "x", "", "cannot create its process: EACCES (", "not delegated" },
        { PAYLOAD_STEP_BIRTH, EPERM, "x", "", "cannot create its process: EPERM (", "not delegated" },
        { PAYLOAD_STEP_BIRTH, EIO, "x", "", "cannot create its process: EIO (", "" },

        { PAYLOAD_STEP_IDS, EPERM, "x", "", "cannot become the user 'joe': EPERM (", "CAP_SETUID" },
        { PAYLOAD_STEP_IDS, EAGAIN, "x", "", "cannot become the user 'joe': EAGAIN (", "RLIMIT_NPROC" },
        { PAYLOAD_STEP_IDS, EINVAL, "x", "", "cannot become the user 'joe': EINVAL (", "user namespace" },

        { PAYLOAD_STEP_DIRECTORY, ENOENT, "x", "/work", "cannot enter the directory '/work': ENOENT (",
          "create it" },
        { PAYLOAD_STEP_DIRECTORY, ENOTDIR, "x", "/work", "cannot enter the directory '/work': ENOTDIR (",
          "no directory" },
        { PAYLOAD_STEP_DIRECTORY, EACCES, "x", "/work", "cannot enter the directory '/work': EACCES (",
          "user may not enter it" },
        { PAYLOAD_STEP_DIRECTORY, ELOOP, "x", "/work", "cannot enter the directory '/work': ELOOP (",
          "symbolic links" },

        { PAYLOAD_STEP_EXEC, ENOENT, "/opt/fio", "/opt/fio",
          "cannot execute '/opt/fio': ENOENT (No such file or directory): ",
          "install the program, or correct" },
        { PAYLOAD_STEP_EXEC, ENOENT, "/opt/fio", "/opt/fio", "cannot execute '/opt/fio': ENOENT (",
          "dynamic loader" },
        { PAYLOAD_STEP_EXEC, ENOENT, "fio", "fio", "cannot execute 'fio': ENOENT (", "no directory of PATH" },
        { PAYLOAD_STEP_EXEC, ENOENT, "fio", "", "cannot execute 'fio': ENOENT (", "install it" },
        { PAYLOAD_STEP_EXEC, ENOENT, "fio", "/usr/bin/fio", "cannot execute '/usr/bin/fio': ENOENT (",
          "dynamic loader" }, /* PATH has one, and it is there */
        { PAYLOAD_STEP_EXEC, ENOENT, "/opt/run", "/opt/run\t/bin/pyhton",
          "cannot execute '/opt/run' (interpreter '/bin/pyhton'): ENOENT (", "the script is there" },
        { PAYLOAD_STEP_EXEC, ENOENT, "run", "/usr/bin/run\t/bin/pyhton",
          "cannot execute '/usr/bin/run' (interpreter '/bin/pyhton'): ENOENT (", "the script is there" },
        { PAYLOAD_STEP_EXEC, ENOENT, "run", "/usr/bin/run\t/bin/\xff",
          "cannot execute '/usr/bin/run' (interpreter '/bin/\xef\xbf\xbd'): ENOENT (",
          "the script is there" },
        { PAYLOAD_STEP_EXEC, ENOEXEC, "/opt/run", "/opt/run", "cannot execute '/opt/run': ENOEXEC (",
          "#!/bin/sh" },
        { PAYLOAD_STEP_EXEC, EACCES, "/opt/run", "/opt/run", "cannot execute '/opt/run': EACCES (",
          "it is a directory or not executable" },
        { PAYLOAD_STEP_EXEC, EACCES, "/opt/run", "/opt/run", "cannot execute '/opt/run': EACCES (",
          "noexec" },
        { PAYLOAD_STEP_EXEC, EACCES, "/opt/run", "/opt/run\t/bin/x",
          "cannot execute '/opt/run' (interpreter '/bin/x'): EACCES (", "the script or its interpreter" },
        { PAYLOAD_STEP_EXEC, ENOTDIR, "/a/b", "/a/b", "cannot execute '/a/b': ENOTDIR (", "no directory" },
        { PAYLOAD_STEP_EXEC, ELOOP, "/a/b", "/a/b", "cannot execute '/a/b': ELOOP (", "symbolic links" },
        { PAYLOAD_STEP_EXEC, ETXTBSY, "/a/b", "/a/b", "cannot execute '/a/b': ETXTBSY (",
          "open for writing" },
        { PAYLOAD_STEP_EXEC, E2BIG, "/a/b", "/a/b", "cannot execute '/a/b': E2BIG (", "RLIMIT_STACK" },
        { PAYLOAD_STEP_EXEC, ENOMEM, "/a/b", "/a/b", "cannot execute '/a/b': ENOMEM (", "memory.max" },
        { PAYLOAD_STEP_EXEC, EAGAIN, "/a/b", "/a/b", "cannot execute '/a/b': EAGAIN (", "RLIMIT_NPROC" },

        { PAYLOAD_STEP_START, ECHILD, "x", "", "it did not come to run its program: ECHILD (", "" },
        { PAYLOAD_STEP_COUNT, EIO, "x", "", "cannot set itself up: EIO (", "" },
};

static void starts(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(STARTS); i++) {
                g_autofree char *head =
                        g_strconcat("cannot start the payload 'load' in /r/c: ", STARTS[i].head, NULL);
                WireFailure failure = { .error = STARTS[i].error, .setup_step = STARTS[i].step };

                g_strlcpy(failure.detail, STARTS[i].detail, sizeof(failure.detail));
                check_at(explained_payload(STARTS[i].exec, "c", &failure), "cgroups[1].payload",
                         KT_ERROR_PAYLOAD_FAILED, head, STARTS[i].rule);
        }
}

static void payload_that_died(void **state G_GNUC_UNUSED) {
        WireFailure killed = { .error = ECHILD,
                               .setup_step = PAYLOAD_STEP_START,
                               .exit_kind = WORKER_EXIT_SIGNAL,
                               .exit_value = 9 };
        WireFailure left = { .error = ECHILD,
                             .setup_step = PAYLOAD_STEP_START,
                             .exit_kind = WORKER_EXIT_CODE,
                             .exit_value = 2 };

        check_at(explained_payload("x", "c", &killed), "cgroups[1].payload", KT_ERROR_PAYLOAD_FAILED,
                 "cannot start the payload 'load' in /r/c: its process was killed by signal 9 (KILL) before "
                 "it "
                 "was ready",
                 "memory.max is too small");
        check_at(
                explained_payload("x", "c", &left), "cgroups[1].payload", KT_ERROR_PAYLOAD_FAILED,
                "cannot start the payload 'load' in /r/c: its process exited with code 2 before it was ready",
                "");
}

/* A file that the sentence has named is not named again; anything else that the executor saw comes last. */
static void detail_of_a_payload(void **state G_GNUC_UNUSED) {
        WireFailure script = { .error = EIO, .setup_step = PAYLOAD_STEP_EXEC, .detail = "/opt/run\t/bin/sh" };
        WireFailure birth = { .error = EAGAIN, .setup_step = PAYLOAD_STEP_BIRTH, .detail = "pids.max: 2" };
        g_autoptr(GError) named = explained_payload("/opt/run", "c", &script);
        g_autoptr(GError) seen = explained_payload("/opt/run", "c", &birth);

        assert_true(g_str_has_suffix(named->message, "(interpreter '/bin/sh'): EIO (Input/output error)"));
        assert_true(g_str_has_suffix(seen->message, " [pids.max: 2]"));
}

/* What the payload has to itself has no name that the caller gave. */
static void payload_without_a_cgroup(void **state G_GNUC_UNUSED) {
        WireFailure failure = { .error = EIO, .setup_step = PAYLOAD_STEP_EXEC, .detail = "/opt/x" };
        g_autoptr(GError) error = explained_payload("/opt/x", "@payload-3", &failure);

        assert_string_equal(error->message,
                            "cgroups[1].payload: cannot start the payload 'load' in "
                            "/r/@payload-3: cannot execute '/opt/x': EIO (Input/output error)");
}

static void payload_deadlines(void **state G_GNUC_UNUSED) {
        WireFailure late = { .error = ETIMEDOUT, .setup_step = PAYLOAD_STEP_START };
        WireFailure refused = { .error = EIO };
        PlanAction end = { .kind = ACTION_END_PAYLOAD,
                           .cgroup = (char *)"c",
                           .payload_name = (char *)"load" };
        g_autoptr(GError) survived = explain_failure(&end, "/r", &late);
        g_autoptr(GError) other = explain_failure(&end, "/r", &refused);

        check_at(explained_payload("x", "c", &late), "cgroups[1].payload", KT_ERROR_TIMED_OUT,
                 "cannot start the payload 'load' in /r/c: it did not come to run its program: ETIMEDOUT (",
                 "frozen");
        assert_refused(survived, KT_ERROR_TIMED_OUT,
                       "cgroup 'c': cannot end the payload 'load' in /r/c: ETIMEDOUT (", "survive SIGKILL");
        assert_refused(other, KT_ERROR_KERNEL_REFUSED, "cannot end the payload 'load' in /r/c: EIO (");
}

/* ---- around the sentence ---- */

static void no_rule_no_colon(void **state G_GNUC_UNUSED) {
        WireFailure failure = { .error = EROFS };
        g_autoptr(GError) error = explained(ACTION_WRITE, "pids.max", "7", &failure);

        assert_string_equal(error->message, "cgroups[1].key: cgroup 'c': cannot set pids.max = '7' "
                                            "(/r/c/pids.max): EROFS (Read-only file system)");
}

/* What the executor saw of the cgroup comes last. */
static void detail(void **state G_GNUC_UNUSED) {
        WireFailure failure = { .error = EROFS, .detail = "cgroup.procs: 17" };
        g_autoptr(GError) error = explained(ACTION_WRITE, "pids.max", "7", &failure);

        assert_true(g_str_has_suffix(error->message, "EROFS (Read-only file system) [cgroup.procs: 17]"));
}

/* The root has no name of its own, and what no definition asked for has no place. */
static void root_and_no_origin(void **state G_GNUC_UNUSED) {
        PlanAction enable = { .kind = ACTION_ENABLE, .cgroup = (char *)"", .value = (char *)"+cpu" };
        WireFailure failure = { .error = EROFS };
        g_autoptr(GError) error = explain_failure(&enable, "/r", &failure);

        assert_string_equal(error->message, "cannot write '+cpu' to /r/cgroup.subtree_control: EROFS "
                                            "(Read-only file system)");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(refusals),
                cmocka_unit_test(set_ups),
                cmocka_unit_test(threads),
                cmocka_unit_test(leaders),
                cmocka_unit_test(early_ends),
                cmocka_unit_test(starts),
                cmocka_unit_test(payload_that_died),
                cmocka_unit_test(detail_of_a_payload),
                cmocka_unit_test(payload_without_a_cgroup),
                cmocka_unit_test(payload_deadlines),
                cmocka_unit_test(no_rule_no_colon),
                cmocka_unit_test(detail),
                cmocka_unit_test(root_and_no_origin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
