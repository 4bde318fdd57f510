/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "executor/home.h"
#include "payload-fixture.h"
#include "executor/plan.h"

enum { SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static PlanBuilder b;

/* A sound plan that, carried out, would leave the directory `made`. Each case below breaks one thing of it.
 */
static void build(void) {
        static const uint64_t mask = ~UINT64_C(0);
        static const unsigned long nodes = 1;

        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "made", NULL);
        plan_add(&b, ACTION_WRITE, "made/knob", "1")->flags = ACTION_TOLERATE;
        WireGroupSpec *g = plan_add_spawn(&b, "made", 1, 2);
        g->work_type = WORK_BURSTY;
        g->params[0] = g->params[1] = 1000;
        g->masks = plan_add_bytes(&b, &mask, sizeof(mask));
        g->n_masks = g->mask_words = 1;
        g->nodes = plan_add_bytes(&b, &nodes, sizeof(nodes));
        g->node_words = 1;
        g->max_node = 2;

        plan_add_container(&b, "made", 2, "leader", 2);
        plan_set_type(plan_add_work(&b, 2), WORK_PIPE_IO);
        plan_add(&b, ACTION_PHASE, NULL, NULL)->phase = PHASE_BETWEEN;

        static const uint32_t groups[2] = { 1, 2 };
        WirePayloadSpec *p = plan_add_payload(&b, "made", 1, TEXTS("true", "argument"));
        p->environment = plan_add_texts(&b, TEXTS("KEY=", "OTHER=value"));
        p->directory = plan_add_text(&b, "/tmp");
        p->groups = plan_add_bytes(&b, groups, sizeof(groups));
        p->n_groups = geteuid() == 0 ? 2 : 0;
        plan_add_payload_end(&b, "made", 1);
}

typedef struct Parts {
        WirePlan *plan;
        WireAction *mkdir, *write, *spawn, *container;
        WireAction *start, *end;               /* of the payload */
        WireGroupSpec *group, *first, *second; /* works of the container */
        WirePayloadSpec *payload;
        uint32_t *argv, *environment;
        char *bytes;
} Parts;

static Parts parts_of(WirePlan *plan) {
        char *bytes = (char *)plan;
        WireAction *actions = (WireAction *)(bytes + plan->actions);
        WireGroupSpec *groups = (WireGroupSpec *)(bytes + plan->groups);
        WirePayloadSpec *payload = (WirePayloadSpec *)(bytes + plan->payloads);
        return (Parts){ .plan = plan,
                        .mkdir = actions,
                        .write = actions + 1,
                        .spawn = actions + 2,
                        .container = actions + 3,
                        .start = actions + 5,
                        .end = actions + 6,
                        .group = groups,
                        .first = groups + 1,
                        .second = groups + 2,
                        .payload = payload,
                        .argv = (uint32_t *)(bytes + payload->argv.offsets),
                        .environment = (uint32_t *)(bytes + payload->environment.offsets),
                        .bytes = bytes };
}

#define CASES(_)                                                                                             \
        _(p.plan->magic ^= 1)                                                                                \
        _(p.plan->size = sizeof(WirePlan) - 1)                                                               \
        _(p.plan->size += 1)                                                                                 \
        _(p.plan->size = UINT32_MAX)                                                                         \
        _(p.plan->size = p.mkdir->path)                                                                      \
        _(p.plan->n_actions = UINT32_MAX)                                                                    \
        _(p.plan->n_actions += 10000)                                                                        \
        _(p.plan->actions = 0)                                                                               \
        _(p.plan->actions += 4)                                                                              \
        _(p.plan->actions = UINT32_MAX - 7)                                                                  \
        _(p.plan->groups = 8)                                                                                \
        _(p.plan->groups = p.plan->size + 8)                                                                 \
        _(p.plan->n_groups = 0)                                                                              \
        _(p.plan->n_groups = 1U << 31)                                                                       \
        _(p.mkdir->kind = ACTION_KIND_COUNT)                                                                 \
        _(p.mkdir->kind = UINT32_MAX)                                                                        \
        _(p.mkdir->flags = 1U << 31)                                                                         \
        _(p.mkdir->path = 0)                                                                                 \
        _(p.mkdir->path = 4)                                                                                 \
        _(p.mkdir->path = p.plan->size)                                                                      \
        _(p.mkdir->path = UINT32_MAX)                                                                        \
        _(strcpy(p.bytes + p.mkdir->path, ""))                                                               \
        _(strcpy(p.bytes + p.mkdir->path, "/etc"))                                                           \
        _(strcpy(p.bytes + p.mkdir->path, ".."))                                                             \
        _(strcpy(p.bytes + p.mkdir->path, "../x"))                                                           \
        _(strcpy(p.bytes + p.mkdir->path, "a/.."))                                                           \
        _(strcpy(p.bytes + p.mkdir->path, "."))                                                              \
        _(strcpy(p.bytes + p.mkdir->path, "a/./b"))                                                          \
        _(strcpy(p.bytes + p.mkdir->path, "a//b"))                                                           \
        _(strcpy(p.bytes + p.mkdir->path, "a/"))                                                             \
        _(p.mkdir->kind = ACTION_ENABLE)                                                                     \
        _(p.write->value = 0)                                                                                \
        _(p.write->value = p.plan->size - 1; p.bytes[p.plan->size - 1] = 'x')                                \
        _(memset(p.bytes + p.group->nodes, 'x', p.plan->size - p.group->nodes);                              \
          p.write->value = p.group->nodes)                                                                   \
        _(p.plan->n_nodes = 0)                                                                               \
        _(p.plan->n_nodes = 1025)                                                                            \
        _(p.plan->n_nodes = UINT32_MAX)                                                                      \
        _(p.spawn->group = 3)                                                                                \
        _(p.spawn->group = UINT32_MAX)                                                                       \
        _(p.spawn->n_groups = 0)                                                                             \
        _(p.spawn->n_groups = UINT32_MAX)                                                                    \
        _(p.spawn->n_groups = 2)                                                                             \
        _(p.container->n_groups = 3)                                                                         \
        _(p.container->n_groups = UINT32_MAX)                                                                \
        _(p.container->group = 0)                                                                            \
        _(memset(p.first->pcomm, 0, WIRE_COMM); memset(p.second->pcomm, 0, WIRE_COMM))                       \
        _(p.first->pcomm[0] ^= 1)                                                                            \
        _(p.second->pcomm[5] = 'x')                                                                          \
        _(memset(p.second->pcomm, 'x', WIRE_COMM); memset(p.first->pcomm, 'x', WIRE_COMM))                   \
        _(p.second->group_id++)                                                                              \
        _(p.second->uid = 1)                                                                                 \
        _(p.first->gid = 1)                                                                                  \
        _(p.second->lasting = 1)                                                                             \
        _(p.second->n_workers = 1)                                                                           \
        _(p.second->n_workers = 3)                                                                           \
        _(p.first->n_workers = 1 << 20)                                                                      \
        _(p.first->n_workers = UINT32_MAX - 1)                                                               \
        _(p.group->work_type = WORK_TYPE_COUNT)                                                              \
        _(p.group->n_workers = 0)                                                                            \
        _(p.group->n_workers = UINT32_MAX)                                                                   \
        _(p.group->samples = 1U << 31)                                                                       \
        _(p.group->params[0] = 0)                                                                            \
        _(p.group->params[1] = UINT64_MAX)                                                                   \
        _(p.group->n_masks = 3)                                                                              \
        _(p.group->masks = 0)                                                                                \
        _(p.group->masks += 1)                                                                               \
        _(p.group->masks = p.plan->size)                                                                     \
        _(p.group->mask_words = 0)                                                                           \
        _(p.group->mask_words = UINT32_MAX)                                                                  \
        _(p.group->nodes += 1)                                                                               \
        _(p.group->nodes = 0)                                                                                \
        _(p.group->node_words = UINT32_MAX)                                                                  \
        _(p.group->max_node = 66)                                                                            \
        _(p.group->max_node = UINT32_MAX)                                                                    \
        _(memset(p.group->comm, 'x', sizeof(p.group->comm)))                                                 \
        _(p.plan->payloads = 0)                                                                              \
        _(p.plan->payloads += 4)                                                                             \
        _(p.plan->payloads = p.plan->size + 8)                                                               \
        _(p.plan->n_payloads = 0)                                                                            \
        _(p.plan->n_payloads = UINT32_MAX)                                                                   \
        _(p.start->payload = 1)                                                                              \
        _(p.start->payload = UINT32_MAX)                                                                     \
        _(p.start->path = 0)                                                                                 \
        _(strcpy(p.bytes + p.start->path, ".."))                                                             \
        _(p.end->path = 0)                                                                                   \
        _(strcpy(p.bytes + p.end->path, "/a"))                                                               \
        _(p.payload->exec = 0)                                                                               \
        _(p.payload->exec = p.plan->size)                                                                    \
        _(strcpy(p.bytes + p.payload->exec, ""))                                                             \
        _(strcpy(p.bytes + p.payload->exec, "./x"))                                                          \
        _(p.payload->argv.n = 0)                                                                             \
        _(p.payload->argv.n = UINT32_MAX)                                                                    \
        _(p.payload->argv.n = (1 << 16) + 1)                                                                 \
        _(p.payload->argv.offsets = 0)                                                                       \
        _(p.payload->argv.offsets += 4)                                                                      \
        _(p.payload->argv.offsets = UINT32_MAX - 7)                                                          \
        _(p.argv[1] = 0)                                                                                     \
        _(p.argv[1] = 4)                                                                                     \
        _(p.argv[0] = p.plan->size)                                                                          \
        _(p.argv[0] = UINT32_MAX)                                                                            \
        _(p.payload->environment.n = UINT32_MAX)                                                             \
        _(p.payload->environment.offsets = p.plan->size)                                                     \
        _(p.environment[1] = 0)                                                                              \
        _(strcpy(p.bytes + p.environment[0], "=x"))                                                          \
        _(strcpy(p.bytes + p.environment[0], "KEY"))                                                         \
        _(p.payload->cookie = 0)                                                                             \
        _(p.payload->cookie = UINT32_MAX)                                                                    \
        _(strcpy(p.bytes + p.payload->cookie, "KEY"))                                                        \
        _(strcpy(p.bytes + p.payload->cookie, "="))                                                          \
        _(p.payload->cookie = UINT32_MAX; p.payload->alone = 1)                                              \
        _(p.payload->directory = 4)                                                                          \
        _(strcpy(p.bytes + p.payload->directory, "tmp"))                                                     \
        _(strcpy(p.bytes + p.payload->directory, ""))                                                        \
        _(p.payload->n_groups = UINT32_MAX)                                                                  \
        _(p.payload->n_groups = (1 << 16) + 1)                                                               \
        _(p.payload->n_groups = 2; p.payload->groups = 0)                                                    \
        _(p.payload->n_groups = 2; p.payload->groups += 4)                                                   \
        _(p.payload->n_groups = 2; p.payload->groups = p.plan->size)

#define AS_TEXT(statement) #statement,
static const char *const corruptions[] = { CASES(AS_TEXT) };
enum { N_CORRUPTIONS = sizeof(corruptions) / sizeof(*corruptions) };

static void corrupt(unsigned nth, Parts p) {
        unsigned i = 0;
#define AS_STEP(statement)                                                                                   \
        if (i++ == nth) {                                                                                    \
                statement;                                                                                   \
        }
        CASES(AS_STEP)
}

static void test_malformed_plans_are_refused(void **state) {
        char root[PATH_MAX];
        (void)state;

        fixture_plain_path(root);
        Fixture *f = fixture_start(root, NULL);
        build();
        for (unsigned i = 0; i < N_CORRUPTIONS; i++) {
                size_t size;
                WirePlan *plan = plan_finish(&b, &size);
                corrupt(i, parts_of(plan));
                WireDone done = fixture_run_bytes(f, plan, size, SEALS);
                if (done.ok || done.failure.error != EBADMSG || !done.undone || !done.failure.detail[0])
                        fail_msg("%s: ok %u, errno %d", corruptions[i], done.ok, done.failure.error);
                assert_int_equal(f->n_groups, 0);
                assert_int_equal(rmdir(below(root, "made")), -1); /* refused before anything is done */
                free(plan);
        }
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

static void test_sound_plan_is_taken(void **state) {
        size_t size;
        Plan plan;
        WireFailure failure = { 0 };
        (void)state;

        build();
        WirePlan *bytes = plan_finish(&b, &size);
        int fd = memfd_create("plan", MFD_ALLOW_SEALING);
        assert_int_equal(write(fd, bytes, size), size);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
        assert_int_equal(plan_open(&plan, fd, 1, &failure), 0);
        assert_string_equal(plan_at(&plan, plan_action(&plan, 0)->path), "made");
        assert_int_equal(plan_group(&plan, 0)->n_workers, 2);
        assert_int_equal(plan_action(&plan, 3)->n_groups, 2);
        assert_string_equal(plan_group(&plan, 2)->pcomm, "leader");
        assert_int_equal(plan_action(&plan, 4)->phase, PHASE_BETWEEN);
        const WirePayloadSpec *payload = plan_payload(&plan, plan_action(&plan, 5)->payload);
        assert_int_equal(payload->argv.n, 2);
        assert_string_equal(plan_text(&plan, &payload->argv, 1), "argument");
        assert_string_equal(plan_text(&plan, &payload->environment, 1), "OTHER=value");
        plan_close(&plan);
        close(fd);
        free(bytes);
}

/* Whatever bytes come, looking at them stays within them (the address sanitizer sees to that). */
static void test_random_damage(void **state) {
        unsigned taken = 0;
        size_t size;
        (void)state;

        build();
        WirePlan *sound = plan_finish(&b, &size);
        srandom(1);
        for (unsigned round = 0; round < 5000; round++) {
                char *bytes = malloc(size);
                memcpy(bytes, sound, size);
                for (long n = random() % 4; n >= 0; n--)
                        bytes[random() % (long)size] ^= (char)(1 << random() % 8);

                int fd = memfd_create("plan", MFD_ALLOW_SEALING);
                assert_int_equal(write(fd, bytes, size), size);
                assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
                Plan plan;
                WireFailure failure = { 0 };
                if (plan_open(&plan, fd, round, &failure) == 0) {
                        taken++;
                        plan_close(&plan);
                } else
                        assert_int_equal(failure.error, EBADMSG);
                close(fd);
                free(bytes);
        }
        assert_in_range(taken, 1, 4999);
        free(sound);
}

static void test_plan_must_be_sealed(void **state) {
        static const unsigned seals[] = { 0, SEALS & ~F_SEAL_WRITE, SEALS & ~F_SEAL_GROW,
                                          SEALS & ~F_SEAL_SHRINK };
        char root[PATH_MAX];
        size_t size;
        (void)state;

        fixture_plain_path(root);
        Fixture *f = fixture_start(root, NULL);
        build();
        WirePlan *plan = plan_finish(&b, &size);
        for (size_t i = 0; i < sizeof(seals) / sizeof(*seals); i++)
                assert_int_equal(fixture_run_bytes(f, plan, size, seals[i]).failure.error, EBADMSG);
        assert_int_equal(fixture_run_bytes(f, plan, 0, SEALS).failure.error, EBADMSG);

        /* a message that is none does no harm, and one without a descriptor gets its answer */
        assert_int_equal(send(f->socket, "what?", 5, 0), 5);
        WireSubmit bare = { WIRE_SUBMIT, ++f->serial };
        assert_int_equal(send(f->socket, &bare, sizeof(bare), 0), sizeof(bare));
        assert_int_equal(fixture_await_done(f).failure.error, EBADMSG);
        assert_int_equal(fixture_run_bytes(f, plan, size, SEALS).ok, 1);
        free(plan);
        fixture_stop(f);
        assert_int_equal(rmdir(root), 0);
}

static void test_home_on_mount(void **state) {
        static const struct {
                const char *line, *cgroup, *expected;
        } cases[] = {
                { "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "/a/b", "/sys/fs/cgroup/a/b" },
                { "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw", "/", "/sys/fs/cgroup" },
                { "30 24 0:26 / /with\\040blank rw - cgroup2 none rw", "/a", "/with blank/a" },
                { "30 24 0:26 /a /mnt rw - cgroup2 none rw", "/a/b", "/mnt/b" },
                { "30 24 0:26 /a /mnt rw - cgroup2 none rw", "/a", "/mnt" },
                { "30 24 0:26 /a /mnt rw - cgroup2 none rw", "/ab", NULL },
                { "30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", "/a", NULL },
                { "nonsense", "/a", NULL },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char path[PATH_MAX];
                bool found = home_on_mount(path, cases[i].line, cases[i].cgroup);
                assert_int_equal(found, cases[i].expected != NULL);
                if (found)
                        assert_string_equal(path, cases[i].expected);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_malformed_plans_are_refused),
                cmocka_unit_test(test_sound_plan_is_taken),
                cmocka_unit_test(test_random_damage),
                cmocka_unit_test(test_plan_must_be_sealed),
                cmocka_unit_test(test_home_on_mount),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
