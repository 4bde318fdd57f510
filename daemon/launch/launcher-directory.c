/* SPDX-License-Identifier: GPL-2.0-only */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "model/controllers.h"

/* Below a directory, the executor is the daemon's own child. One that crashes leaves its cgroups behind.
 * Where systemd would see to that, it is done here: what still lives there is killed, and when it is gone the
 * directories are removed. */
typedef struct DirectoryRoot {
        Launcher root;
        sd_event *event;
        GPtrArray *children; /* of Child */
        unsigned enabled;    /* Controller bits that we added to the directory's cgroup.subtree_control */
} DirectoryRoot;

typedef struct Child {
        DirectoryRoot *owner;
        char *path; /* the scenario's directory */
        char *why;
        ExecutorGone gone;
        void *userdata;
        sd_event_source *source;   /* its end */
        sd_event_source *events;   /* the directory's cgroup.events, while it is being emptied */
        sd_event_source *deadline; /* of that */
} Child;

enum { EMPTY_US = 5000000 };

static void child_free(Child *c) {
        sd_event_source_disable_unref(c->source);
        sd_event_source_disable_unref(c->events);
        sd_event_source_disable_unref(c->deadline);
        g_free(c->path);
        g_free(c->why);
        g_free(c);
}

static char *directory_scenario_path(const Launcher *root, const char *scenario) {
        return g_build_filename(root->path, scenario, NULL);
}

/* Payloads inherit what the executor has. The daemon's conversation with its service manager, sd_notify(3),
 * is not theirs. */
static char **executor_environment(void) {
        static const char *const own[] = { "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                           "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES" };
        char **environment = g_get_environ();

        for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
                environment = g_environ_unsetenv(environment, own[i]);
        return environment;
}

/* SIGCHLD is blocked in the daemon (sd-event reads it), and must not be in the child. */
static int spawn(const Child *c, int fd, pid_t *ret_pid) {
        char *const argv[] = { c->owner->root.executor, (char *)"--root", c->path, NULL };
        g_auto(GStrv) environment = executor_environment();
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        r = posix_spawn(ret_pid, argv[0], &files, &attributes, argv, environment);
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
        return -r;
}

static void finish(Child *c) {
        ExecutorGone gone = c->gone;
        void *userdata = c->userdata;
        g_autofree char *why = g_steal_pointer(&c->why);

        g_ptr_array_remove(c->owner->children, c);
        gone(userdata, why);
}

/* ---- what a crash leaves ---- */

/* Children first. A cgroup in which somebody lives stays, and those above it. */
static int remove_tree(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);
                if (g_file_test(child, G_FILE_TEST_IS_DIR))
                        remove_tree(child);
        }
        return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Reading arms the file: EPOLLPRI is raised at the next change. */
static bool populated(int events) {
        char text[256];
        ssize_t n = pread(events, text, sizeof(text) - 1, 0);

        text[MAX(n, 0)] = '\0';
        return strstr(text, "populated 1");
}

static void finish_sweep(Child *c) {
        int r = remove_tree(c->path);

        if (r < 0)
                sd_journal_print(LOG_WARNING, "what a crashed executor left in %s cannot be removed: %s",
                                 c->path, g_strerror(-r));
        finish(c);
}

static int on_events(G_GNUC_UNUSED sd_event_source *source, int fd, G_GNUC_UNUSED uint32_t revents,
                     void *userdata) {
        if (!populated(fd))
                finish_sweep(userdata);
        return 0;
}

static int on_deadline(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED uint64_t now, void *userdata) {
        finish_sweep(userdata);
        return 0;
}

static int await_empty(Child *c) {
        g_autofree char *path = g_build_filename(c->path, "cgroup.events", NULL);
        g_auto(AutoFd) fd = open(path, O_RDONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        if (!populated(fd))
                return -ENODATA;
        r = sd_event_add_io(c->owner->event, &c->events, fd, EPOLLPRI, on_events, c);
        if (r >= 0) {
                sd_event_source_set_io_fd_own(c->events, true);
                auto_fd_steal(&fd);
                r = sd_event_add_time_relative(c->owner->event, &c->deadline, CLOCK_MONOTONIC, EMPTY_US, 0,
                                               on_deadline, c);
        }
        return r;
}

/* The workers die with their executor, but what they may have started does not. */
static void sweep(Child *c) {
        g_autofree char *kill_file = g_build_filename(c->path, "cgroup.kill", NULL);
        g_auto(AutoFd) fd = open(kill_file, O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, "1", 1) < 0)
                sd_journal_print(LOG_WARNING, "%s: %s", kill_file, g_strerror(errno));
        if (await_empty(c) < 0)
                finish_sweep(c);
}

/* ---- an executor's life ---- */

/* One that ends by itself, even with an error, has removed what it made; only a killed one leaves it behind.
 * The difference matters: a sweep kills whoever lives in the directory. */
static int on_child_exit(G_GNUC_UNUSED sd_event_source *source, const siginfo_t *si, void *userdata) {
        Child *c = userdata;

        if (si->si_code == CLD_EXITED) {
                if (si->si_status != 0)
                        c->why = g_strdup_printf("it exited with status %d", si->si_status);
                finish(c);
                return 0;
        }
        c->why = g_strdup_printf("it was killed by signal %d", si->si_status);
        c->source = sd_event_source_disable_unref(c->source);
        sweep(c);
        return 0;
}

/* An executor and its daemon that were both killed have left theirs. Where somebody still lives, it is for
 * the executor to find the names taken. */
static void remove_remains(const char *path) {
        g_autofree char *events = g_build_filename(path, "cgroup.events", NULL);
        g_auto(AutoFd) fd = open(events, O_RDONLY | O_CLOEXEC);

        if (fd >= 0 && !populated(fd))
                remove_tree(path);
}

/* Nobody would be told of its end: it has just begun, and goes before it has done much. */
static void take_back(const Child *c, pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        remove_remains(c->path);
}

/* Of a process that somebody traces the pidfd tells the end before its parent may wait for it: sd-event looks
 * in vain then, and one look is all that a one-shot source has. Only a source that is switched on, not one
 * that stays on, is entered into epoll anew. */
static void keep_watching(sd_event_source *source) {
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        sd_event_source_set_enabled(source, SD_EVENT_ON);
}

/* Starts an executor for the child's scenario and waits for its end. */
static int watch(Child *c, int fd) {
        pid_t pid;
        int r = spawn(c, fd, &pid);

        if (r < 0)
                return r;
        r = sd_event_add_child(c->owner->event, &c->source, pid, WEXITED, on_child_exit, c);
        if (r < 0)
                take_back(c, pid);
        else
                keep_watching(c->source);
        return r;
}

static int directory_start(Launcher *root, const char *scenario, int fd, ExecutorGone gone, void *userdata,
                           GError **error) {
        Child *c = g_new0(Child, 1);
        int r;

        c->owner = (DirectoryRoot *)root;
        c->path = directory_scenario_path(root, scenario);
        c->gone = gone;
        c->userdata = userdata;
        remove_remains(c->path);
        r = watch(c, fd);
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_EXECUTOR_LOST, "cannot start the executor %s: %s",
                            root->executor, g_strerror(-r));
                child_free(c);
        } else
                g_ptr_array_add(c->owner->children, c);
        return r;
}

static void directory_abandon(Launcher *root, const char *scenario) {
        const DirectoryRoot *d = (DirectoryRoot *)root;
        g_autofree char *path = directory_scenario_path(root, scenario);

        for (guint i = 0; i < d->children->len; i++) {
                const Child *c = d->children->pdata[i];
                if (c->source && g_str_equal(c->path, path))
                        sd_event_source_send_child_signal(c->source, SIGKILL, NULL, 0);
        }
}

/* ---- controllers ---- */

static unsigned read_controllers(const char *directory, const char *file) {
        g_autofree char *path = g_build_filename(directory, file, NULL), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? controllers_parse(text) : 0;
}

static int write_controllers(const DirectoryRoot *d, unsigned set, const char *sign) {
        g_autofree char *value = controllers_format(set, sign);
        g_auto(AutoFd) fd = open(d->root.controllers_file, O_WRONLY | O_CLOEXEC);

        if (set == 0)
                return 0;
        if (fd < 0)
                return -errno;
        return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* Only the root of the hierarchy, which has no cgroup.type, may both hold processes and hand on controllers.
 */
static bool holds_processes(const char *directory) {
        g_autofree char *type = g_build_filename(directory, "cgroup.type", NULL);
        g_autofree char *procs = g_build_filename(directory, "cgroup.procs", NULL), *text = NULL;

        return g_file_test(type, G_FILE_TEST_EXISTS) && g_file_get_contents(procs, &text, NULL, NULL) &&
               text[0];
}

/* The scenarios can only use what the directory hands on to its children: all there is, as long as we run. */
static bool enable_controllers(DirectoryRoot *d, GError **error) {
        unsigned missing = read_controllers(d->root.path, "cgroup.controllers") &
                           ~read_controllers(d->root.path, "cgroup.subtree_control");
        int r;

        if (missing == 0)
                return true;
        if (holds_processes(d->root.path)) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "cgroup root '%s' holds processes, so it cannot give controllers to the "
                            "scenarios (no "
                            "internal processes, cgroup-v2.rst); move them into a cgroup of their own",
                            d->root.path);
                return false;
        }
        r = write_controllers(d, missing, "+");
        if (r < 0) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "cgroup root '%s' cannot give its controllers to the scenarios: %s", d->root.path,
                            g_strerror(-r));
                return false;
        }
        d->enabled = missing;
        return true;
}

/* ---- the root ---- */

static void directory_free(Launcher *root) {
        DirectoryRoot *d = (DirectoryRoot *)root;

        write_controllers(d, d->enabled, "-");
        g_ptr_array_unref(d->children);
        sd_event_unref(d->event);
        g_free(d);
}

static const LauncherKind directory_kind = {
        .start = directory_start,
        .abandon = directory_abandon,
        .free = directory_free,
        .scenario_path = directory_scenario_path,
};

Launcher *launcher_new_directory(sd_event *event, const char *directory, const char *executor,
                                 GError **error) {
        g_autofree char *path = g_canonicalize_filename(directory, "/");
        DirectoryRoot *d;
        struct statfs fs;

        if (directory[0] != '/' || statfs(path, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                            "cgroup root '%s' is not an existing cgroup v2 directory given by its full path",
                            directory);
                return NULL;
        }
        d = g_new0(DirectoryRoot, 1);
        d->root = (Launcher){ .kind = &directory_kind,
                              .path = g_strdup(path),
                              .controllers_file = g_build_filename(path, "cgroup.subtree_control", NULL),
                              .executor = g_strdup(executor) };
        d->event = sd_event_ref(event);
        d->children = g_ptr_array_new_with_free_func((GDestroyNotify)child_free);
        if (!enable_controllers(d, error)) {
                launcher_free(&d->root);
                return NULL;
        }
        return &d->root;
}
