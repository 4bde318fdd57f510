/* SPDX-License-Identifier: GPL-2.0-only */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <string.h>
#include <sys/stat.h>

#include "describe.h"
#include "util.h"

enum { FIRST_LINE = 256 /* BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h: what the kernel looks at */ };

/* ---- texts ---- */

/* Where the variable of that name is, or the end. */
static char **find_variable(char **environment, const char *name, size_t length) {
        while (*environment && (strncmp(*environment, name, length) != 0 || (*environment)[length] != '='))
                environment++;
        return environment;
}

static void set_variable(char **environment, const char *assignment) {
        *find_variable(environment, assignment, strcspn(assignment, "=")) = (char *)assignment;
}

static char **build_environment(const Plan *plan, const WirePayloadSpec *spec) {
        size_t n = 0;

        while (environ[n])
                n++;
        char **environment = calloc(n + spec->environment.n + 2, sizeof(*environment)); /* cookie and NULL */
        if (!environment)
                return NULL;
        memcpy(environment, environ, n * sizeof(*environment));
        for (uint32_t i = 0; i < spec->environment.n; i++)
                set_variable(environment, plan_text(plan, &spec->environment, i));
        if (spec->cookie)
                set_variable(environment, plan_at(plan, spec->cookie));
        return environment;
}

static char **build_arguments(const Plan *plan, const WirePayloadSpec *spec) {
        char **argv = calloc((size_t)spec->argv.n + 1, sizeof(*argv));

        for (uint32_t i = 0; argv && i < spec->argv.n; i++)
                argv[i] = (char *)plan_text(plan, &spec->argv, i);
        return argv;
}

int command_build(Command *c, const Plan *plan, const WirePayloadSpec *spec) {
        c->exec = plan_at(plan, spec->exec);
        c->argv = build_arguments(plan, spec);
        c->environment = build_environment(plan, spec);
        if (!c->argv || !c->environment)
                return -ENOMEM;
        const char *path = *find_variable(c->environment, "PATH", strlen("PATH"));
        c->search = path ? path + strlen("PATH=") : _PATH_STDPATH;
        return 0;
}

void command_clear(Command *c) {
        free(c->argv);
        free(c->environment);
        *c = (Command){ 0 };
}

/* ---- files ---- */

/* The nth file to try, which may lie in `room`; "" for one whose name is too long to be one, NULL after the
 * last. */
static const char *nth_file(const Command *c, uint32_t nth, char room[PATH_MAX]) {
        const char *directory = c->search;

        if (*c->exec == '/')
                return nth == 0 ? c->exec : NULL;
        for (; nth && directory; nth--) {
                const char *colon = strchr(directory, ':');
                directory = colon ? colon + 1 : NULL;
        }
        if (!directory)
                return NULL;
        int length = (int)strcspn(directory, ":"); /* of nothing: the working directory */
        int n = snprintf(room, PATH_MAX, "%.*s%s%s", length, directory, length ? "/" : "", c->exec);
        return n < PATH_MAX ? room : "";
}

/* One of them says no more than that there is nothing to run in that place. */
static bool is_elsewhere(int error) {
        return error == ENOENT || error == ENOTDIR || error == EACCES || error == ESTALE || error == ENODEV ||
               error == ETIMEDOUT;
}

/* The file is there: it may not be run, or its interpreter is missing. */
static bool is_telling(int error, const char *file) {
        return error == EACCES || (error == ENOENT && access(file, F_OK) == 0);
}

CommandFailure command_exec(const Command *c) {
        CommandFailure told = { ENOENT, COMMAND_NO_FILE };
        char room[PATH_MAX];
        const char *file;

        for (uint32_t i = 0; (file = nth_file(c, i, room)); i++) {
                if (!*file)
                        continue;
                execve(file, c->argv, c->environment);
                int error = errno;
                if (!is_elsewhere(error) || *c->exec == '/')
                        return (CommandFailure){ error, i };
                if (told.file == COMMAND_NO_FILE && is_telling(error, file))
                        told = (CommandFailure){ error, i };
        }
        return told;
}

/* Not blocked by what is no file: a pipe or a device may stand there. */
static ssize_t read_first_line(const char *file, char ret[FIRST_LINE + 1]) {
        CLEANUP(close_fd) int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return -1;
        ssize_t n = read(fd, ret, FIRST_LINE);
        ret[n > 0 ? n : 0] = '\0';
        return n;
}

void command_describe(const Command *c, uint32_t nth, char detail[WIRE_TEXT]) {
        char room[PATH_MAX], line[FIRST_LINE + 1];
        const char *file = nth == COMMAND_NO_FILE ? NULL : nth_file(c, nth, room);

        describe_append(detail, "%s", file ?: c->exec);
        if (!file || *file != '/' || read_first_line(file, line) < 0 || strncmp(line, "#!", 2) != 0)
                return;
        const char *interpreter = line + 2 + strspn(line + 2, " \t");
        int length = (int)strcspn(interpreter, " \t\n");
        if (length)
                describe_append(detail, "\t%.*s", length, interpreter);
}
