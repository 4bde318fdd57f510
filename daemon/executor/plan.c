/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
        PLAN_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
        PLAN_SIZE_MAX = 1 << 30,
        GROUP_WORKERS_MAX = 1 << 20, /* far above what a machine can fork: only sizes must not overflow */
        MASK_WORDS_MAX = 1 << 12,    /* 262,144 CPUs */
        NODES_MAX = 1 << 10,         /* NODES_SHIFT, which configures MAX_NUMNODES, is nowhere above 10 */
        ARGV_MAX = 1 << 16,
        ENVIRONMENT_MAX = 1 << 12, /* each is looked for among the others */
        GROUPS_MAX = 1 << 16,      /* NGROUPS_MAX, include/uapi/linux/limits.h */
        KNOWN_SAMPLES = SAMPLE_WAKE_LATENCY,
};

const void *plan_at(const Plan *plan, uint32_t offset) {
        return offset ? (const char *)plan->head + offset : NULL;
}

const WireAction *plan_action(const Plan *plan, uint32_t index) {
        return (const WireAction *)plan_at(plan, plan->head->actions) + index;
}

const WireGroupSpec *plan_group(const Plan *plan, uint32_t index) {
        return (const WireGroupSpec *)plan_at(plan, plan->head->groups) + index;
}

const WirePayloadSpec *plan_payload(const Plan *plan, uint32_t index) {
        return (const WirePayloadSpec *)plan_at(plan, plan->head->payloads) + index;
}

const char *plan_text(const Plan *plan, const WireTexts *texts, uint32_t index) {
        return plan_at(plan, ((const uint32_t *)plan_at(plan, texts->offsets))[index]);
}

/* ---- checks; each returns NULL or what is wrong ---- */

/* n * size bytes at an aligned offset behind the head and within the plan. */
static bool has_array(const WirePlan *head, uint32_t offset, uint64_t n, uint64_t size) {
        if (n == 0)
                return true;
        return offset >= sizeof(*head) && offset % 8 == 0 && offset <= head->size &&
               n * size <= head->size - offset; /* n < 2^32, size < 2^32 */
}

static bool has_text(const WirePlan *head, uint32_t offset) {
        return offset >= sizeof(*head) && offset < head->size &&
               memchr((const char *)head + offset, '\0', head->size - offset);
}

static bool is_canonical(const char *path) {
        if (!*path)
                return true; /* the root */
        if (strlen(path) >= PATH_MAX)
                return false;
        for (;;) {
                size_t length = strcspn(path, "/");
                if (length == 0 || (length == 1 && path[0] == '.') ||
                    (length == 2 && memcmp(path, "..", 2) == 0))
                        return false;
                if (!path[length])
                        return true;
                path += length + 1;
        }
}

typedef enum Need {
        NEEDS_PATH = 1 << 0,
        NEEDS_NAME = 1 << 1, /* the path may not be the root */
        NEEDS_VALUE = 1 << 2,
        NEEDS_GROUPS = 1 << 3,
        NEEDS_PAYLOAD = 1 << 4,
} Need;

static const unsigned needs[ACTION_KIND_COUNT] = {
        [ACTION_MKDIR] = NEEDS_PATH | NEEDS_NAME,
        [ACTION_ENABLE] = NEEDS_PATH | NEEDS_VALUE,
        [ACTION_WRITE] = NEEDS_PATH | NEEDS_NAME | NEEDS_VALUE,
        [ACTION_SPAWN] = NEEDS_PATH | NEEDS_GROUPS,
        [ACTION_EVACUATE] = NEEDS_PATH,
        [ACTION_AWAIT_EMPTY] = NEEDS_PATH,
        [ACTION_RMDIR] = NEEDS_PATH | NEEDS_NAME,
        [ACTION_PAYLOAD] = NEEDS_PATH | NEEDS_PAYLOAD,
        [ACTION_END_PAYLOAD] = NEEDS_PATH,
};

/* The leader has one name, and ids are those of a whole process. */
static bool share_container(const WireGroupSpec *a, const WireGroupSpec *b) {
        return a->group_id == b->group_id && strcmp(a->pcomm, b->pcomm) == 0 && a->uid == b->uid &&
               a->gid == b->gid && a->lasting == b->lasting;
}

/* After all specs have been found sound. */
static const char *check_spawn(const Plan *plan, const WireAction *a) {
        uint32_t there = plan->head->n_groups;

        if (a->group >= there || a->n_groups == 0 || a->n_groups > there - a->group)
                return "no such group in the plan";
        const WireGroupSpec *specs = plan_group(plan, a->group);
        if (a->n_groups > 1 && !specs->pcomm[0])
                return "several works, but no pcomm";

        uint64_t n_workers = 0;
        for (uint32_t i = 0; i < a->n_groups; i++) {
                if (!share_container(specs, specs + i))
                        return "works of one container disagree";
                n_workers += specs[i].n_workers;
        }
        return n_workers > GROUP_WORKERS_MAX ? "impossible number of workers" : NULL;
}

static const char *check_action(const Plan *plan, const WireAction *a) {
        if (a->kind >= ACTION_KIND_COUNT)
                return "unknown kind of action";
        if (a->flags & ~(uint32_t)ACTION_TOLERATE)
                return "unknown flag";

        unsigned need = needs[a->kind];
        if (need & NEEDS_PATH && (!has_text(plan->head, a->path) || !is_canonical(plan_at(plan, a->path))))
                return "path is missing or not canonical";
        if (need & NEEDS_NAME && !*(const char *)plan_at(plan, a->path))
                return "path is the root itself";
        if (need & NEEDS_VALUE && !has_text(plan->head, a->value))
                return "value is missing";
        if (need & NEEDS_PAYLOAD && a->payload >= plan->head->n_payloads)
                return "no such payload in the plan";
        return need & NEEDS_GROUPS ? check_spawn(plan, a) : NULL;
}

static bool masks_fit(const WirePlan *head, const WireGroupSpec *g) {
        if (g->n_masks == 0)
                return true;
        if (g->n_masks != 1 && g->n_masks != g->n_workers)
                return false;
        return g->mask_words > 0 && g->mask_words <= MASK_WORDS_MAX &&
               has_array(head, g->masks, g->n_masks, g->mask_words * sizeof(uint64_t));
}

static bool nodes_fit(const WirePlan *head, const WireGroupSpec *g) {
        const uint32_t word = sizeof(unsigned long) * 8;

        if (g->nodes == 0)
                return g->max_node == 0;
        /* get_nodes(), mm/mempolicy.c, reads maxnode - 1 bits */
        return has_array(head, g->nodes, g->node_words, sizeof(unsigned long)) &&
               g->max_node <= (uint64_t)g->node_words * word + 1;
}

static bool params_fit(const WireGroupSpec *g, const WorkType *type) {
        for (unsigned i = 0; i < type->n_params; i++)
                if (g->params[i] < type->params[i].min || g->params[i] > type->params[i].max)
                        return false;
        return true;
}

static const char *check_group(const WirePlan *head, const WireGroupSpec *g) {
        const WorkType *type =
                g->work_type < WORK_TYPE_COUNT ? work_type_get((WorkTypeId)g->work_type) : NULL;

        if (!type)
                return "unknown work type";
        if (g->n_workers == 0 || g->n_workers > GROUP_WORKERS_MAX || g->n_workers % type->group_size)
                return "impossible number of workers";
        if (g->samples & ~(uint32_t)KNOWN_SAMPLES)
                return "unknown sample";
        if (!params_fit(g, type))
                return "parameter out of range";
        if (!masks_fit(head, g))
                return "affinity masks do not fit";
        if (!nodes_fit(head, g))
                return "node mask does not fit";
        if (!memchr(g->comm, '\0', sizeof(g->comm)))
                return "comm has no end";
        if (!memchr(g->pcomm, '\0', sizeof(g->pcomm)))
                return "pcomm has no end";
        return NULL;
}

static bool is_assignment(const char *text) {
        return *text != '=' && strchr(text, '=');
}

static bool texts_fit(const Plan *plan, const WireTexts *texts, uint32_t max) {
        if (texts->n > max || !has_array(plan->head, texts->offsets, texts->n, sizeof(uint32_t)))
                return false;
        const uint32_t *offsets = plan_at(plan, texts->offsets);
        for (uint32_t i = 0; i < texts->n; i++)
                if (!has_text(plan->head, offsets[i]))
                        return false;
        return true;
}

static bool environment_fits(const Plan *plan, const WireTexts *texts) {
        if (!texts_fit(plan, texts, ENVIRONMENT_MAX))
                return false;
        for (uint32_t i = 0; i < texts->n; i++)
                if (!is_assignment(plan_text(plan, texts, i)))
                        return false;
        return true;
}

/* A full path, or a name to look for. */
static bool is_program(const char *exec) {
        return *exec && (*exec == '/' || !strchr(exec, '/'));
}

static const char *check_payload(const Plan *plan, const WirePayloadSpec *p) {
        const WirePlan *head = plan->head;

        if (!has_text(head, p->exec) || !is_program(plan_at(plan, p->exec)))
                return "program is missing, or neither a full path nor a name";
        if (p->argv.n == 0 || !texts_fit(plan, &p->argv, ARGV_MAX))
                return "arguments do not fit";
        if (!environment_fits(plan, &p->environment))
                return "environment does not fit";
        if (p->cookie ? !has_text(head, p->cookie) || !is_assignment(plan_at(plan, p->cookie)) : !p->alone)
                return "cookie is missing or not KEY=VALUE";
        if (p->directory &&
            (!has_text(head, p->directory) || *(const char *)plan_at(plan, p->directory) != '/'))
                return "directory is not a full path";
        if (p->n_groups > GROUPS_MAX || !has_array(head, p->groups, p->n_groups, sizeof(uint32_t)))
                return "supplementary groups do not fit";
        return NULL;
}

static const char *check_head(const WirePlan *head, uint64_t size) {
        if (size < sizeof(*head) || head->magic != WIRE_PLAN_MAGIC)
                return "not a plan";
        if (head->size < sizeof(*head) || head->size > size)
                return "size is wrong";
        if (!has_array(head, head->actions, head->n_actions, sizeof(WireAction)))
                return "actions do not fit";
        if (!has_array(head, head->groups, head->n_groups, sizeof(WireGroupSpec)))
                return "groups do not fit";
        if (!has_array(head, head->payloads, head->n_payloads, sizeof(WirePayloadSpec)))
                return "payloads do not fit";
        if (head->n_groups && (head->n_nodes == 0 || head->n_nodes > NODES_MAX))
                return "impossible number of NUMA nodes";
        return NULL;
}

static const char *check_plan(const Plan *plan, WireFailure *failure) {
        const char *wrong = check_head(plan->head, plan->mapped);

        for (uint32_t i = 0; !wrong && i < plan->head->n_groups; i++)
                wrong = check_group(plan->head, plan_group(plan, i));
        for (uint32_t i = 0; !wrong && i < plan->head->n_payloads; i++)
                wrong = check_payload(plan, plan_payload(plan, i));
        for (uint32_t i = 0; !wrong && i < plan->head->n_actions; i++) {
                failure->action = i;
                wrong = check_action(plan, plan_action(plan, i));
        }
        return wrong;
}

/* What is wrong, with errno set where the kernel says so and 0 where the plan is. */
static const char *map_plan(Plan *plan, int fd) {
        errno = 0;
        int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
        struct stat st;

        if (seals < 0 || (seals & PLAN_SEALS) != PLAN_SEALS)
                return "no sealed memfd came with it";
        if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(WirePlan) || st.st_size > PLAN_SIZE_MAX)
                return "size is impossible";

        /* Private: before Linux 6.7 a memfd sealed against writing refuses even read-only shared mappings. */
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return "cannot be mapped";
        plan->head = p;
        plan->mapped = (size_t)st.st_size;
        return NULL;
}

int plan_open(Plan *plan, int fd, uint32_t serial, WireFailure *failure) {
        Plan opened = { .serial = serial };
        const char *wrong = map_plan(&opened, fd), *why = wrong && errno ? strerrorname_np(errno) : NULL;

        if (!wrong)
                wrong = check_plan(&opened, failure);
        if (wrong) {
                plan_close(&opened);
                failure->error = EBADMSG;
                snprintf(failure->detail, sizeof(failure->detail), "%s%s%s", wrong, why ? ": " : "",
                         why ?: "");
                return -EBADMSG;
        }
        *plan = opened;
        return 0;
}

void plan_close(Plan *plan) {
        if (plan->head)
                munmap((void *)plan->head, plan->mapped);
        *plan = (Plan){ 0 };
}
