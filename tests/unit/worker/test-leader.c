/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "crew.h"

enum { NOBODY = 65534 };

static Crew crew;

static int32_t tid(unsigned worker) {
        return atomic_load(&crew_slot(&crew, worker)->tid);
}

static void assert_task_says(int32_t task, const char *line) {
        char status[8192];

        crew_proc_text(status, sizeof(status), "%d/task/%d/status", crew.pids[0], task);
        if (!strstr(status, line))
                fail_msg("no \"%s\" in:\n%s", line, status);
}

/* Of the leader: of its directory "task" or "fd". */
static unsigned count_entries(const char *what) {
        char path[64];
        unsigned n = 0;

        snprintf(path, sizeof(path), "/proc/%d/%s", crew.pids[0], what);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *d; (d = readdir(dir));)
                n += d->d_name[0] != '.';
        closedir(dir);
        return n;
}

/* ---- a container of two works ---- */

/* work:P2: the leader keeps its name, its threads have theirs */
static void test_names_and_ids(void **state) {
        char tgid[32];
        (void)state;

        crew_begin(&crew);
        strcpy(crew_add(&crew, WORK_SPIN_WAIT, 1)->setup.comm, "spinner");
        WorkerContext *pair = crew_add(&crew, WORK_PIPE_IO, 2);
        strcpy(pair[0].setup.comm, "piper");
        strcpy(pair[1].setup.comm, "piper");
        crew_run_led(&crew, "the-container");

        snprintf(tgid, sizeof(tgid), "Tgid:\t%d\n", crew.pids[0]);
        assert_task_says(crew.pids[0], "Name:\tthe-container\n");
        assert_task_says(tid(0), "Name:\tspinner\n");
        assert_task_says(tid(1), "Name:\tpiper\n");
        assert_task_says(tid(2), "Name:\tpiper\n");
        for (unsigned i = 0; i < 3; i++) {
                assert_task_says(tid(i), tgid);
                assert_true(tid(i) != crew.pids[0] && tid(i) != tid((i + 1) % 3));
        }
        assert_int_equal(count_entries("task"), 4);
        assert_int_equal(getpgid(crew.pids[0]), crew.pids[0]);
        assert_int_equal(atomic_load(&crew.arena->leader_state), WORKER_READY);
        crew_stop(&crew);
        crew_end(&crew);
}

/* All types at once, each with its own link. */
static void test_every_type_works_in_a_thread(void **state) {
        (void)state;

        crew_begin(&crew);
        for (unsigned type = 0; type < WORK_TYPE_COUNT; type++) {
                unsigned n = work_type_get((WorkTypeId)type)->group_size;
                WorkerContext *first = crew_add(&crew, (WorkTypeId)type, n);
                if (type == WORK_BURSTY || type == WORK_IDLE_CHURN)
                        crew_set_params(&crew, first, NS_PER_MS, NS_PER_MS, 0);
        }
        crew_run_led(&crew, "leader");
        for (unsigned i = 0; i < crew.shape.n_workers; i++)
                await(atomic_load(&crew_slot(&crew, i)->iterations) > 10);
        crew_stop(&crew);
        for (unsigned i = 0; i < crew.shape.n_workers; i++) {
                ArenaSlot *slot = crew_slot(&crew, i);
                assert_int_equal(atomic_load(&slot->state), WORKER_FINISHED);
                assert_true(atomic_load(&slot->cpu_ns) > 0);
                if (work_type_get(crew.workers[i].type)->samples)
                        assert_true(atomic_load(&crew_wakes(&crew, i)->count) >= 10);
        }
        crew_end(&crew);
}

/* Two teams in one ring each: a byte stays in its team. */
static void test_pairs_take_turns(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_add(&crew, WORK_PIPE_IO, 4);
        crew_run_led(&crew, "leader");
        for (unsigned i = 0; i < 4; i++)
                await(atomic_load(&crew_slot(&crew, i)->iterations) > 100);
        crew_stop(&crew);
        for (unsigned i = 0; i < 4; i += 2) {
                uint64_t a = atomic_load(&crew_slot(&crew, i)->iterations),
                         b = atomic_load(&crew_slot(&crew, i + 1)->iterations);
                assert_in_range(a - b + 2, 0, 4);
        }
        crew_end(&crew);
}

static void test_nothing_of_the_parents_is_open(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_add(&crew, WORK_YIELD_HEAVY, 2);
        crew_run_led(&crew, "leader");
        await(count_entries("fd") == 3);
        crew_stop(&crew);
        crew_end(&crew);
}

/* Each thread for itself: CPUs, policy, nice, ids. */
static void test_threads_have_their_own_setup(void **state) {
        static const uint64_t cpu0 = 1;
        (void)state;

        if (geteuid() != 0) {
                print_message("skipped: needs root\n");
                skip();
        }
        crew_begin(&crew);
        WorkerContext *w = crew_add(&crew, WORK_YIELD_HEAVY, 2);
        w[0].setup.mask = &cpu0;
        w[0].setup.mask_words = 1;
        w[0].setup.policy_set = w[0].setup.nice_set = true;
        w[0].setup.policy = SCHED_BATCH;
        w[0].setup.nice = 10;
        w[0].setup.uid = w[0].setup.gid = 12345;
        crew.leader.uid = crew.leader.gid = NOBODY;
        crew_run_led(&crew, "leader");

        assert_task_says(tid(0), "Uid:\t12345\t12345\t12345\t12345\n");
        assert_task_says(tid(0), "Gid:\t12345\t12345\t12345\t12345\n");
        assert_task_says(tid(0), "Groups:\t \n");
        assert_task_says(tid(0), "Cpus_allowed_list:\t0\n");
        assert_int_equal(sched_getscheduler(tid(0)), SCHED_BATCH);
        assert_int_equal(getpriority(PRIO_PROCESS, (id_t)tid(0)), 10);
        assert_task_says(tid(1), "Uid:\t0\t0\t0\t0\n");
        assert_int_equal(sched_getscheduler(tid(1)), SCHED_OTHER);
        assert_int_equal(getpriority(PRIO_PROCESS, (id_t)tid(1)), 0);
        assert_task_says(crew.pids[0], "Uid:\t65534\t65534\t65534\t65534\n");
        assert_task_says(crew.pids[0], "Gid:\t65534\t65534\t65534\t65534\n");
        assert_task_says(crew.pids[0], "Groups:\t \n");
        crew_stop(&crew);
        crew_end(&crew);
}

/* An inherited mask holds back neither the threads nor what they may ask for. */
static void keep_to_cpu0(void) {
        cpu_set_t one;

        CPU_ZERO(&one);
        CPU_SET(0, &one);
        sched_setaffinity(0, sizeof(one), &one);
}

static void test_inherited_mask_does_not_bind_threads(void **state) {
        cpu_set_t mine, threads;
        (void)state;

        assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
        crew_begin(&crew);
        crew_add(&crew, WORK_YIELD_HEAVY, 1);
        crew_start_led(&crew, "leader", keep_to_cpu0);
        crew_await_settled(&crew);
        assert_int_equal(sched_getaffinity(tid(0), sizeof(threads), &threads), 0);
        assert_true(CPU_COUNT(&threads) >= CPU_COUNT(&mine));
        crew_release(&crew);
        crew_stop(&crew);
        crew_end(&crew);
}

static void test_held_until_moved(void **state) {
        (void)state;

        crew_begin(&crew);
        crew_add(&crew, WORK_YIELD_HEAVY, 2)->held = true;
        crew_run_led(&crew, "leader"); /* fills in the pids */
        crew_stop(&crew);
        crew_end(&crew);
}

/* ---- its end ---- */

/* Also after its ids have changed, which takes the parent-death signal away. In this process's stead another
 * is the parent, and dies. */
static void test_dies_with_its_parent(void **state) {
        int status, ends[2];
        pid_t leader = 0;
        (void)state;

        if (geteuid() != 0) {
                print_message("skipped: needs root\n");
                skip();
        }
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        crew_begin(&crew);
        crew_add(&crew, WORK_YIELD_HEAVY, 2);
        crew.leader.uid = NOBODY;
        pid_t parent = fork();
        if (parent == 0) {
                crew_run_led(&crew, "leader");
                _exit(write(ends[1], &crew.pids[0], sizeof(crew.pids[0])) != sizeof(crew.pids[0]));
        }
        assert_int_equal(waitpid(parent, &status, 0), parent);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &leader, sizeof(leader)), sizeof(leader));
        await(waitpid(leader, &status, WNOHANG) == leader);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        prctl(PR_SET_CHILD_SUBREAPER, 0);
        close(ends[0]);
        close(ends[1]);
}

/* ---- refusals ---- */

static void test_refused_thread(void **state) {
        (void)state;

        crew_begin(&crew);
        WorkerContext *w = crew_add(&crew, WORK_YIELD_HEAVY, 3);
        w[1].setup.policy_set = true;
        w[1].setup.policy = 999;
        crew_start_led(&crew, "leader", NULL);
        crew_await_settled(&crew);
        ArenaSlot *slot = crew_slot(&crew, 1);
        await(atomic_load(&slot->state) == WORKER_REFUSED);
        assert_int_equal(atomic_load(&slot->setup_step), SETUP_POLICY);
        assert_int_equal(atomic_load(&slot->setup_errno), EINVAL);
        await(atomic_load(&crew.arena->settled) == 4); /* the others are not kept from it */
        assert_int_equal(atomic_load(&crew.arena->leader_state), WORKER_READY);
        assert_int_equal(waitpid(crew.pids[0], NULL, WNOHANG), 0); /* stays until it is killed */
        assert_int_equal(count_entries("task"), 4);
        crew_end(&crew);
}

static void become_nobody(void) {
        if (geteuid() == 0)
                syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
}

static void allow_no_process(void) {
        become_nobody();
        setrlimit(RLIMIT_NPROC, &(struct rlimit){ 0, 0 });
}

static void allow_few_descriptors(void) {
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 6, 6 });
}

static void test_refused_leader(void **state) {
        static const struct {
                void (*before)(void);
                SetupStep step;
                int error;
                uint32_t uid, gid;
        } cases[] = {
                { allow_few_descriptors, SETUP_PIPES, EMFILE, WORKER_KEEP_ID, WORKER_KEEP_ID },
                { allow_no_process, SETUP_THREAD, EAGAIN, WORKER_KEEP_ID, WORKER_KEEP_ID },
                { become_nobody, SETUP_UID, EPERM, 1, WORKER_KEEP_ID },
                { become_nobody, SETUP_GID, EPERM, WORKER_KEEP_ID, 1 },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                crew_begin(&crew);
                crew_add(&crew, WORK_PIPE_IO, 4);
                crew.leader.uid = cases[i].uid;
                crew.leader.gid = cases[i].gid;
                crew_start_led(&crew, "leader", cases[i].before);
                crew_await_settled(&crew);
                assert_int_equal(WEXITSTATUS(crew_reap(&crew, 0)), 1);
                assert_int_equal(atomic_load(&crew.arena->leader_state), WORKER_REFUSED);
                assert_int_equal(atomic_load(&crew.arena->leader_step), cases[i].step);
                assert_int_equal(atomic_load(&crew.arena->leader_errno), cases[i].error);
                crew_end(&crew);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_and_ids),
                cmocka_unit_test(test_every_type_works_in_a_thread),
                cmocka_unit_test(test_pairs_take_turns),
                cmocka_unit_test(test_nothing_of_the_parents_is_open),
                cmocka_unit_test(test_threads_have_their_own_setup),
                cmocka_unit_test(test_inherited_mask_does_not_bind_threads),
                cmocka_unit_test(test_held_until_moved),
                cmocka_unit_test(test_dies_with_its_parent),
                cmocka_unit_test(test_refused_thread),
                cmocka_unit_test(test_refused_leader),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
