/* SPDX-License-Identifier: GPL-2.0-only */
#include "explain.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "plan/knobs.h"
#include "explain-payload.h"
#include "explain-rules.h"

static const Rule mkdir_rules[] = {
        { EEXIST, NULL,
          "a directory of that name is there already and is none of this scenario's (a knob of the kernel, "
          "or made by "
          "hand); use another name or remove it" },
        { EAGAIN, NULL,
          "cgroup.max.descendants or cgroup.max.depth of a cgroup above is reached (cgroup-v2.rst); raise it "
          "or use "
          "fewer cgroups" },
        { ENAMETOOLONG, NULL, "a component of the name has more than 255 bytes; shorten it" },
        { ENOENT, NULL, "a parent vanished meanwhile; somebody else removes cgroups here" },
        { ENOSPC, NULL, "the kernel has no cgroup ids left for a controller; remove cgroups" },
};

static const Rule enable_rules[] = {
        { EBUSY, NULL,
          "processes live in this inner cgroup, and a cgroup that gives controllers to its children cannot "
          "hold any "
          "(no internal processes, cgroup-v2.rst); move them out" },
        { ENOENT, NULL,
          "the controller is not in this cgroup's cgroup.controllers: the parent has not enabled it in its "
          "cgroup.subtree_control, or the file does not exist because this is no cgroup v2 directory" },
        { EINVAL, NULL,
          "the kernel refuses the cpu controller while real-time tasks run outside the root cgroup "
          "(CONFIG_RT_GROUP_SCHED, cgroup-v2.rst); end them or move them to the root" },
        { EOPNOTSUPP, NULL,
          "the cgroup is in a threaded subtree, where domain controllers cannot be enabled" },
        { EACCES, NULL, "the cgroup is not delegated to this user" },
        { EPERM, NULL, "the cgroup is not delegated to this user" },
};

static const Rule write_rules[] = {
        { ENOENT, "memory.swap.max",
          "the kernel accounts no swap (CONFIG_SWAP, swapaccount=0); leave memory.swap_max out" },
        { ENOENT, "io.weight",
          "the kernel has no proportional io control here (CONFIG_BLK_CGROUP_IOCOST); leave io.weight out" },
        { ENOENT, NULL,
          "the knob does not exist here: its controller is not enabled in the parent's "
          "cgroup.subtree_control, or the "
          "kernel is built without it" },
        { EINVAL, "cpuset.cpus", "a CPU of the list does not exist or is offline" },
        { EINVAL, "cpuset.mems", "a node of the list does not exist or has no memory" },
        { EBUSY, "cpuset.cpus", "the SCHED_DEADLINE tasks of the cgroup do not fit on these CPUs" },
        { ENOSPC, "cpuset.cpus", "tasks are in the cgroup, and it would be left without a CPU" },
        { EINVAL, "cpu.max",
          "the period must be 1 ms to 1 s, and the quota at least 1 ms and below about 203 days "
          "(tg_set_cfs_bandwidth in kernel/sched)" },
        { ERANGE, "cpu.weight", "the weight must be 1..10000" },
        { ERANGE, "io.weight", "the weight must be 1..10000" },
        { EINVAL, NULL, "the kernel does not take this value for the knob (cgroup-v2.rst)" },
        { EACCES, NULL, "the file is not writable here: the cgroup is not delegated to this user" },
        { EPERM, NULL, "the cgroup is not delegated to this user" },
        { ENODEV, NULL, "the cgroup vanished meanwhile; somebody else removes cgroups here" },
};

static const Rule spawn_rules[] = {
        { EAGAIN, NULL,
          "the kernel has no room for another task: pids.max of this cgroup or of one above it, "
          "RLIMIT_NPROC, or "
          "kernel.pid_max; raise the limit or use fewer workers" },
        { EBUSY, NULL,
          "the cgroup gives controllers to its children, so it cannot hold workers (no internal processes, "
          "cgroup-v2.rst)" },
        { EOPNOTSUPP, NULL, "the cgroup is in an invalid threaded domain; it cannot hold processes" },
        { ENOMEM, NULL, "there is no memory for the workers or for their shared arena" },
};

static const Rule setup_rules[] = {
        { EMFILE, "pipes",
          "the process that makes them has RLIMIT_NOFILE files open, and each worker needs two more; use "
          "fewer workers or raise LimitNOFILE of the unit" },
        { ENFILE, "pipes",
          "the machine has fs.file-max files open, or that user's pipes hold fs.pipe-user-pages-hard pages "
          "(pipe(7)); raise the limit or use fewer workers" },
        { ENOMEM, "pipes", "there is no memory for them: memory.max of the cgroup, or the machine's" },
        { EAGAIN, "threads",
          "there is no room for another task: pids.max of this cgroup or of one above it, that user's "
          "RLIMIT_NPROC, kernel.threads-max or kernel.pid_max, or no memory for a stack "
          "(pthread_create(3)); raise the limit or use fewer workers" },
        { ENOMEM, "threads",
          "there is no memory for another task: memory.max of the cgroup, or the machine's; raise it or use "
          "fewer workers" },
        { EINVAL, "affinity",
          "none of the CPUs asked for is in the cgroup's cpuset.cpus.effective, or none is online" },
        { EBUSY, "sched_policy",
          "the SCHED_DEADLINE bandwidth of the machine or of the cpuset is used up (admission control, "
          "sched-deadline.rst); lower RUNTIME/PERIOD or the number of workers" },
        { EPERM, "sched_policy",
          "real-time policies and a lower nice value need CAP_SYS_NICE; a SCHED_DEADLINE task must be "
          "allowed on all "
          "CPUs of its root domain, so it goes with affinity inherit and an exclusive cpuset or none "
          "(sched-deadline.rst)" },
        { EINVAL, "sched_policy",
          "the kernel does not know this policy (ext needs a sched_ext kernel) or refuses its numbers" },
        { EACCES, "sched_policy", "the loaded sched_ext scheduler does not take this task" },
        { EINVAL, "mem_policy",
          "no node of the policy has memory and is in the cgroup's cpuset.mems.effective, or the kernel does "
          "not know the "
          "mode (weighted-interleave needs Linux 6.9) or the flags together with it" },
        { EPERM, "uid", "changing the user needs CAP_SETUID" },
        { EPERM, "gid", "changing the group needs CAP_SETGID" },
        { EAGAIN, "uid", "that user's RLIMIT_NPROC is reached" },
};

#define STILL_USED                                                                                           \
        "a process or a cgroup that is not ours is still in it; end it or remove it, teardown tries again"

static const Rule removal_rules[] = {
        { EBUSY, NULL, STILL_USED },
        { ENOTEMPTY, NULL, STILL_USED },
        { ETIMEDOUT, NULL, STILL_USED },
        { EACCES, NULL, "the permission is missing: the cgroup is not delegated to this user" },
        { EPERM, NULL, "the permission is missing: the cgroup is not delegated to this user" },
};

/* `what`, in the words of a definition where it has some, finds the rule. */
static const struct {
        const char *what, *failed;
} setup_steps[SETUP_STEP_COUNT] = {
        [SETUP_NONE] = { "start", "cannot start" },
        [SETUP_PARENT] = { "parent-death signal", "cannot set its parent-death signal" },
        [SETUP_PIPES] = { "pipes", "cannot make the pipes between workers" },
        [SETUP_THREAD] = { "threads", "cannot start its threads" },
        [SETUP_AFFINITY] = { "affinity", "cannot set its affinity" },
        [SETUP_POLICY] = { "sched_policy", "cannot set its sched_policy" },
        [SETUP_MEMPOLICY] = { "mem_policy", "cannot set its mem_policy" },
        [SETUP_COMM] = { "comm", "cannot set its comm" },
        [SETUP_GID] = { "gid", "cannot set its gid" },
        [SETUP_UID] = { "uid", "cannot set its uid" },
};

static char *absolute(const PlanAction *action, const char *root) {
        g_autofree char *path = plan_action_path(action);

        return path[0] ? g_strconcat(root, "/", path, NULL) : g_strdup(root);
}

static KtError explain_mkdir(GString *text, const PlanAction *action, const char *path,
                             const WireFailure *f) {
        (void)action;
        g_string_append_printf(text, "cannot create the cgroup %s: ", path);
        explain_errno(text, f->error);
        explain_rule(text, rule_find(mkdir_rules, G_N_ELEMENTS(mkdir_rules), f->error, NULL));
        return f->error == EEXIST ? KT_ERROR_CGROUP_EXISTS : KT_ERROR_KERNEL_REFUSED;
}

static KtError explain_enable(GString *text, const PlanAction *action, const char *path,
                              const WireFailure *f) {
        g_string_append_printf(text, "cannot write '%s' to %s/cgroup.subtree_control: ", action->value, path);
        explain_errno(text, f->error);
        explain_rule(text, rule_find(enable_rules, G_N_ELEMENTS(enable_rules), f->error, NULL));
        return f->error == ENOENT ? KT_ERROR_CONTROLLER_UNAVAILABLE : KT_ERROR_KERNEL_REFUSED;
}

static KtError explain_write(GString *text, const PlanAction *action, const char *path,
                             const WireFailure *f) {
        const Knob *knob = knob_find(action->file);

        g_string_append_printf(text, "cannot set %s = '%s' (%s): ", action->file, action->value, path);
        explain_errno(text, f->error);
        explain_rule(text, rule_find(write_rules, G_N_ELEMENTS(write_rules), f->error, action->file));
        return f->error == ENOENT && knob ? KT_ERROR_CONTROLLER_UNAVAILABLE : KT_ERROR_KERNEL_REFUSED;
}

/* The worker as its work counts it, or the leader it is a thread of. */
static void append_who(GString *text, const GroupState *group, uint32_t worker) {
        const WorkState *work = group_state_find_work(group, worker);

        if (worker == WIRE_LEADER)
                g_string_append_printf(text, "the leader of '%s'", group->pcomm ?: "");
        else
                g_string_append_printf(text, "worker %u", work ? worker - work->first : worker);
}

static void append_set_up(GString *text, const WireFailure *f) {
        const bool known = f->setup_step < SETUP_STEP_COUNT;

        g_string_append_printf(text,
                               " %s: ", known ? setup_steps[f->setup_step].failed : "cannot set itself up");
        explain_errno(text, f->error);
        if (known)
                explain_rule(text, rule_find(setup_rules, G_N_ELEMENTS(setup_rules), f->error,
                                             setup_steps[f->setup_step].what));
}

static KtError explain_spawn(GString *text, const PlanAction *action, const char *path,
                             const WireFailure *f) {
        const bool born = f->setup_step != SETUP_NONE || f->exit_kind != WORKER_EXIT_NONE;

        if (!born)
                g_string_append(text, "cannot start ");
        append_who(text, action->group->state, f->worker);
        if (f->setup_step != SETUP_NONE)
                append_set_up(text, f);
        else if (f->exit_kind != WORKER_EXIT_NONE)
                explain_early_end(text, f);
        else {
                g_string_append_printf(text, " in %s: ", path);
                explain_errno(text, f->error);
                explain_rule(text, rule_find(spawn_rules, G_N_ELEMENTS(spawn_rules), f->error, NULL));
        }
        return KT_ERROR_WORKERS_FAILED;
}

static KtError explain_collect(GString *text, const PlanAction *action, const char *path,
                               const WireFailure *f) {
        (void)action;
        g_string_append_printf(text, "workers of %s did not end: ", path);
        explain_errno(text, f->error);
        return KT_ERROR_TIMED_OUT;
}

static KtError explain_evacuate(GString *text, const PlanAction *action, const char *path,
                                const WireFailure *f) {
        (void)action;
        if (f->error)
                g_string_append_printf(text,
                                       "processes that are not workers cannot be moved out of %s: ", path);
        else
                g_string_append_printf(text, "processes that are not workers were moved out of %s", path);
        if (f->error)
                explain_errno(text, f->error);
        return KT_ERROR_KERNEL_REFUSED;
}

static KtError explain_removal(GString *text, const PlanAction *action, const char *path,
                               const WireFailure *f) {
        (void)action;
        g_string_append_printf(text, "cannot remove the cgroup %s: ", path);
        explain_errno(text, f->error);
        explain_rule(text, rule_find(removal_rules, G_N_ELEMENTS(removal_rules), f->error, NULL));
        return KT_ERROR_KERNEL_REFUSED;
}

static KtError explain_gate(GString *text, const PlanAction *action, const char *path, const WireFailure *f) {
        (void)action;
        g_string_append_printf(text, "cannot reach the workers of %s: ", path);
        explain_errno(text, f->error);
        return KT_ERROR_WORKERS_FAILED;
}

static KtError explain_phase(GString *text, const PlanAction *action, const char *path,
                             const WireFailure *f) {
        (void)action;
        (void)path;
        g_string_append(text, "cannot tell the workers of the scenario's next phase: ");
        explain_errno(text, f->error);
        return KT_ERROR_WORKERS_FAILED;
}

static KtError (*const explainers[ACTION_KIND_COUNT])(GString *text, const PlanAction *action,
                                                      const char *path, const WireFailure *f) = {
        [ACTION_MKDIR] = explain_mkdir,
        [ACTION_ENABLE] = explain_enable,
        [ACTION_WRITE] = explain_write,
        [ACTION_SPAWN] = explain_spawn,
        [ACTION_PHASE] = explain_phase,
        [ACTION_RELEASE] = explain_gate,
        [ACTION_STOP] = explain_gate,
        [ACTION_COLLECT] = explain_collect,
        [ACTION_EVACUATE] = explain_evacuate,
        [ACTION_AWAIT_EMPTY] = explain_removal,
        [ACTION_RMDIR] = explain_removal,
        [ACTION_PAYLOAD] = explain_payload,
        [ACTION_END_PAYLOAD] = explain_end_payload,
};

/* A spawn serves several works when they are threads of one process: the one whose worker it was, or, of a
 * leader, the one that asked for it first. */
static void append_place(GString *text, const PlanAction *action, const WireFailure *f) {
        const GroupState *group = action->group ? action->group->state : NULL;
        const WorkState *work = group ? group_state_find_work(group, f->worker) : NULL;

        if (!action->origin || !action->origin[0])
                return;
        g_string_append(text, action->origin);
        if (group)
                g_string_append_printf(text, "[%u]%s",
                                       work ? work->index : ((WorkState *)group->works->pdata[0])->index,
                                       f->worker == WIRE_LEADER ? ".pcomm" : "");
        g_string_append(text, ": ");
}

GError *explain_failure(const PlanAction *action, const char *root, const WireFailure *failure) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *path = absolute(action, root);
        KtError code;

        append_place(text, action, failure);
        if (action->cgroup[0] && action->cgroup[0] != '@') /* one of a payload has no name for the caller */
                g_string_append_printf(text, "cgroup '%s': ", action->cgroup);
        code = explainers[action->kind](text, action, path, failure);
        if (failure->error == ETIMEDOUT)
                code = KT_ERROR_TIMED_OUT;
        if (failure->detail[0] && !explain_payload_has_file(action, failure))
                g_string_append_printf(text, " [%s]", failure->detail);
        return g_error_new_literal(KT_ERROR, (gint)code, text->str);
}
