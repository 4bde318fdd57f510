/* SPDX-License-Identifier: GPL-2.0-only */
/* What it costs to have workers in a cgroup of their own, and to be rid of them again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forker.h"
#include "service.h"

enum { ROUNDS = 7, N_COUNTS = 4, FAT_MB = 256 };

static const unsigned counts[N_COUNTS] = { 1, 10, 100, 1000 };

/* A process that starts workers without the service. */
typedef struct Forker {
        Process process;
        int socket;
} Forker;

typedef struct Variant {
        const char *label;
        unsigned max_workers; /* those that take very long are kept to few */
        const Forker *forker; /* NULL: the service */
        ForkerKind kind;
        Samples born[N_COUNTS], gone[N_COUNTS];
} Variant;

/* ---- without the service ---- */

static Forker forker_start(const Fixture *f, unsigned megabytes) {
        const char *program = g_getenv("KT_BENCH_FORKER");
        g_autofree char *size = g_strdup_printf("%u", megabytes), *number = NULL;
        int pair[2];

        assert_non_null(program);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        int inherited = dup(pair[1]); /* without O_CLOEXEC */
        assert_true(inherited >= 0);
        number = g_strdup_printf("%d", inherited);
        Process process = process_start((const char *[]){ program, number, f->root, size, NULL }, NULL);
        close(inherited);
        close(pair[1]);
        return (Forker){ process, pair[0] };
}

static void forker_end(Forker *forker) {
        close(forker->socket);
        assert_int_equal(process_wait(&forker->process), 0);
        process_clear(&forker->process);
}

static void measure_forker(Variant *v, unsigned i) {
        ForkerOrder order = { v->kind, counts[i] };
        ForkerAnswer answer = { 0 };

        assert_int_equal(send(v->forker->socket, &order, sizeof(order), MSG_NOSIGNAL), sizeof(order));
        assert_int_equal(recv(v->forker->socket, &answer, sizeof(answer), 0), sizeof(answer));
        if (answer.error)
                fail_msg("%s, %u workers: forker.c:%u: %s", v->label, counts[i], answer.line,
                         strerror(answer.error));
        samples_add(&v->born[i], (double)answer.born_ns);
        samples_add(&v->gone[i], (double)answer.gone_ns);
}

/* ---- with it ---- */

static void measure_service(Fixture *f, Samples *born, Samples *gone, unsigned n_workers) {
        sd_bus_message *add_m = add_request(f, n_workers), *end_m = end_request(f);

        samples_add(born, timed_call(f, add_m, NULL));
        samples_add(gone, timed_call(f, end_m, NULL));
}

static void measure_counts(Fixture *f, Variant *variants, unsigned n) {
        for (unsigned i = 0; i < N_COUNTS; i++)
                for (unsigned k = 0; k < n; k++) {
                        Variant *v = &variants[k];
                        if (counts[i] > v->max_workers)
                                continue;
                        quiet_period();
                        if (v->forker)
                                measure_forker(v, i);
                        else
                                measure_service(f, &v->born[i], &v->gone[i], counts[i]);
                }
}

/* ---- fixed cost of a call ---- */

typedef struct FixedCost {
        Samples ping, up_add, up_end, down_add, down_end;
} FixedCost;

static void measure_round(Fixture *f, Variant *variants, unsigned n, FixedCost *cost) {
        static const char base[] = "{'name': 'base', 'works': [" BENCH_WORK("1") "]}";

        quiet_period();
        measure_service(f, &cost->down_add, &cost->down_end, 1);
        add_to_backdrop(f, base); /* keeps the executor from leaving */
        quiet_period();
        samples_add(&cost->ping, timed_call(f, ping_request(f), NULL));
        quiet_period();
        measure_service(f, &cost->up_add, &cost->up_end, 1);
        measure_counts(f, variants, n);
        teardown(f);
}

/* ---- tables ---- */

static void print_row(const Variant *v, const Samples *samples, const Samples *floor_samples) {
        table_label(v->label);
        for (unsigned i = 0; i < N_COUNTS; i++)
                cell_ratio(samples_median(&samples[i]), samples_median(&floor_samples[i]));
        table_row_end();
}

static void print_counts(const char *explanation, const Variant *variants, unsigned n, bool born) {
        static const char *const columns[N_COUNTS] = { "1", "10", "100", "1000" };
        const Samples *floor_samples = born ? variants[0].born : variants[0].gone;

        table_begin(explanation, "workers", columns, N_COUNTS);
        table_label("floor, a worker");
        for (unsigned i = 0; i < N_COUNTS; i++)
                cell_duration(samples_median(&floor_samples[i]) / counts[i]);
        table_row_end();
        for (unsigned k = 0; k < n; k++)
                print_row(&variants[k], born ? variants[k].born : variants[k].gone, floor_samples);
}

static void print_fixed(const FixedCost *cost) {
        static const char *const columns[] = { "median", "ratio" };
        double ping_ns = samples_median(&cost->ping);

        table_begin("Fixed cost of a call with one worker, as multiples of an empty call to the daemon:",
                    "call", columns, 2);
        table_row("Peer.Ping", ping_ns, ping_ns);
        table_row("AddCgroupDef, the scenario is up", samples_median(&cost->up_add), ping_ns);
        table_row("EndStep, the scenario stays up", samples_median(&cost->up_end), ping_ns);
        table_row("AddCgroupDef, its executor must be started", samples_median(&cost->down_add), ping_ns);
        table_row("EndStep, its executor leaves", samples_median(&cost->down_end), ping_ns);
}

static void bench_spawn(G_GNUC_UNUSED void **state) {
        Fixture *f = service_start();
        Forker small = forker_start(f, 0), fat = forker_start(f, FAT_MB);
        Variant variants[] = {
                { "floor: bare clone3 into the cgroup, waitid", 1000, &small, FORKER_FLOOR, {}, {} },
                { "the same with ktsetupd's workers", 1000, &small, FORKER_WORKER, {}, {} },
                { "ktsetupd: AddCgroupDef, EndStep", 1000, NULL, 0, {}, {} },
                { "fork, write cgroup.procs", 100, &small, FORKER_NAIVE, {}, {} },
                { "fork, write cgroup.procs: parent of 256 MB", 10, &fat, FORKER_NAIVE, {}, {} },
        };
        unsigned n = G_N_ELEMENTS(variants);
        FixedCost cost = { 0 };

        for (unsigned round = 0; round < ROUNDS; round++)
                measure_round(f, variants, n, &cost);
        forker_end(&small);
        forker_end(&fat);
        print_machine();
        print_counts("From nothing to all workers in their cgroup, set up and released, as multiples of the "
                     "floor:",
                     variants, n, true);
        print_counts("From the stop to all workers reaped and the cgroup removed (ktsetupd: and reported):",
                     variants, n, false);
        print_fixed(&cost);
        puts("\nEach measurement comes after 40 ms of quiet: the first write to cgroup.procs then waits for "
             "an\n"
             "RCU grace period, those right behind it do not. Column 1 is what one costs that comes alone.");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(bench_spawn, fixture_teardown),
        };

        return fixture_result(cmocka_run_group_tests_name("bench-spawn", tests, NULL, NULL));
}
