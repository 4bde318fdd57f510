/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan-fixture.h"

#include "model/json-text.h"

/* The documents in examples/, on the machine that their README promises: two nodes with a last-level cache
 * each, eight CPUs, all controllers. That they run is tested in the virtual machine. */

#define MACHINE "numa:2 l3:1 core:2 pu:2"

static char *example_path(const char *name) {
        return g_build_filename(g_getenv("KT_SOURCES"), "examples", name, NULL);
}

static char *example_text(const char *name) {
        g_autofree char *path = example_path(name);
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, &error))
                fail_msg("%s", error->message);
        return text;
}

static bool plan_document(Desk *d, const char *text) {
        g_autoptr(JsonNode) node = json_text_parse(text, strlen(text), &d->error);

        if (node)
                d->defs = decode_document(node, &d->error);
        if (d->defs)
                d->plan = plan_setup(&d->context, d->defs, SLOT_STEP, &d->error);
        return d->plan;
}

static void check_example(const char *name, const char *readme) {
        g_autoptr(Desk) d = desk_new(MACHINE);
        g_autofree char *text = example_text(name), *spawned = NULL;

        if (!plan_document(d, text))
                fail_msg("%s: %s", name, d->error->message);
        spawned = desk_actions_of(d, "spawn");
        assert_true(*spawned);
        if (!strstr(readme, name))
                fail_msg("%s is not in examples/README.md", name);
}

static void every_example_can_be_planned(void **state G_GNUC_UNUSED) {
        g_autofree char *directory = example_path(""), *readme = example_text("README.md");
        g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
        const char *name;
        unsigned n = 0;

        assert_non_null(dir);
        while ((name = g_dir_read_name(dir)))
                if (g_str_has_suffix(name, ".json")) {
                        check_example(name, readme);
                        n++;
                }
        assert_true(n > 0);
}

/* ---- quantities of documents, as they stand in files: one of every kind, with and without unit ---- */

static void plan_quoted(Desk *d, const char *document) {
        g_autofree char *text = g_strdelimit(g_strdup(document), "'", '"');

        if (!plan_document(d, text))
                fail_msg("%s: %s", text, d->error->message);
}

static void sizes(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(MACHINE);

        plan_quoted(d, "{'cgroups':[{'name':'a','memory':{'max':'256M','high':'1.5G','low':4096,"
                       "'swap_max':'64K'}},"
                       "{'name':'b','memory':{'max':'2T','high':'max','low':'8192','swap_max':0}}]}");
        assert_actions(d, "write a/memory",
                       "write a/memory.max 268435456\n"
                       "write a/memory.high 1610612736\n"
                       "write a/memory.low 4096\n"
                       "write a/memory.swap.max 65536\n");
        assert_actions(d, "write b/memory",
                       "write b/memory.max 2199023255552\n"
                       "write b/memory.high max\n"
                       "write b/memory.low 8192\n"
                       "write b/memory.swap.max 0\n");
}

static void times(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *cpu;
                const char *written;
        } rows[] = {
                { "'quota_us':'100ms','period_us':'0.5s'", "100000 500000" },
                { "'quota_us':7500,'period_us':'100000'", "7500 100000" },
                { "'quota_us':'7.5ms','period_us':20000", "7500 20000" },
                { "'quota_us':'2000us'", "2000 100000" },
                { "'quota_us':'1500000ns'", "1500 100000" },
                { "'quota_us':'50%'", "50000 100000" },
                { "'quota_us':'250%','period_us':'10ms'", "25000 10000" },
                { "'quota_us':'max'", "max 100000" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Desk) d = desk_new(MACHINE);
                g_autofree char *document =
                        g_strdup_printf("{'cgroups':[{'name':'a','cpu':{%s}}]}", rows[i].cpu);
                g_autofree char *wanted = g_strdup_printf("write a/cpu.max %s\n", rows[i].written);

                plan_quoted(d, document);
                assert_actions(d, "write a/cpu.max", wanted);
        }
}

static void counts(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(MACHINE);

        plan_quoted(d, "{'cgroups':[{'name':'a','pids':{'max':64},'works':[{'workers':3}]},"
                       "{'name':'b','pids':{'max':'max'},'cpuset':'llc:0','works':[{'workers_pct':1.5}]}]}");
        assert_actions(d, "write a/pids", "write a/pids.max 64\n");
        assert_actions(d, "write b/pids", "write b/pids.max max\n");
        assert_actions(d, "spawn", "spawn a #1 SpinWait 3 on 0-7\nspawn b #2 SpinWait 6 on 0-3\n");
}

static void times_of_work_types(void **state G_GNUC_UNUSED) {
        g_autoptr(Desk) d = desk_new(MACHINE);
        const CgroupDef *def;
        const WorkSpec *units, *plain;

        plan_quoted(d, "{'cgroups':[{'name':'a','works':["
                       "{'work_type':'Bursty','params':{'burst_duration':'1.5ms','sleep_duration':'250us'}},"
                       "{'work_type':'Bursty','params':{'burst_duration':1500,'sleep_duration':'2s'}},"
                       "{'sched_policy':'deadline:5ms/0.02s/20000'}]}]}");
        def = d->defs->pdata[0];
        units = def->works->pdata[0];
        plain = def->works->pdata[1];
        assert_true(units->params[0] == 1500000 && units->params[1] == 250000);
        assert_true(plain->params[0] == 1500000 && plain->params[1] == 2000000000);
        plain = def->works->pdata[2];
        assert_true(plain->sched_policy.runtime_ns == 5000000 &&
                    plain->sched_policy.deadline_ns == 20000000 && plain->sched_policy.period_ns == 20000000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_example_can_be_planned),
                cmocka_unit_test(sizes),
                cmocka_unit_test(times),
                cmocka_unit_test(counts),
                cmocka_unit_test(times_of_work_types),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
