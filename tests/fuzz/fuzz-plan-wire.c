/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as a plan that comes to the executor: either it is refused with a reason, or everything that carrying
 * it out would follow lies within it. */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "executor/briefing.h"
#include "executor/command.h"
#include "fuzz.h"
#include "executor/plan.h"

enum { BRIEFED_WORKERS = 64 };

static int sealed(const uint8_t *data, size_t size) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        require(fd >= 0);
        require(write(fd, data, size) == (ssize_t)size);
        require(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
        return fd;
}

static void check_range(const Plan *plan, uint32_t offset, uint64_t size) {
        require(offset >= sizeof(WirePlan) && offset % 8 == 0);
        require(offset + size <= plan->head->size);
}

static void check_text(const Plan *plan, uint32_t offset) {
        require(offset >= sizeof(WirePlan) && offset < plan->head->size);
        require(offset + strlen(plan_at(plan, offset)) < plan->head->size);
}

/* Every component is a name; the root itself has none. */
static void check_inside(const char *path) {
        while (*path) {
                size_t length = strcspn(path, "/");
                require(length > 0);
                require(strncmp(path, ".", length) != 0 && !(length == 2 && strncmp(path, "..", 2) == 0));
                path += length;
                require(*path == '\0' || path[1] != '\0');
                path += *path == '/';
        }
}

static void walk_group(const Plan *plan, const WireGroupSpec *g) {
        const WorkType *type = work_type_get((WorkTypeId)g->work_type);

        require(type && g->n_workers > 0 && g->n_workers % type->group_size == 0);
        require(strnlen(g->comm, sizeof(g->comm)) < sizeof(g->comm));
        require(strnlen(g->pcomm, sizeof(g->pcomm)) < sizeof(g->pcomm));
        require(g->n_masks <= 1 || g->n_masks == g->n_workers);
        if (g->n_masks)
                check_range(plan, g->masks, (uint64_t)g->n_masks * g->mask_words * sizeof(uint64_t));
        if (g->max_node > 1) { /* the kernel reads one bit less */
                check_range(plan, g->nodes, (uint64_t)g->node_words * sizeof(long));
                require((g->max_node - 1 + 63) / 64 <= g->node_words);
        }
}

static void walk_texts(const Plan *plan, const WireTexts *texts, bool assignments) {
        if (texts->n)
                check_range(plan, texts->offsets, (uint64_t)texts->n * sizeof(uint32_t));
        for (uint32_t i = 0; i < texts->n; i++) {
                const char *text = plan_text(plan, texts, i);
                check_text(plan, ((const uint32_t *)plan_at(plan, texts->offsets))[i]);
                require(!assignments || (*text != '=' && strchr(text, '=')));
        }
}

static const char *variable(char **environment, const char *assignment) {
        size_t length = strcspn(assignment, "=") + 1;

        while (*environment && strncmp(*environment, assignment, length) != 0)
                environment++;
        return *environment;
}

/* The program is told what the spec says. */
static void walk_command(const Plan *plan, const WirePayloadSpec *p) {
        Command c = { 0 };

        require(command_build(&c, plan, p) == 0);
        for (uint32_t i = 0; i < p->argv.n; i++)
                require(c.argv[i] == plan_text(plan, &p->argv, i));
        require(!c.argv[p->argv.n] && c.search);
        for (uint32_t i = 0; i < p->environment.n; i++)
                require(variable(c.environment, plan_text(plan, &p->environment, i)));
        if (p->cookie)
                require(variable(c.environment, plan_at(plan, p->cookie)) == plan_at(plan, p->cookie));
        command_clear(&c);
}

static void walk_payload(const Plan *plan, const WirePayloadSpec *p) {
        check_text(plan, p->exec);
        const char *exec = plan_at(plan, p->exec);
        require(*exec && (*exec == '/' || !strchr(exec, '/')));
        require(p->argv.n > 0 && p->argv.n < 1 << 20 && p->environment.n < 1 << 20);
        walk_texts(plan, &p->argv, false);
        walk_texts(plan, &p->environment, true);
        require(p->cookie || p->alone);
        if (p->cookie) {
                check_text(plan, p->cookie);
                require(strchr(plan_at(plan, p->cookie), '='));
        }
        if (p->directory) {
                check_text(plan, p->directory);
                require(*(const char *)plan_at(plan, p->directory) == '/');
        }
        require(p->n_groups < 1 << 20);
        if (p->n_groups)
                check_range(plan, p->groups, (uint64_t)p->n_groups * sizeof(uint32_t));
        walk_command(plan, p);
}

/* What becomes one group has the shape of an arena, and none of its sizes overflows. */
static void walk_spawn(const Plan *plan, const WireAction *a) {
        const Executor e = { .cpu_words = 1 << 10 };
        uint64_t n_workers = 0, n_regions = 0;

        require(a->n_groups > 0 && (uint64_t)a->group + a->n_groups <= plan->head->n_groups);
        for (uint32_t i = 0; i < a->n_groups; i++) {
                const WireGroupSpec *g = plan_group(plan, a->group + i), *first = plan_group(plan, a->group);
                const WorkType *type = work_type_get((WorkTypeId)g->work_type);
                require(g->group_id == first->group_id && g->uid == first->uid && g->gid == first->gid);
                require(strcmp(g->pcomm, first->pcomm) == 0 && g->lasting == first->lasting);
                require(a->n_groups == 1 || *g->pcomm);
                n_workers += g->n_workers;
                n_regions += type->link == LINK_REGION ? g->n_workers / type->group_size : 0;
        }

        ArenaShape shape = briefing_shape(&e, plan, a);
        require(shape.n_workers == n_workers && shape.n_regions == n_regions);
        require(shape.leader == (*plan_group(plan, a->group)->pcomm != '\0'));
        require(arena_size(&shape) / n_workers >= sizeof(ArenaSlot) && arena_size(&shape) < 1ULL << 46);
}

/* Every worker is told of memory that is there. */
static void walk_briefing(const Plan *plan, const WireAction *a) {
        Executor e = { .cpu_words = 1 };
        ArenaHead *arena;
        ArenaShape shape = briefing_shape(&e, plan, a);
        size_t size = arena_size(&shape);

        if (shape.n_workers > BRIEFED_WORKERS)
                return;
        arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        require(arena != MAP_FAILED);
        arena_init(arena, &shape);
        Briefing b = briefing_begin(&e, plan, a, arena);
        for (uint32_t i = 0; i < shape.n_workers; i++) {
                WorkerContext w = briefing_next(&b);
                const char *region = w.region;
                const WorkType *type = work_type_get(w.type);
                require(w.index == i && type && w.position < type->group_size);
                require(!region == (type->link != LINK_REGION));
                require(!region ||
                        (region > (char *)arena && region + type->region_size <= (char *)arena + size));
        }
        munmap(arena, size);
}

static void walk_action(const Plan *plan, const WireAction *a) {
        require(a->kind < ACTION_KIND_COUNT);
        switch ((ActionKind)a->kind) {
        case ACTION_WRITE:
        case ACTION_ENABLE:
                check_text(plan, a->value);
                check_text(plan, a->path);
                break;
        case ACTION_SPAWN:
                check_text(plan, a->path);
                walk_spawn(plan, a);
                walk_briefing(plan, a);
                break;
        case ACTION_MKDIR:
        case ACTION_EVACUATE:
        case ACTION_AWAIT_EMPTY:
        case ACTION_RMDIR:
        case ACTION_END_PAYLOAD:
                check_text(plan, a->path);
                check_inside(plan_at(plan, a->path));
                break;
        case ACTION_PAYLOAD:
                require(a->payload < plan->head->n_payloads);
                check_text(plan, a->path);
                check_inside(plan_at(plan, a->path));
                break;
        case ACTION_PHASE:
        case ACTION_RELEASE:
        case ACTION_STOP:
        case ACTION_COLLECT:
        case ACTION_KIND_COUNT:
                break;
        }
}

static void walk(const Plan *plan) {
        for (uint32_t i = 0; i < plan->head->n_groups; i++)
                walk_group(plan, plan_group(plan, i));
        for (uint32_t i = 0; i < plan->head->n_payloads; i++)
                walk_payload(plan, plan_payload(plan, i));
        for (uint32_t i = 0; i < plan->head->n_actions; i++)
                walk_action(plan, plan_action(plan, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        WireFailure failure = { 0 };
        Plan plan = { 0 };
        int fd = sealed(data, size);
        int r = plan_open(&plan, fd, 1, &failure);

        if (r == 0) {
                walk(&plan);
                plan_close(&plan);
        } else
                require(failure.error && failure.detail[0]);
        close(fd);
        return 0;
}
