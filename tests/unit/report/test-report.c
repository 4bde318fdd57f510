/* SPDX-License-Identifier: GPL-2.0-only */

/* What callers see, as JSON, from books and arenas made by hand. */

#include <signal.h>
#include <sys/mman.h>

#include "plan-fixture.h"
#include "report/report.h"

static void check_json(JsonNode *got, const char *expected, int line) {
        g_autoptr(JsonNode) want = json_quoted(expected);

        if (!json_node_equal(got, want)) {
                g_autofree char *text = json_to_string(got, TRUE);
                fail_msg("line %d: got\n%s", line, text);
        }
}
#define assert_json(node, expected) check_json((node), (expected), __LINE__)

static JsonNode *take(JsonObject *object) {
        JsonNode *node = json_node_init_object(json_node_alloc(), object);

        json_object_unref(object);
        return node;
}

/* ---- arenas ---- */

/* Two words of CPUs, four nodes, and three slices for each worker of the backdrop. */
static ArenaHead *new_arena(GroupState *g, unsigned samples) {
        ArenaShape shape = { .n_workers = g->n_workers,
                             .cpu_words = 2,
                             .samples = samples,
                             .n_nodes = 4,
                             .n_phases = g->slot == SLOT_BACKDROP ? 3 : 0,
                             .leader = g->pcomm != NULL };
        ArenaHead *arena;

        g->arena_size = arena_size(&shape);
        arena = mmap(NULL, g->arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(arena, MAP_FAILED);
        arena_init(arena, &shape);
        g->arena = arena;
        return arena;
}

static ArenaSlot *finished_worker(ArenaHead *arena, unsigned index) {
        ArenaSlot *s = arena_slot(arena, index);
        _Atomic uint64_t *cpus = arena_cpus(arena, s, NULL), *pages = arena_numa_pages(arena, s, NULL);

        s->pid = 100 + index;
        s->tid = 100 + index;
        s->state = WORKER_FINISHED;
        s->exit_kind = WORKER_EXIT_CODE;
        s->iterations = 7;
        s->work_units = 7000;
        s->wall_ns = 5000;
        s->cpu_ns = 3000;
        s->schedstat_valid = 1;
        s->run_delay_ns = 11;
        s->run_count = 12;
        s->sched_cpu_ns = 13;
        s->migrations = 1;
        s->migration_log[0] = (Migration){ .at_ns = 900, .from_cpu = 1, .to_cpu = 65 };
        s->max_gap_ns = 2999999;
        s->max_gap_at_ns = 5000000;
        s->max_gap_cpu = 65;
        s->max_gap_wall_ns = 8999999;
        s->numa_pages_valid = 1;
        s->numa_migrated_valid = 1;
        s->numa_migrated = 21;
        cpus[0] = 2;
        cpus[1] = 2;
        pages[1] = 300;
        pages[3] = 4;
        strcpy(s->cgroup, "0::/r/a");
        return s;
}

static ArenaSlot *killed_worker(ArenaHead *arena, unsigned index, WorkerExit kind, int value) {
        ArenaSlot *s = arena_slot(arena, index);

        s->pid = 100 + index;
        s->state = WORKER_RUNNING;
        s->exit_kind = kind;
        s->exit_value = value;
        s->iterations = 5;
        s->work_units = 50;
        s->wall_ns = 77; /* whatever is there, only the end makes it true */
        strcpy(s->cgroup, "0::/r/a");
        return s;
}

/* A cgroup `a`; its last group. */
static GroupState *group_in(Desk *d, Slot slot, const char *body) {
        g_autofree char *list = g_strdup_printf("[{'name':'a',%s}]", body);

        desk_has(d, slot, list);
        return d->scenario->groups->pdata[d->scenario->groups->len - 1];
}

static GroupState *group_on_desk(Desk *d, const char *body) {
        return group_in(d, SLOT_STEP, body);
}

/* The node at "0.workers.1" of the first cgroup's works. */
static JsonNode *in_works(JsonNode *report, const char *path) {
        JsonNode *node = json_object_get_member(
                json_array_get_object_element(
                        json_object_get_array_member(json_node_get_object(report), "cgroups"), 0),
                "works");
        g_auto(GStrv) steps = g_strsplit(path, ".", -1);

        for (char **step = steps; node && *step; step++)
                node = JSON_NODE_HOLDS_ARRAY(node)
                               ? json_array_get_element(json_node_get_array(node), (guint)atoi(*step))
                               : json_object_get_member(json_node_get_object(node), *step);
        if (!node)
                fail_msg("there is no %s", path);
        return node;
}

#define FINISHED                                                                                             \
        "{'tid':100,'completed':true,'exit_info':null,'iterations':7,'work_units':7000,"                     \
        "'wall_time_ns':5000,'cpu_time_ns':3000,'off_cpu_ns':2000,'schedstat_run_delay_ns':11,"              \
        "'schedstat_run_count':12,'schedstat_cpu_time_ns':13,'migration_count':1,"                           \
        "'migrations':[{'at_ns':900,'from_cpu':1,'to_cpu':65}],'cpus_used':'1,65','max_gap_ms':2,"           \
        "'max_gap_cpu':65,'max_gap_at_ms':5,'max_gap_wall_ms':8,'numa_pages':{'1':300,'3':4},"               \
        "'vmstat_numa_pages_migrated':21,'born_in':'0::/r/a'}"

#define KILLED(tid, kind, value)                                                                             \
        "{'tid':" tid ",'completed':false,'exit_info':{'kind':'" kind "','value':" value "},"                \
        "'iterations':5,'work_units':50,'wall_time_ns':null,'cpu_time_ns':null,'off_cpu_ns':null,"           \
        "'schedstat_run_delay_ns':null,'schedstat_run_count':null,'schedstat_cpu_time_ns':null,"             \
        "'migration_count':0,'migrations':[],'cpus_used':'','max_gap_ms':0,'max_gap_cpu':0,"                 \
        "'max_gap_at_ms':0,'max_gap_wall_ms':0,'numa_pages':null,'vmstat_numa_pages_migrated':null,"         \
        "'born_in':'0::/r/a'}"

static GPtrArray *warned(const char *text) {
        GPtrArray *warnings = g_ptr_array_new();

        g_ptr_array_add(warnings, (char *)text);
        return warnings;
}

/* ---- the report of a slot ---- */

static void workers_and_their_ends(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_on_desk(d, "'cpuset':'cpus:0-2','works':[{'workers':4}]");
        ArenaHead *arena = new_arena(g, 0);
        g_autoptr(GPtrArray) warnings = warned("careful");

        finished_worker(arena, 0);
        killed_worker(arena, 1, WORKER_EXIT_SIGNAL, SIGSEGV);
        killed_worker(arena, 2, WORKER_EXIT_CODE, 1);
        killed_worker(arena, 3, WORKER_EXIT_DEADLINE, SIGKILL);
        d->scenario->step_index = 4;
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_STEP, warnings);
        assert_json(
                report,
                "{'scenario':'desk','step_index':4,'cgroups':[{'name':'a','slot':'step','cpuset':'0-2',"
                "'works':[{'work_index':0,'work_type':'SpinWait','placement':'born','cpus':'0-2','"
                "workers':[" FINISHED
                "," KILLED("101", "signaled", "11") "," KILLED("102", "exited", "1") "," KILLED(
                        "103", "deadline", "9") "]}]}],'payloads':[],'stalls':[],'warnings':['careful']}");
        g_autoptr(JsonNode) summary = take(report_summary(d->scenario, SLOT_STEP, warnings));
        assert_json(summary, "{'step_index':4,'cgroups':1,'workers':4,'completed':1,'killed':3,"
                             "'iterations':22,'work_units':7150,'payloads':0,'payloads_failed':0,'stalls':0,'"
                             "stalls_failed':0,"
                             "'passed':true,'failures':[],'warnings':['careful']}");
}

/* Values below 64 ns have a bucket each, so everything is exact. */
static void histograms(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_on_desk(d, "'works':[{'work_type':'Bursty'}]");
        ArenaHead *arena = new_arena(g, SAMPLE_WAKE_LATENCY);
        Histogram *h;

        finished_worker(arena, 0);
        h = arena_histogram(arena, arena_slot(arena, 0), NULL, SAMPLE_WAKE_LATENCY);
        for (unsigned i = 0; i < 90; i++)
                histogram_record(h, 10);
        for (unsigned i = 0; i < 9; i++)
                histogram_record(h, 40);
        histogram_record(h, 60);
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_STEP, NULL);
        /* 90 x 10 + 9 x 40 + 60 = 1320; ranks 50, 90, 99 and 100 of 100 */
        assert_json(in_works(report, "0.workers.0.wake_latency_ns"),
                    "{'count':100,'mean':13,'p50':10,'p90':10,'p99':40,'p999':60,'max':60}");
        assert_json(in_works(report, "0.work_type"), "'Bursty'");
}

/* Without observations there is a count, and no number that would be read as a latency of zero. */
static void empty_histogram(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_on_desk(d, "'works':[{'work_type':'Bursty'}]");

        finished_worker(new_arena(g, SAMPLE_WAKE_LATENCY), 0);
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_STEP, NULL);
        g_autofree char *text = json_to_string(report, FALSE);
        assert_non_null(strstr(text, "\"wake_latency_ns\":{\"count\":0}"));
}

/* More migrations than the log holds: the count goes on. */
static void many_migrations(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_on_desk(d, "'works':[{}]");

        finished_worker(new_arena(g, 0), 0)->migrations = ARENA_MIGRATIONS + 44;
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_STEP, NULL);
        g_autofree char *text = json_to_string(report, FALSE);
        g_auto(GStrv) entries = g_strsplit(text, "\"at_ns\"", -1);
        assert_non_null(strstr(text, "\"migration_count\":300,"));
        assert_int_equal(g_strv_length(entries) - 1, ARENA_MIGRATIONS);
}

/* A step's report has what ends with the step; a teardown's has everything. Parents made on the way are
 * nobody's. */
static void slots(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_has(d, SLOT_BACKDROP, "[{'name':'p/back'}]");
        desk_has(d, SLOT_STEP, "[{'name':'step','works':[{},{'workers':2}]}]");
        g_autoptr(JsonNode) step = report_slot(d->scenario, SLOT_STEP, NULL);
        assert_json(step,
                    "{'scenario':'desk','step_index':0,'cgroups':[{'name':'step','slot':'step',"
                    "'cpuset':'','works':["
                    "{'work_index':0,'work_type':'SpinWait','placement':'born','cpus':'0-3','workers':[]},"
                    "{'work_index':1,'work_type':'SpinWait','placement':'born','cpus':'0-3','workers':[]}]}],"
                    "'payloads':[],'stalls':[],'warnings':[]}");
        g_autoptr(JsonNode) all = report_slot(d->scenario, SLOT_BACKDROP, NULL);
        JsonArray *cgroups = json_object_get_array_member(json_node_get_object(all), "cgroups");
        assert_int_equal(json_array_get_length(cgroups), 2);
        assert_string_equal(json_object_get_string_member(json_array_get_object_element(cgroups, 0), "slot"),
                            "backdrop");
        g_autoptr(JsonNode) summary = take(report_summary(d->scenario, SLOT_BACKDROP, NULL));
        assert_json(summary, "{'step_index':0,'cgroups':2,'workers':0,'completed':0,'killed':0,"
                             "'iterations':0,'work_units':0,'payloads':0,'payloads_failed':0,"
                             "'stalls':0,'stalls_failed':0,'passed':true,'failures':[],'warnings':[]}");
}

/* ---- stalls ---- */

static void add_stall(Scenario *s, bool fails, const char *line, const char *record) {
        g_autoptr(JsonNode) node = json_quoted(record);

        scenario_add_stall(s, fails, g_strdup(line), json_object_ref(json_node_get_object(node)));
}

/* All are told in the order of their detection; those that fail the step are its failures. */
static void stalls(void **state G_GNUC_UNUSED) {
        static const char *const told = "[{'pid':7,'class':'sleeping'},{'pid':8,'class':'starved'}]";
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        const Slot slots[] = { SLOT_STEP, SLOT_BACKDROP };

        add_stall(d->scenario, false, "it sleeps", "{'pid':7,'class':'sleeping'}");
        add_stall(d->scenario, true, "it starves", "{'pid':8,'class':'starved'}");
        for (size_t i = 0; i < G_N_ELEMENTS(slots); i++) {
                g_autoptr(JsonNode) report = report_slot(d->scenario, slots[i], NULL);
                g_autoptr(JsonNode) summary = take(report_summary(d->scenario, slots[i], NULL));
                assert_json(json_object_get_member(json_node_get_object(report), "stalls"), told);
                assert_json(summary, "{'step_index':0,'cgroups':0,'workers':0,'completed':0,'killed':0,"
                                     "'iterations':0,'work_units':0,'payloads':0,'payloads_failed':0,"
                                     "'stalls':2,'stalls_failed':1,"
                                     "'passed':false,'failures':['it starves'],'warnings':[]}");
        }
        g_autoptr(JsonNode) live = report_state(d->scenario, "/r");
        assert_json(json_object_get_member(json_node_get_object(live), "stalls"), told);
}

/* What stalled and is to fail nothing leaves the step as it is. */
static void stalls_that_fail_nothing(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        add_stall(d->scenario, false, "it sleeps", "{'pid':7}");
        g_autoptr(JsonNode) summary = take(report_summary(d->scenario, SLOT_STEP, NULL));
        JsonObject *o = json_node_get_object(summary);
        assert_true(json_object_get_boolean_member(o, "passed"));
        assert_int_equal(json_object_get_int_member(o, "stalls"), 1);
        assert_int_equal(json_object_get_int_member(o, "stalls_failed"), 0);
        assert_int_equal(json_array_get_length(json_object_get_array_member(o, "failures")), 0);
}

/* ---- works and containers ---- */

/* Works come in the order of the definition, though leaders are started last. Each has the histograms of its
 * own type, though the container's arena has those of all. */
static void works_in_their_order(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *path, *expected;
        } cases[] = {
                { "0.work_index", "0" },
                { "0.work_type", "'SpinWait'" },
                { "0.pcomm", "'p'" },
                { "0.leader_pid", "40" },
                { "0.cpus", "'0-3'" },
                { "0.workers.0.tid", "41" },
                { "1.work_index", "1" },
                { "1.work_type", "'YieldHeavy'" },
                { "1.workers.0.tid", "100" },
                { "2.work_index", "2" },
                { "2.work_type", "'Bursty'" },
                { "2.pcomm", "'p'" },
                { "2.leader_pid", "40" },
                { "2.cpus", "'0'" },
                { "2.workers.0.tid", "42" },
                { "2.workers.1.tid", "40" }, /* told none: its process */
                { "2.workers.1.wake_latency_ns", "{'count':0}" },
        };
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *container = group_on_desk(d, "'works':[{'pcomm':'p'},{'work_type':'YieldHeavy'},"
                                                 "{'pcomm':'p','work_type':'Bursty','workers':2,"
                                                 "'affinity':'single'}]");
        ArenaHead *arena = new_arena(container, SAMPLE_WAKE_LATENCY);

        finished_worker(new_arena(d->scenario->groups->pdata[0], 0), 0);
        for (unsigned i = 0; i < 3; i++) {
                finished_worker(arena, i)->pid = 40;
                arena_slot(arena, i)->tid = i < 2 ? 41 + (int)i : 0;
        }
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_STEP, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                assert_json(in_works(report, cases[i].path), cases[i].expected);
        assert_false(json_object_has_member(json_node_get_object(in_works(report, "0.workers.0")),
                                            "wake_latency_ns"));
        for (unsigned i = 0; i < 2; i++)
                assert_false(json_object_has_member(json_node_get_object(in_works(report, "1")),
                                                    i ? "leader_pid" : "pcomm"));
        g_autoptr(JsonNode) summary = take(report_summary(d->scenario, SLOT_STEP, NULL));
        assert_int_equal(json_object_get_int_member(json_node_get_object(summary), "workers"), 4);
}

/* A worker is told as its own work counts it. */
static void ends_of_threads(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g =
                group_on_desk(d, "'works':[{},{'pcomm':'p','workers':2},{'pcomm':'p','work_type':'Bursty'}]");
        WireExit e = { .worker = 1, .exit_kind = WORKER_EXIT_SIGNAL, .exit_value = SIGKILL };

        g_autoptr(JsonNode) first = take(report_exit(g, &e));
        assert_json(first, "{'kind':'signaled','value':9,'worker':1,'work_index':1,'work_type':'SpinWait',"
                           "'pcomm':'p'}");
        e.worker = 2;
        g_autoptr(JsonNode) second = take(report_exit(g, &e));
        assert_json(second, "{'kind':'signaled','value':9,'worker':0,'work_index':2,'work_type':'Bursty',"
                            "'pcomm':'p'}");
        e.worker = 3;
        assert_null(report_exit(g, &e)); /* no such slot */
        e = (WireExit){ .exit_kind = WORKER_EXIT_NONE };
        assert_null(report_exit(g, &e));
        e.exit_kind = WORKER_EXIT_CODE;
        g_autoptr(JsonNode) process = take(report_exit(d->scenario->groups->pdata[0], &e));
        assert_json(process, "{'kind':'exited','value':0,'worker':0,'work_index':0,'work_type':'SpinWait'}");
}

/* ---- phases ---- */

static void close_phase(ArenaHead *arena, ArenaSlot *slot, unsigned index, uint32_t phase) {
        PhaseSlice *slice = arena_slice(arena, slot, index);

        *slice = (PhaseSlice){ .phase = phase,
                               .wall_ns = 100,
                               .cpu_ns = 60,
                               .iterations = 3,
                               .work_units = 30,
                               .migrations = 2,
                               .max_gap_ns = 4000000,
                               .max_gap_wall_ns = 6000000,
                               .max_gap_cpu = 1,
                               .run_delay_ns = 8,
                               .sched_cpu_ns = 9,
                               .numa_migrated = 5,
                               .schedstat_valid = index == 0,
                               .numa_pages_valid = index == 0,
                               .numa_migrated_valid = index == 0 };
        arena_cpus(arena, slot, slice)[1] = 1;
        arena_numa_pages(arena, slot, slice)[2] = 17;
        histogram_record(arena_histogram(arena, slot, slice, SAMPLE_WAKE_LATENCY), 10 + index);
}

#define SLICE(phase, delay, cpu, pages, migrated, sample)                                                    \
        "{'phase':" phase ",'wall_time_ns':100,'cpu_time_ns':60,'off_cpu_ns':40,'iterations':3,"             \
        "'work_units':30,'migration_count':2,'max_gap_ms':4,'max_gap_wall_ms':6,'max_gap_cpu':1,"            \
        "'schedstat_run_delay_ns':" delay ",'schedstat_cpu_time_ns':" cpu ",'cpus_used':'64',"               \
        "'numa_pages':" pages ",'vmstat_numa_pages_migrated':" migrated ","                                  \
        "'wake_latency_ns':{'count':1,'mean':" sample ",'p50':" sample ",'p90':" sample ",'p99':" sample     \
        ",'p999':" sample ",'max':" sample "}}"

static void phase_slices(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_in(d, SLOT_BACKDROP, "'works':[{'work_type':'Bursty','workers':3}]");
        ArenaHead *arena = new_arena(g, SAMPLE_WAKE_LATENCY);
        ArenaSlot *closed = finished_worker(arena, 0), *more = finished_worker(arena, 1);

        finished_worker(arena, 2);
        close_phase(arena, closed, 0, 1);
        close_phase(arena, closed, 1, PHASE_BETWEEN);
        closed->phases = 2;
        for (unsigned i = 0; i < 3; i++)
                close_phase(arena, more, i, i);
        more->phases = 70; /* what does not fit is counted */
        g_autoptr(JsonNode) report = report_slot(d->scenario, SLOT_BACKDROP, NULL);
        assert_json(in_works(report, "0.workers.0.phase_slices"),
                    "[" SLICE("1", "8", "9", "{'2':17}", "5", "10") "," SLICE("null", "null", "null", "null",
                                                                              "null", "11") "]");
        assert_false(json_object_has_member(json_node_get_object(in_works(report, "0.workers.0")),
                                            "phases_closed"));
        assert_int_equal(
                json_array_get_length(json_node_get_array(in_works(report, "0.workers.1.phase_slices"))), 3);
        assert_json(in_works(report, "0.workers.1.phase_slices.2.phase"), "2");
        assert_json(in_works(report, "0.workers.1.phases_closed"), "70");
        assert_json(in_works(report, "0.workers.2.phase_slices"), "[]");
}

/* ---- the state ---- */

static const char *const STATES[] = { "unborn", "born", "ready", "refused", "running", "finished" };

static void live_workers(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_on_desk(d, "'pids':{'max':9},'cpu':{'weight':50},'works':[{'workers':7}]");
        ArenaHead *arena = new_arena(g, 0);
        g_autoptr(GString) workers = g_string_new(NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(STATES); i++) {
                ArenaSlot *s = arena_slot(arena, i);
                s->pid = 100 + i;
                s->state = i;
                s->iterations = i;
                s->work_units = 10 * i;
                g_string_append_printf(workers, "{'pid':%u,'state':'%s','iterations':%u,'work_units':%u},",
                                       100 + i, STATES[i], i, 10 * i);
        }
        killed_worker(arena, 6, WORKER_EXIT_SIGNAL, SIGKILL);
        arena_slot(arena, 0)->placement = PLACEMENT_MOVED;
        g_autofree char *expected = g_strdup_printf(
                "{'scenario':'desk','step_index':0,'cgroup_root':'/r','cgroups':[{'name':'a','slot':'step',"
                "'cpuset':'','path':'/r/a','limits':{'cpu.weight':'50','cpu.max':'max 100000',"
                "'pids.max':'9'},'works':[{'work_index':0,'work_type':'SpinWait','placement':'moved','cpus':'"
                "0-3',"
                "'workers':[%s{'pid':106,'state':'killed','iterations':5,'work_units':50}]}]}],'payloads':[]"
                ",'stalls':[]}",
                workers->str);
        g_autoptr(JsonNode) got = report_state(d->scenario, "/r");
        assert_json(got, expected);
}

/* A thread has a tid of its own beside the process it belongs to. */
static void live_threads(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        ArenaHead *arena = new_arena(group_on_desk(d, "'works':[{'workers':2,'pcomm':'p'}]"), 0);

        for (unsigned i = 0; i < 2; i++) {
                arena_slot(arena, i)->pid = 40;
                arena_slot(arena, i)->tid = 40 + (int)i;
                arena_slot(arena, i)->state = WORKER_RUNNING;
        }
        g_autoptr(JsonNode) got = report_state(d->scenario, "/r");
        assert_json(in_works(got, "0"),
                    "{'work_index':0,'work_type':'SpinWait','placement':'born','cpus':'0-3','pcomm':'p',"
                    "'leader_pid':40,'workers':["
                    "{'pid':40,'state':'running','iterations':0,'work_units':0},"
                    "{'pid':40,'tid':41,'state':'running','iterations':0,'work_units':0}]}");
}

/* A counter beyond JSON's integers stays at the largest of them. */
static void huge_counters(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        GroupState *g = group_on_desk(d, "'works':[{}]");

        finished_worker(new_arena(g, 0), 0)->work_units = UINT64_MAX;
        g_autoptr(JsonNode) summary = take(report_summary(d->scenario, SLOT_STEP, NULL));
        assert_int_equal(json_object_get_int_member(json_node_get_object(summary), "work_units"), INT64_MAX);
}

/* ---- what a set-up call answers ---- */

#define TWO "{'work_index':0,'work_type':'SpinWait','workers':2,'cpus':'1-2'}"

static void dry_run(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        d->scenario->step_index = 3; /* one that left nothing */
        desk_must_plan(d, SLOT_BACKDROP,
                       "[{'name':'x'},{'name':'p/a','cpuset':'cpus:1-2','works':[{'workers':2}]}]", __LINE__);
        g_autoptr(JsonNode) answer =
                take(report_definition(d->plan, &d->context, d->defs->pdata[1], 1, true));
        assert_json(answer,
                    "{'name':'p/a','path':'/r/p/a','target':'backdrop','cpuset':'1-2',"
                    "'works':[{'work_index':0,'work_type':'SpinWait','workers':2,'cpus':'1-2'}],'actions':["
                    "{'action':'enable','path':'/r/cgroup.subtree_control','value':'+cpuset'},"
                    "{'action':'mkdir','path':'/r/p'},"
                    "{'action':'enable','path':'/r/p/cgroup.subtree_control','value':'+cpuset'},"
                    "{'action':'mkdir','path':'/r/p/a'},"
                    "{'action':'write','path':'/r/p/a/cpuset.cpus','value':'1-2'},"
                    "{'action':'spawn','path':'/r/p/a','works':[" TWO "]},"
                    "{'action':'phase'},"
                    "{'action':'release','path':'/r/x','works':["
                    "{'work_index':0,'work_type':'SpinWait','workers':1,'cpus':'0-3'}]},"
                    "{'action':'release','path':'/r/p/a','works':[" TWO "]}]}");
}

static void carried_out(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_STEP, "[{'name':'a','works':[{'workers':2}]}]", __LINE__);
        PlanGroup *group = d->plan->groups->pdata[0];
        ArenaHead *arena = new_arena(group->state, 0);
        arena_slot(arena, 0)->pid = 41;
        arena_slot(arena, 1)->pid = 42;
        g_autoptr(JsonNode) answer =
                take(report_definition(d->plan, &d->context, d->defs->pdata[0], 0, false));
        assert_json(answer, "{'name':'a','path':'/r/a','target':'step','cpuset':'','works':[{"
                            "'work_index':0,'work_type':'SpinWait','workers':2,'cpus':'0-3','pids':[41,42],"
                            "'placement':'born'}]}");
}

static void carried_out_with_a_leader(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);
        PlanGroup *process, *container;
        ArenaHead *arena;

        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','works':[{'workers':2,'pcomm':'p'},{},{'pcomm':'p','workers':1}]}]",
                       __LINE__);
        process = d->plan->groups->pdata[0];
        container = d->plan->groups->pdata[1];
        arena_slot(new_arena(process->state, 0), 0)->pid = 39;
        arena = new_arena(container->state, 0);
        for (unsigned i = 0; i < 3; i++) {
                arena_slot(arena, i)->pid = 40;
                arena_slot(arena, i)->tid = 41 + (int)i;
        }
        g_autoptr(JsonNode) answer =
                take(report_definition(d->plan, &d->context, d->defs->pdata[0], 0, false));
        assert_json(json_object_get_member(json_node_get_object(answer), "works"),
                    "[{'work_index':0,'work_type':'SpinWait','workers':2,'cpus':'0-3','pcomm':'p',"
                    "'pids':[40],'tids':[41,42],'placement':'born'},"
                    "{'work_index':1,'work_type':'SpinWait','workers':1,'cpus':'0-3','pids':[39],"
                    "'placement':'born'},"
                    "{'work_index':2,'work_type':'SpinWait','workers':1,'cpus':'0-3','pcomm':'p',"
                    "'pids':[40],'tids':[43],'placement':'born'}]");
}

static void dry_run_with_a_leader(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(ONE_LLC_4);

        desk_must_plan(d, SLOT_STEP,
                       "[{'name':'a','works':[{'workers':2,'pcomm':'p'},{},"
                       "{'pcomm':'p','work_type':'Bursty','affinity':'single'}]}]",
                       __LINE__);
        g_autoptr(JsonArray) actions = plan_actions_to_json(d->plan, &d->context, 0);
        assert_json(json_array_get_element(actions, 2),
                    "{'action':'spawn','path':'/r/a','pcomm':'p','works':["
                    "{'work_index':0,'work_type':'SpinWait','workers':2,'cpus':'0-3'},"
                    "{'work_index':2,'work_type':'Bursty','workers':1,'cpus':'0'}]}");
        assert_json(json_array_get_element(actions, 3), "{'action':'phase','phase':1}");
}

/* ---- the machine ---- */

static void topology(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine("numa:2(memory=1048576) l3:1(size=2048) core:1 pu:2");
        g_autoptr(JsonNode) got = report_topology(t);

        assert_json(got, "{'cpus':'0-3','usable':'0-2','llcs':["
                         "{'index':0,'cpus':'0-1','numa_node':0,'size_kib':2,'cores':['0-1']},"
                         "{'index':1,'cpus':'2-3','numa_node':1,'size_kib':2,'cores':['2-3']}],"
                         "'numa_nodes':[{'id':0,'cpus':'0-1','memory_only':false,'total_kib':1024},"
                         "{'id':1,'cpus':'2-3','memory_only':false,'total_kib':1024}],"
                         "'distances':[[10,20],[20,10]]}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(workers_and_their_ends),
                cmocka_unit_test(histograms),
                cmocka_unit_test(empty_histogram),
                cmocka_unit_test(many_migrations),
                cmocka_unit_test(slots),
                cmocka_unit_test(stalls),
                cmocka_unit_test(stalls_that_fail_nothing),
                cmocka_unit_test(works_in_their_order),
                cmocka_unit_test(ends_of_threads),
                cmocka_unit_test(phase_slices),
                cmocka_unit_test(live_workers),
                cmocka_unit_test(live_threads),
                cmocka_unit_test(huge_counters),
                cmocka_unit_test(dry_run),
                cmocka_unit_test(dry_run_with_a_leader),
                cmocka_unit_test(carried_out),
                cmocka_unit_test(carried_out_with_a_leader),
                cmocka_unit_test(topology),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
