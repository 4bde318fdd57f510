/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbus/bus-json.h"
#include "common/cleanup.h"

enum { PATIENCE_MS = 120000 };

/* ---- the place ---- */

static char *scratch_dir;

const char *scratch(void) {
        if (!scratch_dir) {
                scratch_dir = g_dir_make_tmp("kt-payload-XXXXXX", NULL);
                assert_non_null(scratch_dir);
                assert_int_equal(g_chmod(scratch_dir, 0755), 0);
        }
        return scratch_dir;
}

char *scratch_file(const char *name) {
        return g_build_filename(scratch(), name, NULL);
}

/* Files, and directories of files. */
static void remove_tree(const char *path) {
        g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);
                remove_tree(child);
        }
        g_remove(path);
}

int payloads_teardown(void **state) {
        int r = fixture_teardown(state);

        if (scratch_dir)
                remove_tree(scratch_dir);
        g_clear_pointer(&scratch_dir, g_free);
        return r;
}

char *script(const char *name, const char *first_line, const char *text) {
        char *path = scratch_file(name);
        g_autofree char *all = g_strdup_printf("%s\n%s\n", first_line, text);

        write_file(path, all);
        assert_int_equal(g_chmod(path, 0755), 0);
        return path;
}

/* Held open for reading, too: so nobody waits in open(2), and nobody meets the end of it. */
Gate gate_new(void) {
        static unsigned n;
        g_autofree char *name = g_strdup_printf("gate-%u", n++);
        Gate g = { .path = scratch_file(name) };

        assert_int_equal(mkfifo(g.path, 0600), 0);
        assert_int_equal(g_chmod(g.path, 0666), 0);
        g.fd = open(g.path, O_RDWR | O_CLOEXEC);
        assert_true(g.fd >= 0);
        return g;
}

void gate_open(const Gate *g) {
        assert_int_equal(write(g->fd, "", 1), 1);
}

void gate_clear(Gate *g) {
        close(g->fd);
        g_free(g->path);
}

/* ---- starting ---- */

const char *payload_program(void) {
        const char *path = g_getenv("KT_PAYLOAD");

        if (!path)
                fail_msg("KT_PAYLOAD is not set: run this by meson test");
        return path;
}

char *payload_text(const char *name, const char *args, const char *more) {
        return g_strdup_printf("{'name': '%s', 'exec': '%s', 'args': [%s]%s%s}", name, payload_program(),
                               args, more ? ", " : "", more ?: "");
}

JsonNode *run_payload(Fixture *f, const char *payload, const char *more) {
        g_autofree char *arguments =
                g_strdup_printf("[{'payload': %s%s%s}, {}]", payload, more ? ", " : "", more ?: "");
        JsonNode *answer = call(f, "RunPayload", arguments);

        return answer ? at(answer, "0") : NULL;
}

static JsonNode *must(Fixture *f, JsonNode *answer, const char *what) {
        if (!answer)
                fail_msg("%s: %s: %s", what, f->error.name, f->error.message);
        return answer;
}

JsonNode *run(Fixture *f, const char *name, const char *args, const char *cgroup) {
        g_autofree char *payload = payload_text(name, args, NULL);
        g_autofree char *more = cgroup ? g_strdup_printf("'cgroup': '%s'", cgroup) : NULL;

        return must(f, run_payload(f, payload, more), "RunPayload");
}

JsonNode *run_with(Fixture *f, const char *name, const char *args, const char *more) {
        g_autofree char *payload = payload_text(name, args, more);

        return must(f, run_payload(f, payload, NULL), "RunPayload");
}

/* ---- ends ---- */

static int read_descriptor(sd_bus_message *m) {
        int fd, copy;

        assert_true(sd_bus_message_read(m, "h", &fd) > 0);
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_true(copy >= 0);
        return copy;
}

PayloadEnd read_payload_end(Fixture *f, sd_bus_message *reply) {
        g_autofree char *path = NULL;
        PayloadEnd e = { 0 };

        assert_non_null(reply);
        if (sd_bus_message_is_method_error(reply, NULL))
                fail_msg("%s: %s", sd_bus_message_get_error(reply)->name,
                         sd_bus_message_get_error(reply)->message);
        assert_return_code(bus_json_read(reply, &e.record, &path), 0);
        g_ptr_array_add(f->kept, e.record);
        for (int i = 0; i < STREAMS; i++)
                e.streams[i] = read_descriptor(reply);
        return e;
}

void payload_end_clear(PayloadEnd *e) {
        for (int i = 0; e->record && i < STREAMS; i++)
                close(e->streams[i]);
        *e = (PayloadEnd){ 0 };
}

static sd_bus_message *must_answer(Fixture *f, const char *method, const char *arguments) {
        g_autoptr(sd_bus_message) m = request(f, method, arguments);
        sd_bus_message *reply = NULL;

        sd_bus_error_free(&f->error);
        if (sd_bus_call(f->client, m, 0, &f->error, &reply) < 0)
                fail_msg("%s %s: %s: %s", method, arguments, f->error.name, f->error.message);
        return reply;
}

PayloadEnd wait_payload(Fixture *f, const char *arguments) {
        g_autoptr(sd_bus_message) reply = must_answer(f, "WaitPayload", arguments);

        return read_payload_end(f, reply);
}

PayloadEnd kill_payload(Fixture *f, const char *arguments) {
        g_autoptr(sd_bus_message) reply = must_answer(f, "KillPayload", arguments);

        return read_payload_end(f, reply);
}

/* ---- output ---- */

GBytes *stream_bytes(int fd) {
        GByteArray *bytes = g_byte_array_new();
        g_autofree guint8 *part = g_malloc(1 << 20);
        ssize_t n;

        while ((n = pread(fd, part, 1 << 20, bytes->len)) > 0)
                g_byte_array_append(bytes, part, (guint)n);
        assert_int_equal(n, 0);
        return g_byte_array_free_to_bytes(bytes);
}

char *stream_text(int fd) {
        g_autoptr(GBytes) bytes = stream_bytes(fd);

        return g_strndup(g_bytes_get_data(bytes, NULL) ?: "", g_bytes_get_size(bytes));
}

void assert_sealed(int fd) {
        static const int seals = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        int writable = open(path, O_RDWR | O_CLOEXEC);

        assert_int_equal(fcntl(fd, F_GET_SEALS) & seals, seals);
        assert_true(write(fd, "x", 1) < 0);
        if (writable < 0)
                return;
        assert_true(write(writable, "x", 1) < 0 && errno == EPERM);
        assert_true(ftruncate(writable, 0) < 0 || lseek(fd, 0, SEEK_END) == 0);
        close(writable);
}

PayloadView view_payload(Fixture *f, const char *arguments) {
        g_autoptr(sd_bus_message) reply = must_answer(f, "GetPayloadOutput", arguments);
        struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
        PayloadView v;

        for (int i = 0; i < STREAMS; i++)
                v.streams[i] = read_descriptor(reply);
        v.changes = read_descriptor(reply);
        v.epoll = epoll_create1(EPOLL_CLOEXEC);
        assert_int_equal(epoll_ctl(v.epoll, EPOLL_CTL_ADD, v.changes, &edge), 0);
        return v;
}

void payload_view_clear(PayloadView *v) {
        for (int i = 0; i < STREAMS; i++)
                close(v->streams[i]);
        close(v->changes);
        close(v->epoll);
}

void await_change(PayloadView *v) {
        struct epoll_event event;
        int n;

        do
                n = epoll_wait(v->epoll, &event, 1, PATIENCE_MS);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                fail_msg("the output does not change");
}

char *await_text(PayloadView *v, int stream, const char *text) {
        for (;;) {
                char *all = stream_text(v->streams[stream]);
                if (strstr(all, text))
                        return all;
                g_free(all);
                await_change(v);
        }
}

/* ---- looking ---- */

void ping_and_take(Fixture *f) {
        ping(f);
        while (sd_bus_process(f->client, NULL) > 0)
                ;
}

JsonNode *payload_in_state(Fixture *f, const char *name, const char *cgroup) {
        JsonNode *list = at(state_of(f), "payloads");

        for (guint i = 0; i < json_array_get_length(json_node_get_array(list)); i++) {
                g_autofree char *place = g_strdup_printf("%u", i);
                JsonNode *p = at(list, place);
                if (g_str_equal(text_at(p, "payload"), name) && g_str_equal(text_at(p, "cgroup"), cgroup))
                        return p;
        }
        return NULL;
}

unsigned count_descriptors(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        assert_non_null(dir);
        while (g_dir_read_name(dir))
                n++;
        return n;
}

unsigned daemon_descriptors(Fixture *f) {
        ping(f);
        return count_descriptors(f->daemon.pid);
}

void await_descriptors(pid_t pid, unsigned n) {
        uint64_t until = fixture_deadline();
        unsigned found;

        while ((found = count_descriptors(pid)) > n) {
                if ((uint64_t)g_get_monotonic_time() > until)
                        fail_msg("process %d has %u descriptors open, and had %u", pid, found, n);
                g_usleep(1000);
        }
}
