/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "birth.h"
#include "describe.h"
#include "payload-child.h"
#include "payload-end.h"
#include "payload.h"
#include "util.h"

enum { READY_MS = 10000 };

/* One PAYLOAD under way. */
typedef struct Start {
        Executor *e;
        const Plan *plan;
        const WirePayloadSpec *spec;
        Birth birth;
        Command command;
        Payload *payload;
        int ours[PIPE_COUNT], theirs[PIPE_COUNT]; /* ends of the pipes */
        WireFailure *failure;
} Start;

/* ---- pipes ---- */

static void close_ends(int ends[PIPE_COUNT]) {
        for (unsigned i = 0; i < PIPE_COUNT; i++)
                close_fd(&ends[i]);
}

static int open_pipes(Start *s) {
        for (PayloadPipe i = 0; i < PIPE_COUNT; i++) {
                int ends[2];
                if (pipe2(ends, O_CLOEXEC | (i == PIPE_NEWS ? O_NONBLOCK : 0)) < 0)
                        return -errno;
                s->ours[i] = ends[i == PIPE_GO];
                s->theirs[i] = ends[i != PIPE_GO];
        }
        return 0;
}

/* ---- birth ---- */

static PayloadChild child_of(const Start *s) {
        PayloadChild c = {
                .e = s->e,
                .spec = s->spec,
                .directory = plan_at(s->plan, s->spec->directory),
                .groups = s->spec->n_groups ? plan_at(s->plan, s->spec->groups) : NULL,
                .command = &s->command,
                .parent = getpid(),
                .go_writer = s->ours[PIPE_GO],
        };

        for (unsigned i = 0; i < PIPE_COUNT; i++)
                c.pipes[i] = s->theirs[i];
        return c;
}

static int fork_leader(Start *s) {
        PayloadChild child = child_of(s);
        pid_t pid = birth_fork(&s->birth);

        if (pid == 0) {
                child.held = s->birth.move;
                payload_child_main(&child);
        }
        close_ends(s->theirs);
        if (pid < 0)
                return pid;
        payload_born(s->e, s->payload, pid);
        if (s->spec->own_group) {
                setpgid(pid, pid); /* by whoever of the two comes first; fails only when it is done */
                s->payload->group = pid;
        }
        return birth_place(&s->birth, pid);
}

static int give_birth(Start *s) {
        int r = fork_leader(s);

        if (r < 0) {
                describe_cgroup(s->failure->detail, &s->e->root, s->birth.path, NULL, -r);
                return r;
        }
        if (s->birth.move && write(s->ours[PIPE_GO], "\1", 1) < 0 && errno != EPIPE)
                return -errno; /* EPIPE: it has died, and that is seen next */
        executor_beat(s->e);
        return 0;
}

/* ---- exec ---- */

static int fail_at(Start *s, const PayloadNews *news) {
        char *detail = s->failure->detail;

        s->failure->setup_step = news->step;
        s->payload->ran = false;
        if (news->step == PAYLOAD_STEP_DIRECTORY)
                describe_append(detail, "%s", (const char *)plan_at(s->plan, s->spec->directory));
        if (news->step == PAYLOAD_STEP_EXEC)
                command_describe(&s->command, news->file, detail);
        return -news->error;
}

static int fail_late(Start *s) {
        s->failure->setup_step = PAYLOAD_STEP_START;
        describe_cgroup(s->failure->detail, &s->e->root, s->birth.path, NULL, ETIMEDOUT);
        return -ETIMEDOUT;
}

static int fail_dead(Start *s, uint64_t deadline) {
        const Payload *p = s->payload;
        int r = 0;

        while (p->leader.live && r >= 0)
                r = executor_wait(s->e, -1, 0, deadline);
        s->failure->setup_step = PAYLOAD_STEP_START;
        s->failure->exit_kind = p->exit.exit_kind;
        s->failure->exit_value = p->exit.exit_value;
        return r == -ECANCELED ? r : -ECHILD;
}

/* Exec closes the pipe of news, and so does death; but death does not say first that exec is next. */
static int await_exec(Start *s) {
        uint64_t deadline = after_ms(READY_MS);

        for (;;) {
                PayloadNews news;
                ssize_t n = read(s->ours[PIPE_NEWS], &news, sizeof(news));
                if (n == 0)
                        return s->payload->ran ? 0 : fail_dead(s, deadline);
                if (n == sizeof(news) && news.error)
                        return fail_at(s, &news);
                if (n == sizeof(news)) {
                        s->payload->ran = true;
                        continue;
                }
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
                int r = executor_wait(s->e, s->ours[PIPE_NEWS], POLLIN, deadline);
                if (r < 0)
                        return r == -ETIMEDOUT ? fail_late(s) : r;
        }
}

/* ---- all of it ---- */

static int prepare(Start *s, const WireAction *a) {
        int r = birth_begin(&s->birth, s->e, plan_at(s->plan, a->path));

        if (r >= 0 && payload_find(s->e, s->spec->payload_id))
                r = -EEXIST;
        if (r >= 0)
                r = open_pipes(s);
        if (r >= 0)
                r = command_build(&s->command, s->plan, s->spec);
        if (r >= 0)
                r = payload_new(s->e, s->plan, a, &s->payload);
        return r;
}

static int start(Start *s) {
        int r = give_birth(s);

        if (r >= 0)
                r = await_exec(s);
        if (r < 0)
                return r;
        return payload_announce(s->e, s->payload, s->birth.move ? PLACEMENT_MOVED : PLACEMENT_BORN,
                                s->ours + PIPE_OUTPUT);
}

int payload_start(Executor *e, const Plan *plan, const WireAction *a, WireFailure *failure) {
        Start s = { .e = e,
                    .plan = plan,
                    .spec = plan_payload(plan, a->payload),
                    .ours = { -1, -1, -1, -1 },
                    .theirs = { -1, -1, -1, -1 },
                    .failure = failure };

        failure->setup_step = PAYLOAD_STEP_BIRTH;
        int r = prepare(&s, a);
        if (r >= 0)
                r = start(&s);
        close_ends(s.ours);
        close_ends(s.theirs);
        command_clear(&s.command);
        birth_end(&s.birth);
        if (r < 0 && s.payload)
                payload_end(e, s.payload, s.payload->entry->path, NULL); /* what does not end stays in the
                                                                            ledger, and the undo comes back */
        return r;
}
