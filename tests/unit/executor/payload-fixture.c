/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/clock.h"

enum { PATIENCE_MS = 60000, TEXTS_MAX = 64, OUTPUT_MAX = 1 << 14 };

Fixture *payload_start_plain(char root[PATH_MAX]) {
        fixture_plain_path(root);
        return fixture_start(root, NULL);
}

void payload_stop_plain(Fixture *f) {
        char root[PATH_MAX];

        strcpy(root, f->root);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

bool payload_is_root(void) {
        if (geteuid() != 0)
                print_message("skipped: needs root\n");
        return geteuid() == 0;
}

/* ---- plans ---- */

uint32_t plan_add_text(PlanBuilder *b, const char *text) {
        return plan_add_bytes(b, text, strlen(text) + 1);
}

WireTexts plan_add_texts(PlanBuilder *b, const char *const *texts) {
        uint32_t offsets[TEXTS_MAX], n = 0;

        for (; texts[n]; n++) {
                assert_true(n < TEXTS_MAX);
                offsets[n] = plan_add_text(b, texts[n]);
        }
        return (WireTexts){ n ? plan_add_bytes(b, offsets, n * sizeof(*offsets)) : 0, n };
}

WirePayloadSpec *plan_add_payload(PlanBuilder *b, const char *path, uint32_t id, const char *const *argv) {
        char cookie[32];

        assert_true(b->n_payloads < FIXTURE_PAYLOADS);
        plan_add(b, ACTION_PAYLOAD, path, NULL)->payload = b->n_payloads;
        WirePayloadSpec *p = &b->payloads[b->n_payloads++];
        snprintf(cookie, sizeof(cookie), "KT_TEST_COOKIE=%u", id);
        *p = (WirePayloadSpec){ .payload_id = id,
                                .exec = plan_add_text(b, argv[0]),
                                .argv = plan_add_texts(b, argv),
                                .cookie = plan_add_text(b, cookie),
                                .own_group = 1,
                                .uid = WIRE_ID_KEEP,
                                .gid = WIRE_ID_KEEP };
        return p;
}

WirePayloadSpec *plan_add_shell(PlanBuilder *b, const char *path, uint32_t id, const char *script) {
        return plan_add_payload(b, path, id, TEXTS("/bin/sh", "-c", script));
}

void plan_add_payload_end(PlanBuilder *b, const char *path, uint32_t id) {
        plan_add(b, ACTION_END_PAYLOAD, path, NULL)->payload_id = id;
}

/* ---- what came ---- */

const FixturePayload *payload_of(const Fixture *f, uint32_t id) {
        for (unsigned i = f->n_payloads; i-- > 0;)
                if (f->payloads[i].message.payload_id == id)
                        return &f->payloads[i];
        fail_msg("payload %u was never announced", id);
        return NULL;
}

void payloads_forget(Fixture *f) {
        for (unsigned i = 0; i < f->n_payloads; i++) {
                close(f->payloads[i].output);
                close(f->payloads[i].error);
        }
        f->n_payloads = f->n_payload_exits = 0;
}

static const WirePayloadExit *find_exit(const Fixture *f, uint32_t id) {
        pid_t pid = payload_of(f, id)->message.pid;

        for (unsigned i = f->n_payload_exits; i-- > 0;)
                if (f->payload_exits[i].payload_id == id && f->payload_exits[i].pid == pid)
                        return &f->payload_exits[i];
        return NULL;
}

bool payload_has_ended(const Fixture *f, uint32_t id) {
        return find_exit(f, id) != NULL;
}

const WirePayloadExit *payload_exit_of(Fixture *f, uint32_t id) {
        const WirePayloadExit *exit;

        while (!(exit = find_exit(f, id)))
                fixture_receive_one(f, NULL);
        return exit;
}

void payload_assert_exit(Fixture *f, uint32_t id, WorkerExit kind, int value) {
        const WirePayloadExit *exit = payload_exit_of(f, id);

        if (exit->exit_kind != kind || exit->exit_value != value)
                fail_msg("ended with kind %u, value %d: %s", exit->exit_kind, exit->exit_value,
                         payload_errors(f, id));
}

/* ---- output ---- */

static const char *read_until(int fd, char end) {
        static char texts[4][OUTPUT_MAX];
        static unsigned next;
        char *text = texts[next++ % 4];
        struct pollfd readable = { .fd = fd, .events = POLLIN };
        size_t used = 0;

        for (char c = '\0'; end == '\0' || c != end; text[used++] = c) {
                assert_true(used < OUTPUT_MAX - 1);
                if (poll(&readable, 1, PATIENCE_MS) != 1)
                        fail_msg("no more output after: %.*s", (int)used, text);
                if (read(fd, &c, 1) != 1)
                        break;
        }
        text[used] = '\0';
        return text;
}

const char *payload_output(const Fixture *f, uint32_t id) {
        return read_until(payload_of(f, id)->output, '\0');
}

const char *payload_errors(const Fixture *f, uint32_t id) {
        return read_until(payload_of(f, id)->error, '\0');
}

const char *payload_line(const Fixture *f, uint32_t id) {
        return read_until(payload_of(f, id)->output, '\n');
}

pid_t payload_pid_line(const Fixture *f, uint32_t id) {
        pid_t pid = atoi(payload_line(f, id));

        assert_true(pid > 1);
        return pid;
}

/* ---- strangers ---- */

void stranger_move(pid_t pid, const char *procs) {
        char number[16];

        snprintf(number, sizeof(number), "%d", pid);
        write_text(procs, number);
}

pid_t stranger_start(const Fixture *f, const char *cgroup) {
        char procs[PATH_MAX];
        pid_t pid = fork();

        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close_range(3, ~0U, 0);
                for (;;)
                        pause();
        }
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
        stranger_move(pid, below(f->root, procs));
        return pid;
}

/* Births in one tick are alike. */
pid_t stranger_start_older(const Fixture *f, const char *cgroup) {
        pid_t pid = stranger_start(f, cgroup);
        uint64_t next_tick = monotonic_ns() + 2 * NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

        wait_until(monotonic_ns() > next_tick);
        return pid;
}

void stranger_end(pid_t pid) {
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}
