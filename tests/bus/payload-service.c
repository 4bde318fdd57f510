/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-service.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "dbus/bus-json.h"
#include "common/memfd.h"
#include "dbus/names.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO

JsonNode *quoted(Fixture *f, const char *text) {
        g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');

        return parse_json(f, json);
}

static void take_arguments(Service *s, sd_bus_message *m) {
        g_autoptr(JsonArray) list = json_array_new();

        while (sd_bus_message_at_end(m, true) == 0) {
                g_autofree char *path = NULL;
                JsonNode *value = NULL;

                assert_return_code(bus_json_read(m, &value, &path), 0);
                json_array_add_element(list, value);
        }
        s->arguments = json_node_init_array(json_node_alloc(), list);
        g_ptr_array_add(s->f->kept, s->arguments);
        g_free(s->method);
        s->method = g_strdup(sd_bus_message_get_member(m));
        s->calls++;
}

/* `signature` is that of the answer: each h the next descriptor, the rest the JSON. */
static void append_answer(const Service *s, sd_bus_message *reply, const char *signature) {
        const int *fd = s->fds;
        JsonNode *node;

        if (g_str_has_prefix(signature, "a{")) {
                node = quoted(s->f, s->answer);
                assert_return_code(bus_json_append_object(reply, json_node_get_object(node)), 0);
        } else if (g_str_has_prefix(signature, "aa{")) {
                node = quoted(s->f, s->answer);
                assert_return_code(bus_json_append_objects(reply, json_node_get_array(node)), 0);
        } else if (signature[0] == 's') {
                g_autofree char *json = g_strdelimit(g_strdup(s->answer), "'", '"');
                assert_return_code(sd_bus_message_append(reply, "s", json), 0);
        }
        for (signature = strchr(signature, 'h'); signature && *signature; signature++)
                assert_return_code(sd_bus_message_append(reply, "h", *fd++), 0);
}

static int answer(Service *s, sd_bus_message *m, const char *signature) {
        sd_bus_message *reply = NULL;
        int r;

        take_arguments(s, m);
        if (s->silent)
                return 1;
        if (s->error) {
                g_autofree char *name = g_strconcat(KT_ERROR_PREFIX, s->error, NULL);
                return sd_bus_reply_method_errorf(m, name, "why not");
        }
        assert_return_code(sd_bus_message_new_method_return(m, &reply), 0);
        append_answer(s, reply, signature);
        r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

#define METHOD(name, in, out)                                                                                \
        static int on_##name(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {         \
                return answer(userdata, m, out);                                                             \
        }
#define ROW(name, in, out) SD_BUS_METHOD(#name, in, out, on_##name, SD_BUS_VTABLE_UNPRIVILEGED),
#define OF_SCENARIO(X)                                                                                       \
        X(AddCgroupDef, "a{sv}a{sv}", "a{sv}")                                                               \
        X(EndStep, "a{sv}", "a{sv}h")                                                                        \
        X(RunPayload, "a{sv}a{sv}", "a{sv}")                                                                 \
        X(WaitPayload, "sa{sv}", "a{sv}hh")                                                                  \
        X(KillPayload, "sa{sv}", "a{sv}hh")                                                                  \
        X(GetPayloadOutput, "sa{sv}", "hhh")                                                                 \
        X(GetState, "", "s")
#define OF_MANAGER(X)                                                                                        \
        X(ListPayloads, "", "aa{sv}")                                                                        \
        X(ReloadPayloads, "", "aa{sv}")

OF_SCENARIO(METHOD)
OF_MANAGER(METHOD)

static const sd_bus_vtable scenario_vtable[] = { SD_BUS_VTABLE_START(0), OF_SCENARIO(ROW) SD_BUS_VTABLE_END };
static const sd_bus_vtable manager_vtable[] = { SD_BUS_VTABLE_START(0), OF_MANAGER(ROW) SD_BUS_VTABLE_END };

static Service service; /* of the test that runs */

Service *service_start(void) {
        Service *s = &service;

        *s = (Service){ .answer = "{}", .fds = { -1, -1, -1 } };
        s->f = fixture_start(&(FixtureOptions){ .no_daemon = true });
        assert_return_code(sd_bus_add_object_vtable(s->f->client, NULL, SCENARIO_PATH, KT_SCENARIO_INTERFACE,
                                                    scenario_vtable, s),
                           0);
        assert_return_code(sd_bus_add_object_vtable(s->f->client, NULL, KT_BUS_PATH, KT_MANAGER_INTERFACE,
                                                    manager_vtable, s),
                           0);
        assert_return_code(sd_bus_request_name(s->f->client, KT_BUS_NAME, 0), 0);
        return s;
}

int service_teardown(void **state) {
        for (size_t i = 0; i < G_N_ELEMENTS(service.fds); i++)
                if (service.fds[i] >= 0)
                        close(service.fds[i]);
        g_clear_pointer(&service.method, g_free);
        return fixture_teardown(state);
}

void serve_a_turn(Service *s, const Process *p) {
        struct pollfd fds[] = { { .fd = sd_bus_get_fd(s->f->client) }, { .fd = p->pidfd, .events = POLLIN } };

        if (sd_bus_process(s->f->client, NULL) > 0)
                return;
        fds[0].events = (short)sd_bus_get_events(s->f->client);
        poll(fds, G_N_ELEMENTS(fds), 10);
}

/* ---- ktctl ---- */

void run_clear(Run *r) {
        g_free(r->output);
        g_free(r->errors);
}
Run run_end(Service *s, Process *p) {
        Run run;

        serve_until(s, p, process_ends_within(p, 0));
        run.status = process_wait(p);
        run.output = process_output(p);
        run.errors = process_errors(p);
        process_clear(p);
        return run;
}

Process ktctl_start(const Service *s, const char *line) {
        g_autoptr(GString) whole = g_string_new(NULL);
        g_auto(GStrv) words = NULL;

        g_string_printf(whole, "%s --address %s %s", g_getenv("KT_CTL"), s->f->address, line);
        g_string_replace(whole, "%D", s->f->dir, 0);
        words = g_strsplit(whole->str, " ", -1);
        return process_start((const char *const *)words, NULL);
}

Run ktctl(Service *s, const char *line) {
        Process p = ktctl_start(s, line);

        return run_end(s, &p);
}

Run ktctl_script(Service *s, const char *script) {
        g_autofree char *text =
                g_strdup_printf("ktctl() { \"$KT_CTL\" --address %s \"$@\"; }\n%s", s->f->address, script);
        Process p = process_start((const char *[]){ "/bin/sh", "-c", text, NULL }, NULL);

        return run_end(s, &p);
}

void assert_run(const Run *run, int status, const char *output, const char *errors) {
        if (run->status != status)
                fail_msg("status %d instead of %d: %s%s", run->status, status, run->output, run->errors);
        if (output && !strstr(run->output, output))
                fail_msg("no '%s' in: %s", output, run->output);
        if (errors && !strstr(run->errors, errors))
                fail_msg("no '%s' in: %s", errors, run->errors);
}

void assert_sent(Service *s, const char *line, int status, const char *method, const char *arguments) {
        g_auto(Run) run = ktctl(s, line);
        JsonNode *wanted = quoted(s->f, arguments);
        g_autofree char *got = NULL;

        assert_run(&run, status, NULL, NULL);
        assert_string_equal(s->method, method);
        got = json_to_string(s->arguments, FALSE);
        if (!json_node_equal(s->arguments, wanted))
                fail_msg("%s\n  sends  %s\n  not    %s", line, got, arguments);
}

int memfd_of(const char *text) {
        int fd = memfd_new_sealed("stream", text, strlen(text));

        assert_return_code(fd, 0);
        return fd;
}

void set_streams(Service *s, const char *output, const char *errors) {
        s->fds[0] = memfd_of(output);
        s->fds[1] = memfd_of(errors);
}
