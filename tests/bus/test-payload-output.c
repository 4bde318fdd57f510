/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- how much is kept ---- */

enum { KEPT = 16 << 20, PRINTED = 20 << 20 };

static void assert_counts(JsonNode *record, const char *stream, int64_t bytes, int64_t kept) {
        JsonNode *counts = at(record, stream);

        assert_int_equal(number_at(counts, "bytes"), bytes);
        assert_int_equal(number_at(counts, "kept"), kept);
        assert_int_equal(truth_at(counts, "truncated"), kept < bytes);
}

/* What `both` of the program prints, from its beginning. */
static void assert_pattern(int fd, char first, size_t size) {
        g_autoptr(GBytes) bytes = stream_bytes(fd);
        const char *data = g_bytes_get_data(bytes, NULL);

        assert_int_equal(g_bytes_get_size(bytes), size);
        for (size_t i = 0; i < size; i++)
                if (data[i] != 'a' + (char)(((size_t)(first - 'a') + i) % 26))
                        fail_msg("byte %zu is not what was printed", i);
}

static void test_20_megabytes_on_both(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *args = g_strdup_printf("'both', '%d'", PRINTED);
        g_auto(PayloadEnd) e = { 0 };

        run(f, "x", args, NULL);
        e = wait_payload(f, "['x', {}]");
        assert_string_equal(text_at(e.record, "result"), "exited");
        assert_int_equal(number_at(e.record, "exit_code"), 0); /* nothing it wrote was refused */
        assert_counts(e.record, "stdout", PRINTED, KEPT);
        assert_counts(e.record, "stderr", PRINTED, KEPT);
        assert_pattern(e.streams[OUT], 'a', KEPT);
        assert_pattern(e.streams[ERR], 'n', KEPT);
}

static void test_limit_is_exact(G_GNUC_UNUSED void **state) {
        static const unsigned sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };
        Fixture *f = fixture_start(
                &(FixtureOptions){ .config = FIXTURE_CONFIG "[Payloads]\nMaxOutputBytes=4096\n" });

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autofree char *args = g_strdup_printf("'both', '%u'", sizes[i]);
                g_auto(PayloadEnd) e = { 0 };

                run(f, "x", args, NULL);
                e = wait_payload(f, "['x', {}]");
                assert_counts(e.record, "stdout", sizes[i], MIN(sizes[i], 4096));
                assert_counts(e.record, "stderr", sizes[i], MIN(sizes[i], 4096));
                assert_pattern(e.streams[OUT], 'a', MIN(sizes[i], 4096));
                assert_pattern(e.streams[ERR], 'n', MIN(sizes[i], 4096));
                assert_sealed(e.streams[OUT]);
                assert_sealed(e.streams[ERR]);
        }
}

/* Bytes that are no text arrive as they are, and what is told of them is text all the same. */
static void test_bytes_that_are_no_text(G_GNUC_UNUSED void **state) {
        static const char printed[] = "\377\0\302abc\n";
        Fixture *f = fixture_start(NULL);
        g_autofree char *path = script("bytes", "#!/bin/sh", "printf '\\377\\000\\302abc\\n' >&2; exit 1");
        g_autofree char *payload = g_strdup_printf(
                "{'name': 'x', 'exec': '%s', 'output': 'json', 'checks': ['exit-code:0']}", path);
        g_auto(PayloadEnd) e = { 0 };
        g_autoptr(GBytes) bytes = NULL;
        Ending ending;

        add(f, "{'name': 'keep'}");
        if (!run_payload(f, payload, NULL))
                fail_msg("%s", f->error.message);
        e = wait_payload(f, "['x', {}]");
        bytes = stream_bytes(e.streams[ERR]);
        assert_int_equal(g_bytes_get_size(bytes), sizeof(printed) - 1);
        assert_memory_equal(g_bytes_get_data(bytes, NULL), printed, sizeof(printed) - 1);
        assert_false(truth_at(e.record, "passed"));
        assert_non_null(strstr(text_at(e.record, "failures.0"), "abc"));
        ending = end_step(f);
        assert_non_null(strstr(text_at(ending.report, "payloads.0.failures.0"), "abc"));
}

/* ---- looking at it while it runs ---- */

static void assert_read_only(int fd) {
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        assert_true(write(fd, "x", 1) < 0 && errno == EBADF);
        assert_true(ftruncate(fd, 0) < 0);
        assert_true(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0); /* which would end the capture */
        assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
}

static void test_output_of_one_that_runs(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'print', 'one', 'wait', '%s', 'error', 'two', 'wait', '%s', "
                                                "'print', 'three'",
                                                gate.path, gate.path);
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *one = NULL, *two = NULL, *three = NULL, *late = NULL;
        JsonNode *p;

        run(f, "x", args, NULL);
        g_auto(PayloadView) v = view_payload(f, "['x', {}]"), another = view_payload(f, "['x', {}]");
        one = await_text(&v, OUT, "\n");
        assert_string_equal(one, "one\n");
        assert_read_only(v.streams[OUT]);
        assert_read_only(v.streams[ERR]);
        assert_int_equal(fcntl(v.streams[OUT], F_GET_SEALS) & F_SEAL_WRITE, 0);
        p = payload_in_state(f, "x", "");
        assert_int_equal(number_at(p, "stdout.bytes"), 4);
        assert_int_equal(number_at(p, "stderr.bytes"), 0);

        gate_open(&gate);
        two = await_text(&v, ERR, "\n");
        assert_string_equal(two, "two\n");
        gate_open(&gate);
        three = await_text(&v, OUT, "three\n");
        assert_string_equal(three, "one\nthree\n");
        late = await_text(&another, OUT, "three\n"); /* it has missed nothing by looking late */
        e = wait_payload(f, "['x', {}]");
        assert_sealed(v.streams[OUT]);
        assert_sealed(v.streams[ERR]);
        assert_sealed(another.streams[ERR]);
}

/* Each watcher sees every edge, though nobody reads the counter; the last one is the end of a stream. */
static void test_edges(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args =
                g_strdup_printf("'wait', '%s', 'print', 'x', 'wait', '%s', 'print', 'y', 'wait', '%s'",
                                gate.path, gate.path, gate.path);

        run(f, "x", args, NULL);
        g_auto(PayloadView) first = view_payload(f, "['x', {}]"), second = view_payload(f, "['x', {}]");
        for (unsigned i = 0; i < 2; i++) {
                gate_open(&gate);
                await_change(&first);
                await_change(&second);
                g_autofree char *text = stream_text(first.streams[OUT]);
                assert_string_equal(text, i ? "x\ny\n" : "x\n");
        }
        gate_open(&gate);
        while (!(fcntl(first.streams[OUT], F_GET_SEALS) & F_SEAL_WRITE) ||
               !(fcntl(first.streams[ERR], F_GET_SEALS) & F_SEAL_WRITE))
                await_change(&first);
        while (!(fcntl(second.streams[ERR], F_GET_SEALS) & F_SEAL_WRITE))
                await_change(&second);
}

/* ---- after the leader ---- */

static void test_background_child_prints_later(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'later', '%s', 'from behind', 'print', 'first'", gate.path);
        g_autofree char *seen = NULL, *text = NULL;
        g_auto(PayloadEnd) e = { 0 };

        run(f, "x", args, NULL);
        await_signal(f, "PayloadExited", "x");
        g_auto(PayloadView) v = view_payload(f, "['x', {}]");
        gate_open(&gate);
        seen = await_text(&v, OUT, "from behind\n");
        assert_string_equal(text_at(payload_in_state(f, "x", ""), "state"), "exited");
        e = wait_payload(f, "['x', {}]");
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, "first\nfrom behind\n");
        assert_int_equal(number_at(e.record, "stdout.bytes"), strlen(text));
}

/* In a cgroup of the test's own, and so out of the reach of whoever ends the payload. */
typedef struct Fled {
        pid_t pid;
        char *cgroup;
} Fled;

static Fled flee(const Fixture *f, pid_t pid) {
        g_autofree char *above = g_path_get_dirname(f->root), *name = g_strdup_printf("kt-fled-%d", getpid());
        Fled fled = { .pid = pid, .cgroup = g_build_filename(above, name, NULL) };
        g_autofree char *procs = g_build_filename(fled.cgroup, "cgroup.procs", NULL);
        g_autofree char *text = g_strdup_printf("%d", pid);

        assert_int_equal(mkdir(fled.cgroup, 0755), 0);
        write_file(procs, text);
        return fled;
}

static void fled_clear(Fled *fled) {
        int end = process_watch(fled->pid);

        assert_int_equal(kill(fled->pid, SIGKILL), 0);
        await_end(end);
        assert_int_equal(rmdir(fled->cgroup), 0);
        g_free(fled->cgroup);
}

/* It holds the pipes open for as long as it likes. */
static void test_process_that_fled(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *text = NULL, *kept = NULL;
        g_auto(PayloadEnd) e = { 0 };
        gint64 begin;
        unsigned pings = 0;
        Pending wait;
        Fled fled;

        run(f, "x", "'orphan', 'pause'", NULL);
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                text = await_text(&v, OUT, "\n");
        }
        fled = flee(f, (pid_t)atoi(text));
        begin = g_get_monotonic_time();
        send_pending(f, &wait, request(f, "KillPayload", "['x', {}]"));
        for (; !wait.reply; pings++) {
                ping_and_take(f);
                assert_true(g_get_monotonic_time() - begin < 30 * G_USEC_PER_SEC);
        }
        print_message("answered after %" PRId64 " ms and %u pings\n", (g_get_monotonic_time() - begin) / 1000,
                      pings);
        e = read_payload_end(f, wait.reply);
        pending_clear(&wait);
        assert_true(pings > 10);
        assert_false(process_gone(fled.pid));
        assert_string_equal(text_at(e.record, "result"), "killed");
        kept = stream_text(e.streams[OUT]);
        assert_string_equal(kept, text);
        assert_sealed(e.streams[OUT]);
        assert_sealed(e.streams[ERR]);
        fled_clear(&fled);
}

/* ---- metrics ---- */

static const char fio[] = "fio-3.33\nStarting 1 process\n"
                          "{\"jobs\": [{\"jobname\": \"a\", \"read\": {\"iops\": 1500.5, \"lat\": 250}}],\n"
                          " \"odd\": 9007199254740993, \"largest\": 9223372036854775807, \"least\": "
                          "-9223372036854775808, \"enough\": 18446744073709551615}\nDisk stats: none\n";

static JsonNode *metric_named(JsonNode *record, const char *name) {
        for (guint i = 0; i < length_at(record, "metrics"); i++) {
                g_autofree char *place = g_strdup_printf("metrics.%u", i);
                JsonNode *m = at(record, place);
                if (g_str_equal(text_at(m, "name"), name))
                        return m;
        }
        fail_msg("there is no metric %s", name);
        return NULL;
}

static void assert_fio_metrics(JsonNode *record, const char *stream) {
        JsonNode *m = metric_named(record, "jobs.0.read.iops");

        assert_int_equal(length_at(record, "metrics"), 6);
        assert_string_equal(text_at(m, "polarity"), "higher-better");
        assert_string_equal(text_at(m, "unit"), "1/s");
        assert_string_equal(text_at(m, "stream"), stream);
        assert_true(json_node_get_double(at(m, "value")) == 1500.5);
        assert_int_equal(number_at(metric_named(record, "jobs.0.read.lat"), "value"), 250);
        assert_string_equal(text_at(metric_named(record, "jobs.0.read.lat"), "polarity"), "unknown");
        assert_true(number_at(metric_named(record, "odd"), "value") == INT64_C(9007199254740993));
        assert_true(number_at(metric_named(record, "largest"), "value") == INT64_MAX);
        assert_true(number_at(metric_named(record, "least"), "value") == INT64_MIN);
        metric_named(record, "enough");
        assert_false(truth_at(record, "metrics_truncated"));
}

#define FIO_RULES                                                                                            \
        "'output': 'json', 'metrics': ['jobs.0.read.iops=higher-better,1/s'], 'checks': "                    \
        "['min:jobs.0.read.iops=1000', 'max:jobs.0.read.lat=100', 'exists:jobs.0.write.iops', "              \
        "'range:odd=9007199254740993..9007199254740994', 'exit-code:0']"

static void test_metrics_and_checks(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_autofree char *path = scratch_file("fio.json"), *on_stderr = NULL;
        g_autofree char *to_stderr = g_strdup_printf("echo nothing to read here\ncat %s >&2", path);
        const char *commands[] = { path, NULL };

        add_to_backdrop(f, "{'name': 'keep'}");
        write_file(path, fio);
        on_stderr = script("on-stderr", "#!/bin/sh", to_stderr);
        commands[1] = on_stderr;
        for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
                g_autofree char *payload =
                        g_strdup_printf("{'name': 'fio', 'exec': '%s', 'args': ['%s'], " FIO_RULES "}",
                                        i ? on_stderr : "cat", commands[i]);
                g_auto(PayloadEnd) e = { 0 };
                Ending ending;

                if (!run_payload(f, payload, NULL))
                        fail_msg("%s", f->error.message);
                e = wait_payload(f, "['fio', {}]");
                assert_fio_metrics(e.record, i ? "stderr" : "stdout");
                assert_false(truth_at(e.record, "passed"));
                assert_int_equal(length_at(e.record, "failures"), 2);
                assert_non_null(strstr(text_at(e.record, "failures.0"), "jobs.0.read.lat"));
                assert_non_null(strstr(text_at(e.record, "failures.1"), "jobs.0.write.iops"));
                ending = end_step(f);
                assert_fio_metrics(at(ending.report, "payloads.0"), i ? "stderr" : "stdout");
                assert_int_equal(number_at(ending.summary, "payloads_failed"), 1);
                assert_int_equal(length_at(ending.summary, "failures"), 2);
        }
}

/* A wrong exit code says all; the numbers are not judged. */
static void test_exit_code_comes_first(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 }, died = { 0 };

        run_with(f, "x", "'error', 'disk on fire', 'exit', '42'",
                 "'output': 'json', 'checks': ['exists:iops', 'exit-code:0']");
        e = wait_payload(f, "['x', {}]");
        assert_int_equal(length_at(e.record, "failures"), 1);
        assert_non_null(strstr(text_at(e.record, "failures.0"), "42"));
        assert_non_null(strstr(text_at(e.record, "failures.0"), "disk on fire"));
        run_with(f, "y", "'signal', '9'", "'checks': ['exit-code:-1']");
        died = wait_payload(f, "['y', {}]");
        assert_true(truth_at(died.record, "passed"));
}

/* One that was killed is judged by what it had printed. */
static void test_one_that_is_killed_is_judged(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(PayloadEnd) e = { 0 };
        g_autofree char *text = NULL;

        run_with(f, "x", "'print', '[1, 2.5]', 'pause'",
                 "'output': 'json', 'checks': ['min:1=2', 'exit-code:-1']");
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                text = await_text(&v, OUT, "\n");
        }
        e = kill_payload(f, "['x', {}]");
        assert_true(truth_at(e.record, "passed"));
        assert_int_equal(length_at(e.record, "metrics"), 2);
        assert_int_equal(number_at(e.record, "metrics.0.value"), 1);
}

/* ---- the loop goes on ---- */

static void test_flood(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(
                &(FixtureOptions){ .config = FIXTURE_CONFIG "[Payloads]\nMaxOutputBytes=1M\n" });
        g_auto(PayloadEnd) e = { 0 };
        gint64 longest = 0;
        int64_t before, after;

        run(f, "x", "'flood'", NULL);
        {
                g_auto(PayloadView) v = view_payload(f, "['x', {}]");
                g_autofree char *some = await_text(&v, OUT, "abc");
                assert_non_null(some);
        }
        before = number_at(payload_in_state(f, "x", ""), "stdout.bytes");
        for (unsigned i = 0; i < 200; i++) {
                gint64 begin = g_get_monotonic_time();
                ping(f);
                longest = MAX(longest, g_get_monotonic_time() - begin);
        }
        after = number_at(payload_in_state(f, "x", ""), "stdout.bytes");
        print_message("%" PRId64 " KiB came in meanwhile; the longest of 200 pings took %" PRId64 " us\n",
                      (after - before) / 1024, longest);
        assert_true(after > before);
        assert_true(longest < 5 * G_USEC_PER_SEC);
        add(f, "{'name': 'a', 'works': [{}]}");
        e = kill_payload(f, "['x', {}]");
        assert_int_equal(number_at(e.record, "stdout.kept"), 1 << 20);
        assert_true(truth_at(e.record, "stdout.truncated"));
        assert_true(number_at(e.record, "stdout.bytes") >= after);
}

static bool has_ended(const PayloadView *v) {
        return (fcntl(v->streams[OUT], F_GET_SEALS) & F_SEAL_WRITE) &&
               (fcntl(v->streams[ERR], F_GET_SEALS) & F_SEAL_WRITE);
}

/* Some 15 MB of JSON: one who calls in the meantime does not wait for the end of that. */
static void test_large_document(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        g_auto(Gate) gate = gate_new();
        g_autofree char *args = g_strdup_printf("'wait', '%s', 'numbers', '2000000'", gate.path);
        gint64 ended = 0, answered, longest = 0;
        uint64_t until = fixture_deadline();
        g_auto(PayloadEnd) e = { 0 };
        unsigned pings = 0;
        Pending wait;

        run_with(f, "x", args, "'output': 'json', 'checks': ['exists:values.9999', 'exit-code:0']");
        g_auto(PayloadView) v = view_payload(f, "['x', {}]");
        send_pending(f, &wait, request(f, "WaitPayload", "['x', {}]"));
        gate_open(&gate);
        while (!wait.reply) {
                gint64 begin = g_get_monotonic_time();
                assert_true((uint64_t)begin < until);
                ping_and_take(f);
                if (!ended && has_ended(&v))
                        ended = begin;
                if (!ended)
                        continue;
                pings++;
                longest = MAX(longest, g_get_monotonic_time() - begin);
        }
        answered = g_get_monotonic_time();
        print_message("judged in %" PRId64 " us; %u pings meanwhile, the longest took %" PRId64 " us\n",
                      answered - ended, pings, longest);
        e = read_payload_end(f, wait.reply);
        pending_clear(&wait);
        assert_true(number_at(e.record, "stdout.bytes") > 14000000);
        assert_false(truth_at(e.record, "stdout.truncated"));
        assert_true(truth_at(e.record, "metrics_truncated"));
        assert_int_equal(length_at(e.record, "metrics"), 10000);
        assert_int_equal(number_at(e.record, "metrics.9999.value"), 9999);
        assert_true(truth_at(e.record, "passed"));
        /* In a loop that judges by itself, one of the pings would have taken nearly all of the time. */
        assert_true(longest * 4 < (answered - ended) * 3);
}

/* A payload whose output is being judged, and somebody who waits for that. */
static void start_judging(Fixture *f, Pending *wait) {
        run_with(f, "x", "'numbers', '2000000'", "'output': 'json'");
        g_auto(PayloadView) v = view_payload(f, "['x', {}]");
        send_pending(f, wait, request(f, "WaitPayload", "['x', {}]"));
        while (!has_ended(&v))
                await_change(&v);
        ping(f);
}

/* Whichever of the two comes first: an answer, and nothing is left. */
static void assert_answered(Fixture *f, Pending *wait, const char *error) {
        await(f, wait->reply);
        if (!pending_failed(wait, error)) {
                g_auto(PayloadEnd) e = read_payload_end(f, wait->reply);
                assert_string_equal(text_at(e.record, "result"), "exited");
        }
        pending_clear(wait);
}

static void test_executor_dies_while_judging(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        JsonNode *r = add(f, "{'name': 'keep', 'works': [{}]}");
        Pending wait;

        start_judging(f, &wait);
        assert_int_equal(kill(process_parent(pid_at(r, "works.0.pids.0")), SIGKILL), 0);
        assert_answered(f, &wait, "ExecutorLost");
        run(f, "x", "'exit', '0'", NULL);
}

static void test_daemon_ends_while_judging(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Pending wait;

        start_judging(f, &wait);
        assert_int_equal(kill(f->daemon.pid, SIGTERM), 0);
        assert_answered(f, &wait, "ShuttingDown");
        assert_int_equal(fixture_daemon_status(f), 0);
}

/* Calls that come meanwhile are carried out in their turn. */
static void test_step_ends_while_judging(G_GNUC_UNUSED void **state) {
        Fixture *f = fixture_start(NULL);
        Pending wait, killing, end;

        add(f, "{'name': 'keep'}");
        start_judging(f, &wait);
        send_pending(f, &killing, request(f, "KillPayload", "['x', {}]"));
        send_pending(f, &end, request(f, "EndStep", "[{}]"));
        assert_answered(f, &wait, "NoSuchPayload");
        await(f, end.reply);
        assert_int_equal(length_at(read_ending(f, end.reply).report, "payloads"), 1);
        assert_non_null(killing.reply); /* with the result, or because it was gone */
        pending_clear(&killing);
        pending_clear(&end);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_20_megabytes_on_both, payloads_teardown),
                cmocka_unit_test_teardown(test_limit_is_exact, payloads_teardown),
                cmocka_unit_test_teardown(test_bytes_that_are_no_text, payloads_teardown),
                cmocka_unit_test_teardown(test_output_of_one_that_runs, payloads_teardown),
                cmocka_unit_test_teardown(test_edges, payloads_teardown),
                cmocka_unit_test_teardown(test_background_child_prints_later, payloads_teardown),
                cmocka_unit_test_teardown(test_process_that_fled, payloads_teardown),
                cmocka_unit_test_teardown(test_metrics_and_checks, payloads_teardown),
                cmocka_unit_test_teardown(test_exit_code_comes_first, payloads_teardown),
                cmocka_unit_test_teardown(test_one_that_is_killed_is_judged, payloads_teardown),
                cmocka_unit_test_teardown(test_flood, payloads_teardown),
                cmocka_unit_test_teardown(test_large_document, payloads_teardown),
                cmocka_unit_test_teardown(test_executor_dies_while_judging, payloads_teardown),
                cmocka_unit_test_teardown(test_daemon_ends_while_judging, payloads_teardown),
                cmocka_unit_test_teardown(test_step_ends_while_judging, payloads_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
