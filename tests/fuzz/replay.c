/* SPDX-License-Identifier: GPL-2.0-only */

/* replay DIRECTORY...: the seeds of a fuzz target as an ordinary test, each whole and cut off after each
 * byte. */

#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "fuzz.h"

enum { SEED_MAX = 1 << 16 };

static unsigned run_prefixes(const uint8_t *bytes, size_t size) {
        for (size_t n = 0; n <= size; n++) {
                uint8_t *exact = malloc(n + !n); /* of exactly that size, for AddressSanitizer */
                require(exact);
                memcpy(exact, bytes, n);
                LLVMFuzzerTestOneInput(exact, n);
                free(exact);
        }
        return 1;
}

static unsigned replay_file(const char *path) {
        static uint8_t bytes[SEED_MAX];
        FILE *file = fopen(path, "re");
        size_t size;

        require(file);
        size = fread(bytes, 1, sizeof(bytes), file);
        require(feof(file));
        fclose(file);
        return run_prefixes(bytes, size);
}

static unsigned replay_directory(const char *path) {
        DIR *dir = opendir(path);
        const struct dirent *entry;
        unsigned n = 0;

        require(dir);
        while ((entry = readdir(dir))) {
                char file[PATH_MAX];
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
                n += replay_file(file);
        }
        closedir(dir);
        return n;
}

int main(int argc, char **argv) {
        unsigned n = 0;

        for (int i = 1; i < argc; i++)
                n += replay_directory(argv[i]);
        printf("%u seeds\n", n);
        return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
