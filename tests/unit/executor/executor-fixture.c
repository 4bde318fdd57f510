/* SPDX-License-Identifier: GPL-2.0-only */
#include "executor-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/clock.h"

enum { PATIENCE_MS = 60000, BLOB_AT = 1 << 20, SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

uint64_t fixture_deadline(void) {
        return after_ms(PATIENCE_MS);
}

void fixture_look_again(uint64_t deadline, const char *condition) {
        if (monotonic_ns() > deadline)
                fail_msg("never came true: %s", condition);
        sched_yield();
}

/* ---- places ---- */

static bool find_cgroup2(char ret[PATH_MAX]) {
        char line[PATH_MAX], mount[PATH_MAX], type[32];
        FILE *mounts = fopen("/proc/self/mounts", "re");
        bool found = false;

        while (mounts && !found && fgets(line, sizeof(line), mounts))
                found = sscanf(line, "%*s %4095s %31s", mount, type) == 2 && strcmp(type, "cgroup2") == 0;
        if (mounts)
                fclose(mounts);
        if (found)
                strcpy(ret, mount);
        return found;
}

void fixture_cgroup_path(char ret[PATH_MAX]) {
        static unsigned n; /* one that a failed test left must not stop the next */
        char mount[PATH_MAX];

        if (!find_cgroup2(mount)) {
                print_message("skipped: no cgroup2 is mounted\n");
                skip();
        }
        assert_true(snprintf(ret, PATH_MAX, "%s/kt-test-%d-%u", mount, getpid(), n++) < PATH_MAX);
        if (mkdir(ret, 0755) < 0) {
                print_message("skipped: %s: %s\n", ret, strerror(errno));
                skip();
        }
        rmdir(ret);
}

void fixture_plain_path(char ret[PATH_MAX]) {
        strcpy(ret, "/tmp/kt-test-XXXXXX");
        assert_non_null(mkdtemp(ret));
}

const char *below(const char *root, const char *name) {
        static char paths[8][PATH_MAX + 300];
        static unsigned next;
        char *path = paths[next++ % 8];

        snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
        return path;
}

bool path_exists(const char *path) {
        return access(path, F_OK) == 0;
}

void write_text(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

void read_text(const char *path, char *ret, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                fail_msg("%s: %s", path, strerror(errno));
        size_t used = 0;
        ssize_t n;
        while (used < size - 1 && (n = read(fd, ret + used, size - 1 - used)) > 0)
                used += (size_t)n;
        ret[used] = '\0';
        close(fd);
}

void proc_text(pid_t pid, const char *file, char *ret, size_t size) {
        char path[128];
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
        read_text(path, ret, size);
}

char process_state(pid_t pid) {
        char path[64], text[512] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 'X';
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        const char *state = n > 0 ? strrchr(text, ')') : NULL;
        return state ? state[2] : 'X';
}

bool process_gone(pid_t pid) {
        char state = process_state(pid);
        return state == 'Z' || state == 'X';
}

/* ---- the process ---- */

static void refuse_syscalls(void) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                _exit(99);
}

static void enter(const char *cgroup) {
        int fd = open(below(cgroup, "cgroup.procs"), O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1)
                _exit(98);
        close(fd);
}

/* In the child. The program is opened first: the user it becomes may not reach the build directory. */
static _Noreturn void become_executor(int socket, const char *root, const FixtureOptions *o) {
        int program = open(KT_EXECUTOR_PROGRAM, O_RDONLY | O_CLOEXEC);
        char *argv[] = { "ktsetup-executor", o->delegated ? NULL : "--root", (char *)root, NULL };

        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(socket, STDIN_FILENO);
        /* As the daemon starts it: tests that count descriptors must not depend on what this shell left open.
         */
        syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        if (o->delegated)
                enter(root);
        if (o->processes)
                setrlimit(RLIMIT_NPROC, &(struct rlimit){ o->processes, o->processes });
        if (geteuid() == 0) /* something for a worker with other ids to lose */
                setgroups(2, (gid_t[]){ 3, 4 });
        if (o->uid && (setgid(o->uid) < 0 || setuid(o->uid) < 0))
                _exit(97);
        if (o->refuse_syscalls)
                refuse_syscalls();
        syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
        _exit(96);
}

Fixture *fixture_start(const char *root, const FixtureOptions *options) {
        static const FixtureOptions plain;
        Fixture *f = calloc(1, sizeof(*f));
        int pair[2];

        assert_non_null(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        snprintf(f->root, sizeof(f->root), "%s", root);
        f->socket = pair[0];
        f->pid = fork();
        assert_true(f->pid >= 0);
        if (f->pid == 0)
                become_executor(pair[1], root, options ? options : &plain);
        close(pair[1]);
        fixture_receive_one(f, NULL);
        assert_int_equal(f->hello.kind, WIRE_HELLO);
        assert_int_equal(f->hello.protocol, WIRE_PROTOCOL);
        return f;
}

int fixture_wait_end(Fixture *f, int *ret_status) {
        siginfo_t info = { 0 };

        wait_until(waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid);
        f->pid = 0;
        if (ret_status)
                *ret_status = info.si_status;
        return info.si_code;
}

void fixture_stop(Fixture *f) {
        int status;

        close(f->socket);
        f->socket = -1;
        assert_int_equal(fixture_wait_end(f, &status), CLD_EXITED);
        assert_int_equal(status, 0);
        fixture_free(f);
}

void fixture_free(Fixture *f) {
        if (f->socket >= 0)
                close(f->socket);
        for (unsigned i = 0; i < f->n_groups; i++)
                munmap(f->groups[i].arena, f->groups[i].size);
        for (unsigned i = 0; i < f->n_payloads; i++) {
                close(f->payloads[i].output);
                close(f->payloads[i].error);
        }
        if (f->status)
                munmap((void *)f->status, sizeof(*f->status));
        free(f);
}

/* ---- messages ---- */

static void *map_readonly(int fd, size_t *ret_size) {
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        /* Nobody but the executor and its workers may write there. */
        assert_ptr_equal(mmap(NULL, (size_t)st.st_size, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(p, MAP_FAILED);
        *ret_size = (size_t)st.st_size;
        close(fd);
        return p;
}

typedef union Message {
        uint32_t kind;
        WireHello hello;
        WireGroup group;
        WireExit exit;
        WireNote note;
        WireDone done;
        WirePayload payload;
        WirePayloadExit payload_exit;
} Message;

enum { FDS_MAX = 2 };

/* What does not come is -1. */
static ssize_t receive(int socket, Message *m, int ret_fds[FDS_MAX]) {
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
        } control;
        struct iovec part = { m, sizeof(*m) };
        struct msghdr header = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct pollfd readable = { .fd = socket, .events = POLLIN };

        if (poll(&readable, 1, PATIENCE_MS) != 1)
                fail_msg("the executor says nothing");
        ssize_t n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
        struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
        assert_false(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        ret_fds[0] = ret_fds[1] = -1;
        if (c)
                memcpy(ret_fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
        return n;
}

static void keep_group(Fixture *f, const WireGroup *m, int fd) {
        FixtureGroup *group = &f->groups[f->n_groups++];

        assert_true(f->n_groups <= FIXTURE_GROUPS);
        group->id = m->group_id;
        group->arena = map_readonly(fd, &group->size);
        assert_int_equal(arena_check(group->arena, group->size), 0);
}

static void keep_payload(Fixture *f, const WirePayload *m, const int fds[FDS_MAX]) {
        assert_true(f->n_payloads < FIXTURE_MESSAGES);
        assert_true(fds[0] >= 0 && fds[1] >= 0);
        f->payloads[f->n_payloads++] = (FixturePayload){ *m, fds[0], fds[1] };
}

/* Nobody ends who was not announced, and nobody twice. */
static void keep_payload_exit(Fixture *f, const WirePayloadExit *m) {
        unsigned begun = 0, ended = 0;

        for (unsigned i = 0; i < f->n_payloads; i++)
                begun += f->payloads[i].message.payload_id == m->payload_id;
        for (unsigned i = 0; i < f->n_payload_exits; i++)
                ended += f->payload_exits[i].payload_id == m->payload_id;
        assert_true(begun == ended + 1);
        assert_true(f->n_payload_exits < FIXTURE_MESSAGES);
        f->payload_exits[f->n_payload_exits++] = *m;
}

void fixture_receive_one(Fixture *f, WireDone *ret_done) {
        static Message m;
        size_t size;
        int fds[FDS_MAX];
        ssize_t n = receive(f->socket, &m, fds);

        if (n <= 0)
                fail_msg("the executor hung up");
        switch (m.kind) {
        case WIRE_HELLO:
                f->hello = m.hello;
                f->status = map_readonly(fds[0], &size);
                break;
        case WIRE_GROUP:
                keep_group(f, &m.group, fds[0]);
                break;
        case WIRE_EXIT:
                assert_true(f->n_exits < FIXTURE_MESSAGES);
                f->exits[f->n_exits++] = m.exit;
                break;
        case WIRE_NOTE:
                assert_true(f->n_notes < FIXTURE_MESSAGES);
                f->notes[f->n_notes++] = m.note;
                break;
        case WIRE_PAYLOAD:
                keep_payload(f, &m.payload, fds);
                break;
        case WIRE_PAYLOAD_EXIT:
                keep_payload_exit(f, &m.payload_exit);
                break;
        case WIRE_DONE:
                assert_non_null(ret_done);
                assert_int_equal(m.done.serial, f->serial);
                *ret_done = m.done;
                break;
        default:
                fail_msg("message of unknown kind %u", m.kind);
        }
}

WireDone fixture_await_done(Fixture *f) {
        WireDone done = { 0 };

        while (!done.kind)
                fixture_receive_one(f, &done);
        return done;
}

/* ---- plans ---- */

void plan_begin(PlanBuilder *b) {
        memset(b, 0, sizeof(*b));
        b->n_nodes = 1;
        b->stop_ms = 30000;
        b->settle_ms = 30000;
}

uint32_t plan_add_bytes(PlanBuilder *b, const void *bytes, size_t size) {
        uint32_t at = b->used;

        assert_true(at + size <= sizeof(b->blob));
        memcpy(b->blob + at, bytes, size);
        b->used = (uint32_t)(at + size + 7) / 8 * 8;
        return BLOB_AT + at;
}

WireAction *plan_add(PlanBuilder *b, ActionKind kind, const char *path, const char *value) {
        WireAction *a = &b->actions[b->n_actions++];

        a->kind = kind;
        if (path)
                a->path = plan_add_bytes(b, path, strlen(path) + 1);
        if (value)
                a->value = plan_add_bytes(b, value, strlen(value) + 1);
        return a;
}

WireAction *plan_add_for_group(PlanBuilder *b, ActionKind kind, uint32_t group_id) {
        WireAction *a = plan_add(b, kind, NULL, NULL);
        a->group_id = group_id;
        return a;
}

static WireGroupSpec *add_spec(PlanBuilder *b, uint32_t group_id, uint32_t n_workers) {
        assert_true(b->n_groups < FIXTURE_GROUPS);
        WireGroupSpec *spec = &b->groups[b->n_groups++];

        spec->group_id = group_id;
        spec->n_workers = n_workers;
        spec->work_type = WORK_SPIN_WAIT;
        spec->uid = spec->gid = WIRE_ID_KEEP;
        return spec;
}

WireGroupSpec *plan_add_spawn(PlanBuilder *b, const char *path, uint32_t group_id, uint32_t n_workers) {
        WireAction *a = plan_add(b, ACTION_SPAWN, path, NULL);

        a->group = b->n_groups;
        a->n_groups = 1;
        return add_spec(b, group_id, n_workers);
}

WireGroupSpec *plan_add_container(PlanBuilder *b, const char *path, uint32_t group_id, const char *pcomm,
                                  uint32_t n_workers) {
        WireGroupSpec *spec = plan_add_spawn(b, path, group_id, n_workers);

        snprintf(spec->pcomm, sizeof(spec->pcomm), "%s", pcomm);
        return spec;
}

WireGroupSpec *plan_add_work(PlanBuilder *b, uint32_t n_workers) {
        const WireGroupSpec *first = &b->groups[b->actions[b->n_actions - 1].group];
        WireGroupSpec *spec = add_spec(b, first->group_id, n_workers);

        b->actions[b->n_actions - 1].n_groups++;
        memcpy(spec->pcomm, first->pcomm, sizeof(spec->pcomm));
        spec->uid = first->uid;
        spec->gid = first->gid;
        spec->lasting = first->lasting;
        return spec;
}

void plan_set_type(WireGroupSpec *spec, WorkTypeId id) {
        const WorkType *type = work_type_get(id);

        spec->work_type = id;
        spec->samples = type->samples;
        for (unsigned i = 0; i < type->n_params; i++)
                spec->params[i] = type->params[i].fallback;
}

void plan_add_end(PlanBuilder *b, uint32_t group_id) {
        plan_add_for_group(b, ACTION_STOP, group_id);
        plan_add_for_group(b, ACTION_COLLECT, group_id);
}

static void shift(uint32_t *offset, uint32_t blob_at) {
        if (*offset)
                *offset = *offset - BLOB_AT + blob_at;
}

/* The offsets of a list of texts lie among the bytes. */
static void shift_texts(char *bytes, WireTexts *texts, uint32_t blob_at) {
        if (texts->n == 0)
                return;
        shift(&texts->offsets, blob_at);
        for (uint32_t i = 0; i < texts->n; i++)
                shift((uint32_t *)(bytes + texts->offsets) + i, blob_at);
}

static void shift_payload(char *bytes, WirePayloadSpec *p, uint32_t blob_at) {
        shift(&p->exec, blob_at);
        shift(&p->cookie, blob_at);
        shift(&p->directory, blob_at);
        shift(&p->groups, blob_at);
        shift_texts(bytes, &p->argv, blob_at);
        shift_texts(bytes, &p->environment, blob_at);
}

WirePlan *plan_finish(const PlanBuilder *b, size_t *ret_size) {
        uint32_t actions = (sizeof(WirePlan) + 7) / 8 * 8;
        uint32_t groups = actions + b->n_actions * (uint32_t)sizeof(WireAction);
        uint32_t payloads = groups + b->n_groups * (uint32_t)sizeof(WireGroupSpec);
        uint32_t blob = (payloads + b->n_payloads * (uint32_t)sizeof(WirePayloadSpec) + 7) / 8 * 8;
        char *bytes = calloc(1, blob + b->used);
        WirePlan *plan = (WirePlan *)bytes;

        assert_non_null(plan);
        *plan = (WirePlan){ .magic = WIRE_PLAN_MAGIC,
                            .size = blob + b->used,
                            .n_actions = b->n_actions,
                            .n_groups = b->n_groups,
                            .n_payloads = b->n_payloads,
                            .actions = actions,
                            .groups = groups,
                            .payloads = payloads,
                            .n_nodes = b->n_nodes,
                            .stop_ms = b->stop_ms,
                            .settle_ms = b->settle_ms };
        memcpy(bytes + actions, b->actions, b->n_actions * sizeof(WireAction));
        memcpy(bytes + groups, b->groups, b->n_groups * sizeof(WireGroupSpec));
        memcpy(bytes + payloads, b->payloads, b->n_payloads * sizeof(WirePayloadSpec));
        memcpy(bytes + blob, b->blob, b->used);
        for (unsigned i = 0; i < b->n_actions; i++) {
                WireAction *a = (WireAction *)(bytes + actions) + i;
                shift(&a->path, blob);
                shift(&a->value, blob);
        }
        for (unsigned i = 0; i < b->n_groups; i++) {
                WireGroupSpec *g = (WireGroupSpec *)(bytes + groups) + i;
                shift(&g->masks, blob);
                shift(&g->nodes, blob);
        }
        for (unsigned i = 0; i < b->n_payloads; i++)
                shift_payload(bytes, (WirePayloadSpec *)(bytes + payloads) + i, blob);
        *ret_size = plan->size;
        return plan;
}

static void send_bytes(Fixture *f, const void *bytes, size_t size, unsigned seals) {
        WireSubmit submit = { WIRE_SUBMIT, ++f->serial };
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec part = { &submit, sizeof(submit) };
        struct msghdr header = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, size), size);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS,
                               .cmsg_len = CMSG_LEN(sizeof(fd)) };
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
        assert_int_equal(sendmsg(f->socket, &header, MSG_NOSIGNAL), sizeof(submit));
        close(fd);
}

WireDone fixture_run_bytes(Fixture *f, const void *bytes, size_t size, unsigned seals) {
        send_bytes(f, bytes, size, seals);
        return fixture_await_done(f);
}

void fixture_submit(Fixture *f, const PlanBuilder *b) {
        size_t size;
        WirePlan *plan = plan_finish(b, &size);

        send_bytes(f, plan, size, SEALS);
        free(plan);
}

WireDone fixture_run(Fixture *f, const PlanBuilder *b) {
        fixture_submit(f, b);
        return fixture_await_done(f);
}

/* ---- looking ---- */

ArenaHead *fixture_arena(const Fixture *f, uint32_t group_id) {
        for (unsigned i = f->n_groups; i-- > 0;)
                if (f->groups[i].id == group_id)
                        return f->groups[i].arena;
        fail_msg("group %u was never announced", group_id);
        return NULL;
}

ArenaSlot *fixture_slot(const Fixture *f, uint32_t group_id, uint32_t worker) {
        return arena_slot(fixture_arena(f, group_id), worker);
}

pid_t fixture_worker_pid(const Fixture *f, uint32_t group_id, uint32_t worker) {
        return atomic_load(&fixture_slot(f, group_id, worker)->pid);
}

/* The path of cgroup `name` of the test as /proc shows it. */
void fixture_assert_in_cgroup(const Fixture *f, const char *cgroup_text, const char *name) {
        const char *own = strrchr(f->root, '/');
        size_t length = strlen(own) + 1 + strlen(name), have = strlen(cgroup_text);

        assert_true(have >= length);
        assert_string_equal(cgroup_text + have - length + strlen(own) + 1, name);
        assert_memory_equal(cgroup_text + have - length, own, strlen(own));
}

void fixture_assert_worker_in(const Fixture *f, uint32_t group, uint32_t worker, const char *name) {
        char text[4096];

        proc_text(fixture_worker_pid(f, group, worker), "cgroup", text, sizeof(text));
        text[strlen(text) - 1] = '\0';
        fixture_assert_in_cgroup(f, strstr(text, "0::"), name);
        fixture_assert_in_cgroup(f, fixture_slot(f, group, worker)->cgroup, name);
}

void fixture_begin_group(Fixture *f, uint32_t n) {
        static PlanBuilder b;

        plan_begin(&b);
        plan_add(&b, ACTION_MKDIR, "a", NULL);
        plan_add(&b, ACTION_MKDIR, "a/b", NULL);
        plan_add_spawn(&b, "a/b", 1, n);
        plan_add_for_group(&b, ACTION_RELEASE, 1);
        fixture_must(f, &b);
        for (uint32_t i = 0; i < n; i++)
                wait_until(atomic_load(&fixture_slot(f, 1, i)->iterations) > 0);
}

unsigned fixture_descriptors(const Fixture *f) {
        char path[64];
        unsigned n = 0;

        wait_until(process_state(f->pid) == 'S'); /* has closed what its last message was about */
        snprintf(path, sizeof(path), "/proc/%d/fd", f->pid);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n - 2; /* "." and ".." */
}

static unsigned numbers_in(const char *text, pid_t *ret, unsigned room) {
        unsigned n = 0;
        int length;

        for (pid_t number; sscanf(text, "%d%n", &number, &length) == 1; text += length, n++)
                if (n < room)
                        ret[n] = number;
        return n;
}

unsigned fixture_children(const Fixture *f) {
        char path[32], text[1 << 16];

        snprintf(path, sizeof(path), "task/%d/children", f->pid);
        proc_text(f->pid, path, text, sizeof(text));
        return numbers_in(text, NULL, 0);
}

unsigned fixture_listed(const Fixture *f, const char *file, pid_t *ret, unsigned room) {
        char text[1 << 12];

        read_text(below(f->root, file), text, sizeof(text));
        return numbers_in(text, ret, room);
}
