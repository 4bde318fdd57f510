/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-crowd.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stall/proc-sched.h"
#include "wire/task-stat.h"

enum { PATIENCE_US = 60000000, AGAIN_US = 1000 };

/* ---- the tree ---- */

char *crowd_tree_new(void) {
        char *root = g_dir_make_tmp("kt-stall-XXXXXX", NULL);

        assert_non_null(root);
        return root;
}

static void remove_tree(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *below = g_build_filename(path, name, NULL);
                remove_tree(below);
        }
        remove(path);
}

void crowd_tree_free(char *root) {
        remove_tree(root);
        g_free(root);
}

void crowd_put(const char *root, const char *cgroup, const char *knob, const char *text) {
        g_autofree char *dir = g_build_filename(root, cgroup, NULL),
                        *path = g_build_filename(dir, knob, NULL);

        assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
        assert_true(g_file_set_contents(path, text, -1, NULL));
}

char *crowd_real_cgroup(void) {
        g_autofree char *mountinfo = NULL;

        assert_true(g_file_get_contents("/proc/self/mountinfo", &mountinfo, NULL, NULL));
        g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);
        for (size_t i = 0; lines[i]; i++) {
                g_auto(GStrv) fields = g_strsplit(lines[i], " ", -1);
                g_autofree char *name = g_strdup_printf("kt-stall-%d", getpid());
                char *path;
                if (!strstr(lines[i], " - cgroup2 ") || g_strv_length(fields) < 5)
                        continue;
                path = g_build_filename(fields[4], name, NULL);
                if (mkdir(path, 0755) == 0)
                        return path;
                g_free(path);
        }
        print_message("skipped: no cgroup2 is mounted here in which a directory can be made\n");
        skip();
        return NULL;
}

/* ---- tasks ---- */

static _Noreturn void be(ChildKind kind) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (kind == CHILD_STOPPED)
                raise(SIGSTOP);
        if (kind == CHILD_ASLEEP)
                for (;;)
                        pause();
        for (volatile unsigned n = 0;; n++)
                ;
}

/* A task says that it sleeps a moment before it leaves its CPU, which its counters show as a last change; of
 * its system call the kernel tells no sooner than it has left. */
static bool runs(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/syscall", pid), *text = NULL;

        return !g_file_get_contents(path, &text, NULL, NULL) || g_str_has_prefix(text, "running");
}

static void await_state(pid_t pid, char state) {
        gint64 until = g_get_monotonic_time() + PATIENCE_US;
        TaskStat s = { 0 };

        while (task_stat_read(pid, pid, &s) < 0 || s.state != state || (state != 'R' && runs(pid))) {
                if (g_get_monotonic_time() > until)
                        fail_msg("child %d is in state %c, not %c", pid, s.state, state);
                usleep(AGAIN_US);
        }
}

pid_t child_start(ChildKind kind) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0)
                be(kind);
        await_state(pid, "TSR"[kind]);
        return pid;
}

void child_end(pid_t pid) {
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

void child_stop(pid_t pid) {
        assert_int_equal(kill(pid, SIGSTOP), 0);
        await_state(pid, 'T');
}

void child_await_progress(pid_t pid) {
        gint64 until = g_get_monotonic_time() + PATIENCE_US;
        StallSample before = { 0 }, now = { 0 };

        assert_int_equal(proc_sched_read(pid, pid, &before), 0);
        do {
                if (g_get_monotonic_time() > until)
                        fail_msg("child %d does not run", pid);
                usleep(AGAIN_US);
                assert_int_equal(proc_sched_read(pid, pid, &now), 0);
        } while (now.runtime_ns == before.runtime_ns);
}

/* ---- books ---- */

GroupState *crowd_add_group(Scenario *s, const char *cgroup, unsigned n_workers) {
        GroupState *g = group_state_new(s->next_group_id++, cgroup, NULL, SLOT_STEP);
        const ArenaShape shape = { .n_workers = n_workers, .cpu_words = 1, .n_nodes = 1 };
        size_t size = arena_size(&shape);
        void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_true(arena != MAP_FAILED);
        arena_init(arena, &shape);
        group_state_add_work(g, 0, WORK_SPIN_WAIT);
        group_state_set_workers(g, n_workers);
        g->arena = arena;
        g->arena_size = size;
        for (unsigned i = 0; i < n_workers; i++)
                atomic_store(&crowd_slot(g, i)->state, WORKER_RUNNING);
        g_ptr_array_add(s->groups, g);
        if (!scenario_find_cgroup(s, cgroup))
                g_ptr_array_add(s->cgroups, cgroup_state_new(cgroup, SLOT_STEP, false));
        return g;
}

void crowd_set_task(GroupState *g, pid_t pid, pid_t tid) {
        for (unsigned i = 0; i < g->n_workers; i++) {
                atomic_store(&crowd_slot(g, i)->pid, pid);
                atomic_store(&crowd_slot(g, i)->tid, tid);
        }
}

ArenaSlot *crowd_slot(const GroupState *g, unsigned worker) {
        return arena_slot(g->arena, worker);
}

void crowd_move(const GroupState *g, unsigned worker) {
        atomic_fetch_add(&crowd_slot(g, worker)->iterations, 1);
}

void crowd_remove_group(Scenario *s, const GroupState *g) {
        assert_true(g_ptr_array_remove(s->groups, (void *)g));
}

PayloadState *crowd_add_payload(Scenario *s, const char *name, const char *cgroup, pid_t pid) {
        g_autoptr(PayloadDef) def = payload_def_new(name, "/bin/true");
        PayloadState *p = payload_state_new(s->next_payload_id++, def, cgroup);

        p->pid = pid;
        g_ptr_array_add(s->payloads, p);
        return p;
}
