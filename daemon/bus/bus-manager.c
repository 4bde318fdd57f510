/* SPDX-License-Identifier: GPL-2.0-only */
#include "service.h"

#include "common/cleanup.h"
#include "model/controllers.h"
#include "report/report-payload.h"
#include "report/report.h"
#include "dbus/bus-json.h"
#include "dbus/json-write.h"
#include "build-config.h"
#include "dbus/names.h"

static int get_topology(sd_bus_message *call, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Service *s = userdata;
        g_autoptr(JsonNode) topology = report_topology(s->topology);
        g_autofree char *text = json_write(topology, false);

        service_touch(s);
        return sd_bus_reply_method_return(call, "s", text);
}

static int list_scenarios(sd_bus_message *call, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Service *s = userdata;
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        service_touch(s);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(so)");
        for (guint i = 0; r >= 0 && i < s->scenarios->len; i++) {
                const ScenarioObject *o = s->scenarios->pdata[i];
                r = sd_bus_message_append(reply, "(so)", scenario_object_name(o), scenario_object_path(o));
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int list_payloads(sd_bus_message *call, void *userdata, G_GNUC_UNUSED sd_bus_error *ret_error) {
        Service *s = userdata;
        g_autoptr(JsonArray) payloads = payload_set_to_json(s->payloads);
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        service_touch(s);
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = bus_json_append_objects(reply, payloads);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int reload_payloads(sd_bus_message *call, void *userdata, sd_bus_error *ret_error) {
        service_load_payloads(userdata);
        return list_payloads(call, userdata, ret_error);
}

static int get_version(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                       G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                       sd_bus_message *reply, G_GNUC_UNUSED void *userdata,
                       G_GNUC_UNUSED sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", KT_VERSION);
}

static int get_cgroup_root(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                           G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                           sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", ((Service *)userdata)->root->path);
}

static int get_controllers(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                           G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                           sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        unsigned set = launcher_controllers(((Service *)userdata)->root);
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (unsigned i = 0; r >= 0 && i < CONTROLLER_COUNT; i++)
                if (set & (1u << i))
                        r = sd_bus_message_append(reply, "s", controller_name(i));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_quirks(G_GNUC_UNUSED sd_bus *bus, G_GNUC_UNUSED const char *path,
                      G_GNUC_UNUSED const char *interface, G_GNUC_UNUSED const char *property,
                      sd_bus_message *reply, void *userdata, G_GNUC_UNUSED sd_bus_error *error) {
        static const struct {
                unsigned bit;
                const char *name;
        } quirks[] = {
                { QUIRK_KILL_POISONS_CLONE, "kill-poisons-clone" },
                { QUIRK_NO_CLONE_INTO_CGROUP, "no-clone-into-cgroup" },
        };
        unsigned set = ((Service *)userdata)->quirks;
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(quirks); i++)
                if (set & quirks[i].bit)
                        r = sd_bus_message_append(reply, "s", quirks[i].name);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("GetTopology", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", topology), get_topology,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListScenarios", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(so)", scenarios),
                                list_scenarios, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListPayloads", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", payloads),
                                list_payloads, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReloadPayloads", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", payloads),
                                reload_payloads, 0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CgroupRoot", "s", get_cgroup_root, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Controllers", "as", get_controllers, 0, 0),
        SD_BUS_PROPERTY("KernelQuirks", "as", get_quirks, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

int manager_object_add(Service *s) {
        return sd_bus_add_object_vtable(s->bus, &s->manager_slot, KT_BUS_PATH, KT_MANAGER_INTERFACE,
                                        manager_vtable, s);
}

void manager_set_quirks(Service *s, unsigned quirks) {
        if (s->quirks == quirks)
                return;
        s->quirks = quirks;
        sd_bus_emit_properties_changed(s->bus, KT_BUS_PATH, KT_MANAGER_INTERFACE, "KernelQuirks", NULL);
}
