/* SPDX-License-Identifier: GPL-2.0-only */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dbus/bus-json.h"
#include "common/cleanup.h"
#include "dbus/names.h"

#define SCENARIO_PATH KT_SCENARIO_PREFIX "/" KT_DEFAULT_SCENARIO

/* ---- JSON ---- */

static JsonNode *keep(Fixture *f, JsonNode *node) {
        g_ptr_array_add(f->kept, node);
        return node;
}

JsonNode *parse_json(Fixture *f, const char *text) {
        g_autoptr(GError) error = NULL;
        JsonNode *node = json_from_string(text, &error);

        if (!node)
                fail_msg("no JSON: %s: %s", error ? error->message : "empty", text);
        return keep(f, node);
}

static JsonNode *parse_literal(Fixture *f, const char *text) {
        g_autofree char *copy = g_strdelimit(g_strdup(text), "'", '"');

        return parse_json(f, copy);
}

static JsonNode *member(JsonNode *node, const char *key) {
        guint64 index;

        if (JSON_NODE_HOLDS_OBJECT(node))
                return json_object_get_member(json_node_get_object(node), key);
        if (JSON_NODE_HOLDS_ARRAY(node) &&
            g_ascii_string_to_unsigned(key, 10, 0, json_array_get_length(json_node_get_array(node)) - 1,
                                       &index, NULL) &&
            index < json_array_get_length(json_node_get_array(node)))
                return json_array_get_element(json_node_get_array(node), (guint)index);
        return NULL;
}

static JsonNode *find(JsonNode *node, const char *path) {
        g_auto(GStrv) keys = g_strsplit(path, ".", -1);

        for (size_t i = 0; node && keys[i]; i++)
                node = member(node, keys[i]);
        return node;
}

bool has(JsonNode *node, const char *path) {
        return find(node, path) != NULL;
}

JsonNode *at(JsonNode *node, const char *path) {
        JsonNode *found = find(node, path);

        if (!found) {
                g_autofree char *text = json_to_string(node, FALSE);
                fail_msg("no %s in %s", path, text);
        }
        return found;
}

static JsonNode *value_at(JsonNode *node, const char *path, GType type) {
        JsonNode *found = at(node, path);

        if (!JSON_NODE_HOLDS_VALUE(found) || json_node_get_value_type(found) != type) {
                g_autofree char *text = json_to_string(node, FALSE);
                fail_msg("%s is no %s in %s", path, g_type_name(type), text);
        }
        return found;
}

const char *text_at(JsonNode *node, const char *path) {
        return json_node_get_string(value_at(node, path, G_TYPE_STRING));
}

int64_t number_at(JsonNode *node, const char *path) {
        return json_node_get_int(value_at(node, path, G_TYPE_INT64));
}

bool truth_at(JsonNode *node, const char *path) {
        return json_node_get_boolean(value_at(node, path, G_TYPE_BOOLEAN));
}

bool null_at(JsonNode *node, const char *path) {
        return JSON_NODE_HOLDS_NULL(at(node, path));
}

guint length_at(JsonNode *node, const char *path) {
        JsonNode *found = at(node, path);

        assert_true(JSON_NODE_HOLDS_ARRAY(found));
        return json_array_get_length(json_node_get_array(found));
}

void assert_json(JsonNode *node, const char *text) {
        g_autofree char *expected = g_strdelimit(g_strdup(text), "'", '"');
        g_autofree char *found = json_to_string(node, FALSE);

        assert_string_equal(found, expected);
}

pid_t pid_at(JsonNode *result, const char *path) {
        pid_t pid = (pid_t)number_at(result, path);

        assert_true(pid > 1);
        return pid;
}

GArray *pids_of(JsonNode *result) {
        GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));

        for (guint w = 0; w < length_at(result, "works"); w++) {
                g_autofree char *path = g_strdup_printf("works.%u.pids", w);
                for (guint i = 0; i < length_at(result, path); i++) {
                        g_autofree char *one = g_strdup_printf("%s.%u", path, i);
                        pid_t pid = pid_at(result, one);
                        g_array_append_val(pids, pid);
                }
        }
        return pids;
}

/* ---- messages to JSON ---- */

/* The report's place in an answer holds its contents. */
static JsonNode *read_report(sd_bus_message *m) {
        static const int seals = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
        g_autoptr(GString) text = g_string_new(NULL);
        char part[4096];
        off_t offset = 0;
        ssize_t n;
        int fd;

        if (sd_bus_message_read(m, "h", &fd) <= 0)
                return NULL;
        if (fcntl(fd, F_GET_SEALS) != seals)
                return NULL;
        while ((n = pread(fd, part, sizeof(part), offset)) > 0) {
                g_string_append_len(text, part, n);
                offset += n;
        }
        return json_from_string(text->str, NULL);
}

static JsonNode *read_value(sd_bus_message *m) {
        g_autofree char *path = NULL;
        JsonNode *node = NULL;
        char type;

        if (sd_bus_message_peek_type(m, &type, NULL) > 0 && type == 'h')
                return read_report(m);
        return bus_json_read(m, &node, &path) < 0 ? NULL : node;
}

/* NULL when a value has no such form. */
static JsonNode *read_values(sd_bus_message *m) {
        g_autoptr(JsonArray) values = json_array_new();

        while (sd_bus_message_at_end(m, true) == 0) {
                JsonNode *node = read_value(m);
                if (!node)
                        return NULL;
                json_array_add_element(values, node);
        }
        return json_node_init_array(json_node_alloc(), values);
}

/* ---- calls ---- */

static int append_argument(sd_bus_message *m, JsonNode *node) {
        if (JSON_NODE_HOLDS_OBJECT(node))
                return bus_json_append_object(m, json_node_get_object(node));
        if (JSON_NODE_HOLDS_ARRAY(node))
                return bus_json_append_objects(m, json_node_get_array(node));
        return sd_bus_message_append(m, "s", json_node_get_string(node));
}

sd_bus_message *request(Fixture *f, const char *method, const char *arguments) {
        JsonNode *list = parse_literal(f, arguments);
        JsonArray *array = json_node_get_array(list);
        sd_bus_message *m = NULL;

        assert_return_code(sd_bus_message_new_method_call(f->client, &m, KT_BUS_NAME, SCENARIO_PATH,
                                                          KT_SCENARIO_INTERFACE, method),
                           0);
        for (guint i = 0; i < json_array_get_length(array); i++)
                assert_return_code(append_argument(m, json_array_get_element(array, i)), 0);
        return m;
}

JsonNode *send_request(Fixture *f, sd_bus_message *request) {
        g_autoptr(sd_bus_message) m = request, reply = NULL;
        JsonNode *values;

        sd_bus_error_free(&f->error);
        if (sd_bus_call(f->client, m, 0, &f->error, &reply) < 0)
                return NULL;
        values = read_values(reply);
        assert_non_null(values);
        return keep(f, values);
}

JsonNode *call(Fixture *f, const char *method, const char *arguments) {
        return send_request(f, request(f, method, arguments));
}

JsonNode *call_json(Fixture *f, const char *document, const char *options) {
        sd_bus_message *m = request(f, "ApplyJSON", "[]");

        assert_return_code(sd_bus_message_append(m, "s", document), 0);
        assert_return_code(bus_json_append_object(m, json_node_get_object(parse_literal(f, options))), 0);
        return send_request(f, m);
}

static JsonNode *succeed(Fixture *f, JsonNode *answer) {
        if (!answer)
                fail_msg("%s: %s", f->error.name, f->error.message);
        return answer;
}

static JsonNode *add_to(Fixture *f, const char *definition, const char *target) {
        g_autofree char *arguments = g_strdup_printf("[%s, {'target': '%s'}]", definition, target);

        return at(succeed(f, call(f, "AddCgroupDef", arguments)), "0");
}

JsonNode *add(Fixture *f, const char *definition) {
        return add_to(f, definition, "step");
}

JsonNode *add_to_backdrop(Fixture *f, const char *definition) {
        return add_to(f, definition, "backdrop");
}

JsonNode *state_of(Fixture *f) {
        return parse_json(f, text_at(succeed(f, call(f, "GetState", "[]")), "0"));
}

static JsonNode *call_at(Fixture *f, const char *path, const char *interface, const char *method,
                         const char *first, const char *second) {
        sd_bus_message *m = NULL;

        assert_return_code(
                sd_bus_message_new_method_call(f->client, &m, KT_BUS_NAME, path, interface, method), 0);
        if (first)
                assert_return_code(sd_bus_message_append(m, "s", first), 0);
        if (second)
                assert_return_code(sd_bus_message_append(m, "s", second), 0);
        return succeed(f, send_request(f, m));
}

JsonNode *property(Fixture *f, const char *path, const char *interface, const char *name) {
        return at(call_at(f, path, "org.freedesktop.DBus.Properties", "Get", interface, name), "0");
}

JsonNode *topology_of(Fixture *f) {
        JsonNode *answer = call_at(f, KT_BUS_PATH, KT_MANAGER_INTERFACE, "GetTopology", NULL, NULL);

        return parse_json(f, text_at(answer, "0"));
}

void ping(Fixture *f) {
        call_at(f, KT_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL);
}

static Ending ending_of(JsonNode *values) {
        return (Ending){ at(values, "0"), at(values, "1") };
}

Ending end_step(Fixture *f) {
        return ending_of(succeed(f, call(f, "EndStep", "[{}]")));
}

Ending teardown(Fixture *f) {
        return ending_of(succeed(f, call(f, "Teardown", "[]")));
}

Ending read_ending(Fixture *f, sd_bus_message *reply) {
        JsonNode *values = read_values(reply);

        assert_non_null(values);
        return ending_of(keep(f, values));
}

void assert_refused(Fixture *f, const JsonNode *answer, const char *name, int number, ...) {
        g_autofree char *full = g_strconcat(KT_ERROR_PREFIX, name, NULL);
        const char *text;
        va_list texts;

        if (answer)
                fail_msg("not refused, expected %s", name);
        if (!sd_bus_error_has_name(&f->error, full))
                fail_msg("expected %s, got %s: %s", name, f->error.name, f->error.message);
        assert_int_equal(sd_bus_error_get_errno(&f->error), number);
        va_start(texts, number);
        while ((text = va_arg(texts, const char *)))
                if (!strstr(f->error.message, text))
                        fail_msg("no '%s' in: %s", text, f->error.message);
        va_end(texts);
}

/* ---- calls that are not waited for ---- */

static int on_reply(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        static unsigned order;
        Pending *p = userdata;

        p->reply = sd_bus_message_ref(m);
        p->order = ++order;
        return 0;
}

void send_pending(Fixture *f, Pending *p, sd_bus_message *request) {
        *p = (Pending){ 0 };
        assert_return_code(sd_bus_call_async(f->client, &p->slot, request, on_reply, p, 0), 0);
        sd_bus_message_unref(request);
}

void pending_clear(Pending *p) {
        sd_bus_slot_unref(p->slot);
        sd_bus_message_unref(p->reply);
        *p = (Pending){ 0 };
}

bool pending_failed(const Pending *p, const char *name) {
        g_autofree char *full = g_strconcat(KT_ERROR_PREFIX, name, NULL);

        return p->reply && sd_bus_message_is_method_error(p->reply, full);
}

/* ---- signals ---- */

void signals_free(gpointer signal) {
        Signal *s = signal;

        g_free(s->path);
        g_free(s->member);
        if (s->arguments)
                json_node_unref(s->arguments);
        g_free(s);
}

static int on_signal(sd_bus_message *m, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Fixture *f = userdata;
        Signal *s = g_new0(Signal, 1);

        s->path = g_strdup(sd_bus_message_get_path(m));
        s->member = g_strdup(sd_bus_message_get_member(m));
        s->arguments = read_values(m);
        g_ptr_array_add(f->signals, s);
        return 0;
}

void signals_subscribe(Fixture *f) {
        static const char name_owner[] =
                "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" KT_BUS_NAME
                "'";

        assert_return_code(
                sd_bus_add_match(f->client, NULL, "type='signal',sender='" KT_BUS_NAME "'", on_signal, f), 0);
        assert_return_code(sd_bus_add_match(f->client, NULL, name_owner, on_signal, f), 0);
}

static Signal *find_signal(Fixture *f, const char *name, const char *first) {
        for (guint i = 0; i < f->signals->len; i++) {
                Signal *s = f->signals->pdata[i];
                if (s->taken || !g_str_equal(s->member, name))
                        continue;
                if (!first || (has(s->arguments, "0") && g_str_equal(text_at(s->arguments, "0"), first)))
                        return s;
        }
        return NULL;
}

bool has_signal(Fixture *f, const char *name, const char *first) {
        return find_signal(f, name, first);
}

JsonNode *await_signal(Fixture *f, const char *name, const char *first) {
        Signal *s;

        await(f, (s = find_signal(f, name, first)));
        s->taken = true;
        return s->arguments;
}

void signals_forget(Fixture *f) {
        ping(f); /* what is on its way comes first */
        while (sd_bus_process(f->client, NULL) > 0)
                ;
        g_ptr_array_set_size(f->signals, 0);
}

bool name_was_lost(Fixture *f) {
        for (guint i = f->signals->len; i-- > 0;) {
                const Signal *s = f->signals->pdata[i];
                if (g_str_equal(s->member, "NameOwnerChanged"))
                        return !text_at(s->arguments, "2")[0];
        }
        return false;
}

bool name_was_taken(Fixture *f) {
        Signal *s;

        while ((s = find_signal(f, "NameOwnerChanged", KT_BUS_NAME))) {
                s->taken = true;
                if (text_at(s->arguments, "2")[0])
                        return true;
        }
        return false;
}

static bool tells(const Signal *s, const char *path, const char *key, const char *value) {
        g_autofree char *text = NULL;

        if (s->taken || !g_str_equal(s->member, "PropertiesChanged") || !g_str_equal(s->path, path) ||
            !has(at(s->arguments, "1"), key))
                return false;
        text = json_to_string(at(at(s->arguments, "1"), key), FALSE);
        return g_str_equal(text, value);
}

/* One signal tells of several properties, so it is not taken by a question about one of them. */
static Signal *find_change(Fixture *f, const char *path, const char *name, const char *value) {
        for (guint i = 0; i < f->signals->len; i++)
                if (tells(f->signals->pdata[i], path, name, value))
                        return f->signals->pdata[i];
        return NULL;
}

void await_property(Fixture *f, const char *path, const char *name, const char *value) {
        g_autofree char *expected = g_strdelimit(g_strdup(value), "'", '"');

        await(f, find_change(f, path, name, expected));
}
