/* SPDX-License-Identifier: GPL-2.0-only */
#include "document.h"

#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

/* 0, a negative errno, or -EFBIG above `limit`. */
static int read_all(int fd, size_t limit, GString *text) {
        for (;;) {
                gsize had = text->len;
                ssize_t n;

                g_string_set_size(text, had + CHUNK);
                do
                        n = read(fd, text->str + had, CHUNK);
                while (n < 0 && errno == EINTR);
                g_string_set_size(text, had + MAX(n, 0));
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                if (text->len > limit)
                        return -EFBIG;
        }
}

static KtctlExit refuse(const Invocation *i, const char *verb, const char *path, const char *reason) {
        return call_failure(i, KTCTL_FAILED, "File", "cannot %s %s: %s", verb, path, reason);
}

KtctlExit document_read(const Invocation *i, const char *path, GString **ret) {
        g_autoptr(GString) text = g_string_new(NULL);
        bool is_stdin = g_str_equal(path, "-");
        g_auto(AutoFd) opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        int r;

        if (!is_stdin && opened < 0)
                return refuse(i, "open", path, g_strerror(errno));
        r = read_all(is_stdin ? STDIN_FILENO : opened, DOCUMENT_MAX, text);
        if (r == -EFBIG)
                return refuse(i, "send", is_stdin ? "standard input" : path,
                              "a document may have 16 MiB at most; apply it in parts");
        if (r < 0)
                return refuse(i, "read", is_stdin ? "standard input" : path, g_strerror(-r));
        if (!g_utf8_validate(text->str, text->len, NULL)) /* refuses NUL as well */
                return refuse(i, "send", is_stdin ? "standard input" : path, "not UTF-8 text");
        *ret = g_steal_pointer(&text);
        return KTCTL_OK;
}

KtctlExit report_read(const Invocation *i, int fd, GString **ret) {
        g_autoptr(GString) text = g_string_new(NULL);
        int r;

        /* The daemon wrote through this file description, so its position is the end. */
        lseek(fd, 0, SEEK_SET);
        r = read_all(fd, REPORT_MAX, text);
        if (r < 0)
                return refuse(i, "read", "the report", g_strerror(-r));
        *ret = g_steal_pointer(&text);
        return KTCTL_OK;
}

/* The stream that the option's "-" stands for; -1: it names a file. */
static int own_stream(const Invocation *i, OptionId id) {
        int own = id == OPTION_STDOUT_FILE ? STDOUT_FILENO : id == OPTION_STDERR_FILE ? STDERR_FILENO : -1;

        return g_str_equal(i->values[id], "-") ? own : -1;
}

KtctlExit output_file_open(const Invocation *i, OptionId id, int *ret_fd) {
        const char *path = i->values[id];

        *ret_fd = -1;
        if (!path)
                return KTCTL_OK;
        if (own_stream(i, id) >= 0)
                *ret_fd = fcntl(own_stream(i, id), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        else
                *ret_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
        return *ret_fd < 0 ? refuse(i, "open", path, g_strerror(errno)) : KTCTL_OK;
}

/* Our own streams are the shell's, which may have opened them to append. */
static int empty_file(const Invocation *i, OptionId id, int fd) {
        struct stat st;

        if (own_stream(i, id) >= 0)
                return 0;
        return fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && ftruncate(fd, 0) < 0) ? -errno : 0;
}

KtctlExit output_file_write(const Invocation *i, OptionId id, int fd, const GString *text) {
        int r = empty_file(i, id, fd);

        if (r >= 0)
                r = stream_write(fd, text->str, text->len);
        return r < 0 ? refuse(i, "write", i->values[id], g_strerror(-r)) : KTCTL_OK;
}

KtctlExit output_file_copy(const Invocation *i, OptionId id, int fd, int from) {
        off_t offset = 0;
        int r;

        if (fd < 0)
                return KTCTL_OK;
        r = empty_file(i, id, fd);
        if (r >= 0)
                r = stream_copy(from, &offset, fd);
        return r < 0 ? refuse(i, "write", i->values[id], g_strerror(-r)) : KTCTL_OK;
}
