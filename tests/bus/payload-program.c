/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the tests run as a payload: does what its arguments say, one after the other, and exits with 0. Each
 * line it prints is one write(2). */

enum { PATTERN_BYTES = 26 << 10, HOP_US = 200 };

static void die(const char *what) {
        perror(what);
        exit(120);
}

/* False when nobody reads it any more. */
static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);
                if (n < 0)
                        return 0;
                data += n;
                size -= (size_t)n;
        }
        return 1;
}

static void say_to(int fd, const char *text) {
        char line[8192];
        int n = snprintf(line, sizeof(line), "%s\n", text);

        if (n < 0 || (size_t)n >= sizeof(line) || !write_all(fd, line, (size_t)n))
                die("write");
}

static void do_print(char **args) {
        say_to(STDOUT_FILENO, args[0]);
}

static void do_error(char **args) {
        say_to(STDERR_FILENO, args[0]);
}

/* ---- what it finds itself to be ---- */

/* Lines of a file below /proc/self that begin with that. */
static void print_lines(const char *path, const char *begin) {
        FILE *file = fopen(path, "re");
        char line[4096];

        if (!file)
                die(path);
        while (fgets(line, sizeof(line), file)) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, begin, strlen(begin)) == 0)
                        say_to(STDOUT_FILENO, line);
        }
        fclose(file);
}

static void do_cgroup(char **args) {
        (void)args;
        print_lines("/proc/self/cgroup", "0::");
}

static void do_status(char **args) {
        print_lines("/proc/self/status", args[0]);
}

static void do_environment(char **args) {
        const char *value = getenv(args[0]);

        say_to(STDOUT_FILENO, value ? value : "(not set)");
}

static void do_directory(char **args) {
        char path[4096];

        (void)args;
        if (!getcwd(path, sizeof(path)))
                die("getcwd");
        say_to(STDOUT_FILENO, path);
}

/* "process group, session, parent" */
static void do_family(char **args) {
        char line[128];

        (void)args;
        snprintf(line, sizeof(line), "%d %d %d", getpgrp(), getsid(0), getppid());
        say_to(STDOUT_FILENO, line);
}

/* How many descriptors beyond the three it was given. */
static void do_descriptors(char **args) {
        DIR *dir = opendir("/proc/self/fd");
        const struct dirent *entry;
        char line[32];
        unsigned n = 0;

        (void)args;
        if (!dir)
                die("/proc/self/fd");
        while ((entry = readdir(dir)))
                n += entry->d_name[0] != '.' && atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(dir);
        closedir(dir);
        snprintf(line, sizeof(line), "%u", n);
        say_to(STDOUT_FILENO, line);
}

static void do_stdin(char **args) {
        char path[4096];
        ssize_t n = readlink("/proc/self/fd/0", path, sizeof(path) - 1);

        (void)args;
        if (n < 0)
                die("stdin");
        path[n] = '\0';
        say_to(STDOUT_FILENO, path);
}

/* ---- what it does ---- */

/* One byte of a FIFO lets one process through. */
static void do_wait(char **args) {
        char byte;
        int fd = open(args[0], O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read(fd, &byte, 1) != 1)
                die(args[0]);
        close(fd);
}

static void do_pause(char **args) {
        (void)args;
        for (;;)
                pause();
}

static void do_exit(char **args) {
        exit(atoi(args[0]));
}

static void do_signal(char **args) {
        raise(atoi(args[0]));
}

/* The letters of the alphabet over and over, from the one that is given on. */
static void write_pattern(int fd, char first, size_t bytes) {
        char pattern[PATTERN_BYTES];

        for (size_t i = 0; i < sizeof(pattern); i++)
                pattern[i] = (char)('a' + (first - 'a' + i) % 26);
        for (size_t n; bytes > 0; bytes -= n) {
                n = bytes < sizeof(pattern) ? bytes : sizeof(pattern);
                if (!write_all(fd, pattern, n))
                        die("write");
        }
}

static pid_t fork_or_die(void) {
        pid_t pid = fork();

        if (pid < 0)
                die("fork");
        return pid;
}

static void do_both(char **args) {
        size_t bytes = strtoul(args[0], NULL, 10);
        pid_t pid = fork_or_die();
        int status;

        write_pattern(pid ? STDOUT_FILENO : STDERR_FILENO, pid ? 'a' : 'n', bytes);
        if (pid == 0)
                _exit(0);
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                exit(121);
}

static void do_flood(char **args) {
        (void)args;
        for (;;)
                write_pattern(STDOUT_FILENO, 'a', PATTERN_BYTES);
}

/* A JSON document of so many numbers. */
static void do_numbers(char **args) {
        unsigned long n = strtoul(args[0], NULL, 10);

        fputs("{\"values\": [0", stdout);
        for (unsigned long i = 1; i < n; i++)
                printf(",%lu", i);
        fputs("]}\n", stdout);
        fflush(stdout);
}

/* ---- what it leaves behind ---- */

/* A child in its process group: it waits, prints, and stays. */
static void do_later(char **args) {
        if (fork_or_die() > 0)
                return;
        do_wait(args);
        do_print(args + 1);
        do_pause(NULL);
}

/* A grandchild in a session of its own, whose parent is gone; it holds both streams. Prints its pid. */
static void do_orphan(char **args) {
        char line[32];
        int ready[2];
        pid_t pid;

        (void)args;
        if (pipe(ready) < 0)
                die("pipe");
        pid = fork_or_die();
        if (pid == 0) {
                setsid();
                if (fork_or_die() > 0)
                        _exit(0);
                pid = getpid();
                if (!write_all(ready[1], (char *)&pid, sizeof(pid)))
                        die("pipe");
                do_pause(NULL);
        }
        waitpid(pid, NULL, 0);
        if (read(ready[0], &pid, sizeof(pid)) != sizeof(pid))
                die("pipe");
        close(ready[0]);
        close(ready[1]);
        snprintf(line, sizeof(line), "%d", pid);
        say_to(STDOUT_FILENO, line);
}

static void write_pid(const char *path, pid_t pid) {
        FILE *file = fopen(path, "we");

        if (!file || fprintf(file, "%d", pid) < 0 || fclose(file) < 0)
                die(path);
}

/* A child in a session of its own and in a cgroup below that of the program. The argument is the directory
 * whose name also stands in /proc/self/cgroup: by it the mount point is found. Prints the child's pid. */
static void do_nest(char **args) {
        const char *name = strrchr(args[0], '/');
        char line[4096], path[8192], procs[8300];
        FILE *file = fopen("/proc/self/cgroup", "re");
        const char *rest = NULL;
        pid_t pid;

        while (file && name && !rest && fgets(line, sizeof(line), file))
                if (strncmp(line, "0::", 3) == 0)
                        rest = strstr(line, name);
        if (!rest)
                die("/proc/self/cgroup");
        fclose(file);
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, sizeof(path), "%s%s/nested", args[0], rest + strlen(name));
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
        if (mkdir(path, 0755) < 0)
                die(path);
        pid = fork_or_die();
        if (pid == 0) {
                setsid();
                do_pause(NULL);
        }
        write_pid(procs, pid);
        snprintf(line, sizeof(line), "%d", pid);
        say_to(STDOUT_FILENO, line);
}

/* It ends, and its descendants go on: each forks the next, in a session of its own, and ends. */
static void do_hop(char **args) {
        (void)args;
        for (;;) {
                if (fork_or_die() > 0)
                        _exit(0);
                setsid();
                usleep(HOP_US);
        }
}

static const struct {
        const char *name;
        int n_args;
        void (*run)(char **args);
} commands[] = {
        { "print", 1, do_print },
        { "error", 1, do_error },
        { "cgroup", 0, do_cgroup },
        { "status", 1, do_status },
        { "environment", 1, do_environment },
        { "directory", 0, do_directory },
        { "family", 0, do_family },
        { "descriptors", 0, do_descriptors },
        { "stdin", 0, do_stdin },
        { "wait", 1, do_wait },
        { "pause", 0, do_pause },
        { "exit", 1, do_exit },
        { "signal", 1, do_signal },
        { "both", 1, do_both },
        { "flood", 0, do_flood },
        { "numbers", 1, do_numbers },
        { "later", 2, do_later },
        { "orphan", 0, do_orphan },
        { "nest", 1, do_nest },
        { "hop", 0, do_hop },
};

int main(int argc, char **argv) {
        for (int i = 1; i < argc;) {
                size_t c = 0;

                while (c < sizeof(commands) / sizeof(*commands) && strcmp(argv[i], commands[c].name) != 0)
                        c++;
                if (c == sizeof(commands) / sizeof(*commands) || argc - i <= commands[c].n_args) {
                        fprintf(stderr, "what is %s?\n", argv[i]);
                        return 122;
                }
                commands[c].run(argv + i + 1);
                i += 1 + commands[c].n_args;
        }
        return 0;
}
