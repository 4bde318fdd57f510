/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/bus-error.h"
#include "client.h"
#include "common/cleanup.h"
#include "dbus/names.h"

enum { PATIENCE_US = 120000000 };

static Fixture *current; /* one at a time */
static unsigned missing; /* tests that found no cgroup2 */

/* ---- the place ---- */

/* Mount point of a cgroup2 in which a directory can be made, and where in the hierarchy it begins. */
static bool make_root(Fixture *f, const char *mountinfo) {
        static unsigned n;
        g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);

        for (size_t i = 0; lines[i]; i++) {
                g_auto(GStrv) fields = g_strsplit(lines[i], " ", -1);
                g_autofree char *name = g_strdup_printf("kt-bus-%d-%u", getpid(), n);

                if (!strstr(lines[i], " - cgroup2 ") || g_strv_length(fields) < 5)
                        continue;
                f->root = g_build_filename(fields[4], name, NULL);
                if (mkdir(f->root, 0755) == 0) {
                        f->hierarchy = g_build_filename(fields[3], name, NULL);
                        n++;
                        return true;
                }
                print_message("%s: %s\n", f->root, strerror(errno));
                g_clear_pointer(&f->root, g_free);
        }
        return false;
}

static void find_root(Fixture *f) {
        g_autofree char *mountinfo = NULL;

        if (!g_file_get_contents("/proc/self/mountinfo", &mountinfo, NULL, NULL) ||
            !make_root(f, mountinfo)) {
                print_message("skipped: no cgroup2 is mounted here in which a directory can be made\n");
                missing++;
                skip();
        }
        f->scenario = g_build_filename(f->root, KT_DEFAULT_SCENARIO, NULL);
}

char *below(const Fixture *f, const char *name) {
        return g_build_filename(f->scenario, name, NULL);
}

static char *in_dir(const Fixture *f, const char *name) {
        return g_build_filename(f->dir, name, NULL);
}

static const char *program(const char *variable) {
        const char *path = g_getenv(variable);

        if (!path)
                fail_msg("%s is not set: run this by meson test", variable);
        return path;
}

/* ---- the bus ---- */

static const char bus_config[] =
        "<busconfig><auth>EXTERNAL</auth><listen>unix:path=%s</listen>\n"
        "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\" "
        "eavesdrop=\"true\"/><allow eavesdrop=\"true\"/></policy></busconfig>\n";

static void start_bus(Fixture *f) {
        g_autofree char *config = in_dir(f, "bus.conf"), *socket_path = in_dir(f, "bus");
        g_autofree char *text = g_strdup_printf(bus_config, socket_path);
        g_autofree char *option = g_strconcat("--config-file=", config, NULL);
        char answer[256];
        int ready[2];

        assert_int_equal(pipe(ready), 0); /* on purpose without O_CLOEXEC: the bus writes to it */
        g_autofree char *print = g_strdup_printf("--print-address=%d", ready[1]);
        write_file(config, text);
        f->bus = process_start(
                (const char *[]){ program("KT_DBUS_DAEMON"), "--nofork", "--nopidfile", option, print, NULL },
                NULL);
        close(ready[1]);
        assert_true(read(ready[0], answer, sizeof(answer)) > 0);
        close(ready[0]);
        chmod(socket_path, 0666);
        f->address = g_strconcat("unix:path=", socket_path, NULL);
}

static void connect_client(Fixture *f) {
        assert_return_code(sd_bus_new(&f->client), 0);
        assert_return_code(sd_bus_set_address(f->client, f->address), 0);
        assert_return_code(sd_bus_set_bus_client(f->client, true), 0);
        assert_return_code(sd_bus_start(f->client), 0);
        assert_return_code(sd_bus_set_method_call_timeout(f->client, PATIENCE_US), 0);
        signals_subscribe(f);
}

/* ---- the daemon ---- */

static void open_notify(Fixture *f) {
        g_autofree char *path = in_dir(f, "notify");
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        f->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(f->notify, (struct sockaddr *)&address, sizeof(address)), 0);
}

static GStrv daemon_variables(const Fixture *f) {
        g_autoptr(GStrvBuilder) variables = g_strv_builder_new();
        g_autofree char *notify = g_strdup_printf("NOTIFY_SOCKET=%s/notify", f->dir);
        g_autofree char *topology = g_strdup_printf("HWLOC_SYNTHETIC=%s", f->options.topology);

        if (f->options.notify)
                g_strv_builder_add(variables, notify);
        if (f->options.topology)
                g_strv_builder_add(variables, topology);
        return g_strv_builder_end(variables);
}

static Process start_daemon(const Fixture *f) {
        g_auto(GStrv) variables = daemon_variables(f);
        const char *const arguments[] = { program("KT_DAEMON"),
                                          "--bus-address",
                                          f->address,
                                          "--cgroup-root",
                                          f->options.cgroup_root ?: f->root,
                                          "--config",
                                          f->config,
                                          "--executor",
                                          f->options.executor ?: program("KT_EXECUTOR"),
                                          NULL };
        g_autoptr(GPtrArray) argv = g_ptr_array_new();

        for (const char *const *word = f->options.under; word && *word; word++)
                g_ptr_array_add(argv, (char *)*word);
        for (size_t i = 0; i < G_N_ELEMENTS(arguments); i++)
                g_ptr_array_add(argv, (char *)arguments[i]);
        return process_start((const char *const *)argv->pdata, (const char *const *)variables);
}

static bool daemon_serves(Fixture *f) {
        if (process_ends_within(&f->daemon, 0)) {
                g_autofree char *errors = process_errors(&f->daemon);
                fail_msg("the daemon ended at its start: %s", errors);
        }
        return name_was_taken(f);
}

void fixture_start_daemon(Fixture *f) {
        process_clear(&f->daemon);
        f->daemon = start_daemon(f);
        await(f, daemon_serves(f));
}

Fixture *fixture_start(const FixtureOptions *options) {
        Fixture *f = g_new0(Fixture, 1);

        current = f;
        f->options = options ? *options : (FixtureOptions){ 0 };
        f->notify = -1;
        f->kept = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
        f->signals = g_ptr_array_new_with_free_func(signals_free);
        find_root(f);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        bus_error_register();
        f->dir = g_dir_make_tmp("kt-bus-XXXXXX", NULL);
        assert_non_null(f->dir);
        chmod(f->dir, 0755);
        f->config = in_dir(f, "ktsetupd.conf");
        write_file(f->config, f->options.config ?: FIXTURE_CONFIG);
        start_bus(f);
        connect_client(f);
        if (f->options.notify)
                open_notify(f);
        if (!f->options.no_daemon)
                fixture_start_daemon(f);
        return f;
}

int fixture_run_daemon(const Fixture *f, char **ret_errors, ...) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        const char *argument;
        va_list arguments;
        Process p;
        int status;

        g_ptr_array_add(argv, (char *)program("KT_DAEMON"));
        va_start(arguments, ret_errors);
        while ((argument = va_arg(arguments, const char *)))
                g_ptr_array_add(argv, (char *)argument);
        va_end(arguments);
        g_ptr_array_add(argv, NULL);
        (void)f;
        p = process_start((const char *const *)argv->pdata, NULL);
        status = process_wait(&p);
        *ret_errors = process_errors(&p);
        process_clear(&p);
        return status;
}

/* ---- waiting ---- */

uint64_t fixture_deadline(void) {
        return (uint64_t)g_get_monotonic_time() + PATIENCE_US;
}

void fixture_turn(Fixture *f, uint64_t deadline_us, const char *what) {
        uint64_t now = (uint64_t)g_get_monotonic_time();
        struct pollfd fds[] = {
                { .fd = sd_bus_get_fd(f->client) },
                { .fd = f->daemon.pid ? f->daemon.pidfd : -1, .events = POLLIN },
        };

        if (now > deadline_us)
                fail_msg("never came true: %s", what);
        if (sd_bus_process(f->client, NULL) > 0)
                return;
        fds[0].events = (short)sd_bus_get_events(f->client);
        poll(fds, G_N_ELEMENTS(fds), (int)((deadline_us - now) / 1000) + 1);
        if (!fds[1].revents || fds[0].revents)
                return;
        /* Its last words may still be on their way through the bus, which tells of its end after them. */
        if (name_was_lost(f))
                fail_msg("the daemon ended while this was waited for: %s", what);
        poll(fds, 1, (int)((deadline_us - now) / 1000) + 1);
}

void await_notification(Fixture *f, const char *text) {
        struct pollfd p = { .fd = f->notify, .events = POLLIN };
        char message[512];
        ssize_t n;

        do {
                if (poll(&p, 1, PATIENCE_US / 1000) <= 0)
                        fail_msg("the daemon does not tell %s", text);
                n = recv(f->notify, message, sizeof(message), 0);
        } while (n < (ssize_t)strlen(text) || strncmp(message, text, strlen(text)) != 0);
}

/* ---- the end ---- */

static void complain_of_sanitizers(const Process *p, GString *problems) {
        static const char *const words[] = { "Sanitizer", "runtime error:" };
        g_autofree char *errors = process_errors(p);

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (strstr(errors, words[i])) {
                        g_string_append_printf(problems, "a sanitizer complains:\n%s\n", errors);
                        return;
                }
}

int fixture_daemon_status(Fixture *f) {
        g_autoptr(GString) problems = g_string_new(NULL);
        int status = process_wait(&f->daemon);

        complain_of_sanitizers(&f->daemon, problems);
        if (problems->len)
                fail_msg("%s", problems->str);
        return status;
}

static void end_daemon(Fixture *f, GString *problems) {
        g_autofree char *errors = NULL;
        int status;

        if (f->daemon.pid == 0)
                return;
        kill(f->daemon.pid, SIGTERM);
        if (!process_ends_within(&f->daemon, PATIENCE_US / 1000)) {
                g_string_append(problems, "the daemon does not end on SIGTERM\n");
                return;
        }
        status = process_wait(&f->daemon);
        errors = process_errors(&f->daemon);
        if (status != 0)
                g_string_append_printf(problems, "the daemon ended with %d:\n%s\n", status, errors);
        complain_of_sanitizers(&f->daemon, problems);
}

/* Orphans come to this process. A zombie is one that ended in time; nobody else may be there. */
static void check_processes(GString *problems) {
        g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
        const char *name;
        pid_t pid;

        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
                ;
        if (pid < 0)
                return;
        while ((name = g_dir_read_name(dir))) {
                pid = (pid_t)atoi(name);
                if (pid <= 0 || process_parent(pid) != getpid())
                        continue;
                g_string_append_printf(problems, "process %d is left\n", pid);
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
}

static void check_directories(const Fixture *f, GString *problems) {
        g_autofree char *left = directories_below(f->root);
        g_auto(GStrv) names = g_strsplit(left, "\n", -1);

        for (size_t i = g_strv_length(names); i-- > 0;) { /* children stand behind their parents */
                g_autofree char *path = g_build_filename(f->root, names[i], NULL);
                g_string_append_printf(problems, "directory %s is left\n", names[i]);
                rmdir(path);
        }
        if (rmdir(f->root) < 0)
                g_string_append_printf(problems, "%s: %s\n", f->root, strerror(errno));
}

static void remove_dir(const Fixture *f) {
        static const char *const names[] = { "bus",           "bus.conf",    "notify",    "ktsetupd.conf",
                                             "document.json", "report.json", "strace.log" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = in_dir(f, names[i]);
                unlink(path);
        }
        rmdir(f->dir);
}

static void fixture_free(Fixture *f) {
        sd_bus_error_free(&f->error);
        sd_bus_close_unref(f->client);
        g_ptr_array_unref(f->signals);
        g_ptr_array_unref(f->kept);
        process_clear(&f->daemon);
        process_clear(&f->bus);
        if (f->notify >= 0)
                close(f->notify);
        g_free(f->dir);
        g_free(f->address);
        g_free(f->config);
        g_free(f->root);
        g_free(f->hierarchy);
        g_free(f->scenario);
        g_free(f);
}

int fixture_teardown(G_GNUC_UNUSED void **state) {
        Fixture *f = g_steal_pointer(&current);
        g_autoptr(GString) problems = g_string_new(NULL);

        if (!f)
                return 0;
        if (f->dir) {
                end_daemon(f, problems);
                process_clear(&f->daemon);
                process_clear(&f->bus);
                check_processes(problems);
                check_directories(f, problems);
                remove_dir(f);
        }
        fixture_free(f);
        if (problems->len)
                print_error("%s", problems->str);
        return problems->len ? -1 : 0;
}

int fixture_result(int failed) {
        return failed == 0 && missing > 0 ? 77 : failed;
}
