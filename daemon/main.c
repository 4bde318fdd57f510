/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "bus/bus-error.h"
#include "bus/service.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "config.h"
#include "dbus/names.h"
#include "build-config.h"

typedef struct Options {
        enum { BUS_SYSTEM, BUS_SESSION, BUS_ADDRESS } bus;
        const char *address;
        const char *cgroup_root;
        const char *config;
        const char *executor;
} Options;

static const char usage[] =
        "Usage: ktsetupd [OPTION]...\n"
        "Turns this machine into a scheduler test host that is driven over D-Bus.\n"
        "\n"
        "  --system             be on the system bus (default)\n"
        "  --session            be on the session bus\n"
        "  --bus-address ADDR   be on the bus at this D-Bus address\n"
        "  --cgroup-root DIR    keep the scenarios below this delegated cgroup v2 directory\n"
        "                       (default: transient services of the systemd on the bus)\n"
        "  --config FILE        read this configuration (default: " KT_CONFIG_PATH ")\n"
        "  --executor PROGRAM   start this executor (default: " KT_EXECUTOR_PATH ")\n"
        "  --version            print the version\n"
        "  --help               print this text\n"
        "\n"
        "See ktsetupd(8), ktsetupd.conf(5), org.ktstr.Setup1(5).\n";

/* 0: go on; else the exit status + 1. */
static int parse_options(int argc, char **argv, Options *o) {
        enum {
                OPT_SYSTEM = 256,
                OPT_SESSION,
                OPT_ADDRESS,
                OPT_ROOT,
                OPT_CONFIG,
                OPT_EXECUTOR,
                OPT_VERSION,
                OPT_HELP
        };
        static const struct option options[] = {
                { "system", no_argument, NULL, OPT_SYSTEM },
                { "session", no_argument, NULL, OPT_SESSION },
                { "bus-address", required_argument, NULL, OPT_ADDRESS },
                { "cgroup-root", required_argument, NULL, OPT_ROOT },
                { "config", required_argument, NULL, OPT_CONFIG },
                { "executor", required_argument, NULL, OPT_EXECUTOR },
                { "version", no_argument, NULL, OPT_VERSION },
                { "help", no_argument, NULL, OPT_HELP },
                { NULL, 0, NULL, 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (c) {
                case OPT_SYSTEM:
                        o->bus = BUS_SYSTEM;
                        break;
                case OPT_SESSION:
                        o->bus = BUS_SESSION;
                        break;
                case OPT_ADDRESS:
                        o->bus = BUS_ADDRESS;
                        o->address = optarg;
                        break;
                case OPT_ROOT:
                        o->cgroup_root = optarg;
                        break;
                case OPT_CONFIG:
                        o->config = optarg;
                        break;
                case OPT_EXECUTOR:
                        o->executor = optarg;
                        break;
                case OPT_VERSION:
                        puts("ktsetupd " KT_VERSION);
                        return EX_OK + 1;
                case OPT_HELP:
                        fputs(usage, stdout);
                        return EX_OK + 1;
                default:
                        fputs("Try 'ktsetupd --help'.\n", stderr);
                        return EX_USAGE + 1;
                }
        if (optind < argc) {
                fprintf(stderr, "ktsetupd: unexpected argument '%s'\n", argv[optind]);
                return EX_USAGE + 1;
        }
        return 0;
}

static int open_bus(const Options *o, sd_bus **ret) {
        g_autoptr(sd_bus) bus = NULL;
        int r;

        if (o->bus == BUS_SYSTEM)
                return sd_bus_open_system_with_description(ret, "ktsetupd");
        if (o->bus == BUS_SESSION)
                return sd_bus_open_user_with_description(ret, "ktsetupd");
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, o->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        /* Peers' credentials are needed for the privilege check of every changing method. */
        if (r >= 0)
                r = sd_bus_negotiate_creds(
                        bus, true, SD_BUS_CREDS_UID | SD_BUS_CREDS_EUID | SD_BUS_CREDS_EFFECTIVE_CAPS);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                *ret = g_steal_pointer(&bus);
        return r;
}

static int on_signal(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED const struct signalfd_siginfo *si,
                     void *userdata) {
        service_stop(userdata);
        return 0;
}

static int on_reload(G_GNUC_UNUSED sd_event_source *source, G_GNUC_UNUSED const struct signalfd_siginfo *si,
                     void *userdata) {
        service_load_payloads(userdata);
        return 0;
}

/* Without a bus there is nobody to serve, and systemd cannot be asked anything. The executors see their
 * sockets close and remove everything. */
static int on_disconnected(G_GNUC_UNUSED sd_bus_message *m, void *userdata,
                           G_GNUC_UNUSED sd_bus_error *error) {
        const Service *s = userdata;

        return sd_event_exit(s->event, -ECONNRESET);
}

static int block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGHUP);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int loop(sd_event *event, sd_bus *bus, Service *service) {
        int r;

        r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, service);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_signal, service);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_reload, service);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
                                              NULL, service);
        if (r >= 0)
                r = sd_bus_request_name(bus, KT_BUS_NAME, 0);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r >= 0) {
                sd_notify(false, "READY=1\nSTATUS=No scenario is set up.");
                r = sd_event_loop(event);
        }
        return r;
}

static const char *loop_failure(int r) {
        return r == -EEXIST       ? "another one owns " KT_BUS_NAME " on this bus"
               : r == -ECONNRESET ? "the bus is gone"
                                  : g_strerror(-r);
}

static Service *make_service(const Options *o, sd_event *event, sd_bus *bus, const Config *config,
                             GError **error) {
        const char *directory = o->cgroup_root ?: config->cgroup_root;
        g_autoptr(Launcher) root = NULL;
        Topology *topology;

        root = directory ? launcher_new_directory(event, directory, o->executor, error)
                         : launcher_new_systemd(bus, o->executor, error);
        if (!root)
                return NULL;
        topology = topology_new_live(error);
        if (topology && !hwloc_bitmap_iszero(topology->withheld)) {
                g_autofree char *withheld = cpulist_format(topology->withheld);
                sd_journal_print(LOG_WARNING,
                                 "this service may not use the CPUs %s; its scenarios will not either",
                                 withheld);
        }
        return topology ? service_new(bus, config, g_steal_pointer(&root), topology, error) : NULL;
}

static int run(const Options *o) {
        g_autoptr(sd_event) event = NULL;
        g_autoptr(sd_bus) bus = NULL;
        g_autoptr(Config) config = NULL;
        g_autoptr(Service) service = NULL;
        g_autoptr(GError) error = NULL;
        int r;

        config = config_load(o->config ?: KT_CONFIG_PATH, o->config != NULL, &error);
        if (!config) {
                fprintf(stderr, "ktsetupd: %s\n", error->message);
                return EX_CONFIG;
        }
        bus_error_register();
        r = block_signals();
        if (r >= 0)
                r = sd_event_default(&event);
        if (r >= 0)
                r = open_bus(o, &bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0) {
                fprintf(stderr, "ktsetupd: cannot connect to the bus: %s\n", g_strerror(-r));
                return EX_UNAVAILABLE;
        }
        service = make_service(o, event, bus, config, &error);
        if (!service) {
                fprintf(stderr, "ktsetupd: %s\n", error->message);
                return EX_UNAVAILABLE;
        }
        r = loop(event, bus, service);
        if (r < 0)
                fprintf(stderr, "ktsetupd: %s\n", loop_failure(r));
        return r < 0 ? EX_UNAVAILABLE : EX_OK;
}

int main(int argc, char **argv) {
        Options options = { .executor = KT_EXECUTOR_PATH };
        int done = parse_options(argc, argv, &options);

        return done ? done - 1 : run(&options);
}
