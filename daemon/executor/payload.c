/* SPDX-License-Identifier: GPL-2.0-only */
#include "payload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "payload-kin.h"
#include "util.h"

static Payload *new_with_cookie(const char *cookie) {
        Payload *p = calloc(1, sizeof(*p));

        if (p && cookie && !(p->cookie = strdup(cookie))) {
                free(p);
                return NULL;
        }
        return p;
}

int payload_new(Executor *e, const Plan *plan, const WireAction *a, Payload **ret) {
        const WirePayloadSpec *spec = plan_payload(plan, a->payload);
        CLEANUP(ledger_discard_pointer)
        LedgerEntry *entry = ledger_prepare(LEDGER_PAYLOAD, plan_at(plan, a->path));

        if (!entry || pid_table_reserve(&e->children.by_pid, 1) < 0)
                return -ENOMEM;
        Payload *p = new_with_cookie(plan_at(plan, spec->cookie));
        if (!p)
                return -ENOMEM;

        p->id = spec->payload_id;
        p->alone = spec->alone;
        p->next = e->children.payloads;
        e->children.payloads = p;
        p->entry = entry;
        entry->payload = p;
        ledger_add(&e->ledger, entry);
        entry = NULL;
        *ret = p;
        return 0;
}

Payload *payload_find(const Executor *e, uint32_t id) {
        for (Payload *p = e->children.payloads; p; p = p->next)
                if (p->id == id)
                        return p;
        return NULL;
}

void payload_free(Executor *e, Payload *p) {
        Payload **link = &e->children.payloads;

        while (*link != p)
                link = &(*link)->next;
        *link = p->next;
        ledger_remove(&e->ledger, p->entry);
        free(p->cookie);
        free(p);
}

/* ---- its leader ---- */

/* How often the kernel has killed in its cgroup for want of memory. */
static uint64_t count_oom_kills(const Executor *e, const Payload *p) {
        static const char key[] = "oom_kill ";
        char text[512];
        unsigned long long n;

        if (knob_read(&e->root, p->entry->path, "memory.events", text, sizeof(text)) < 0)
                return 0;
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, sizeof(key) - 1) == 0)
                        return sscanf(line + sizeof(key) - 1, "%llu", &n) == 1 ? n : 0;
        }
        return 0;
}

void payload_born(Executor *e, Payload *p, pid_t pid) {
        p->born_ns = monotonic_ns();
        p->start_time = kin_start_time(pid);
        p->oom_kills = count_oom_kills(e, p);
        p->leader = (Child){ .pid = pid, .payload = p };
        children_add(e, &p->leader);
}

void payload_kill_leader(Payload *p) {
        if (!p->leader.live)
                return;
        p->killed = true;
        if (p->group)
                kill(-p->group, SIGKILL);
        kill(p->leader.pid, SIGKILL);
}

static void send_exit(Executor *e, const Payload *p) {
        executor_send(e, &p->exit, sizeof(p->exit), -1);
}

int payload_announce(Executor *e, Payload *p, WorkerPlacement placement, const int outputs[2]) {
        WirePayload message = {
                .kind = WIRE_PAYLOAD, .payload_id = p->id, .pid = p->leader.pid, .placement = placement
        };

        int r = executor_send_fds(e, &message, sizeof(message), outputs, 2);
        if (r < 0)
                return r;
        p->announced = true;
        if (!p->leader.live)
                send_exit(e, p);
        return 0;
}

static uint64_t microseconds(struct timeval t) {
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static WirePayloadExit exit_of(const Payload *p, const siginfo_t *info, const struct rusage *u) {
        return (WirePayloadExit){
                .kind = WIRE_PAYLOAD_EXIT,
                .payload_id = p->id,
                .pid = p->leader.pid,
                .exit_kind = info->si_code == CLD_EXITED ? WORKER_EXIT_CODE : WORKER_EXIT_SIGNAL,
                .exit_value = info->si_status,
                .asked = p->killed && info->si_code != CLD_EXITED && info->si_status == SIGKILL,
                .run_ns = monotonic_ns() - p->born_ns,
                .user_us = microseconds(u->ru_utime),
                .system_us = microseconds(u->ru_stime),
                .max_rss_kib = (uint64_t)u->ru_maxrss,
                .minor_faults = (uint64_t)u->ru_minflt,
                .major_faults = (uint64_t)u->ru_majflt,
                .in_blocks = (uint64_t)u->ru_inblock,
                .out_blocks = (uint64_t)u->ru_oublock,
                .voluntary_switches = (uint64_t)u->ru_nvcsw,
                .involuntary_switches = (uint64_t)u->ru_nivcsw,
        };
}

void payload_leader_ended(Executor *e, Payload *p, const siginfo_t *info, const struct rusage *usage) {
        uint64_t oom_kills = count_oom_kills(e, p);

        p->exit = exit_of(p, info, usage);
        p->exit.oom_kills = oom_kills > p->oom_kills ? oom_kills - p->oom_kills : 0;
        /* A process group keeps its number as long as it has members; an empty one cannot be joined, and its
         * number may come back as somebody else's. */
        if (p->group && kill(-p->group, 0) < 0 && errno == ESRCH)
                p->group = 0;
        if (p->announced)
                send_exit(e, p);
}
