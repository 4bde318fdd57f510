/* SPDX-License-Identifier: GPL-2.0-only */
#include "injector.h"
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dbus/names.h"

/* Every system call of the executor that can fail is made to fail, one at a time, while it sets up, undoes
 * and ends a scenario: the call succeeds all the same, or tells why not and leaves what was there before.
 *
 * KTSETUP_FAULTS=all: every occurrence with every error, instead of a sample of those that occur often. */

#define LIGHT      "'work_type': 'Bursty', 'params': {'burst_duration': '1ms', 'sleep_duration': '50ms'}"
#define MORE(name) "{'name': '" name "/x', 'works': [{" LIGHT ", 'workers': 2}]}"
#define LARGE                                                                                                \
        "{'name': 'a', 'works': [{" LIGHT ", 'workers': 3}, {" LIGHT ", 'workers': 2, 'nice': 5}]},"         \
        "{'name': 'b/c/d', 'works': [{" LIGHT ", 'workers': 2, 'affinity': 'single', 'comm': 'kt-d'}]},"     \
        "{'name': 'b/c/e', 'works': [{" LIGHT ", 'mem_policy': 'local'}, {" LIGHT "}]},"                     \
        "{'name': 'f/g', 'works': [{" LIGHT                                                                  \
        ", 'workers': 2, 'sched_policy': 'batch'}]}," MORE("h") "," MORE("i")
#define BACKDROP "{'name': 'back', 'works': [{" LIGHT "}]}"

static const char large_directories[] = "default\ndefault/a\ndefault/b\ndefault/b/c\ndefault/b/c/d\n"
                                        "default/b/c/e\ndefault/back\ndefault/f\ndefault/f/g\n"
                                        "default/h\ndefault/h/x\ndefault/i\ndefault/i/x";
enum { LARGE_CGROUPS = 7 }; /* with the backdrop's, without those that are only parents */

/* ---- what can fail, and how ---- */

enum { ERRORS_MAX = 4, SAMPLED = 8, KILLED = 40 };

typedef struct Fault {
        const char *call;
        const char *errors[ERRORS_MAX];
        bool link; /* the way to the daemon: when it breaks the executor leaves, and all of it goes */
} Fault;

static const Fault faults[] = {
        { "openat2", { "EMFILE", "ENOMEM", "EACCES", "EINTR" }, false },
        { "openat", { "ENFILE", "EACCES" }, false },
        { "mkdirat", { "ENOSPC", "EAGAIN", "ENOMEM", "EPERM" }, false },
        { "unlinkat", { "EBUSY", "EPERM" }, false },
        { "rmdir", { "EBUSY", "EPERM" }, false },
        { "write", { "ENOSPC", "EIO", "EINTR" }, false },
        { "getdents64", { "ENOENT", "ENOMEM" }, false },
        { "read", { "EIO", "EINTR" }, false },
        { "pread64", { "EIO" }, false },
        { "memfd_create", { "EMFILE", "ENOMEM" }, false },
        { "ftruncate", { "ENOSPC", "ENOMEM" }, false },
        { "fcntl", { "EBUSY", "EPERM" }, false },
        { "mmap", { "ENOMEM" }, false },
        { "munmap", { "ENOMEM" }, false },
        { "madvise", { "EAGAIN" }, false },
        { "brk", { "ENOMEM" }, false },
        { "clone3", { "EAGAIN", "ENOMEM", "EBUSY", "EOPNOTSUPP" }, false },
        { "clone", { "EAGAIN", "ENOMEM" }, false },
        { "newfstatat", { "ENOMEM" }, false },
        { "fstat", { "ENOMEM" }, false },
        { "close", { "EIO" }, false },
        { "kill", { "EPERM" }, false },
        { "pidfd_open", { "EMFILE", "ENOMEM", "ENOSYS" }, false },
        { "pidfd_send_signal", { "EPERM" }, false },
        { "pipe2", { "EMFILE", "ENFILE" }, false },
        { "prctl", { "EINVAL" }, false },
        { "setitimer", { "ENOMEM" }, false },
        { "ppoll", { "EINTR" }, false },
        { "sendmsg", { "ENOBUFS", "ETOOMANYREFS" }, true },
        { "recvmsg", { "ENOMEM" }, true },
};

/* The kernel has no way to refuse these when they are called as they are here. */
static const char *const infallible[] = {
        "futex",      "getpid",          "gettid",       "getpgid",        "setpgid",      "waitid",
        "exit_group", "restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield",
        NULL
};

static const Fault *find_fault(const char *call) {
        for (size_t i = 0; i < G_N_ELEMENTS(faults); i++)
                if (g_str_equal(faults[i].call, call))
                        return &faults[i];
        return NULL;
}

/* With AddressSanitizer an allocation that fails ends the program: only what is the executor's own may fail.
 */
static bool of_the_sanitizer(const char *call) {
        static const char *const calls[] = { "mmap",        "munmap",     "madvise", "brk",     "mprotect",
                                             "openat",      "read",       "close",   "pread64", "prctl",
                                             "readlink",    "newfstatat", "access",  "write",   "prlimit64",
                                             "sigaltstack", "execve",     NULL };

        return FIXTURE_SANITIZED && g_strv_contains(calls, call);
}

static char *directory; /* of the wrapper of the executor */

static Fixture *start(void) {
        g_autofree char *fault = g_build_filename(directory, "fault", NULL);
        static char *wrapper;

        write_file(fault, "");
        if (!wrapper)
                wrapper = wrapper_write(directory);
        return fixture_start(&(FixtureOptions){ .executor = wrapper });
}

/* ---- a run over many points ---- */

typedef struct Run {
        Fixture *f;
        pid_t worker;   /* of the backdrop; its parent is the executor */
        Machine before; /* the call that is to fail */
        char *point;    /* what fails, for messages */
        const Fault *fault;
        GString *problems;
        unsigned n_problems;
} Run;

/* One of the calls that are tried. */
typedef struct Phase {
        const char *name;
        void (*prepare)(Run *r);
        const char *method, *arguments;
        void (*judge)(Run *r, JsonNode *answer, const SystemCall *hit);
} Phase;

static void complain(Run *r, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void complain(Run *r, const char *format, ...) {
        va_list arguments;

        g_string_append_printf(r->problems, "%s: ", r->point);
        va_start(arguments, format);
        g_string_append_vprintf(r->problems, format, arguments);
        va_end(arguments);
        g_string_append_c(r->problems, '\n');
        r->n_problems++;
}

/* The fault befell an executor that had answered already: it ends, and takes everything along, while the test
 * goes on.
 */
static bool lost_late(const Run *r) {
        return r->fault && r->fault->link && process_gone(r->worker);
}

static void compare(Run *r, const char *what) {
        g_auto(Machine) after = machine_look(r->f);
        g_autofree char *difference = machine_difference(&r->before, &after);

        if (difference && !lost_late(r))
                complain(r, "%s: %s", what, difference);
}

static bool lost_executor(const Run *r) {
        return sd_bus_error_has_name(&r->f->error, KT_ERROR_PREFIX "ExecutorLost");
}

static void add_the_backdrop(Run *r) {
        r->worker = pid_at(add_to_backdrop(r->f, BACKDROP), "works.0.pids.0");
}

/* An executor that is lost takes everything along, also what an earlier call made. */
static void check_all_gone(Run *r, const char *what) {
        g_auto(Machine) after = machine_look(r->f);

        if (after.directories[0] || after.processes[0] || strstr(after.books, "\"name\""))
                complain(r, "%s: there is still\n%s\n%s\n%s", what, after.directories, after.processes,
                         after.books);
}

/* A message that was not sent is lost with the link, but an arena that cannot be handed over is this call's
 * own failure. */
static void check_lost(Run *r, const SystemCall *hit) {
        if (!r->fault || !r->fault->link || (hit && strstr(hit->line, "SCM_RIGHTS")))
                complain(r, "%s", r->f->error.message);
        check_all_gone(r, "after the executor was lost");
        add_the_backdrop(r);
}

/* The errors that a refusal of the kernel may end in, and the cause in their text. */
static void check_message(Run *r, const SystemCall *hit) {
        static const char *const names[] = { "KernelRefused", "WorkersFailed", NULL };
        const char *name = r->f->error.name + strlen(KT_ERROR_PREFIX);
        g_auto(GStrv) parts = g_strsplit(hit ? strstr(hit->line, "= -1 ") ?: "" : "", " ", 4);

        if (!g_strv_contains(names, name))
                complain(r, "%s: %s", name, r->f->error.message);
        if (!hit)
                complain(r, "it failed, but not by our doing: %s", r->f->error.message);
        else if (g_strv_length(parts) > 2 && !strstr(r->f->error.message, parts[2]))
                complain(r, "no %s in: %s", parts[2], r->f->error.message);
}

static void check_next_call(Run *r) {
        JsonNode *answer = call(r->f, "AddCgroupDef", "[{'name': 'next', 'works': [{" LIGHT "}]}, {}]");

        if (!answer && lost_executor(r) && lost_late(r))
                answer = call(r->f, "AddCgroupDef", "[{'name': 'next', 'works': [{" LIGHT "}]}, {}]");
        if (!answer || !call(r->f, "EndStep", "[{}]"))
                complain(r, "the next call: %s", r->f->error.message);
        if (lost_late(r))
                add_the_backdrop(r);
}

/* ---- the calls ---- */

static void prepare_nothing(G_GNUC_UNUSED Run *r) {
}

static void check_as_asked(Run *r) {
        g_autofree char *directories = directories_below(r->f->root);

        if (!g_str_equal(directories, large_directories))
                complain(r, "it succeeded, and there is\n%s", directories);
        if (length_at(state_of(r->f), "cgroups") != LARGE_CGROUPS)
                complain(r, "it succeeded, and the books have other cgroups");
}

static void judge_set_up(Run *r, JsonNode *answer, const SystemCall *hit) {
        if (!answer && lost_executor(r)) {
                check_lost(r, hit);
                return;
        }
        if (answer) {
                check_as_asked(r);
                end_step(r->f);
                r->before.step++;
        } else
                check_message(r, hit);
        compare(r, answer ? "after the step's end" : "after the refusal");
}

static const Phase set_up = { "set-up", prepare_nothing, "ApplySetup", "[[" LARGE "], {}]", judge_set_up };

/* ---- undoing: the last definition finds a directory that is not ours ---- */

static void prepare_stranger(Run *r) {
        g_autofree char *path = below(r->f, "z");

        if (g_mkdir(path, 0755) < 0)
                fail_msg("%s: %s: %s", r->point, path, g_strerror(errno));
}

/* Of what could not be removed the books tell, or, of a parent that was made on the way, at least the answer.
 */
static void check_remains(Run *r, const char *answer) {
        g_auto(Machine) now = machine_look(r->f);
        g_auto(GStrv) before = g_strsplit(r->before.directories, "\n", -1);
        g_auto(GStrv) paths = g_strsplit(now.directories, "\n", -1);

        for (size_t i = 0; paths[i]; i++) {
                g_autofree char *path = g_strdup_printf("%s/%s", r->f->root, paths[i]);
                if (!g_strv_contains((const char *const *)before, paths[i]) && !strstr(now.books, path) &&
                    !strstr(answer, path))
                        complain(r, "%s is left, and not told of:\n%s\n%s", paths[i], answer, now.books);
        }
}

static void judge_undo(Run *r, JsonNode *answer, const SystemCall *hit) {
        g_autofree char *stranger = below(r->f, "z"), *message = g_strdup(r->f->error.message);
        bool lost = !answer && lost_executor(r);

        if (answer)
                complain(r, "it succeeded where a directory was in the way");
        else if (!lost && !sd_bus_error_has_name(&r->f->error, KT_ERROR_PREFIX "CgroupExists"))
                check_message(r, hit);
        assert_int_equal(g_rmdir(stranger), 0);
        if (lost) {
                g_rmdir(r->f->scenario); /* in which it was when the executor left */
                check_lost(r, hit);
                return;
        }
        if (!answer && strstr(message, "not everything could be undone")) {
                check_remains(r, message);
                end_step(r->f);
                r->before.step++;
        }
        compare(r, "after the undo");
}

static const Phase undo = { "undo", prepare_stranger, "ApplySetup", "[[" LARGE ", {'name': 'z'}], {}]",
                            judge_undo };

/* ---- ending ---- */

static void prepare_large(Run *r) {
        if (!call(r->f, set_up.method, set_up.arguments))
                fail_msg("%s: %s", r->point, r->f->error.message);
}

static void judge_end(Run *r, JsonNode *answer, const SystemCall *hit) {
        if (!answer && lost_executor(r)) {
                check_lost(r, hit);
                return;
        }
        g_autofree char *told = answer ? json_to_string(answer, FALSE) : g_strdup(r->f->error.message);
        r->before.step += answer ? 2 : 1;
        if (!answer)
                check_message(r, hit);
        check_remains(r, told);
        end_step(r->f);
        compare(r, "after the second end");
}

static const Phase end = { "end", prepare_large, "EndStep", "[{}]", judge_end };

static void judge_teardown(Run *r, JsonNode *answer, const SystemCall *hit) {
        if (!answer && !lost_executor(r))
                check_message(r, hit);
        teardown(r->f);
        add_the_backdrop(r);
        teardown(r->f);
        check_all_gone(r, "after the second teardown");
        add_the_backdrop(r);
}

static const Phase tear_down = { "teardown", prepare_large, "Teardown", "[]", judge_teardown };

/* ---- points ---- */

/* Calls of a name that were hit, and how it went. */
typedef struct Tally {
        unsigned tried, hit, failed;
} Tally;

static void run_point(Run *r, const Phase *p, const char *fault, Tally *tally) {
        g_autoptr(GPtrArray) calls = NULL;
        const SystemCall *hit;
        Injector injector;
        JsonNode *answer;

        g_free(r->point);
        r->point = g_strdup_printf("%s, %s", p->name, fault);
        machine_clear(&r->before);
        r->before = machine_look(r->f);
        p->prepare(r);
        injector = injector_attach(r->f, process_parent(r->worker), fault);
        answer = call(r->f, p->method, p->arguments);
        calls = injector_detach(&injector);
        hit = system_calls_injected(calls);
        tally->tried++;
        tally->hit += hit != NULL;
        tally->failed += !answer;
        p->judge(r, answer, hit);
        check_next_call(r);
}

/* What the executor does in a phase when nothing goes wrong. */
static GPtrArray *list_calls(Run *r, const Phase *p) {
        Injector injector;
        GPtrArray *calls;
        JsonNode *answer;

        g_free(r->point);
        r->point = g_strdup_printf("%s, nothing", p->name);
        machine_clear(&r->before);
        r->before = machine_look(r->f);
        p->prepare(r);
        injector = injector_attach(r->f, process_parent(r->worker), NULL);
        answer = call(r->f, p->method, p->arguments);
        calls = injector_detach(&injector);
        p->judge(r, answer, NULL);
        return calls;
}

static bool wide(void) {
        return g_strcmp0(g_getenv("KTSETUP_FAULTS"), "all") == 0;
}

static unsigned count_errors(const Fault *fault) {
        unsigned n = 0;

        while (n < ERRORS_MAX && fault->errors[n])
                n++;
        return n;
}

static void try_errors(Run *r, const Phase *p, const Fault *fault, unsigned nth, Tally *tally) {
        unsigned n = count_errors(fault);

        for (unsigned i = 0; i < n; i++) {
                g_autofree char *text = g_strdup_printf("%s:error=%s:when=%u", fault->call,
                                                        fault->errors[(nth + i) % n], nth);
                run_point(r, p, text, tally);
                if (!wide())
                        return;
        }
}

/* Evenly over all the times the call was made, the first and the last included. */
static void try_occurrences(Run *r, const Phase *p, const Fault *fault, unsigned n) {
        unsigned points = wide() || n < SAMPLED ? n : SAMPLED;
        Tally tally = { 0 };

        r->fault = fault;
        for (unsigned i = 0; i < points; i++)
                try_errors(r, p, fault, points > 1 ? 1 + i * (n - 1) / (points - 1) : 1, &tally);
        print_message("%-9s %-13s made %3u times, %3u points, %3u hit, %3u calls failed\n", p->name,
                      fault->call, n, tally.tried, tally.hit, tally.failed);
}

static unsigned count_calls(const GPtrArray *calls, const char *name) {
        unsigned n = 0;

        for (guint i = 0; i < calls->len; i++)
                n += g_str_equal(((SystemCall *)calls->pdata[i])->name, name);
        return n;
}

/* A call that nobody has thought of yet must not go untested. */
static void check_all_known(const GPtrArray *calls) {
        for (guint i = 0; i < calls->len; i++) {
                const SystemCall *c = calls->pdata[i];
                if (!find_fault(c->name) && !g_strv_contains(infallible, c->name))
                        fail_msg("how may this fail? %s", c->line);
        }
}

static void conclude(Run *r) {
        fputs(r->problems->str, stderr); /* more than cmocka prints */
        assert_int_equal(r->n_problems, 0);
        machine_clear(&r->before);
        g_string_free(r->problems, TRUE);
        g_free(r->point);
}

static void try_phase(const Phase *p) {
        Run r = { .f = start(), .problems = g_string_new(NULL) };
        g_autoptr(GPtrArray) calls = NULL;
        gint64 begin = g_get_monotonic_time();

        add_the_backdrop(&r);
        calls = list_calls(&r, p);
        check_all_known(calls);
        for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
                unsigned n = count_calls(calls, faults[i].call);
                if (n && !of_the_sanitizer(faults[i].call))
                        try_occurrences(&r, p, &faults[i], n);
        }
        teardown(r.f);
        check_all_gone(&r, "after everything");
        print_message("%s: %.1f s\n", p->name, (double)(g_get_monotonic_time() - begin) / 1e6);
        conclude(&r);
}

static void test_set_up(G_GNUC_UNUSED void **state) {
        try_phase(&set_up);
}

static void test_undo(G_GNUC_UNUSED void **state) {
        try_phase(&undo);
}

static void test_end(G_GNUC_UNUSED void **state) {
        try_phase(&end);
}

static void test_teardown(G_GNUC_UNUSED void **state) {
        try_phase(&tear_down);
}

/* ---- an executor that dies ---- */

/* Before the first call and after this one it waits, and nobody is there to be told. */
static guint index_of_answer(const GPtrArray *calls) {
        guint i = calls->len - 1;

        while (i > 0 && !g_str_equal(((SystemCall *)calls->pdata[i])->name, "sendmsg"))
                i--;
        return i;
}

static void test_killed(G_GNUC_UNUSED void **state) {
        static const Fault killed = { "killed", { NULL }, true };
        Run r = { .f = start(), .fault = &killed, .problems = g_string_new(NULL) };
        g_autoptr(GPtrArray) calls = NULL;
        Tally tally = { 0 };
        guint step, n;

        add_the_backdrop(&r);
        calls = list_calls(&r, &set_up);
        n = index_of_answer(calls);
        step = wide() ? 1 : MAX(n / KILLED, 1);
        for (guint i = 1; i <= n; i += step) {
                const SystemCall *c = calls->pdata[i];
                g_autofree char *text = g_strdup_printf("%s:signal=KILL:when=%u", c->name, c->nth);
                if (!g_str_equal(c->name, "ppoll")) /* how often it waits is not the same each time */
                        run_point(&r, &set_up, text, &tally);
        }
        print_message("killed at %u of %u system calls of a set-up, %u calls failed\n", tally.tried,
                      calls->len, tally.failed);
        /* How often a call occurs is not the same each time: a point that was not reached is a call that
         * succeeded, and was judged as one. */
        assert_true(tally.failed > tally.tried * 9 / 10);
        conclude(&r);
}

/* ---- an executor that does not come up ---- */

static void set_start_fault(const char *options) {
        g_autofree char *path = g_build_filename(directory, "fault", NULL);

        write_file(path, options);
}

static JsonNode *call_backdrop(Run *r) {
        return call(r->f, "AddCgroupDef", "[" BACKDROP ", {'target': 'backdrop'}]");
}

/* What an executor does until it has said hello. */
static GPtrArray *list_start(Run *r) {
        g_autofree char *log = g_build_filename(directory, "start.log", NULL);
        GPtrArray *calls;
        guint n = 0;

        set_start_fault("-q");
        assert_non_null(call_backdrop(r));
        teardown(r->f);
        calls = system_calls_read(log);
        while (n < calls->len && !g_str_equal(((SystemCall *)calls->pdata[n])->name, "sendmsg"))
                n++;
        g_ptr_array_set_size(calls, (gint)MIN(n + 1, calls->len));
        return calls;
}

static void try_start(Run *r, const SystemCall *c, unsigned *failed) {
        const Fault *known = find_fault(c->name);
        const char *error = known ? known->errors[c->nth % count_errors(known)] : "ENOMEM";
        g_autofree char *options = g_strdup_printf("-q --inject=%s:error=%s:when=%u", c->name, error, c->nth);

        g_free(r->point);
        r->point = g_strdup_printf("start, %s", options);
        set_start_fault(options);
        if (call_backdrop(r))
                teardown(r->f);
        else {
                (*failed)++;
                if (!lost_executor(r))
                        complain(r, "%s: %s", r->f->error.name, r->f->error.message);
        }
        set_start_fault("");
        if (!call_backdrop(r))
                complain(r, "the next call: %s", r->f->error.message);
        else
                teardown(r->f);
        check_all_gone(r, "after the next call");
}

static void test_start(G_GNUC_UNUSED void **state) {
        static const char *const skipped[] = { "execve", "wait4", "prlimit64", "exit", NULL };
        Run r = { .f = start(), .problems = g_string_new(NULL) };
        g_autoptr(GPtrArray) calls = list_start(&r);
        unsigned points = 0, failed = 0;
        bool own = !FIXTURE_SANITIZED; /* else from the first call that the executor makes itself */

        for (guint i = 0; i < calls->len; i++) {
                const SystemCall *c = calls->pdata[i];
                own = own || g_str_equal(c->name, "memfd_create");
                if (!own || g_strv_contains(infallible, c->name) || g_strv_contains(skipped, c->name) ||
                    of_the_sanitizer(c->name))
                        continue;
                try_start(&r, c, &failed);
                points++;
        }
        print_message("start-up: %u points, %u calls failed\n", points, failed);
        conclude(&r);
}

static void test_no_executor(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *path, *text;
        } executors[] = { { "/nonexistent/executor", "No such file" },
                          { "/etc/passwd", "Permission denied" },
                          { "/bin/false", "exited with status 1" },
                          { "/bin/true", "ended" } };

        for (size_t i = 0; i < G_N_ELEMENTS(executors); i++) {
                Fixture *f = fixture_start(&(FixtureOptions){ .executor = executors[i].path });
                g_auto(Machine) before = machine_look(f);
                for (unsigned n = 0; n < 2; n++) {
                        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'a'}, {}]"), "ExecutorLost",
                                       ECONNRESET, executors[i].text, NULL);
                        machine_assert_same(f, &before, executors[i].path);
                }
                assert_int_equal(fixture_teardown(NULL), 0);
        }
}

/* ---- the daemon's own side ---- */

static void test_root_is_removed(G_GNUC_UNUSED void **state) {
        Fixture *f = start();
        g_auto(Machine) before = machine_look(f);

        assert_int_equal(g_rmdir(f->root), 0);
        assert_refused(f, call(f, "AddCgroupDef", "[{'name': 'a'}, {}]"), "ExecutorLost", ECONNRESET, NULL);
        machine_assert_same(f, &before, "without a root");
        assert_int_equal(g_mkdir(f->root, 0755), 0);
        add(f, "{'name': 'a'}");
        teardown(f);
        machine_assert_same(f, &(Machine){ before.directories, before.processes, before.books, 1 },
                            "after it");
}

static void limit_descriptors(const Fixture *f, rlim_t n) {
        struct rlimit limit;

        assert_int_equal(prlimit(f->daemon.pid, RLIMIT_NOFILE, NULL, &limit), 0);
        limit.rlim_cur = n;
        assert_int_equal(prlimit(f->daemon.pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

/* Descriptors run out at each place where the daemon needs one more: with `n` it gets as far as that. */
static void test_no_descriptors(G_GNUC_UNUSED void **state) {
        Run r = { .f = start(), .problems = g_string_new(NULL) };
        struct rlimit usual;
        unsigned failed = 0;

        assert_int_equal(prlimit(r.f->daemon.pid, RLIMIT_NOFILE, NULL, &usual), 0);
        for (rlim_t n = 3; n < 32; n++) {
                r.point = g_strdup_printf("%u descriptors", (unsigned)n);
                limit_descriptors(r.f, n);
                JsonNode *answer = call_backdrop(&r);
                limit_descriptors(r.f, usual.rlim_cur);
                if (answer)
                        teardown(r.f);
                else if (!lost_executor(&r))
                        check_message(&r, &(SystemCall){ NULL, (char *)"= -1 EMFILE (", 0 });
                failed += !answer;
                teardown(r.f);
                check_all_gone(&r, "after the limit was lifted");
                assert_non_null(call_backdrop(&r));
                teardown(r.f);
                g_clear_pointer(&r.point, g_free);
        }
        print_message("%u of 29 limits made the call fail\n", failed);
        assert_true(failed > 0 && failed < 29);
        conclude(&r);
}

static int remove_directory(void) {
        static const char *const names[] = { "executor", "fault", "start.log" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_build_filename(directory, names[i], NULL);
                g_unlink(path);
        }
        return g_rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_set_up, fixture_teardown),
                cmocka_unit_test_teardown(test_undo, fixture_teardown),
                cmocka_unit_test_teardown(test_end, fixture_teardown),
                cmocka_unit_test_teardown(test_teardown, fixture_teardown),
                cmocka_unit_test_teardown(test_killed, fixture_teardown),
                cmocka_unit_test_teardown(test_start, fixture_teardown),
                cmocka_unit_test_teardown(test_no_executor, fixture_teardown),
                cmocka_unit_test_teardown(test_root_is_removed, fixture_teardown),
                cmocka_unit_test_teardown(test_no_descriptors, fixture_teardown),
        };
        int failed;

        if (!injector_available())
                return 77;
        directory = g_dir_make_tmp("kt-faults-XXXXXX", NULL);
        failed = fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
        remove_directory();
        return failed;
}
