/* SPDX-License-Identifier: GPL-2.0-only */
#include "actions.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "home.h"
#include "payload-end.h"
#include "payload-kin.h"
#include "payload-start.h"
#include "phase.h"
#include "spawn.h"
#include "util.h"

enum { REAP_AFTER_KILL_MS = 3000, EVACUATE_PASSES = 8 };

/* ---- cgroups ---- */

static int await_empty(Executor *e, const char *path, uint64_t deadline) {
        CLEANUP(close_fd) int events = knob_open(&e->root, path, "cgroup.events", O_RDONLY);
        int r = 0;

        if (events < 0)
                return events == -ENOENT ? 0 : events;
        /* kernfs raises POLLPRI for changes after the last read, so a change cannot fall between the two. */
        while (r >= 0 && cgroup_events_populated(events))
                r = executor_wait(e, events, POLLPRI, deadline);
        return r == -ETIMEDOUT && !cgroup_events_populated(events) ? 0 : r < 0 ? r : 0;
}

int remove_cgroup(Executor *e, const char *path, uint64_t settle_ms) {
        int r = cgroup_rmdir(&e->root, path);

        if (r != -EBUSY || settle_ms == 0)
                return r;
        r = await_empty(e, path, after_ms(settle_ms));
        if (r == -ECANCELED)
                return r;
        return cgroup_rmdir(&e->root, path);
}

static int do_mkdir(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        const char *path = plan_at(plan, a->path);
        CLEANUP(ledger_discard_pointer) LedgerEntry *entry = ledger_prepare(LEDGER_CGROUP, path);

        if (!entry)
                return -ENOMEM;
        int r = cgroup_mkdir(&e->root, path);
        if (r < 0) {
                describe_cgroup(failure->detail, &e->root, path, NULL, -r);
                return r;
        }
        ledger_add(&e->ledger, entry);
        entry = NULL;
        return 0;
}

static int do_rmdir(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        const char *path = plan_at(plan, a->path);
        int r = remove_cgroup(e, path, plan->head->settle_ms);

        if (r == 0 || r == -ENOENT) {
                ledger_forget_path(&e->ledger, path);
                return 0;
        }
        describe_processes(failure->detail, &e->root, path);
        return r;
}

static int do_await_empty(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        const char *path = plan_at(plan, a->path);
        int r = await_empty(e, path, after_ms(plan->head->settle_ms));

        if (r == -ETIMEDOUT)
                describe_processes(failure->detail, &e->root, path);
        return r;
}

/* One pass over cgroup.procs. Returns how many were moved, or a negative errno. */
static int evacuate_once(Executor *e, const char *path, FILE *procs, char moved[WIRE_TEXT],
                         WireFailure *failure) {
        char line[32];
        int n = 0;

        while (fgets(line, sizeof(line), procs)) {
                pid_t pid = (pid_t)atoi(line);
                char who[WIRE_TEXT] = "";

                /* 0: lives in a pid namespace that is not ours to name it */
                if (pid <= 0 || children_contain(e, pid) || kin_of_any(e, path, pid))
                        continue;
                describe_process(who, pid);
                line[strcspn(line, "\n")] = '\0';
                int r = home_take_in(e->home, line);
                if (r == -ESRCH)
                        continue;
                if (r < 0) {
                        describe_append(failure->detail, "%s could not be moved to %s", who, e->home);
                        return r;
                }
                describe_append(moved, "%s%s", *moved ? ", " : "", who);
                n++;
                executor_beat(e);
        }
        return n;
}

static void note_evacuated(Executor *e, uint32_t action, const char *moved) {
        WireNote note = { .kind = WIRE_NOTE, .serial = e->serial, .failure.action = action };

        describe_append(note.failure.detail, "moved to %s: %s", e->home, moved);
        executor_send(e, &note, sizeof(note), -1);
}

static int do_evacuate(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        const char *path = plan_at(plan, a->path);
        char moved[WIRE_TEXT] = "";
        int n = 1;

        /* A process that forks may leave a child behind that was not there at the first look. */
        for (unsigned pass = 0; n > 0 && pass < EVACUATE_PASSES; pass++) {
                int fd = knob_open(&e->root, path, "cgroup.procs", O_RDONLY);
                CLEANUP(close_file) FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");
                if (!procs)
                        return fd == -ENOENT ? 0 : fd < 0 ? fd : -ENOMEM;
                n = evacuate_once(e, path, procs, moved, failure);
        }
        if (*moved)
                note_evacuated(e, failure->action, moved);
        return n < 0 ? n : 0;
}

/* ---- knobs ---- */

static bool has_word(const char *list, const char *word, size_t length) {
        for (const char *p = list; *p; p += strspn(p, " ")) {
                size_t n = strcspn(p, " ");
                if (n == length && memcmp(p, word, n) == 0)
                        return true;
                p += n;
        }
        return false;
}

/* "-x -y" for those of "+x +y +z" that are not on already. */
static char *disabling_text(const char *enabling, const char *already) {
        char *text = calloc(1, strlen(enabling) + 1), *to = text;

        for (const char *p = enabling; text && *p; p += strspn(p, " ")) {
                size_t n = strcspn(p, " ");
                if (*p == '+' && !has_word(already, p + 1, n - 1))
                        to += sprintf(to, "%s-%.*s", to == text ? "" : " ", (int)n - 1, p + 1);
                p += n;
        }
        return text;
}

/* cgroup v2 lets "+cpu" or "+pids" succeed where processes are, and quietly makes the cgroup a threaded
 * domain in which no further process can be born (cgroup_vet_subtree_control_enable, kernel/cgroup/cgroup.c).
 * The root of the hierarchy, which has no cgroup.type, is exempt. */
static bool would_turn_threaded(const CgroupRoot *root, const char *path) {
        char type[32];

        return root->is_cgroup2 && knob_read(root, path, "cgroup.type", type, sizeof(type)) >= 0 &&
               cgroup_has_processes(root, path);
}

static int do_enable(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        const char *path = plan_at(plan, a->path), *value = plan_at(plan, a->value);
        char already[256];
        CLEANUP(ledger_discard_pointer) LedgerEntry *entry = ledger_prepare(LEDGER_CONTROLLERS, path);

        ssize_t r = knob_read(&e->root, path, "cgroup.subtree_control", already, sizeof(already));
        if (r >= 0 && entry)
                entry->text = disabling_text(value, already);
        if (!entry || (r >= 0 && !entry->text))
                return -ENOMEM;
        if (r >= 0)
                r = would_turn_threaded(&e->root, path)
                            ? -EBUSY
                            : knob_write_in(&e->root, path, "cgroup.subtree_control", value);
        if (r < 0) {
                describe_cgroup(failure->detail, &e->root, path, "cgroup.subtree_control", (int)-r);
                return (int)r;
        }
        if (*entry->text) {
                ledger_add(&e->ledger, entry);
                entry = NULL;
        }
        return 0;
}

static int do_write(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        const char *path = plan_at(plan, a->path);
        int r = knob_write(&e->root, path, plan_at(plan, a->value));

        if (r < 0) {
                char cgroup[PATH_MAX];
                size_t length = parent_length(path);
                snprintf(cgroup, sizeof(cgroup), "%.*s", (int)length, path);
                describe_cgroup(failure->detail, &e->root, cgroup, path + length + (length != 0), -r);
        }
        return r;
}

/* ---- groups ---- */

static int do_spawn(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        return spawn_group(e, plan, a, failure);
}

static int do_phase(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        (void)plan, (void)failure;
        phase_tell(e, a->phase);
        return 0;
}

static int do_release(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        Group *group = group_find(e, a->group_id);
        (void)plan, (void)failure;

        if (!group)
                return -ENOENT;
        migrated_tell(e, group, MOMENT_RELEASE);
        group_open_gate(group);
        return 0;
}

static void start_stop_clock(Executor *e, const Plan *plan) {
        if (e->stop_deadline == 0)
                e->stop_deadline = after_ms(plan->head->stop_ms);
}

static int do_stop(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        Group *group = group_find(e, a->group_id);
        (void)failure;

        if (!group)
                return -ENOENT;
        start_stop_clock(e, plan);
        migrated_tell(e, group, MOMENT_STOP);
        group_stop(group);
        return 0;
}

static int do_collect(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        Group *group = group_find(e, a->group_id);

        if (!group)
                return -ENOENT;
        start_stop_clock(e, plan);
        int r = group_wait(e, group, e->stop_deadline);
        if (r == -ETIMEDOUT) {
                group_kill(group, true);
                r = group_wait(e, group, after_ms(REAP_AFTER_KILL_MS));
        }
        if (r == -ETIMEDOUT)
                describe_append(failure->detail, "%u processes survive SIGKILL", group->n_live);
        if (r >= 0)
                group_free(e, group);
        return r;
}

/* ---- payloads ---- */

static int do_payload(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        return payload_start(e, plan, a, failure);
}

static int do_end_payload(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        Payload *payload = payload_find(e, a->payload_id);

        return payload ? payload_end(e, payload, plan_at(plan, a->path), failure->detail) : 0;
}

static int (*const actions[ACTION_KIND_COUNT])(Executor *, const Plan *, const WireAction *,
                                               WireFailure *) = {
        [ACTION_MKDIR] = do_mkdir,
        [ACTION_ENABLE] = do_enable,
        [ACTION_WRITE] = do_write,
        [ACTION_SPAWN] = do_spawn,
        [ACTION_RELEASE] = do_release,
        [ACTION_STOP] = do_stop,
        [ACTION_COLLECT] = do_collect,
        [ACTION_EVACUATE] = do_evacuate,
        [ACTION_AWAIT_EMPTY] = do_await_empty,
        [ACTION_RMDIR] = do_rmdir,
        [ACTION_PHASE] = do_phase,
        [ACTION_PAYLOAD] = do_payload,
        [ACTION_END_PAYLOAD] = do_end_payload,
};

int action_run(Executor *e, const Plan *plan, uint32_t index, WireFailure *failure) {
        const WireAction *a = plan_action(plan, index);

        *failure = (WireFailure){ .action = index };
        int r = actions[a->kind](e, plan, a, failure);
        failure->error = -r;
        return r;
}
