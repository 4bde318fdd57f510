/* SPDX-License-Identifier: GPL-2.0-only */
#include "server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dbus/names.h"
#include "order.h"
#include "service.h"

/* Far from any bound: what is measured is the writing. scope.c has the same. */
#define LIMITS                                                                                               \
        ", 'cpu': {'weight': 200, 'quota_us': 800000, 'period_us': 100000}, 'io': {'weight': 200}, "         \
        "'memory': {'max': 2147483648, 'high': 2147483648}, 'pids': {'max': 20000}, 'cpuset': 'cpus:0-1'"

typedef struct Server {
        const ServerOptions *options;
        Fixture *f;
        const char *limits; /* of each cgroup, as JSON; begins with a comma */
} Server;

static sd_bus_message *add_of(const Server *s, const char *name, unsigned n_workers, const char *options) {
        g_autofree char *arguments =
                g_strdup_printf("[{'name': '%s', 'works': [" BENCH_WORK("%u") "]%s}, %s]", name, n_workers,
                                s->limits, options);

        return request(s->f, "AddCgroupDef", arguments);
}

/* ---- orders ---- */

static void spawn(const Server *s, unsigned n_workers, Answer *answer) {
        sd_bus_message *add_m = add_of(s, "bench", n_workers, "{}"), *end_m = end_request(s->f);

        answer->born_ns = (uint64_t)timed_call(s->f, add_m, NULL);
        answer->gone_ns = (uint64_t)timed_call(s->f, end_m, NULL);
}

static void add_base(const Server *s) {
        timed_call(s->f, add_of(s, "base", 1, "{'target': 'backdrop'}"), NULL);
}

static void handle(const Server *s, const Order *order, Answer *answer) {
        switch ((OrderKind)order->kind) {
        case ORDER_SPAWN:
                spawn(s, order->n_workers, answer);
                break;
        case ORDER_COLD:
                spawn(s, 1, answer);
                add_base(s);
                break;
        case ORDER_PING:
                answer->born_ns = (uint64_t)timed_call(s->f, ping_request(s->f), NULL);
                break;
        case ORDER_END:
                teardown(s->f);
                break;
        }
}

/* ---- the start ---- */

/* What a dry run says it would write to the knobs of the cgroup. */
static void list_writes(const Server *s, ServiceHello *hello) {
        g_autoptr(GString) list = g_string_new(NULL);
        JsonNode *result = send_request(s->f, add_of(s, "bench", 1, "{'dry_run': true}"));
        guint n = length_at(result, "0.actions");

        for (guint i = 0; i < n; i++) {
                g_autofree char *at_action = g_strdup_printf("0.actions.%u", i);
                JsonNode *action = at(result, at_action);
                if (!g_str_equal(text_at(action, "action"), "write"))
                        continue;
                g_autofree char *file = g_path_get_basename(text_at(action, "path"));
                g_string_append_printf(list, "%s=%s\n", file, text_at(action, "value"));
        }
        assert_true(list->len < sizeof(hello->writes));
        strcpy(hello->writes, list->str);
}

static void say_hello(const Server *s) {
        ServiceHello hello = { 0 };

        add_base(s);
        g_strlcpy(hello.root, text_at(state_of(s->f), "cgroup_root"), sizeof(hello.root));
        list_writes(s, &hello);
        teardown(s->f);
        assert_int_equal(send(s->options->socket, &hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
}

/* No more of a fixture than calls need. */
static Fixture *system_service(void) {
        Fixture *f = g_new0(Fixture, 1);

        f->kept = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
        assert_return_code(sd_bus_open_system(&f->client), 0);
        ping(f);
        return f;
}

static void take_programs(const char *build) {
        g_autofree char *daemon = g_build_filename(build, "daemon/ktsetupd", NULL);
        g_autofree char *executor = g_build_filename(build, "daemon/executor/ktsetup-executor", NULL);

        g_setenv("KT_DAEMON", daemon, TRUE);
        g_setenv("KT_EXECUTOR", executor, TRUE);
}

static void serve(void **state) {
        Server *s = *state;
        Order order;

        s->limits = s->options->installed ? LIMITS : "";
        s->f = s->options->installed ? system_service() : service_start();
        say_hello(s);
        while (recv(s->options->socket, &order, sizeof(order), 0) == sizeof(order)) {
                Answer answer = { 0 };
                handle(s, &order, &answer);
                assert_int_equal(send(s->options->socket, &answer, sizeof(answer), MSG_NOSIGNAL),
                                 sizeof(answer));
                g_ptr_array_set_size(s->f->kept, 0);
        }
}

static void copy_file(int from, int to) {
        char part[4096];
        ssize_t n;

        lseek(from, 0, SEEK_SET);
        while ((n = read(from, part, sizeof(part))) > 0)
                if (write(to, part, (size_t)n) != n)
                        return;
}

/* A test runner says much, and nobody wants it among the tables when all went well. */
static int run_quietly(const struct CMUnitTest tests[1]) {
        int said = memfd_create("said", MFD_CLOEXEC), errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

        if (said < 0 || errors < 0 || dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
                return EXIT_FAILURE;
        int failed = _cmocka_run_group_tests("bench-spawn", tests, 1, NULL, NULL);
        fflush(NULL);
        if (failed)
                copy_file(said, errors);
        return fixture_result(failed);
}

int server_run(const ServerOptions *options) {
        Server s = { .options = options };
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_prestate_setup_teardown(serve, NULL, fixture_teardown, &s),
        };

        if (options->build)
                take_programs(options->build);
        return run_quietly(tests);
}
