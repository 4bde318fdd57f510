/* SPDX-License-Identifier: GPL-2.0-only */
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conformance/conf-topology.h"
#include "payload/payload-files.h"

typedef struct Files {
        char *top, *first, *second, *both;
} Files;

static int set_up(void **state) {
        Files *f = g_new0(Files, 1);

        f->top = g_dir_make_tmp("test-payload-files-XXXXXX", NULL);
        f->first = g_build_filename(f->top, "first", NULL);
        f->second = g_build_filename(f->top, "second", NULL);
        f->both = g_strconcat(f->first, ":", f->second, NULL);
        *state = f;
        return g_mkdir(f->first, 0755) == 0 && g_mkdir(f->second, 0755) == 0 ? 0 : -1;
}

static void remove_directory(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);
                g_remove(file);
        }
        g_rmdir(path);
}

static int tear_down(void **state) {
        Files *f = *state;

        remove_directory(f->first);
        remove_directory(f->second);
        remove_directory(f->top);
        g_free(f->top);
        g_free(f->first);
        g_free(f->second);
        g_free(f->both);
        g_free(f);
        return 0;
}

static char *place(const char *directory, const char *name, const char *text) {
        char *path = g_build_filename(directory, name, NULL);

        if (text)
                assert_true(g_file_set_contents(path, text, -1, NULL));
        return path;
}

static void put(const char *directory, const char *name, const char *text) {
        g_free(place(directory, name, text));
}

/* The names of a set in its order, broken ones with a '!'. */
static void assert_names(const PayloadSet *set, const char *expected) {
        g_autoptr(GString) names = g_string_new(NULL);

        for (guint i = 0; i < set->files->len; i++) {
                const PayloadFile *file = set->files->pdata[i];
                g_string_append_printf(names, "%s%s%s", i ? " " : "", file->name, file->def ? "" : "!");
                assert_int_equal(!file->def, file->error != NULL);
        }
        assert_string_equal(names->str, expected);
}

static const PayloadFile *only_file(const PayloadSet *set) {
        assert_int_equal(set->files->len, 1);
        return set->files->pdata[0];
}

static void assert_words(char **words, const char *expected) {
        g_autofree char *got = g_strjoinv("|", words);

        assert_string_equal(got, expected);
}

/* ---- what a file says ---- */

static void every_key(void **state) {
        const Files *f = *state;
        const PayloadFile *file;
        const PayloadDef *def;

        put(f->first, "disk.payload",
            "# a comment\n"
            "[Payload]\n"
            "Name = random reads \n"
            "Exec=/usr/bin/fio\n"
            "Args=--name=job '--note=a  b' \"c;d\" e\\ f \\\\n ''\n"
            "Output=json\n"
            "KnownFlags=rw iodepth\n"
            "Checks=exit-code:0 'min:a b=1' \"exists:it's\"\n"
            "Metrics=iops=higher-better,1/s\n"
            "ProcessGroup=parent\n"
            "WorkingDirectory=/var/tmp\n"
            "Environment=A=1 'B=x y'\n"
            "User=1000\n");
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        file = only_file(set);
        if (file->error)
                fail_msg("%s", file->error);
        def = file->def;
        assert_string_equal(file->name, "random reads");
        assert_string_equal(def->name, "random reads");
        assert_string_equal(def->exec, "/usr/bin/fio");
        assert_words(def->args, "--name=job|--note=a  b|c;d|e f|\\n|");
        assert_int_equal(def->output, PAYLOAD_OUTPUT_JSON);
        assert_words(def->known_flags, "rw|iodepth");
        assert_int_equal(def->checks->len, 3);
        assert_string_equal(((PayloadCheck *)def->checks->pdata[1])->metric, "a b");
        assert_string_equal(((PayloadCheck *)def->checks->pdata[2])->metric, "it's");
        assert_string_equal(((MetricHint *)def->metrics->pdata[0])->unit, "1/s");
        assert_true(def->parent_process_group);
        assert_string_equal(def->working_directory, "/var/tmp");
        assert_words(def->environment, "A=1|B=x y");
        assert_string_equal(def->user, "1000");
}

/* A list that is given and empty is another thing than none. */
static void defaults(void **state) {
        const Files *f = *state;
        PayloadFile *a, *b;

        put(f->first, "a b.payload", "[Payload]\nExec=sh\n");
        put(f->first, "b.payload", "[Payload]\nExec=sh\nKnownFlags=\nArgs=  \n");
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        assert_names(set, "a b b");
        a = set->files->pdata[0];
        b = set->files->pdata[1];
        assert_null(a->def->known_flags);
        assert_non_null(b->def->known_flags);
        assert_null(b->def->known_flags[0]);
        assert_null(b->def->args[0]);
}

/* As ktsetupd.payload(5) has it: two values of a key, a comment behind words, a section in two parts. */
static void oddities(void **state) {
        const Files *f = *state;
        const PayloadDef *def;

        put(f->first, "a.payload",
            "[Payload]\nExec=sh\nArgs=one\nArgs=a #b c\n\n# more\n[Payload]\nExec=true \nKnownFlags=a#b\r\n");
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        def = only_file(set)->def;
        assert_non_null(def);
        assert_string_equal(def->exec, "true");
        assert_words(def->args, "a");
        assert_words(def->known_flags, "a#b");
}

static const struct {
        const char *text, *error;
} BROKEN[] = {
        { "Exec=sh\n", "Key file does not start with a group" },
        { "# nothing\n", "there is no section; begin with the line [Payload]" },
        { "[Payload]\n", "there is no Exec; give the program, a full path or a name for PATH" },
        { "[Payload]\nName=x\n", "there is no Exec; " },
        { "[payload]\nExec=sh\n", "unknown section [payload]; there is [Payload] alone" },
        { "[Payload]\nExec=sh\n[Service]\nUser=x\n", "unknown section [Service]; there is [Payload] alone" },
        { "[Payload]\nExec=sh\nnonsense\n", "Key file contains line" },
        { "[Payload]\nexec=sh\n",
          "unknown key 'exec'; did you mean 'Exec'? Known keys: Name, Exec, Args, Output, "
          "KnownFlags, Checks, Metrics, ProcessGroup, WorkingDirectory, Environment, User" },
        { "[Payload]\nknown_flags=a\n", "unknown key 'known_flags'; did you mean 'KnownFlags'?" },
        { "[Payload]\nExec=sh\nArg=x\n", "unknown key 'Arg'; did you mean 'Args'?" },
        { "[Payload]\nExec=sh\nExec[de]=x\n", "unknown key 'Exec[de]'; did you mean 'Exec'?" },
        /* the decoder's own, with the key as the file has it */
        { "[Payload]\nExec=bin/sh\n", "Exec: 'bin/sh' is a relative path" },
        { "[Payload]\nExec=\n", "Exec: '' is empty; " },
        { "[Payload]\nExec=sh\nKnownFlags=a --b\n", "KnownFlags[1]: '--b' begins with a dash" },
        { "[Payload]\nExec=sh\nChecks=exit-code:0 min:a=1\n", "Checks[1]: 'min:a=1' judges a metric" },
        { "[Payload]\nExec=sh\nMetrics=a=unknown\n", "Metrics: metrics of the payload are described" },
        { "[Payload]\nExec=sh\nWorkingDirectory=tmp\n", "WorkingDirectory: 'tmp' is not a full path" },
        { "[Payload]\nExec=sh\nProcessGroup=Parent\n",
          "ProcessGroup: unknown process group 'Parent'; did you mean 'parent'?" },
        { "[Payload]\nExec=sh\nEnvironment=A=1 A=2\n", "Environment[1]: the variable 'A' is given twice" },
        { "[Payload]\nExec=sh\nUser=\n", "User: '' is empty; " },
        { "[Payload]\nExec=sh\nUser=4294967295\n", "User: '4294967295' is no user's number; " },
        { "[Payload]\nExec=sh\nName=@x\n", "Name: '@x' starts with '@'" },
        { "[Payload]\nExec=sh\nName=\n", "Name: '' is empty; " },
        /* words */
        { "[Payload]\nExec=sh\nArgs='a\n", "Args: a quote is not closed, " },
        { "[Payload]\nExec=sh\nChecks=exit-code:0\\\n",
          "Checks: a quote is not closed, or nothing follows the last "
          "backslash; the words of a list are quoted as in sh(1)" },
        /* text */
        { "[Payload]\nExec=s\xe9\n", "it is not UTF-8 text" },
        { "[Payload]\nExec=s\xef\xbf\xbe\n", "it is not UTF-8 text" }, /* U+FFFE, which no bus carries */
};

static void broken_files(void **state) {
        const Files *f = *state;

        for (size_t i = 0; i < G_N_ELEMENTS(BROKEN); i++) {
                const PayloadFile *file;
                put(f->first, "one.payload", BROKEN[i].text);
                g_autoptr(PayloadSet) set = payload_files_load(f->first);
                file = only_file(set);
                assert_null(file->def);
                if (!g_str_has_prefix(file->error, BROKEN[i].error))
                        fail_msg("%s: %s", BROKEN[i].text, file->error);
        }
}

/* NUL, and lines of a megabyte: no message of that size. */
static void unusual_bytes(void **state) {
        static const char nul[] = "[Payload]\nExec=s\0h\n";
        const Files *f = *state;
        g_autofree char *path = place(f->first, "one.payload", NULL), *line = g_strnfill(1000000, 'x');
        g_autofree char *keys = g_strdup_printf("[Payload]\nExec=/%s\n%s=1\n", line, line);
        const char *const texts[] = { line, keys };

        assert_true(g_file_set_contents(path, nul, sizeof(nul) - 1, NULL));
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        assert_string_equal(only_file(set)->error, "it is not UTF-8 text; write it as such");
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                put(f->first, "one.payload", texts[i]);
                g_autoptr(PayloadSet) other = payload_files_load(f->first);
                assert_true(strlen(only_file(other)->error) < 1500);
        }
}

/* ---- names ---- */

static void names(void **state) {
        const Files *f = *state;
        g_autoptr(GError) error = NULL;

        put(f->first, "30.payload", "[Payload]\nExec=sh\nName=same\n");
        put(f->first, "20.payload", "[Payload]\nExec=true\nName=same\n");
        put(f->first, "10.payload", "[Payload]\nName=same\n"); /* broken: harms no other */
        put(f->first, "@.payload", "[Payload]\nExec=sh\n");
        put(f->first, "05.payload", "[Payload]\nExec=sh\nName=a/b\n");
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        assert_names(set, "a/b! same! same same! @!");
        assert_string_equal(payload_set_find(set, "same", &error)->exec, "true");
        assert_non_null(strstr(((PayloadFile *)set->files->pdata[3])->error,
                               "Name: the payload 'same' is defined by "));
        assert_null(payload_set_find(set, "@", &error));
        assert_refused(error, KT_ERROR_NO_SUCH_PAYLOAD, "the payload '@' is defined by ",
                       "@.payload, which is broken: Name: '@' starts with '@'");
}

static void finding(void **state) {
        const Files *f = *state;
        g_autoptr(PayloadSet) none = payload_files_load(NULL);
        g_autoptr(GError) error = NULL;

        put(f->first, "stress.payload", "[Payload]\nExec=sh\n");
        put(f->first, "strss.payload", "[Payload]\n");
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        assert_null(payload_set_find(set, "stres", &error));
        assert_refused(error, KT_ERROR_NO_SUCH_PAYLOAD,
                       "unknown payload 'stres'; did you mean 'stress'? Known payloads: stress");
        assert_null(payload_set_find(none, "stress", &error));
        assert_refused(error, KT_ERROR_NO_SUCH_PAYLOAD, "unknown payload 'stress'; no file defines any",
                       "ktsetupd.payload(5)");
}

/* ---- directories ---- */

/* Made in descending order: the order of making, and of hashes, is not what counts. */
static void sorted_by_name(void **state) {
        const Files *f = *state;

        for (char c = 'h'; c >= 'a'; c--) {
                g_autofree char *name = g_strdup_printf("%c.payload", c);
                put(c % 2 ? f->first : f->second, name, "[Payload]\nExec=sh\n");
        }
        put(f->first, "x.payload.bak", "nonsense");
        put(f->first, ".y.payload", "nonsense");
        put(f->first, ".payload", "nonsense");
        put(f->first, "payload", "nonsense");
        g_autoptr(PayloadSet) set = payload_files_load(f->both);
        assert_names(set, "a b c d e f g h");
}

static void the_first_directory_counts(void **state) {
        const Files *f = *state;
        g_autofree char *link = place(f->first, "masked.payload", NULL);

        put(f->first, "a.payload", "[Payload]\nExec=first\n");
        put(f->first, "broken.payload", "[Payload]\n");
        put(f->first, "empty.payload", "");
        assert_return_code(symlink("/dev/null", link), 0);
        put(f->second, "a.payload", "[Payload]\nExec=second\n");
        put(f->second, "b.payload", "[Payload]\nExec=second\n");
        put(f->second, "broken.payload", "[Payload]\nExec=second\n");
        put(f->second, "empty.payload", "[Payload]\nExec=second\n");
        put(f->second, "masked.payload", "[Payload]\nExec=second\n");
        g_autoptr(PayloadSet) set = payload_files_load(f->both);
        assert_names(set, "a b broken!");
        assert_string_equal(payload_set_find(set, "a", NULL)->exec, "first");
        g_autofree char *turned = g_strconcat(f->second, ":", f->first, NULL);
        g_autoptr(PayloadSet) other = payload_files_load(turned);
        assert_names(other, "a b broken empty masked");
}

static void directories(void **state) {
        const Files *f = *state;
        g_autofree char *file = place(f->top, "file", "");
        g_autofree char *list = g_strconcat(f->top, "/none::", file, ":", f->first, "/:", NULL);
        const PayloadFile *refused;

        put(f->first, "a.payload", "[Payload]\nExec=sh\n");
        g_autoptr(PayloadSet) set = payload_files_load(list), empty = payload_files_load("");
        assert_int_equal(empty->files->len, 0);
        assert_int_equal(set->files->len, 2);
        refused = set->files->pdata[0];
        assert_string_equal(refused->path, file);
        assert_non_null(strstr(refused->error, "Not a directory"));
        assert_non_null(payload_set_find(set, "a", NULL));
}

/* ---- what is no file of text ---- */

static void put_socket(const char *directory, const char *name) {
        g_autofree char *path = place(directory, name, NULL);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(strlen(path) < sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
}

/* Each is told, none is waited for. */
static void unusual_files(void **state) {
        static const struct {
                const char *name, *error;
        } files[] = {
                { "a-dangling", "it cannot be opened: No such file or directory" },
                { "b-directory", "it is not a regular file" },
                { "c-fifo", "it is not a regular file" },
                { "d-socket", "it cannot be opened: No such device or address" },
                { "e-terminal", "it is not a regular file" },
                { "f-endless", "it is not a regular file" },
                { "g-large", "it has more than 1 MiB" },
        };
        const Files *f = *state;
        g_autofree char *dangling = place(f->first, "a-dangling.payload", NULL);
        g_autofree char *directory = place(f->first, "b-directory.payload", NULL);
        g_autofree char *fifo = place(f->first, "c-fifo.payload", NULL);
        g_autofree char *terminal = place(f->first, "e-terminal.payload", NULL);
        g_autofree char *endless = place(f->first, "f-endless.payload", NULL);
        g_autofree char *large = g_strnfill((1 << 20) + 1, '\n'), *largest = g_strnfill(1 << 20, '\n');

        assert_return_code(symlink("/nowhere/at/all", dangling), 0);
        assert_return_code(g_mkdir(directory, 0755), 0);
        assert_return_code(mkfifo(fifo, 0600), 0);
        put_socket(f->first, "d-socket.payload");
        assert_return_code(symlink("/dev/ptmx", terminal), 0);
        assert_return_code(symlink("/dev/zero", endless), 0);
        put(f->first, "g-large.payload", large);
        memcpy(largest, "[Payload]\nExec=sh\n", 18);
        put(f->first, "h.payload", largest);
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        assert_int_equal(set->files->len, G_N_ELEMENTS(files) + 1);
        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                const PayloadFile *file = set->files->pdata[i];
                assert_string_equal(file->name, files[i].name);
                if (!file->error || !g_str_has_prefix(file->error, files[i].error))
                        fail_msg("%s: %s", file->name, file->error);
        }
        assert_non_null(payload_set_find(set, "h", NULL));
        g_rmdir(directory);
}

static void names_that_no_bus_carries(void **state) {
        const Files *f = *state;
        const PayloadFile *file;

        put(f->first, "caf\xe9.payload", "[Payload]\nExec=sh\n");
        g_autoptr(PayloadSet) set = payload_files_load(f->first);
        file = only_file(set);
        assert_null(file->def);
        assert_true(g_str_has_suffix(file->path, "/caf\\351.payload"));
        assert_string_equal(file->error, "the file's name is not UTF-8 text; give it another");
}

/* What is in examples/ can be copied as it is. */
static void examples(void **state G_GNUC_UNUSED) {
        g_autofree char *directory = g_build_filename(g_getenv("KT_SOURCES"), "examples/payloads", NULL);
        g_autoptr(PayloadSet) set = payload_files_load(directory);

        for (guint i = 0; i < set->files->len; i++) {
                const PayloadFile *file = set->files->pdata[i];
                if (file->error)
                        fail_msg("%s: %s", file->path, file->error);
        }
        assert_names(set, "fio stress-ng");
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FILES(every_key),
                WITH_FILES(defaults),
                WITH_FILES(oddities),
                WITH_FILES(broken_files),
                WITH_FILES(unusual_bytes),
                WITH_FILES(names),
                WITH_FILES(finding),
                WITH_FILES(sorted_by_name),
                WITH_FILES(the_first_directory_counts),
                WITH_FILES(directories),
                WITH_FILES(unusual_files),
                WITH_FILES(names_that_no_bus_carries),
                cmocka_unit_test(examples),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
