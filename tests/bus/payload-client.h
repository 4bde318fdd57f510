/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "client.h"

/* What the tests of payloads share: the program that they run, a directory for their files, and calls whose
 * answers carry streams. As everywhere, ' stands for " in what is given. */

enum { OUT, ERR, STREAMS };

/* ---- the place ---- */

/* A directory for the files of this test, made when it is first asked for. */
const char *scratch(void);
char *scratch_file(const char *name);
/* An executable file. */
char *script(const char *name, const char *first_line, const char *text);
/* For cmocka_unit_test_teardown(): as fixture_teardown(), and removes that directory. */
int payloads_teardown(void **state);

/* A FIFO at which processes wait until they are let through. */
typedef struct Gate {
        char *path;
        int fd;
} Gate;
Gate gate_new(void);
void gate_open(const Gate *g); /* for one of them */
void gate_clear(Gate *g);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Gate, gate_clear)

/* ---- starting ---- */

const char *payload_program(void);
/* {'name': NAME, 'exec': the program, 'args': [ARGS], MORE}; `more` may be NULL. */
char *payload_text(const char *name, const char *args, const char *more);
/* RunPayload with {'payload': PAYLOAD, MORE}; NULL when it failed, else its result. */
JsonNode *run_payload(Fixture *f, const char *payload, const char *more);
/* Those that must succeed. `cgroup` may be NULL. */
JsonNode *run(Fixture *f, const char *name, const char *args, const char *cgroup);
JsonNode *run_with(Fixture *f, const char *name, const char *args, const char *more);

/* ---- ends ---- */

typedef struct PayloadEnd {
        JsonNode *record;
        int streams[STREAMS];
} PayloadEnd;
void payload_end_clear(PayloadEnd *e);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PayloadEnd, payload_end_clear)

PayloadEnd read_payload_end(Fixture *f, sd_bus_message *reply);
/* A list of arguments as for call(). Those calls must succeed; the others are made by call(). */
PayloadEnd wait_payload(Fixture *f, const char *arguments);
PayloadEnd kill_payload(Fixture *f, const char *arguments);

/* ---- output ---- */

GBytes *stream_bytes(int fd);
char *stream_text(int fd);
/* Nobody can change it, by whichever way. */
void assert_sealed(int fd);

/* GetPayloadOutput. */
typedef struct PayloadView {
        int streams[STREAMS];
        int changes, epoll; /* that looks at the edges of `changes` */
} PayloadView;
PayloadView view_payload(Fixture *f, const char *arguments);
void payload_view_clear(PayloadView *v);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PayloadView, payload_view_clear)
/* Sleeps until something has changed since the last time. */
void await_change(PayloadView *v);
/* Waits until the stream contains that, and returns all of it. */
char *await_text(PayloadView *v, int stream, const char *text);

/* ---- looking ---- */

/* As await(), for what no message tells of. */
#define look_until(condition)                                                                                \
        do {                                                                                                 \
                uint64_t until_ = fixture_deadline();                                                        \
                while (!(condition)) {                                                                       \
                        if ((uint64_t)g_get_monotonic_time() > until_)                                       \
                                fail_msg("never came true: %s", #condition);                                 \
                        g_usleep(1000);                                                                      \
                }                                                                                            \
        } while (0)
/* A ping; and whatever was on its way before the answer has been handed out. */
void ping_and_take(Fixture *f);

/* Its element of GetState's payloads; NULL: there is none. */
JsonNode *payload_in_state(Fixture *f, const char *name, const char *cgroup);
unsigned count_descriptors(pid_t pid);
/* Of the daemon, when it is done with what it has answered so far. */
unsigned daemon_descriptors(Fixture *f);
/* Waits until there are no more than before; fails at the deadline. An executor may close one after it has
 * told that it is done, so what was counted "before" may be one too many. */
void await_descriptors(pid_t pid, unsigned n);
