/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

/* A private dbus-daemon, the real ktsetupd with the real executor below it, a cgroup of this test's own, and
 * a client's connection. The test process adopts orphans, so that whatever outlives the daemon is seen.
 *
 * Everything waits for a message, a pidfd or an inotify event, with a deadline that only a hang reaches. */

/* Whether this build, and so the daemon and the executor with it, runs with AddressSanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define FIXTURE_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIXTURE_SANITIZED true
#endif
#endif
#ifndef FIXTURE_SANITIZED
#define FIXTURE_SANITIZED false
#endif

/* A process of the fixture: whose end can be waited for, and whose standard error is kept. */
typedef struct Process {
        pid_t pid; /* 0 once it was reaped */
        int pidfd;
        int output, errors; /* memfds: standard output and standard error */
} Process;

typedef struct FixtureOptions {
        const char *topology;     /* HWLOC_SYNTHETIC of the daemon; NULL: the machine as it is */
        const char *config;       /* text of its configuration; NULL: FIXTURE_CONFIG */
        const char *executor;     /* NULL: the real one */
        const char *cgroup_root;  /* NULL: the fixture's */
        const char *const *under; /* program and arguments that run the daemon; NULL: it runs by itself */
        bool no_daemon;
        bool notify; /* it has a service manager to tell its state to: await_notification() */
} FixtureOptions;

#define FIXTURE_CONFIG "[Daemon]\nIdleExitSec=0\nPlacementLog=\n"

typedef struct Fixture {
        FixtureOptions options;
        char *dir;       /* temporary, for the socket and the configuration */
        char *address;   /* of the bus */
        char *config;    /* the daemon's configuration file */
        char *root;      /* the cgroup that the daemon is given */
        char *hierarchy; /* the same as /proc/PID/cgroup shows it */
        char *scenario;  /* directory of the scenario "default" */
        Process bus, daemon;
        int notify; /* socket that the daemon tells its state to, or -1 */

        sd_bus *client;
        GPtrArray *signals; /* see client.h */
        GPtrArray *kept;    /* of JsonNode: what was handed out */
        sd_bus_error error; /* of the last call */
} Fixture;

/* Starts all of it; skips the test, saying why, where there is no cgroup2 to write to. */
Fixture *fixture_start(const FixtureOptions *options);
/* Starts a daemon (again) and waits until it owns the name. */
void fixture_start_daemon(Fixture *f);
/* For cmocka_unit_test_teardown(): tells the daemon to end, and fails when it does not end well, complains of
 * a sanitizer's finding, or leaves a process or a directory. */
int fixture_teardown(void **state);
/* Exit status of a test program: 77 when there was nothing to test on. */
int fixture_result(int failed);

/* One turn of waiting: takes messages, or sleeps until something happens. Fails the test at the deadline. */
void fixture_turn(Fixture *f, uint64_t deadline_us, const char *what);
uint64_t fixture_deadline(void);
#define await(f, condition)                                                                                  \
        do {                                                                                                 \
                uint64_t until_ = fixture_deadline();                                                        \
                while (!(condition))                                                                         \
                        fixture_turn((f), until_, #condition);                                               \
        } while (0)

/* ---- processes ---- */

/* Starts a program; `variables` go on top of the environment. The list of arguments ends with NULL. */
Process process_start(const char *const *argv, const char *const *variables);
/* As what a child does last before it executes the program. */
Process process_start_as(uid_t uid, const char *const *argv, const char *const *variables);
/* Waits for its end: the exit status, or minus the signal that killed it. */
int process_wait(Process *p);
/* True when it ended within that time. */
bool process_ends_within(const Process *p, unsigned ms);
char *process_output(const Process *p);
char *process_errors(const Process *p);
void process_clear(Process *p);

/* Runs ktsetupd with these arguments to its end; returns the status, and what it said on standard error. */
int fixture_run_daemon(const Fixture *f, char **ret_errors, ...) G_GNUC_NULL_TERMINATED;
/* Waits for the end of the daemon and looks at its standard error as the teardown does. */
int fixture_daemon_status(Fixture *f);
/* The executor: the parent of a worker. */
pid_t process_parent(pid_t pid);
/* What stands behind "0::" in /proc/PID/cgroup. */
char *process_cgroup(pid_t pid);
bool process_gone(pid_t pid); /* or a zombie */
/* An fd that becomes readable when the process ends. */
int process_watch(pid_t pid);
void await_end(int pidfd);
/* SIGSTOPs a process and waits until it stands. */
void process_stop(pid_t pid);

/* ---- directories ---- */

/* Names of the directories below a cgroup, relative, sorted, one a line. */
char *directories_below(const char *path);
/* A watch for the removal of a directory: begins, and waits for it. */
int removal_watch(const char *path);
void await_removal(int watch, const char *path);
char *below(const Fixture *f, const char *name); /* PATH of a cgroup of the scenario */
void write_file(const char *path, const char *text);

/* Waits for the message to the service manager that begins with this. */
void await_notification(Fixture *f, const char *text);
