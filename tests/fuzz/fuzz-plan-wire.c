/* SPDX-License-Identifier: GPL-2.0-only */

/* Bytes as a plan that comes to the executor: either it is refused with a reason, or everything that carrying
 * it out would follow lies within it. */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "plan.h"

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
        require(work_type_get((WorkTypeId)g->work_type) && g->n_workers > 0);
        require(strnlen(g->comm, sizeof(g->comm)) < sizeof(g->comm));
        require(g->n_masks <= 1 || g->n_masks == g->n_workers);
        if (g->n_masks)
                check_range(plan, g->masks, (uint64_t)g->n_masks * g->mask_words * sizeof(uint64_t));
        if (g->max_node > 1) { /* the kernel reads one bit less */
                check_range(plan, g->nodes, (uint64_t)g->node_words * sizeof(long));
                require((g->max_node - 1 + 63) / 64 <= g->node_words);
        }
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
                require(a->group < plan->head->n_groups);
                check_text(plan, a->path);
                break;
        case ACTION_MKDIR:
        case ACTION_EVACUATE:
        case ACTION_AWAIT_EMPTY:
        case ACTION_RMDIR:
                check_text(plan, a->path);
                check_inside(plan_at(plan, a->path));
                break;
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
