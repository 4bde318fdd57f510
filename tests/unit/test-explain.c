/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "conformance/conf-topology.h"
#include "run/explain.h"

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
                cmocka_unit_test(refusals),   cmocka_unit_test(set_ups),
                cmocka_unit_test(threads),    cmocka_unit_test(leaders),
                cmocka_unit_test(early_ends), cmocka_unit_test(no_rule_no_colon),
                cmocka_unit_test(detail),     cmocka_unit_test(root_and_no_origin),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
