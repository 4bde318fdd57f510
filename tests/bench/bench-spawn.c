/* SPDX-License-Identifier: GPL-2.0-only */
/* What it costs to have workers in a cgroup of their own, and to be rid of them again. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forker.h"
#include "scope.h"
#include "server.h"
#include "spawn-tables.h"

enum {
        FAT_MB = 256,
        FAT_MAX = 16,
        NAIVE_MAX = 256,
        SCOPE_MAX = 16,
        ANY = ~0,
        CHILDREN_MAX = 8,
        SKIPPED = 77
};

typedef struct Options {
        unsigned rounds;
        bool installed;
        const char *other_build;
} Options;

typedef struct Bench {
        Options options;
        Results results;
        pid_t children[CHILDREN_MAX];
        unsigned n_children;
} Bench;

/* ---- processes ---- */

static _Noreturn void die(const char *what) {
        fprintf(stderr, "bench-spawn: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE); /* the others see their sockets closed, and clean up */
}

/* Forks a process that is spoken to by the socket: 0 in it, *socket being its end. */
static pid_t fork_child(Bench *b, int *socket) {
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0)
                die("cannot start a process");
        close(pair[pid != 0]);
        *socket = pair[pid == 0];
        if (pid > 0)
                b->children[b->n_children++] = pid;
        return pid;
}

/* A process does not see its socket closed while one that was forked after it holds a copy of this end. */
static void close_other_sockets(const Results *r) {
        for (unsigned k = 0; k < r->n_variants; k++)
                close(r->variants[k].socket);
}

static void receive(int socket, void *message, size_t size) {
        ssize_t n = recv(socket, message, size, 0);

        if (n == (ssize_t)size)
                return;
        if (n >= 0)
                errno = ECONNRESET;
        die("a process of the benchmark has ended");
}

/* Those that skip are asked first, so nothing is lost by leaving with their status. */
static void receive_hello(const Bench *b, int socket, ServiceHello *hello) {
        int status;

        if (recv(socket, hello, sizeof(*hello), 0) == sizeof(*hello))
                return;
        if (waitpid(b->children[b->n_children - 1], &status, 0) > 0 && WIFEXITED(status) &&
            WEXITSTATUS(status) == SKIPPED) {
                fputs("skipped: no cgroup2 is mounted here in which a directory can be made\n", stderr);
                exit(SKIPPED);
        }
        errno = ECONNRESET;
        die("the service does not start");
}

static int start_service(Bench *b, const char *build, ServiceHello *hello) {
        ServerOptions options = { .installed = b->options.installed, .build = build };

        if (fork_child(b, &options.socket) == 0) {
                close_other_sockets(&b->results);
                exit(server_run(&options));
        }
        receive_hello(b, options.socket, hello);
        return options.socket;
}

static int start_scope(Bench *b) {
        int socket;

        if (fork_child(b, &socket) == 0) {
                close_other_sockets(&b->results);
                exit(scope_run(socket));
        }
        return socket;
}

/* It lies beside this program. */
static char *forker_program(void) {
        g_autofree char *self = g_file_read_link("/proc/self/exe", NULL), *dir = g_path_get_dirname(self);

        return g_build_filename(dir, "bench-forker", NULL);
}

static int start_forker(Bench *b, unsigned megabytes, const ServiceHello *hello) {
        g_auto(GStrv) writes = g_strsplit(hello->writes, "\n", -1);
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
        int socket;

        if (fork_child(b, &socket) > 0)
                return socket;
        fcntl(socket, F_SETFD, 0);
        g_ptr_array_add(argv, forker_program());
        g_ptr_array_add(argv, g_strdup_printf("%d", socket));
        g_ptr_array_add(argv, g_strdup(hello->root));
        g_ptr_array_add(argv, g_strdup_printf("%u", megabytes));
        for (size_t i = 0; writes[i] && *writes[i]; i++)
                g_ptr_array_add(argv, g_strdup(writes[i]));
        g_ptr_array_add(argv, NULL);
        execv(argv->pdata[0], (char **)argv->pdata);
        die(argv->pdata[0]);
}

/* True when all ended well. */
static bool end_children(Bench *b) {
        bool good = true;
        int status;

        close_other_sockets(&b->results); /* several variants may share one: the second close does nothing */
        for (unsigned i = 0; i < b->n_children; i++)
                if (waitpid(b->children[i], &status, 0) < 0 || status != 0) {
                        fprintf(stderr, "bench-spawn: process %d ended with status %#x\n", b->children[i],
                                status);
                        good = false;
                }
        return good;
}

/* ---- rounds ---- */

static Answer carry_out(const Variant *v, OrderKind kind, unsigned n_workers) {
        Order order = { kind, v->how, n_workers };
        Answer answer;

        quiet_period();
        if (send(v->socket, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order))
                die(v->label);
        receive(v->socket, &answer, sizeof(answer));
        if (answer.error) {
                fprintf(stderr, "line %u, %u workers: ", answer.line, n_workers);
                errno = answer.error;
                die(v->label);
        }
        return answer;
}

static void measure(Variant *v, unsigned count, unsigned i) {
        if (count > v->max_workers)
                return;
        Answer answer = carry_out(v, ORDER_SPAWN, count);
        samples_add(&v->born[i], (double)answer.born_ns);
        samples_add(&v->gone[i], (double)answer.gone_ns);
}

/* Every other round backwards: what one leaves behind, for caches or RCU, is not always the same one's loss.
 */
static void measure_counts(Results *r, bool backwards) {
        for (unsigned i = 0; i < r->n_counts; i++)
                for (unsigned k = 0; k < r->n_variants; k++)
                        measure(&r->variants[backwards ? r->n_variants - 1 - k : k], r->counts[i], i);
}

static bool is_service(const Variant *v) {
        return v->how == (unsigned)ANY && v->role != ROLE_SCOPE;
}

static void begin_round(Results *r) {
        for (unsigned k = 0; k < r->n_variants; k++) {
                const Variant *v = &r->variants[k];
                if (!is_service(v))
                        continue;
                Answer cold = carry_out(v, ORDER_COLD, 1), ping = carry_out(v, ORDER_PING, 0);
                if (v->role != ROLE_SERVICE)
                        continue;
                samples_add(&r->cost.cold_add, (double)cold.born_ns);
                samples_add(&r->cost.cold_end, (double)cold.gone_ns);
                samples_add(&r->cost.ping, (double)ping.born_ns);
        }
}

static void end_round(const Results *r) {
        for (unsigned k = 0; k < r->n_variants; k++)
                if (is_service(&r->variants[k]))
                        carry_out(&r->variants[k], ORDER_END, 0);
}

/* ---- the start ---- */

static Variant *add_variant(Results *r, const char *label, Role role, int socket, unsigned how,
                            unsigned max_workers) {
        Variant *v = &r->variants[r->n_variants++];

        *v = (Variant){ label, role, socket, how, max_workers, {}, {} };
        return v;
}

static void add_variants(Bench *b) {
        Results *r = &b->results;
        ServiceHello hello, other;
        int service = start_service(b, NULL, &hello);

        add_variant(r, "ktsetupd: AddCgroupDef, EndStep", ROLE_SERVICE, service, (unsigned)ANY, UINT32_MAX);
        if (b->options.other_build)
                add_variant(r, "ktsetupd of the other build", ROLE_OTHER_BUILD,
                            start_service(b, b->options.other_build, &other), (unsigned)ANY, UINT32_MAX);
        int small = start_forker(b, 0, &hello);
        add_variant(r, "floor: bare clone3 into the cgroup, waitid", ROLE_FLOOR, small, FORKER_FLOOR,
                    UINT32_MAX);
        add_variant(r, "the same with ktsetupd's workers", ROLE_OTHER, small, FORKER_WORKER, UINT32_MAX);
        add_variant(r, "pipe, fork, write cgroup.procs", ROLE_NAIVE, small, FORKER_NAIVE, NAIVE_MAX);
        add_variant(r, "pipe, fork, write cgroup.procs: 256 MB", ROLE_OTHER, start_forker(b, FAT_MB, &hello),
                    FORKER_NAIVE, FAT_MAX);
        if (b->options.installed)
                add_variant(r, "systemd: StartTransientUnit of a scope", ROLE_SCOPE, start_scope(b),
                            (unsigned)ANY, SCOPE_MAX);
}

static _Noreturn void usage(int status) {
        fputs("Usage: bench-spawn [--rounds N] [--counts N,N...] [--other DIR] [--installed]\n\n"
              "  --rounds N      1 to 64, default 7\n"
              "  --counts N,...  workers of a group, default 1,8,16,256,2000\n"
              "  --other DIR     measure daemon and executor of this build directory too, in turn with the "
              "others\n"
              "  --installed     the installed service, with limits, and against the service manager\n",
              status ? stderr : stdout);
        exit(status);
}

static unsigned parse_count(const char *text, unsigned max) {
        guint64 n;

        if (!g_ascii_string_to_unsigned(text, 10, 1, max, &n, NULL))
                usage(EXIT_FAILURE);
        return (unsigned)n;
}

static void parse_counts(Results *r, const char *text) {
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);

        r->n_counts = 0;
        for (size_t i = 0; parts[i]; i++) {
                if (r->n_counts == COUNTS_MAX)
                        usage(EXIT_FAILURE);
                r->counts[r->n_counts++] = parse_count(parts[i], 9999); /* one more is in the backdrop */
        }
}

static void parse_options(Bench *b, int argc, char **argv) {
        static const struct option options[] = {
                { "rounds", required_argument, NULL, 'r' }, { "counts", required_argument, NULL, 'c' },
                { "other", required_argument, NULL, 'o' },  { "installed", no_argument, NULL, 'i' },
                { "help", no_argument, NULL, 'h' },         { 0 },
        };

        for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
                switch (option) {
                case 'r':
                        b->options.rounds = parse_count(optarg, ROUNDS_MAX);
                        break;
                case 'c':
                        parse_counts(&b->results, optarg);
                        break;
                case 'o':
                        b->options.other_build = optarg;
                        break;
                case 'i':
                        b->options.installed = true;
                        break;
                default:
                        usage(option == 'h' ? EXIT_SUCCESS : EXIT_FAILURE);
                }
        if (optind < argc || (b->options.installed && b->options.other_build))
                usage(EXIT_FAILURE);
}

int main(int argc, char **argv) {
        static Bench b = { .options = { .rounds = 7 } };

        parse_counts(&b.results, "1,8,16,256,2000");
        parse_options(&b, argc, argv);
        print_machine(); /* before it is this program that makes it busy */
        fflush(stdout);  /* or each process that is forked says it again */
        add_variants(&b);
        for (unsigned round = 0; round < b.options.rounds; round++) {
                begin_round(&b.results);
                measure_counts(&b.results, round % 2);
                end_round(&b.results);
        }
        if (!end_children(&b))
                return EXIT_FAILURE;
        results_print(&b.results);
        return EXIT_SUCCESS;
}
