/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 120000 };

/* ---- start and end ---- */

/* The program is opened first: the user that the child becomes may not reach the build directory. */
static _Noreturn void become(uid_t uid, const Process *p, int program, const char *const *argv,
                             char **environment) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(p->output, STDOUT_FILENO);
        dup2(p->errors, STDERR_FILENO);
        if (uid && (setgid(uid) < 0 || setuid(uid) < 0))
                _exit(98);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fexecve(program, (char *const *)argv, environment);
        _exit(99);
}

Process process_start_as(uid_t uid, const char *const *argv, const char *const *variables) {
        g_auto(GStrv) environment = g_get_environ();
        Process p = { .output = memfd_create("output", MFD_CLOEXEC),
                      .errors = memfd_create("errors", MFD_CLOEXEC) };
        int program = open(argv[0], O_RDONLY | O_CLOEXEC);

        if (program < 0)
                fail_msg("%s: %s", argv[0], strerror(errno));
        for (; variables && *variables; variables++) {
                g_auto(GStrv) pair = g_strsplit(*variables, "=", 2);
                environment = g_environ_setenv(environment, pair[0], pair[1], TRUE);
        }
        p.pid = fork();
        assert_true(p.pid >= 0);
        if (p.pid == 0)
                become(uid, &p, program, argv, environment);
        close(program);
        p.pidfd = process_watch(p.pid);
        return p;
}

Process process_start(const char *const *argv, const char *const *variables) {
        return process_start_as(0, argv, variables);
}

static bool readable_within(int fd, int ms) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n;

        do
                n = poll(&p, 1, ms);
        while (n < 0 && errno == EINTR);
        return n > 0;
}

bool process_ends_within(const Process *p, unsigned ms) {
        return readable_within(p->pidfd, (int)ms);
}

int process_wait(Process *p) {
        siginfo_t info = { 0 };

        if (!process_ends_within(p, PATIENCE_MS))
                fail_msg("process %d does not end", p->pid);
        assert_int_equal(waitid(P_PID, (id_t)p->pid, &info, WEXITED), 0);
        p->pid = 0;
        return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static char *contents(int fd) {
        GString *text = g_string_new(NULL);
        char part[4096];
        ssize_t n;
        off_t at = 0;

        while ((n = pread(fd, part, sizeof(part), at)) > 0) {
                g_string_append_len(text, part, n);
                at += n;
        }
        return g_string_free(text, FALSE);
}

char *process_output(const Process *p) {
        return contents(p->output);
}

char *process_errors(const Process *p) {
        return contents(p->errors);
}

/* Kills what a failed test left. */
void process_clear(Process *p) {
        if (p->pid > 0) {
                kill(p->pid, SIGKILL);
                waitpid(p->pid, NULL, 0);
        }
        if (p->output > 0) {
                close(p->pidfd);
                close(p->output);
                close(p->errors);
        }
        *p = (Process){ 0 };
}

/* ---- looking at others ---- */

static char *proc_text(pid_t pid, const char *file) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
        char *text = NULL;

        g_file_get_contents(path, &text, NULL, NULL);
        return text;
}

/* State and parent stand behind the name, which may hold anything. */
static char process_stat(pid_t pid, int *ret_parent) {
        g_autofree char *text = proc_text(pid, "stat");
        const char *end = text ? strrchr(text, ')') : NULL;
        char state = 'X';

        *ret_parent = 0;
        if (end)
                sscanf(end + 1, " %c %d", &state, ret_parent);
        return state;
}

pid_t process_parent(pid_t pid) {
        int parent;

        process_stat(pid, &parent);
        return parent;
}

bool process_gone(pid_t pid) {
        int parent;

        return strchr("ZX", process_stat(pid, &parent));
}

char *process_cgroup(pid_t pid) {
        g_autofree char *text = proc_text(pid, "cgroup");
        g_auto(GStrv) lines = g_strsplit(text ?: "", "\n", -1);

        for (size_t i = 0; lines[i]; i++)
                if (g_str_has_prefix(lines[i], "0::"))
                        return g_strdup(lines[i] + strlen("0::"));
        return g_strdup("(gone)");
}

int process_watch(pid_t pid) {
        int fd = pidfd_open(pid, 0);

        if (fd < 0)
                fail_msg("process %d: %s", pid, strerror(errno));
        return fd;
}

void await_end(int pidfd) {
        if (!readable_within(pidfd, PATIENCE_MS))
                fail_msg("a process does not end");
        close(pidfd);
}

/* Only a parent is told of a stop, so all that is left is to look. */
void process_stop(pid_t pid) {
        uint64_t until = fixture_deadline();
        int parent;

        assert_int_equal(kill(pid, SIGSTOP), 0);
        while (process_stat(pid, &parent) != 'T') {
                if ((uint64_t)g_get_monotonic_time() > until)
                        fail_msg("process %d does not stop", pid);
                sched_yield();
        }
}

/* ---- directories ---- */

static void list_directories(const char *path, const char *prefix, GPtrArray *names) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);
                g_autofree char *relative = g_strconcat(prefix, name, NULL);
                g_autofree char *deeper = g_strconcat(relative, "/", NULL);

                if (!g_file_test(child, G_FILE_TEST_IS_DIR))
                        continue;
                g_ptr_array_add(names, g_steal_pointer(&relative));
                list_directories(child, deeper, names);
        }
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *directories_below(const char *path) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

        list_directories(path, "", names);
        g_ptr_array_sort(names, by_name);
        g_ptr_array_add(names, NULL);
        return g_strjoinv("\n", (char **)names->pdata);
}

int removal_watch(const char *path) {
        g_autofree char *parent = g_path_get_dirname(path);
        int fd = inotify_init1(IN_CLOEXEC);

        assert_true(fd >= 0 && inotify_add_watch(fd, parent, IN_DELETE | IN_ONLYDIR) >= 0);
        return fd;
}

void await_removal(int watch, const char *path) {
        char events[4096];

        while (g_file_test(path, G_FILE_TEST_EXISTS)) {
                if (!readable_within(watch, PATIENCE_MS))
                        fail_msg("%s is not removed", path);
                assert_true(read(watch, events, sizeof(events)) > 0);
        }
        close(watch);
}

void write_file(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
                fail_msg("%s: %s", path, strerror(errno));
        close(fd);
}
