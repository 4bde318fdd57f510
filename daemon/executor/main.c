/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "executor.h"
#include "util.h"

static int usage(FILE *to, int status) {
        fputs("Usage: ktsetup-executor [--root DIR]\n\n"
              "Carries out the plans of ktsetupd, which starts it; standard input is the socket to it.\n\n"
              "  --root DIR  directory on a cgroup2 file system for the scenario's cgroups;\n"
              "              without it, the cgroup in which this process was started\n",
              to);
        return status;
}

/* Descriptors 1 and 2 must not become something that a worker would then inherit. */
static void fill_standard_descriptors(void) {
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= STDERR_FILENO);
        close_fd(&fd);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "root", required_argument, NULL, 'r' },
                                                 { "help", no_argument, NULL, 'h' },
                                                 { 0 } };
        const char *root = NULL;
        struct stat st;

        for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
                if (option == 'h')
                        return usage(stdout, EXIT_SUCCESS);
                if (option != 'r')
                        return usage(stderr, EXIT_FAILURE);
                root = optarg;
        }
        if (optind < argc || fstat(STDIN_FILENO, &st) < 0 || !S_ISSOCK(st.st_mode))
                return usage(stderr, EXIT_FAILURE);
        fill_standard_descriptors();
        return executor_run(STDIN_FILENO, root);
}
