/* SPDX-License-Identifier: GPL-2.0-only */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

ssize_t proc_read(const char *path, char *buffer, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        size_t used = 0;
        ssize_t n = 0;
        while (used < size - 1 && (n = read(fd, buffer + used, size - 1 - used)) > 0)
                used += (size_t)n;
        int error = errno;
        close(fd);
        if (n < 0)
                return -error;
        buffer[used] = '\0';
        return (ssize_t)used;
}

bool proc_own_cgroup(char *ret, size_t size) {
        /* A path of up to PATH_MAX, behind one line for each cgroup v1 hierarchy on a hybrid host. */
        char text[8192];
        if (proc_read("/proc/thread-self/cgroup", text, sizeof(text)) < 0)
                return false;

        for (char *line = text, *end; *line; line = end + 1) {
                end = strchrnul(line, '\n');
                if (strncmp(line, "0::", 3) == 0) {
                        size_t length = (size_t)(end - line) - 3;
                        if (length >= size)
                                length = size - 1;
                        memcpy(ret, line + 3, length);
                        ret[length] = '\0';
                        return true;
                }
                if (!*end)
                        break;
        }
        return false;
}

/* strtoull takes signs and looks at the locale; this takes digits and nothing else. */
static bool parse_number(const char **text, uint64_t *ret) {
        const char *p = *text + strspn(*text, " \t\n");
        uint64_t value = 0;

        if (*p < '0' || *p > '9')
                return false;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
                        return false;
        if (*p && !strchr(" \t\n", *p))
                return false;
        *text = p;
        *ret = value;
        return true;
}

bool schedstat_parse(const char *text, SchedStat *ret) {
        SchedStat s;
        if (!parse_number(&text, &s.cpu_ns) || !parse_number(&text, &s.run_delay_ns) ||
            !parse_number(&text, &s.run_count))
                return false;
        *ret = s;
        return true;
}

bool schedstat_read(SchedStat *ret) {
        char text[128];
        return proc_read("/proc/thread-self/schedstat", text, sizeof(text)) > 0 && schedstat_parse(text, ret);
}

bool vmstat_numa_migrated(const char *text, uint64_t *ret) {
        static const char key[] = "numa_pages_migrated ";

        for (const char *line = text; *line;) {
                if (strncmp(line, key, sizeof(key) - 1) == 0) {
                        const char *value = line + sizeof(key) - 1;
                        return *value != '\n' && parse_number(&value, ret);
                }
                line = strchrnul(line, '\n');
                line += *line == '\n';
        }
        return false;
}

bool vmstat_read_numa_migrated(uint64_t *ret) {
        char text[32768]; /* the file has 200 lines of 30 bytes or less */
        return proc_read("/proc/vmstat", text, sizeof(text)) > 0 && vmstat_numa_migrated(text, ret);
}
