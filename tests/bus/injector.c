/* SPDX-License-Identifier: GPL-2.0-only */
#include "injector.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *strace_program(void) {
        static char *path;

        if (!path)
                path = g_find_program_in_path("strace");
        return path;
}

static char *log_path(const char *dir) {
        return g_build_filename(dir, "strace.log", NULL);
}

/* ---- attaching ---- */

static bool attached(const Process *strace) {
        g_autofree char *said = process_errors(strace);

        return strstr(said, " attached");
}

static Process start_strace(const char *log, pid_t pid, const char *fault) {
        g_autofree char *number = g_strdup_printf("%d", pid);
        g_autofree char *option = g_strdup_printf("--inject=%s", fault);
        const char *const argv[] = { strace_program(),      "-o", log, "-p", number, "-s", "0",
                                     fault ? option : NULL, NULL };

        return process_start(argv, NULL);
}

/* strace says so after it has stopped the process for the first time. */
static bool await_attached(const Process *strace) {
        while (!attached(strace))
                if (process_ends_within(strace, 1))
                        return attached(strace);
        return true;
}

Injector injector_attach(const Fixture *f, pid_t pid, const char *fault) {
        Injector injector = { .log = log_path(f->dir) };

        assert_true(pid > 1);
        injector.strace = start_strace(injector.log, pid, fault);
        if (!await_attached(&injector.strace)) {
                g_autofree char *said = process_errors(&injector.strace);
                fail_msg("strace cannot attach to %d: %s", pid, said);
        }
        return injector;
}

GPtrArray *injector_detach(Injector *injector) {
        GPtrArray *calls;

        kill(injector->strace.pid, SIGTERM);
        process_wait(&injector->strace);
        process_clear(&injector->strace);
        calls = system_calls_read(injector->log);
        g_free(injector->log);
        return calls;
}

static pid_t start_victim(void) {
        pid_t pid = fork();

        if (pid == 0)
                for (;;)
                        pause();
        return pid;
}

bool injector_available(void) {
        Process strace, victim = { .pid = 0 };
        bool ok;

        if (!strace_program()) {
                print_message("skipped: there is no strace\n");
                return false;
        }
        victim.pid = start_victim();
        strace = start_strace("/dev/null", victim.pid, NULL);
        ok = await_attached(&strace);
        if (!ok) {
                g_autofree char *said = process_errors(&strace);
                print_message("skipped: strace may not trace here: %s", said);
        }
        process_clear(&strace);
        process_clear(&victim);
        return ok;
}

char *wrapper_write(const char *dir) {
        static const char text[] = "#!/bin/sh\n"
                                   "fault=$(cat '%s/fault' 2>/dev/null)\n"
                                   "ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0\n"
                                   "export ASAN_OPTIONS\n"
                                   "[ -n \"$fault\" ] || exec \"$KT_EXECUTOR\" \"$@\"\n"
                                   "exec strace -o '%s/start.log' -s 0 $fault \"$KT_EXECUTOR\" \"$@\"\n";
        g_autofree char *script = g_strdup_printf(text, dir, dir);
        char *path = g_build_filename(dir, "executor", NULL);

        write_file(path, script);
        chmod(path, 0755);
        return path;
}

/* ---- logs ---- */

static void system_call_free(gpointer call) {
        SystemCall *c = call;

        g_free(c->name);
        g_free(c->line);
        g_free(c);
}

/* "name(arguments) = result"; else it tells of a signal or of the end. */
static SystemCall *read_line(const char *line, GHashTable *counts) {
        size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
        SystemCall *c;

        if (length == 0 || line[length] != '(')
                return NULL;
        c = g_new0(SystemCall, 1);
        c->name = g_strndup(line, length);
        c->line = g_strdup(line);
        c->nth = GPOINTER_TO_UINT(g_hash_table_lookup(counts, c->name)) + 1;
        g_hash_table_insert(counts, g_strdup(c->name), GUINT_TO_POINTER(c->nth));
        return c;
}

GPtrArray *system_calls_read(const char *log) {
        GPtrArray *calls = g_ptr_array_new_with_free_func(system_call_free);
        g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(log, &text, NULL, NULL))
                fail_msg("strace left no %s", log);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (size_t i = 0; lines[i]; i++) {
                SystemCall *c = read_line(lines[i], counts);
                if (c)
                        g_ptr_array_add(calls, c);
        }
        return calls;
}

const SystemCall *system_calls_injected(const GPtrArray *calls) {
        for (guint i = 0; i < calls->len; i++) {
                const SystemCall *c = calls->pdata[i];
                if (strstr(c->line, "(INJECTED)"))
                        return c;
        }
        return NULL;
}
