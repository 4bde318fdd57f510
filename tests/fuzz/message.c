/* SPDX-License-Identifier: GPL-2.0-only */
#include "message.h"

#include <stdbool.h>
#include <sys/socket.h>

#include "fuzz.h"

static sd_bus *connection(void) {
        static sd_bus *bus;
        int pair[2];

        if (bus)
                return bus;
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        require(sd_bus_new(&bus) >= 0);
        require(sd_bus_set_fd(bus, pair[0], pair[0]) >= 0 && sd_bus_start(bus) >= 0);
        return bus;
}

sd_bus_message *message_new(void) {
        sd_bus_message *m;

        require(sd_bus_message_new_signal(connection(), &m, "/a", "a.b", "C") >= 0);
        return m;
}

void message_seal(sd_bus_message *m) {
        require(sd_bus_message_seal(m, 1, 0) >= 0);
        require(sd_bus_message_rewind(m, true) >= 0);
}
