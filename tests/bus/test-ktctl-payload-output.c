/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dbus/names.h"

/* What a payload prints, and how long ktctl waits. */

/* ---- streams in files ---- */

static char *take_file(const Fixture *f, const char *name) {
        g_autofree char *path = g_build_filename(f->dir, name, NULL);
        char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        unlink(path);
        return text;
}

static void test_saved_streams(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        g_autofree char *path = g_build_filename(s->f->dir, "out", NULL);

        set_streams(s, "printed\n", "complained\n");
        lseek(s->fds[0], 3, SEEK_SET); /* others may have read in it */
        write_file(path, "what was there before is longer");
        g_auto(Run) run = ktctl(s, "wait-payload bench --stdout %D/out --stderr=%D/err");
        g_autofree char *out = take_file(s->f, "out"), *err = take_file(s->f, "err");
        assert_run(&run, DONE, "checks", NULL);
        assert_string_equal(out, "printed\n");
        assert_string_equal(err, "complained\n");

        /* Standard output is the payload's alone then. */
        g_auto(Run) own = ktctl(s, "kill-payload bench --json --stdout -");
        assert_run(&own, DONE, NULL, NULL);
        assert_string_equal(own.output, "printed\n");
        quoted(s->f, own.errors);
        g_auto(Run) errors = ktctl(s, "wait-payload bench --stderr -");
        assert_run(&errors, DONE, "checks", NULL);
        assert_string_equal(errors.errors, "complained\n");
        g_autofree char *script = g_strdup_printf(
                "echo before >%s; ktctl wait-payload x --stdout - >>%s 2>/dev/null", path, path);
        g_auto(Run) appended = ktctl_script(s, script);
        assert_run(&appended, DONE, "", NULL);
        g_autofree char *both = take_file(s->f, "out");
        assert_string_equal(both, "before\nprinted\n");
}

/* Nothing is asked for where the result would be lost; and it is shown where it could not be saved. */
static void test_streams_that_cannot_be_saved(G_GNUC_UNUSED void **state) {
        Service *s = service_start();

        set_streams(s, "printed\n", "");
        g_auto(Run) missing = ktctl(s, "wait-payload bench --stdout /nonexistent/x");
        assert_run(&missing, FAILED, NULL, "cannot open /nonexistent/x");
        assert_int_equal(s->calls, 0);
        g_auto(Run) full = ktctl(s, "wait-payload bench --stdout /dev/full");
        assert_run(&full, FAILED, "checks", "cannot write /dev/full");
}

/* ---- output as it comes ---- */

typedef struct Tap {
        int writer; /* the memfd as the daemon has it */
        int changes;
} Tap;

/* Its standard output grows, its standard error is closed. */
static Tap tap_open(Service *s) {
        Tap tap = { memfd_create("stdout", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                    eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", tap.writer);

        assert_true(tap.writer >= 0 && tap.changes >= 0);
        s->fds[0] = open(path, O_RDONLY | O_CLOEXEC);
        assert_return_code(s->fds[0], errno);
        s->fds[1] = memfd_of("complained\n");
        s->fds[2] = tap.changes;
        return tap;
}

static void tap_write(const Tap *tap, const char *text) {
        assert_int_equal(write(tap->writer, text, strlen(text)), strlen(text));
        assert_return_code(eventfd_write(tap->changes, 1), errno);
}

static void tap_seal(const Tap *tap) {
        assert_return_code(fcntl(tap->writer, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), errno);
        assert_return_code(eventfd_write(tap->changes, 1), errno);
}

static void await_output(Service *s, Process *p, const char *text) {
        for (uint64_t until = fixture_deadline();;) {
                g_autofree char *so_far = process_output(p);

                if (g_str_equal(so_far, text))
                        return;
                if (process_ends_within(p, 0) || !g_str_has_prefix(text, so_far) ||
                    (uint64_t)g_get_monotonic_time() > until)
                        fail_msg("'%s' instead of '%s'", so_far, text);
                serve_a_turn(s, p);
        }
}

static void test_output_so_far(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Tap tap = tap_open(s);

        tap_write(&tap, "one\n");
        g_auto(Run) run = ktctl(s, "payload-output bench --cgroup a");
        assert_run(&run, DONE, NULL, NULL);
        assert_string_equal(run.output, "one\n");
        assert_json(s->arguments, "['bench',{'cgroup':'a'}]");
        g_auto(Run) errors = ktctl(s, "payload-output bench --stderr --follow");
        assert_run(&errors, DONE, NULL, NULL);
        assert_string_equal(errors.output, "complained\n");
        close(tap.writer);
}

static void test_follow(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Tap tap = tap_open(s);
        Process p = ktctl_start(s, "payload-output bench --follow"), other;
        eventfd_t changes;

        tap_write(&tap, "one\n");
        await_output(s, &p, "one\n");
        tap_write(&tap, "two\n");
        await_output(s, &p, "one\ntwo\n");
        other = ktctl_start(s, "payload-output bench --follow"); /* neither takes anything from the other */
        await_output(s, &other, "one\ntwo\n");
        tap_write(&tap, "three");
        await_output(s, &p, "one\ntwo\nthree");
        await_output(s, &other, "one\ntwo\nthree");
        assert_false(process_ends_within(&p, 0));
        tap_seal(&tap);
        g_auto(Run) run = run_end(s, &p), second = run_end(s, &other);
        assert_run(&run, DONE, NULL, NULL);
        assert_run(&second, DONE, NULL, NULL);
        assert_string_equal(run.errors, "");
        assert_return_code(eventfd_read(tap.changes, &changes), errno);
        assert_int_equal(changes, 4); /* nobody has read it */
        close(tap.writer);
}

/* CPU time of a process in clock ticks: proc(5), behind the name. */
static unsigned long cpu_ticks(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
        g_auto(GStrv) fields = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        fields = g_strsplit(strrchr(text, ')') + 2, " ", -1);
        return strtoul(fields[11], NULL, 10) + strtoul(fields[12], NULL, 10);
}

/* The eventfd stays readable once it was written to: only an edge is news. */
static void test_follow_sleeps(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Tap tap = tap_open(s);
        Process p = ktctl_start(s, "payload-output bench --follow");
        unsigned long before;

        tap_write(&tap, "one\n");
        await_output(s, &p, "one\n");
        before = cpu_ticks(p.pid);
        assert_false(process_ends_within(&p, 500));
        assert_true(cpu_ticks(p.pid) - before <= 5);
        tap_seal(&tap);
        g_auto(Run) run = run_end(s, &p);
        assert_run(&run, DONE, "one\n", NULL);
        close(tap.writer);
}

/* More than a pipe holds, to a reader that is slow, up to the seal that comes in between. */
static void test_follow_a_lot(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Tap tap = tap_open(s);
        g_autofree char *much = g_strnfill(1000000, 'x');

        tap_write(&tap, much);
        tap_seal(&tap);
        g_auto(Run) run = ktctl_script(s, "ktctl payload-output x --follow | { sleep 0.1; wc -c; }");
        assert_run(&run, DONE, "1000000\n", NULL);
        close(tap.writer);
}

static void test_follow_until_the_daemon_leaves(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Tap tap = tap_open(s);
        Process p = ktctl_start(s, "payload-output bench --follow");

        tap_write(&tap, "one\n");
        await_output(s, &p, "one\n");
        assert_int_equal(write(tap.writer, "two\n", 4), 4); /* its last words */
        assert_return_code(sd_bus_release_name(s->f->client, KT_BUS_NAME), 0);
        g_auto(Run) run = run_end(s, &p);
        assert_run(&run, UNREACHABLE, NULL, "the daemon has left the bus");
        assert_string_equal(run.output, "one\ntwo\n");
        close(tap.writer);
}

/* Whoever reads has had enough: at once, not with the next output; and without a word. */
static void test_follow_until_nobody_reads(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Tap tap = tap_open(s);

        tap_write(&tap, "one\n");
        g_auto(Run) run =
                ktctl_script(s, "exec 3>&1; { ktctl payload-output x --follow; echo status $? >&3; } "
                                "| head -n 1 >&3");
        assert_run(&run, DONE, "one\n", NULL);
        assert_run(&run, DONE, "status 0\n", NULL);
        assert_string_equal(run.errors, "");
        close(tap.writer);
}

/* ---- time ---- */

static void test_a_wait_has_no_end(G_GNUC_UNUSED void **state) {
        Service *s = service_start();
        Process p;

        s->silent = true;
        p = ktctl_start(s, "wait-payload x");
        serve_until(s, &p, s->calls == 1);
        assert_false(process_ends_within(&p, 300));
        kill(p.pid, SIGINT);
        assert_int_equal(process_wait(&p), -SIGINT);
        process_clear(&p);
        p = ktctl_start(s, "--timeout 1 kill-payload x"); /* another call has one */
        g_auto(Run) run = run_end(s, &p);
        assert_run(&run, FAILED, NULL, "no answer within 1 s");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_saved_streams, service_teardown),
                cmocka_unit_test_teardown(test_streams_that_cannot_be_saved, service_teardown),
                cmocka_unit_test_teardown(test_output_so_far, service_teardown),
                cmocka_unit_test_teardown(test_follow, service_teardown),
                cmocka_unit_test_teardown(test_follow_sleeps, service_teardown),
                cmocka_unit_test_teardown(test_follow_a_lot, service_teardown),
                cmocka_unit_test_teardown(test_follow_until_the_daemon_leaves, service_teardown),
                cmocka_unit_test_teardown(test_follow_until_nobody_reads, service_teardown),
                cmocka_unit_test_teardown(test_a_wait_has_no_end, service_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
