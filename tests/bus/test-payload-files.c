/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload-client.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "dbus/names.h"

/* ---- the files ---- */

static void write_payload(const char *directory, const char *name, const char *text) {
        g_autofree char *file = g_strconcat(name, ".payload", NULL);
        g_autofree char *path = g_build_filename(scratch(), directory, file, NULL);

        write_file(path, text);
}

static void remove_payload(const char *directory, const char *name) {
        g_autofree char *file = g_strconcat(name, ".payload", NULL);
        g_autofree char *path = g_build_filename(scratch(), directory, file, NULL);

        assert_int_equal(g_remove(path), 0);
}

/* A line of Args for what the program is to do. */
static void write_program(const char *directory, const char *name, const char *args) {
        g_autofree char *text = g_strdup_printf("[Payload]\nExec=%s\nArgs=%s\n", payload_program(), args);

        write_payload(directory, name, text);
}

/* Two directories, and one that is not there. */
static char *make_directories(void) {
        g_autofree char *etc = scratch_file("etc"), *usr = scratch_file("usr"), *none = scratch_file("none");

        assert_int_equal(g_mkdir(etc, 0755), 0);
        assert_int_equal(g_mkdir(usr, 0755), 0);
        return g_strdup_printf(FIXTURE_CONFIG "[Payloads]\nDirectories=%s:%s:%s\n", etc, none, usr);
}

static Fixture *start(const char *config) {
        return fixture_start(&(FixtureOptions){ .config = config });
}

static JsonNode *manager(Fixture *f, const char *method) {
        g_autoptr(sd_bus_message) m = NULL;
        JsonNode *answer;

        assert_return_code(sd_bus_message_new_method_call(f->client, &m, KT_BUS_NAME, KT_BUS_PATH,
                                                          KT_MANAGER_INTERFACE, method),
                           0);
        answer = send_request(f, g_steal_pointer(&m));
        if (!answer)
                fail_msg("%s: %s", method, f->error.message);
        return at(answer, "0");
}

/* NULL: no file of that name. */
static JsonNode *find_payload(JsonNode *list, const char *name) {
        for (guint i = 0; i < json_array_get_length(json_node_get_array(list)); i++) {
                g_autofree char *place = g_strdup_printf("%u", i);
                if (g_str_equal(text_at(at(list, place), "name"), name))
                        return at(list, place);
        }
        return NULL;
}

static JsonNode *listed(Fixture *f, const char *name) {
        return find_payload(manager(f, "ListPayloads"), name);
}

static void assert_prints(Fixture *f, const char *choice, const char *name, const char *expected) {
        g_autofree char *arguments = g_strdup_printf("['%s', {}]", name), *text = NULL;
        g_auto(PayloadEnd) e = { 0 };

        if (!run_payload(f, choice, NULL))
                fail_msg("%s: %s", choice, f->error.message);
        e = wait_payload(f, arguments);
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, expected);
}

/* ---- what they define ---- */

static void test_listed_as_defined(G_GNUC_UNUSED void **state) {
        g_autofree char *config = make_directories(), *file = scratch_file("usr/all.payload");
        Fixture *f;
        JsonNode *p;

        write_payload("usr", "all",
                      "# a comment\n[Payload]\nName=everything\nExec=/bin/echo\n"
                      "Args=one 'two words' \"and \\\"three\\\"\" four\\ five\nOutput=json\n"
                      "KnownFlags=rw bs\nChecks=exit-code:0 min:iops=100\n"
                      "Metrics='iops=higher-better,1/s' lat=lower-better\nProcessGroup=parent\n"
                      "WorkingDirectory=/usr\nEnvironment=A=1 'B=2 3'\nUser=nobody\n");
        write_payload("usr", "least", "[Payload]\nExec=true\n");
        f = start(config);
        p = listed(f, "everything");
        assert_non_null(p);
        assert_string_equal(text_at(p, "file"), file);
        assert_false(has(p, "error"));
        assert_string_equal(text_at(p, "exec"), "/bin/echo");
        assert_json(at(p, "args"), "['one','two words','and \\'three\\'','four five']");
        assert_string_equal(text_at(p, "output"), "json");
        assert_json(at(p, "known_flags"), "['rw','bs']");
        assert_json(at(p, "checks"), "['exit-code:0','min:iops=100']");
        assert_json(at(p, "metrics"), "['iops=higher-better,1/s','lat=lower-better']");
        assert_string_equal(text_at(p, "process_group"), "parent");
        assert_string_equal(text_at(p, "working_directory"), "/usr");
        assert_json(at(p, "environment"), "['A','B']"); /* without values: everybody may ask */
        assert_string_equal(text_at(p, "user"), "nobody");
        p = listed(f, "least");
        assert_string_equal(text_at(p, "exec"), "true");
        assert_false(has(p, "args") || has(p, "known_flags") || has(p, "checks") || has(p, "user"));
        assert_int_equal(json_array_get_length(json_node_get_array(manager(f, "ListPayloads"))), 2);
}

static void test_run_by_name(G_GNUC_UNUSED void **state) {
        g_autofree char *config = make_directories(), *text = NULL;
        g_auto(PayloadEnd) e = { 0 };
        JsonNode *r;
        Fixture *f;

        write_program("usr", "greet", "print 'good morning'");
        f = start(config);
        assert_prints(f, "'greet'", "greet", "good morning\n");
        r = run_payload(f, "'greet'", "'args': ['print', 'and more']");
        assert_non_null(r);
        assert_string_equal(text_at(r, "payload"), "greet");
        e = wait_payload(f, "['greet', {}]");
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, "good morning\nand more\n");
        r = add(f, "{'name': 'a', 'payload': 'greet'}");
        assert_string_equal(text_at(r, "payload.payload"), "greet");
        assert_string_equal(text_at(r, "payload.cgroup"), "a");
        assert_refused(f, run_payload(f, "'gret'", NULL), "NoSuchPayload", ESRCH, "gret",
                       "did you mean 'greet'", NULL);
}

/* As with drop-ins of systemd: a file of the first directory hides one of the same name in another. */
static void test_first_directory_wins(G_GNUC_UNUSED void **state) {
        g_autofree char *config = make_directories(), *file = scratch_file("etc/x.payload");
        Fixture *f;

        write_program("etc", "x", "print etc");
        write_program("usr", "x", "print usr");
        write_program("usr", "y", "print usr");
        f = start(config);
        assert_int_equal(json_array_get_length(json_node_get_array(manager(f, "ListPayloads"))), 2);
        assert_string_equal(text_at(listed(f, "x"), "file"), file);
        assert_prints(f, "'x'", "x", "etc\n");
        assert_prints(f, "'y'", "y", "usr\n");
}

static void test_broken_files(G_GNUC_UNUSED void **state) {
        static const struct {
                const char *name, *text, *error;
        } broken[] = {
                { "no-exec", "[Payload]\nName=no-exec\n", "Exec" },
                { "no-section", "Exec=true\n", NULL },
                { "bad-key", "[Payload]\nExec=true\nArg=x\n", "Args" },
                { "bad-quote", "[Payload]\nExec=true\nArgs='open\n", "Args" },
                { "bad-check", "[Payload]\nExec=true\nChecks=exit-code:x\n", "Checks" },
                { "bad-bytes", "[Payload]\nExec=tr\377e\n", "UTF-8" },
                { "empty-exec", "[Payload]\nExec=\n", "Exec" },
        };
        g_autofree char *config = make_directories();
        Fixture *f;

        write_program("usr", "sound", "print sound");
        for (size_t i = 0; i < G_N_ELEMENTS(broken); i++)
                write_payload("etc", broken[i].name, broken[i].text);
        f = start(config);
        for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
                g_autofree char *choice = g_strdup_printf("'%s'", broken[i].name);
                JsonNode *p = listed(f, broken[i].name);

                if (!p)
                        fail_msg("%s is not listed", broken[i].name);
                if (broken[i].error && !strstr(text_at(p, "error"), broken[i].error))
                        fail_msg("%s: %s", broken[i].name, text_at(p, "error"));
                assert_false(has(p, "exec"));
                assert_refused(f, run_payload(f, choice, NULL), "NoSuchPayload", ESRCH, broken[i].name,
                               "broken", text_at(p, "error"), NULL);
        }
        assert_prints(f, "'sound'", "sound", "sound\n");
}

/* ---- reading them anew ---- */

static void reload_by_call(Fixture *f, G_GNUC_UNUSED const char *name) {
        assert_non_null(find_payload(manager(f, "ReloadPayloads"), name));
}

static void reload_by_signal(Fixture *f, const char *name) {
        assert_int_equal(kill(f->daemon.pid, SIGHUP), 0);
        look_until(listed(f, name)); /* it is the last that was written */
}

static void check_reload(Fixture *f, void (*reload)(Fixture *, const char *), const char *last) {
        g_auto(Gate) gate = gate_new();
        g_autofree char *old = g_strdup_printf("wait '%s' print old", gate.path), *text = NULL;
        g_auto(PayloadEnd) e = { 0 };

        write_program("usr", "x", old);
        write_program("usr", "gone", "print gone");
        reload_by_call(f, "x");
        assert_non_null(run_payload(f, "'x'", NULL));
        write_program("usr", "x", "print new");
        remove_payload("usr", "gone");
        write_program("usr", last, "print last");
        reload(f, last);
        assert_null(listed(f, "gone"));
        assert_refused(f, run_payload(f, "'gone'", NULL), "NoSuchPayload", ESRCH, "gone", NULL);
        gate_open(&gate);
        e = wait_payload(f, "['x', {}]"); /* which runs as it was started */
        text = stream_text(e.streams[OUT]);
        assert_string_equal(text, "old\n");
        assert_int_equal(length_at(e.record, "argv"), 5);
        assert_prints(f, "'x'", "x", "new\n");
        assert_prints(f, g_strcmp0(last, "first") == 0 ? "'first'" : "'second'", last, "last\n");
}

static void test_reload(G_GNUC_UNUSED void **state) {
        g_autofree char *config = make_directories();
        Fixture *f = start(config);

        assert_json(manager(f, "ListPayloads"), "[]");
        assert_refused(f, run_payload(f, "'x'", NULL), "NoSuchPayload", ESRCH, "no file defines any", NULL);
        check_reload(f, reload_by_call, "first");
        check_reload(f, reload_by_signal, "second");
}

/* Its definition is gone, and its checks and metrics are still those that it was started with. */
static void test_definition_lives_with_what_runs(G_GNUC_UNUSED void **state) {
        g_autofree char *config = make_directories(), *text = NULL;
        g_auto(Gate) gate = gate_new();
        g_auto(PayloadEnd) e = { 0 };
        Fixture *f;

        text = g_strdup_printf("[Payload]\nExec=%s\nArgs=wait '%s' print '[5]' exit 3\nOutput=json\n"
                               "Checks=exit-code:3 max:0=4\nMetrics=0=lower-better,ms\n",
                               payload_program(), gate.path);
        write_payload("usr", "x", text);
        f = start(config);
        assert_non_null(run_payload(f, "'x'", NULL));
        remove_payload("usr", "x");
        assert_json(manager(f, "ReloadPayloads"), "[]");
        gate_open(&gate);
        e = wait_payload(f, "['x', {}]");
        assert_int_equal(length_at(e.record, "failures"), 1);
        assert_string_equal(text_at(e.record, "metrics.0.unit"), "ms");
        assert_int_equal(number_at(e.record, "metrics.0.value"), 5);
}

/* ---- who may ---- */

/* What a stranger is answered: "" for an answer, else the name of the error. */
static char *ask(sd_bus *bus, const char *path, const char *interface, const char *method,
                 const char *signature) {
        g_autoptr(sd_bus_message) m = NULL, reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        char *name = NULL;

        if (sd_bus_message_new_method_call(bus, &m, KT_BUS_NAME, path, interface, method) < 0)
                return g_strdup("no message");
        for (const char *type = signature; *type; type++) {
                if (*type == 's')
                        sd_bus_message_append(m, "s", "x");
                else
                        sd_bus_message_append(m, "a{sv}", 0);
        }
        if (sd_bus_call(bus, m, 0, &error, &reply) >= 0)
                return g_strdup("");
        name = g_strdup(error.name);
        sd_bus_error_free(&error);
        return name;
}

/* 'd' in a signature is a{sv}. */
static const struct {
        bool manager;
        const char *method, *signature;
        bool allowed;
} calls[] = {
        { true, "ListPayloads", "", true },         { false, "GetState", "", true },
        { true, "ReloadPayloads", "", false },      { false, "RunPayload", "dd", false },
        { false, "WaitPayload", "sd", false },      { false, "KillPayload", "sd", false },
        { false, "GetPayloadOutput", "sd", false }, { false, "AddCgroupDef", "dd", false },
};

/* In a process of its own; its exit status is the number of the call that was answered wrongly. */
static int be_a_stranger(const char *address) {
        sd_bus *bus = NULL;

        if (setgid(65534) < 0 || setuid(65534) < 0 || sd_bus_new(&bus) < 0 ||
            sd_bus_set_address(bus, address) < 0 || sd_bus_set_bus_client(bus, true) < 0 ||
            sd_bus_start(bus) < 0)
                return 100;
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                char *answer = ask(bus, calls[i].manager ? KT_BUS_PATH : KT_SCENARIO_PREFIX "/default",
                                   calls[i].manager ? KT_MANAGER_INTERFACE : KT_SCENARIO_INTERFACE,
                                   calls[i].method, calls[i].signature);
                if (!g_str_equal(answer, calls[i].allowed ? "" : SD_BUS_ERROR_ACCESS_DENIED)) {
                        fprintf(stderr, "%s: %s\n", calls[i].method, answer);
                        return (int)i + 1;
                }
                g_free(answer);
        }
        return 0;
}

static void test_strangers_may_look_only(G_GNUC_UNUSED void **state) {
        g_autofree char *config = make_directories();
        Fixture *f = start(config);
        int status;
        pid_t pid;

        if (geteuid() != 0) {
                print_message("skipped: only root can become a stranger\n");
                g_clear_pointer(&config, g_free); /* skip() does not come back */
                skip();
        }
        run(f, "x", "'pause'", NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(be_a_stranger(f->address));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_string_equal(text_at(payload_in_state(f, "x", ""), "state"), "running");
        assert_int_equal(length_at(state_of(f), "payloads"), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_listed_as_defined, payloads_teardown),
                cmocka_unit_test_teardown(test_run_by_name, payloads_teardown),
                cmocka_unit_test_teardown(test_first_directory_wins, payloads_teardown),
                cmocka_unit_test_teardown(test_broken_files, payloads_teardown),
                cmocka_unit_test_teardown(test_reload, payloads_teardown),
                cmocka_unit_test_teardown(test_definition_lives_with_what_runs, payloads_teardown),
                cmocka_unit_test_teardown(test_strangers_may_look_only, payloads_teardown),
        };

        return fixture_result(cmocka_run_group_tests(tests, NULL, NULL));
}
