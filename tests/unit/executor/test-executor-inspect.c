/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "executor-fixture.h"
#include "executor/inspect.h"

enum { PATIENCE_MS = 60000 };

static PlanBuilder b;
static WireInspected answer;

/* ---- asking ---- */

static void send_message(const Fixture *f, const void *message, size_t size) {
        assert_int_equal(send(f->socket, message, size, MSG_NOSIGNAL), size);
}

static void receive_answer(const Fixture *f, uint32_t serial) {
        struct pollfd readable = { .fd = f->socket, .events = POLLIN };

        assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
        assert_int_equal(recv(f->socket, &answer, sizeof(answer), MSG_TRUNC), sizeof(answer));
        assert_int_equal(answer.kind, WIRE_INSPECTED);
        assert_int_equal(answer.serial, serial);
}

/* The errno of the answer. */
static int ask_on(const Fixture *f, pid_t pid, pid_t tid, unsigned cpu) {
        static uint32_t serial;
        WireInspect q = { .kind = WIRE_INSPECT, .serial = ++serial, .pid = pid, .tid = tid };

        q.cpus[cpu / 64] = UINT64_C(1) << cpu % 64;
        send_message(f, &q, sizeof(q));
        receive_answer(f, serial);
        assert_int_equal(answer.pid, pid);
        assert_int_equal(answer.tid, tid);
        return answer.error;
}

static int ask(const Fixture *f, pid_t pid, pid_t tid) {
        return ask_on(f, pid, tid, 0);
}

static const WireCompetitor *find_competitor(pid_t tid) {
        for (unsigned i = 0; i < answer.n_competitors; i++)
                if (answer.competitors[i].tid == tid)
                        return &answer.competitors[i];
        return NULL;
}

/* What a test that is not allowed more than a user is may see instead. */
static bool is_refusal(int error, const char *text) {
        return (error == EPERM || error == EACCES) && !*text;
}

/* ---- places ---- */

static unsigned first_cpu(void) {
        cpu_set_t set;

        assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
                if (CPU_ISSET(cpu, &set))
                        return cpu;
        fail();
        return 0;
}

static Fixture *start(void) {
        char root[PATH_MAX];

        fixture_cgroup_path(root);
        return fixture_start(root, NULL);
}

/* Group 1, all on one CPU. */
static Fixture *start_on(unsigned cpu, uint32_t n) {
        Fixture *f = start();
        uint64_t mask[CPU_SETSIZE / 64] = { 0 };

        mask[cpu / 64] = UINT64_C(1) << cpu % 64;
        plan_begin(&b);
        WireGroupSpec *spec = plan_add_spawn(&b, "", 1, n);
        spec->n_masks = 1;
        spec->mask_words = CPU_SETSIZE / 64;
        spec->masks = plan_add_bytes(&b, mask, sizeof(mask));
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        for (uint32_t i = 0; i < n; i++)
                wait_until(atomic_load(&fixture_slot(f, 1, i)->iterations) > 0);
        return f;
}

/* ---- the task ---- */

static void test_stopped(void **state) {
        Fixture *f = start();
        (void)state;

        fixture_begin_group(f, 1);
        pid_t pid = fixture_worker_pid(f, 1, 0);
        kill(pid, SIGSTOP);
        wait_until(process_state(pid) == 'T');
        assert_int_equal(ask(f, pid, pid), 0);
        assert_true(strstr(answer.wchan, "signal_stop") || strcmp(answer.wchan, "0") == 0 ||
                    is_refusal(answer.wchan_error, answer.wchan));
        assert_true(strstr(answer.stack, "signal_stop") || is_refusal(answer.stack_error, answer.stack));
        assert_null(strstr(answer.syscall, "running"));
        assert_true(answer.syscall_error || strstr(answer.syscall, " 0x"));
        assert_null(strchr(answer.wchan, '\n'));
        kill(pid, SIGCONT);
        fixture_stop(f);
}

static void test_running(void **state) {
        Fixture *f = start();
        (void)state;

        fixture_begin_group(f, 1);
        pid_t pid = fixture_worker_pid(f, 1, 0);
        wait_until(process_state(pid) == 'R');
        assert_int_equal(ask(f, pid, pid), 0);
        assert_string_equal(answer.wchan, "0");
        assert_string_equal(answer.syscall, "running");
        fixture_stop(f);
}

/* At the gate. One that is asleep may stay on its run queue for a while (delayed dequeue, Linux 6.12), and
 * then its place is not told. */
static void test_sleeping(void **state) {
        Fixture *f = start();
        (void)state;

        plan_begin(&b);
        plan_add_spawn(&b, "", 1, 1);
        fixture_must(f, &b);
        pid_t pid = fixture_worker_pid(f, 1, 0);
        wait_until(process_state(pid) == 'S' && ask(f, pid, pid) == 0 && strcmp(answer.wchan, "0") != 0);
        assert_true(strstr(answer.wchan, "futex") || is_refusal(answer.wchan_error, answer.wchan));
        assert_true(strstr(answer.syscall, " 0x") || is_refusal(answer.syscall_error, answer.syscall));
        fixture_stop(f);
}

static void test_threads(void **state) {
        Fixture *f = start();
        (void)state;

        plan_begin(&b);
        plan_add_container(&b, "", 1, "leader", 2);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        for (uint32_t i = 0; i < 2; i++) {
                ArenaSlot *slot = fixture_slot(f, 1, i);
                wait_until(atomic_load(&slot->iterations) > 0);
                assert_int_equal(ask(f, atomic_load(&slot->pid), atomic_load(&slot->tid)), 0);
                assert_string_equal(answer.syscall, "running");
        }
        fixture_stop(f);
}

/* ---- whose it is ---- */

static void test_nobody(void **state) {
        static const pid_t tasks[][2] = { { 0, 0 },
                                          { -1, -1 },
                                          { 1, 0 },
                                          { 1, -1 },
                                          { 0, 1 },
                                          { 1 << 30, 1 << 30 },
                                          { INT32_MIN, INT32_MAX } };
        Fixture *f = start();
        (void)state;

        fixture_begin_group(f, 2);
        for (size_t i = 0; i < sizeof(tasks) / sizeof(*tasks); i++)
                assert_int_equal(ask(f, tasks[i][0], tasks[i][1]), ESRCH);
        /* a thread of another process */
        assert_int_equal(ask(f, fixture_worker_pid(f, 1, 0), fixture_worker_pid(f, 1, 1)), ESRCH);
        assert_false(*answer.wchan || *answer.syscall || *answer.stack || answer.n_rivals);
        fixture_stop(f);
}

static void test_somebody_else(void **state) {
        Fixture *f = start();
        (void)state;

        assert_int_equal(ask(f, getpid(), getpid()), EPERM);
        assert_false(*answer.wchan || *answer.syscall || *answer.stack || answer.n_rivals);
        fixture_stop(f);
}

/* As what a payload has started. */
static void test_who_lives_in_its_cgroups(void **state) {
        Fixture *f = start();
        char number[16];
        (void)state;

        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        fixture_must(f, &b);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        pause();
        }
        snprintf(number, sizeof(number), "%d", pid);
        assert_int_equal(ask(f, pid, pid), EPERM);
        write_text(below(f->root, "a/cgroup.procs"), number);
        assert_int_equal(ask(f, pid, pid), 0);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(ask(f, pid, pid), ESRCH);
        fixture_stop(f);
}

static void test_malformed(void **state) {
        Fixture *f = start();
        WireInspect q[2] = { { .kind = WIRE_INSPECT } };
        (void)state;

        send_message(f, q, sizeof(*q) - 8);
        send_message(f, q, 4);
        send_message(f, q, sizeof(q));
        assert_int_equal(ask(f, 0, 0), ESRCH); /* the first answer there is */
        fixture_stop(f);
}

/* ---- who runs there ---- */

static void test_others_on_its_cpu(void **state) {
        unsigned cpu = first_cpu();
        Fixture *f = start_on(cpu, 3);
        pid_t pid = fixture_worker_pid(f, 1, 0), other = fixture_worker_pid(f, 1, 1);
        (void)state;

        assert_int_equal(ask_on(f, pid, pid, cpu), 0);
        assert_int_equal(answer.scan_error, 0);
        assert_null(find_competitor(pid));
        assert_null(find_competitor(f->pid));
        if (answer.scan_whole) {
                const WireCompetitor *competitor = find_competitor(other);
                assert_true(answer.n_rivals >= 2);
                assert_true(competitor || answer.n_rivals > WIRE_COMPETITORS);
                if (competitor) {
                        assert_int_equal(competitor->pid, other);
                        assert_int_equal(competitor->cpu, cpu);
                        assert_int_equal(competitor->policy, SCHED_OTHER);
                        assert_int_equal(competitor->priority, 0);
                }
        }
        /* a CPU that there is not */
        assert_int_equal(ask_on(f, pid, pid, WIRE_INSPECT_WORDS * 64 - 1), 0);
        assert_int_equal(answer.n_rivals, 0);
        assert_int_equal(answer.n_competitors, 0);
        fixture_stop(f);
}

/* In the child. */
static _Noreturn void hog(unsigned cpu, int ready) {
        cpu_set_t set;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "kt-hog");
        alarm(20); /* whatever becomes of the test */
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        int error = sched_setaffinity(0, sizeof(set), &set) ||
                                    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 50 })
                            ? errno
                            : 0;
        if (write(ready, &error, sizeof(error)) != sizeof(error) || error)
                _exit(1);
        for (;;)
                ;
}

static void test_realtime_hog(void **state) {
        unsigned cpu = first_cpu();
        Fixture *f = start_on(cpu, 1);
        pid_t pid = fixture_worker_pid(f, 1, 0);
        int ready[2], error;
        (void)state;

        assert_int_equal(pipe(ready), 0);
        pid_t competitor = fork();
        assert_true(competitor >= 0);
        if (competitor == 0)
                hog(cpu, ready[1]);
        assert_int_equal(read(ready[0], &error, sizeof(error)), sizeof(error));
        int r = error ? 0 : ask_on(f, pid, pid, cpu);
        kill(competitor, SIGKILL);
        assert_int_equal(waitpid(competitor, NULL, 0), competitor);
        close(ready[0]);
        close(ready[1]);
        fixture_stop(f);
        if (error) {
                print_message("skipped: no realtime task here: %s\n", strerror(error));
                skip();
        }

        assert_int_equal(r, 0);
        const WireCompetitor *found = find_competitor(competitor);
        assert_true(found || !answer.scan_whole);
        if (found) {
                assert_int_equal(found->policy, SCHED_FIFO);
                assert_int_equal(found->priority, 50);
                assert_int_equal(found->cpu, cpu);
                assert_string_equal(found->comm, "kt-hog");
        }
}

static void test_order_of_competitors(void **state) {
        static const struct {
                uint32_t policy, priority;
                int nice;
        } best_first[] = { { 6, 0, 0 },  { 1, 99, 0 }, { 2, 50, 0 }, { 1, 1, 0 }, { 0, 0, -20 },
                           { 3, 0, -1 }, { 7, 0, 0 },  { 0, 0, 19 }, { 5, 0, 0 } };
        const unsigned n = sizeof(best_first) / sizeof(*best_first);
        WireInspected a = { 0 };
        (void)state;

        for (unsigned i = 0; i < n; i++) { /* each once, in another order */
                unsigned k = (i * 4 + 3) % n;
                inspect_add_competitor(&a, &(WireCompetitor){ .tid = (int)k + 1,
                                                              .policy = best_first[k].policy,
                                                              .priority = best_first[k].priority,
                                                              .nice = best_first[k].nice });
        }
        assert_int_equal(a.n_competitors, n);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(a.competitors[i].tid, i + 1);

        /* more than there is room for: the worst go, and of equals those that came last */
        for (int tid = 100; tid < 120; tid++)
                inspect_add_competitor(&a,
                                       &(WireCompetitor){ .tid = tid, .policy = SCHED_RR, .priority = 50 });
        assert_int_equal(a.n_rivals, n + 20);
        assert_int_equal(a.n_competitors, WIRE_COMPETITORS);
        assert_int_equal(a.competitors[2].tid, 3);
        for (unsigned i = 3; i < WIRE_COMPETITORS; i++)
                assert_int_equal(a.competitors[i].tid, 97 + i);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stopped),
                cmocka_unit_test(test_running),
                cmocka_unit_test(test_sleeping),
                cmocka_unit_test(test_threads),
                cmocka_unit_test(test_nobody),
                cmocka_unit_test(test_somebody_else),
                cmocka_unit_test(test_who_lives_in_its_cgroups),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_others_on_its_cpu),
                cmocka_unit_test(test_realtime_hog),
                cmocka_unit_test(test_order_of_competitors),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
