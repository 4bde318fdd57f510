/* SPDX-License-Identifier: GPL-2.0-only */
/* What it costs to look at 1000 running workers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wire/clock.h"
#include "service.h"

enum { ROUNDS = 21, WORKERS = 1000, SPARE_FDS = 200 };

typedef struct State {
        Fixture *f;
        GArray *pids;
        int kept[WORKERS]; /* open schedstat files */
        Samples ping, get_state, opened, pread;
        size_t bytes; /* of an answer of GetState */
} State;

static int open_schedstat(pid_t pid) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                fail_msg("%s: %s", path, strerror(errno));
        return fd;
}

static void read_schedstat(int fd) {
        char text[128];

        assert_true(pread(fd, text, sizeof(text), 0) > 0);
}

static double poll_by_open(const State *s) {
        uint64_t start = monotonic_ns();

        for (unsigned i = 0; i < WORKERS; i++) {
                int fd = open_schedstat(g_array_index(s->pids, pid_t, i));
                read_schedstat(fd);
                close(fd);
        }
        return (double)(monotonic_ns() - start);
}

static double poll_by_pread(const State *s) {
        uint64_t start = monotonic_ns();

        for (unsigned i = 0; i < WORKERS; i++)
                read_schedstat(s->kept[i]);
        return (double)(monotonic_ns() - start);
}

static double get_state(State *s) {
        sd_bus_message *reply = NULL;
        const char *text;
        double ns = timed_call(s->f, request(s->f, "GetState", "[]"), &reply);

        assert_true(sd_bus_message_read(reply, "s", &text) > 0);
        s->bytes = strlen(text);
        sd_bus_message_unref(reply);
        return ns;
}

static void measure_round(State *s) {
        samples_add(&s->ping, timed_call(s->f, ping_request(s->f), NULL));
        samples_add(&s->get_state, get_state(s));
        samples_add(&s->opened, poll_by_open(s));
        samples_add(&s->pread, poll_by_pread(s));
}

static void print(const State *s) {
        static const char *const columns[] = { "median", "ratio" };
        double ping_ns = samples_median(&s->ping), opened = samples_median(&s->opened);
        g_autofree char *label = g_strdup_printf("GetState, %zu bytes a worker", s->bytes / WORKERS);

        print_machine();
        table_begin("One look at 1000 workers, as multiples of reading /proc/PID/schedstat of each:", "way",
                    columns, 2);
        table_row("open, read, close 1000 schedstat files", opened, opened);
        table_row("pread 1000 schedstat files that are kept open", samples_median(&s->pread), opened);
        table_row(label, samples_median(&s->get_state), opened);
        table_row("Peer.Ping: the way to the daemon and back", ping_ns, opened);
        puts("\nGetState tells state, iterations and work units of each worker, schedstat CPU time, delay "
             "and\n"
             "number of runs. Neither text is parsed here.");
}

static void allow_descriptors(void) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = MAX(limit.rlim_cur, MIN(limit.rlim_max, WORKERS + SPARE_FDS));
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void bench_state(G_GNUC_UNUSED void **state) {
        State s = { .f = service_start() };
        sd_bus_message *m = add_request(s.f, WORKERS);

        allow_descriptors(); /* after the daemon's start: it runs with what everybody has */
        s.pids = pids_of(at(send_request(s.f, m), "0"));
        assert_int_equal(s.pids->len, WORKERS);
        for (unsigned i = 0; i < WORKERS; i++)
                s.kept[i] = open_schedstat(g_array_index(s.pids, pid_t, i));
        for (unsigned round = 0; round < ROUNDS; round++)
                measure_round(&s);
        for (unsigned i = 0; i < WORKERS; i++)
                close(s.kept[i]);
        timed_call(s.f, end_request(s.f), NULL);
        print(&s);
        g_array_unref(s.pids);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(bench_state, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests_name("bench-state", tests, NULL, NULL));
}
