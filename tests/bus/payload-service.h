/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "client.h"

/* ktctl and payloads, with the test as the service: it answers as the contract says, with what a test wants.
 * So every word that ktctl sends is seen, and every answer that it may get can be given. */

/* Exit codes, as ktctl(1) promises them. */
enum { DONE, FAILED, USAGE, UNREACHABLE, INCOMPLETE };

typedef struct Service {
        Fixture *f;
        const char *answer;  /* JSON with ' for " */
        const char *error;   /* or the last part of an error's name */
        int fds[3];          /* handed out in the order of the answer */
        bool silent;         /* no answer */
        unsigned calls;      /* so far */
        char *method;        /* of the last call */
        JsonNode *arguments; /* of the last call: a list; the fixture's */
} Service;

/* A fixture without a daemon, whose name the test has. */
Service *service_start(void);
int service_teardown(void **state);

/* Answers what comes until something happens to the process, for a while. */
void serve_a_turn(Service *s, const Process *p);
#define serve_until(s, p, condition)                                                                         \
        do {                                                                                                 \
                uint64_t until_ = fixture_deadline();                                                        \
                while (!(condition)) {                                                                       \
                        assert_true((uint64_t)g_get_monotonic_time() < until_);                              \
                        serve_a_turn((s), (p));                                                              \
                }                                                                                            \
        } while (0)

/* JSON with ' for "; the fixture's. */
JsonNode *quoted(Fixture *f, const char *text);

/* Streams that have ended. What stands in `fds` is closed with the service. */
int memfd_of(const char *text);
void set_streams(Service *s, const char *output, const char *errors);

/* ---- ktctl ---- */

typedef struct Run {
        int status;
        char *output, *errors;
} Run;
void run_clear(Run *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* `line` is split at blanks; %D is the fixture's directory. */
Process ktctl_start(const Service *s, const char *line);
Run run_end(Service *s, Process *p);
Run ktctl(Service *s, const char *line);
/* `script` for sh, in which ktctl is a command. */
Run ktctl_script(Service *s, const char *script);

void assert_run(const Run *run, int status, const char *output, const char *errors);
/* What ktctl has sent, as JSON with ' for ". */
void assert_sent(Service *s, const char *line, int status, const char *method, const char *arguments);
