/* SPDX-License-Identifier: GPL-2.0-only */
#include "service.h"

#include <string.h>

#include "wire/clock.h"
#include "common/cleanup.h"
#include "dbus/names.h"

Fixture *service_start(void) {
        Fixture *f = fixture_start(NULL);

        sd_bus_flush_close_unref(f->client); /* it has subscribed to signals */
        f->client = NULL;
        assert_return_code(sd_bus_new(&f->client), 0);
        assert_return_code(sd_bus_set_address(f->client, f->address), 0);
        assert_return_code(sd_bus_set_bus_client(f->client, true), 0);
        assert_return_code(sd_bus_start(f->client), 0);
        ping(f);
        return f;
}

double timed_call(Fixture *f, sd_bus_message *request, sd_bus_message **ret) {
        g_autoptr(sd_bus_message) m = request, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        uint64_t start = monotonic_ns();
        int r = sd_bus_call(f->client, m, 0, &error, &reply);
        uint64_t end = monotonic_ns();

        if (r < 0)
                fail_msg("%s: %s", sd_bus_message_get_member(m), error.message ?: strerror(-r));
        if (ret)
                *ret = g_steal_pointer(&reply);
        return (double)(end - start);
}

sd_bus_message *add_request(Fixture *f, unsigned n_workers) {
        g_autofree char *arguments =
                g_strdup_printf("[{'name': 'bench', 'works': [" BENCH_WORK("%u") "]}, {}]", n_workers);

        return request(f, "AddCgroupDef", arguments);
}

sd_bus_message *end_request(Fixture *f) {
        return request(f, "EndStep", "[{}]");
}

sd_bus_message *ping_request(Fixture *f) {
        sd_bus_message *m = NULL;

        assert_return_code(sd_bus_message_new_method_call(f->client, &m, KT_BUS_NAME, KT_BUS_PATH,
                                                          "org.freedesktop.DBus.Peer", "Ping"),
                           0);
        return m;
}
