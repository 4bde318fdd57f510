/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/sched.h>

#include "plan-fixture.h"

static GError *refusal(const char *list) {
        g_autoptr(JsonNode) node = json_quoted(list);
        GError *error = NULL;
        g_autoptr(GPtrArray) defs = decode_definitions(node, "cgroups", &error);

        if (defs || !error)
                fail_msg("accepted: %s", list);
        assert_true(g_error_matches(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION));
        return error;
}

static void check_refusal(const char *list, const char *start, const char *fragment) {
        g_autoptr(GError) error = refusal(list);

        if (!g_str_has_prefix(error->message, start) || !strstr(error->message, fragment))
                fail_msg("%s: expected '%s...%s', got '%s'", list, start, fragment, error->message);
}

/* ---- every key, by itself ---- */

static const char EVERY_KEY[] =
        "{'name':'a/b','cpuset':'llc:3','cpuset_mems':'0-1',"
        "'cpu':{'weight':200,'quota_us':'2ms','period_us':'10ms'},"
        "'memory':{'max':'1G','high':'max','low':4096,'swap_max':'1K'},"
        "'io':{'weight':7},'pids':{'max':'max'},"
        "'nice':-3,'comm':'c','uid':1,'gid':2,'numa_node':3,"
        "'works':[{'work_type':'Bursty','params':{'burst_duration':'1ms'},'workers':5,"
        "'sched_policy':'fifo:9','affinity':'random:2@0-3','mem_policy':'bind:1',"
        "'mpol_flags':['static','balancing'],'nice':4,'comm':'w','uid':5,'gid':6,'numa_node':7},"
        "{'workers_pct':1.5,'mpol_flags':'relative'}]}";

/* ops:A5: the numbers of a cpuset are kept as given */
static void every_key(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) node = json_quoted(EVERY_KEY);
        g_autoptr(GError) error = NULL;
        g_autoptr(CgroupDef) def = decode_definition(node, "", &error);

        if (!def)
                fail_msg("%s", error->message);
        assert_string_equal(def->origin, "");
        assert_string_equal(def->name, "a/b");
        assert_int_equal(def->cpuset->kind, CPUSET_LLC);
        assert_int_equal(def->cpuset->index, 3);
        assert_set(def->cpuset_mems, "0-1");
        assert_int_equal(def->cpu.weight.value, 200);
        assert_int_equal(def->cpu.quota_us.value, 2000);
        assert_int_equal(def->cpu.period_us, 10000);
        assert_int_equal(def->memory.max.value, 1073741824);
        assert_true(def->memory.high.set && def->memory.high.unlimited);
        assert_int_equal(def->memory.low.value, 4096);
        assert_int_equal(def->memory.swap_max.value, 1024);
        assert_int_equal(def->io.weight.value, 7);
        assert_true(def->pids.max.set && def->pids.max.unlimited);
        assert_int_equal(def->defaults.nice.value, -3);
        assert_string_equal(def->defaults.comm, "c");
        assert_int_equal(def->defaults.uid.value, 1);
        assert_int_equal(def->defaults.gid.value, 2);
        assert_int_equal(def->defaults.numa_node.value, 3);
        assert_int_equal(def->works->len, 2);
}

static void every_key_of_a_work(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) node = json_quoted(EVERY_KEY);
        g_autoptr(CgroupDef) def = decode_definition(node, "", NULL);
        const WorkSpec *w = def->works->pdata[0], *second = def->works->pdata[1];

        assert_int_equal(w->work_type, WORK_BURSTY);
        assert_int_equal(w->params[0], 1000000);
        assert_int_equal(w->workers.value, 5);
        assert_false(w->has_workers_pct);
        assert_true(w->has_sched_policy);
        assert_int_equal(w->sched_policy.policy, SCHED_FIFO);
        assert_int_equal(w->sched_policy.priority, 9);
        assert_int_equal(w->affinity->kind, AFFINITY_RANDOM);
        assert_int_equal(w->affinity->count, 2);
        assert_set(w->affinity->cpus, "0-3");
        assert_int_equal(w->mem_policy->kind, MEMPOLICY_BIND);
        assert_set(w->mem_policy->nodes, "1");
        assert_int_equal(w->mpol_flags, 1 << 15 | 1 << 13);
        assert_int_equal(w->own.nice.value, 4);
        assert_string_equal(w->own.comm, "w");
        assert_int_equal(w->own.uid.value, 5);
        assert_int_equal(w->own.gid.value, 6);
        assert_int_equal(w->own.numa_node.value, 7);
        assert_true(second->has_workers_pct && second->workers_pct == 1.5);
        assert_int_equal(second->mpol_flags, 1 << 14);
        assert_int_equal(second->work_type, WORK_SPIN_WAIT);
}

/* "cpu.weight" with VALUE as a definition, and the path the error must have. */
static char *with_key(const char *key, const char *value, char **ret_place) {
        g_auto(GStrv) parts = g_strsplit(key, ".", 2);
        bool work = g_str_equal(parts[0], "works");

        *ret_place = work ? g_strdup_printf("cgroups[0].works[0].%s: cgroup 'x': ", parts[1])
                          : g_strdup_printf("cgroups[0].%s: %s", key,
                                            g_str_equal(key, "name") ? "" : "cgroup 'x': ");
        if (g_str_equal(key, "name"))
                return g_strdup_printf("[{'name':%s}]", value);
        if (work)
                return g_strdup_printf("[{'name':'x','works':[{'%s':%s}]}]", parts[1], value);
        if (parts[1])
                return g_strdup_printf("[{'name':'x','%s':{'%s':%s}}]", parts[0], parts[1], value);
        return g_strdup_printf("[{'name':'x','%s':%s}]", key, value);
}

static void no_key_takes_null_or_nonsense(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *value, *fragment;
        } wrong[] = {
                { "null", "null is no value here; leave the key out, or give " },
                { "true", ", got a boolean" },
                { "[true]", ", got a" },
        };
        g_autoptr(GPtrArray) keys = decode_known_keys();

        assert_true(keys->len > 20);
        for (guint i = 0; i < keys->len; i++)
                for (size_t j = 0; j < G_N_ELEMENTS(wrong); j++) {
                        g_autofree char *place = NULL;
                        g_autofree char *list = with_key(keys->pdata[i], wrong[j].value, &place);
                        check_refusal(list, place, wrong[j].fragment);
                }
}

/* ---- wrong values: path, cgroup, reason, and what was meant ---- */

#define A        "cgroups[0]: cgroup 'x': "
#define AT(path) "cgroups[0]." path ": cgroup 'x': "

static const struct {
        const char *body, *start, *fragment;
} WRONG[] = {
        /* unknown keys, with the nearest known one */
        { "'cpusett':'llc:0'", A "unknown key 'cpusett'; did you mean 'cpuset'?",
          "Known keys: name, cpuset, " },
        { "'CPUSET-MEMS':'0'", A "unknown key 'CPUSET-MEMS'; did you mean 'cpuset_mems'?", "" },
        { "'zzz':1",
          A "unknown key 'zzz'; known keys: name, cpuset, cpuset_mems, cpu, memory, io, pids, nice, comm, "
            "uid, gid, numa_node, works",
          "" },
        { "'cpu':{'wieght':1}", AT("cpu") "unknown key 'wieght'; did you mean 'weight'?",
          "Known keys: weight, quota_us, period_us" },
        { "'cpu':{'quota':1}", AT("cpu") "unknown key 'quota'; known keys: ", "quota_us" },
        { "'memory':{'swap-max':1}", AT("memory") "unknown key 'swap-max'; did you mean 'swap_max'?", "" },
        { "'io':{'max':1}", AT("io") "unknown key 'max'; known keys: weight", "" },
        { "'pids':{'min':1}", AT("pids") "unknown key 'min'; known keys: max", "" },
        { "'works':[{},{'worker':1}]", AT("works[1]") "unknown key 'worker'; did you mean 'workers'?", "" },
        { "'works':[{'cpuset':'llc:0'}]", AT("works[0]") "unknown key 'cpuset'; known keys: work_type, ",
          "" },
        /* words whose meaning is not built */
        { "'payload':'sh'", A "the key 'payload' is not acted on by this version", "leave it out" },
        { "'pcomm':'p'", A "the key 'pcomm' is not acted on by this version", "leave it out" },
        { "'swappable':true", A "the key 'swappable' is not acted on by this version", "leave it out" },
        { "'works':[{'pcomm':'p'}]", AT("works[0]") "the key 'pcomm' is not acted on by this version", "" },
        /* types */
        { "'cpu':7", AT("cpu") "expected an object, got an integer", "" },
        { "'memory':[]", AT("memory") "expected an object, got a list", "" },
        { "'works':{}", AT("works") "expected a list of worker groups, got an object", "" },
        { "'works':[]", AT("works") "the list is empty; leave the key out", "SpinWait" },
        { "'works':[{},7]", AT("works[1]") "expected an object, got an integer", "" },
        { "'works':[null]", AT("works[0]") "null is no value here", "an object" },
        { "'nice':1.0", AT("nice") "expected an integer, got a real number", "" },
        { "'nice':'1'", AT("nice") "expected an integer, got text", "" },
        { "'comm':7", AT("comm") "expected text, got an integer", "" },
        { "'cpuset':7", AT("cpuset") "expected text, got an integer", "" },
        { "'cpuset_mems':0",
          AT("cpuset_mems") "expected text, a list of NUMA nodes such as \"0-1\", got an integer", "" },
        { "'works':[{'workers_pct':'50%'}]",
          AT("works[0].workers_pct") "expected a number such as 0.5, got text", "" },
        { "'works':[{'params':[]}]", AT("works[0].params") "expected an object, got a list", "" },
        { "'works':[{'sched_policy':5}]",
          AT("works[0].sched_policy") "expected text such as \"fifo:50\", got an integer", "" },
        { "'works':[{'mpol_flags':['static',1]}]", AT("works[0].mpol_flags") "expected text, got an integer",
          "" },
        { "'memory':{'max':1.5}", AT("memory.max") "expected bytes (4096), text with K, M, G or T",
          "got a real number" },
        /* ranges */
        { "'nice':-21", AT("nice") "-21 is out of range -20..19 (nice values, sched(7))", "" },
        { "'nice':20", AT("nice") "20 is out of range -20..19", "" },
        { "'uid':-1", AT("uid") "-1 is out of range 0..4294967294", "\"no id\"" },
        { "'uid':4294967295", AT("uid") "4294967295 is out of range 0..4294967294", "" },
        { "'gid':4294967295", AT("gid") "4294967295 is out of range 0..4294967294", "" },
        { "'numa_node':-1", AT("numa_node") "-1 is out of range 0..2147483647", "NUMA node ids" },
        { "'works':[{'workers':-1}]", AT("works[0].workers") "-1 is out of range 1..2147483647", "" },
        { "'works':[{'workers':2147483648}]", AT("works[0].workers") "2147483648 is out of range", "" },
        { "'works':[{'workers_pct':0}]", AT("works[0].workers_pct") "0 is not a finite fraction above 0",
          "" },
        { "'works':[{'workers_pct':-0.5}]", AT("works[0].workers_pct") "-0.5 is not a finite fraction", "" },
        { "'works':[{'workers_pct':1e999}]", AT("works[0].workers_pct") "inf is not a finite fraction", "" },
        /* quantities */
        { "'memory':{'max':-1}", AT("memory.max") "-1 is negative", "\"max\"" },
        { "'memory':{'max':'256X'}", AT("memory.max") "'256X' is not bytes (4096)", "256M" },
        { "'memory':{'low':'18446744073709551616'}", AT("memory.low") "'18446744073709551616' is not bytes",
          "" },
        { "'cpu':{'quota_us':'5 ms'}", AT("cpu.quota_us") "'5 ms' is not a time", "50%" },
        { "'cpu':{'quota_us':'500ns'}", AT("cpu.quota_us") "0 is too small: the quota must be > 0", "" },
        { "'cpu':{'quota_us':'-5%'}", AT("cpu.quota_us") "'-5%' is not a percentage above 0", "" },
        { "'cpu':{'quota_us':'0.001%','period_us':1}",
          AT("cpu.quota_us") "0.001 % of a period of 1 us is no usable quota", "" },
        { "'cpu':{'period_us':'max'}", AT("cpu.period_us") "a period cannot be \"max\"", "100ms" },
        { "'cpu':{'period_us':'50%'}", AT("cpu.period_us") "'50%' is not a time", "" },
        { "'pids':{'max':'many'}", AT("pids.max") "'many' is not a number or \"max\"", "" },
        { "'pids':{'max':'0'}", AT("pids.max") "0 is too small: pids.max must be > 0", "" },
        /* texts with a grammar: each reader suggests */
        { "'cpuset':'lcc:0'", AT("cpuset") "cpuset 'lcc:0'", "Did you mean 'llc'?" },
        { "'cpuset':'llc:x'", AT("cpuset") "cpuset 'llc:x' is malformed", "llc:N" },
        { "'cpuset_mems':'0-x'", AT("cpuset_mems"), "'0-x'" },
        { "'works':[{'affinity':'smtpair'}]", AT("works[0].affinity") "affinity 'smtpair'",
          "Did you mean 'smt-pair'?" },
        { "'works':[{'mem_policy':'bnid:0'}]", AT("works[0].mem_policy") "mem_policy 'bnid:0'", "" },
        { "'works':[{'mem_policy':'prefered:0'}]", AT("works[0].mem_policy") "mem_policy 'prefered:0'",
          "Did you mean 'preferred'?" },
        { "'works':[{'mpol_flags':['static','relativ']}]", AT("works[0].mpol_flags") "mpol_flags: 'relativ'",
          "Did you mean 'relative'?" },
        { "'works':[{'mpol_flags':'statik'}]", AT("works[0].mpol_flags") "mpol_flags: 'statik'",
          "Did you mean 'static'?" },
        { "'works':[{'sched_policy':'fifi:1'}]",
          AT("works[0].sched_policy") "sched_policy 'fifi:1' is unknown", "did you mean 'fifo'?" },
        { "'works':[{'work_type':'Spinwait'}]", AT("works[0].work_type") "unknown work type 'Spinwait'",
          "did you mean 'SpinWait'?" },
        /* parameters */
        { "'works':[{'work_type':'Bursty','params':{'burst-duration':1,'x':1}}]",
          AT("works[0].params") "Bursty has no parameter 'burst-duration'; did you mean 'burst_duration'?",
          "It has: burst_duration, sleep_duration" },
        { "'works':[{'params':{'burst_duration':1}}]",
          AT("works[0].params") "SpinWait has no parameters, but 'burst_duration' is given", "" },
        { "'works':[{'work_type':'Bursty','params':{'burst_duration':0}}]",
          AT("works[0].params.burst_duration") "this value is out of range 1..3600000000000 ns", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':'3601s'}}]",
          AT("works[0].params.sleep_duration") "this value is out of range 0..3600000000000 ns", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':9223372036854775807}}]",
          AT("works[0].params.sleep_duration") "this value is out of range", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':'max'}}]",
          AT("works[0].params.sleep_duration") "\"max\" is out of range", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':'long'}}]",
          AT("works[0].params.sleep_duration") "'long' is not a time", "" },
};

static void wrong_values(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'x',%s}]", WRONG[i].body);
                check_refusal(list, WRONG[i].start, WRONG[i].fragment);
        }
}

static void names(void **state G_GNUC_UNUSED) {
        check_refusal("[{'name':'x'},7]", "cgroups[1]: expected an object, got an integer", "");
        check_refusal("[{'name':'x'},{}]", "cgroups[1]: a definition needs a name; give the key 'name'", "");
        check_refusal("[{'name':7}]", "cgroups[0].name: expected text, got an integer", "");
        check_refusal("[{'name':'/x'}]", "cgroups[0].name: cgroup name '/x' starts with '/'", "");
        check_refusal("[{'cpu':{'weight':0}}]", "cgroups[0].cpu.weight: 0 is out of range", "");
        check_refusal("{}", "cgroups: expected a list of definitions, got an object", "");
}

/* The order of keys does not matter: parameters before the type they belong to, a quota before its period. */
static void order_does_not_matter(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) node =
                json_quoted("{'works':[{'params':{'burst_duration':3},'work_type':'Bursty'}],"
                            "'cpu':{'quota_us':'50%','period_us':1000},'name':'x'}");
        g_autoptr(GError) error = NULL;
        g_autoptr(CgroupDef) def = decode_definition(node, "", &error);

        assert_non_null(def);
        assert_int_equal(((WorkSpec *)def->works->pdata[0])->params[0], 3000);
        assert_int_equal(def->cpu.quota_us.value, 500);
}

/* ---- the caller's words in a message ---- */

static void long_words_are_cut(void **state G_GNUC_UNUSED) {
        static const char *const lists[] = {
                "[{'name':'x','@':1}]",
                "[{'name':'@'}]",
                "[{'name':'@','nice':99}]",
                "[{'name':'x','comm':'@'}]",
                "[{'name':'x','memory':{'max':'@'}}]",
                "[{'name':'x','cpu':{'quota_us':'@%'}}]",
                "[{'name':'x','cpuset':'@'}]",
                "[{'name':'x','cpuset_mems':'@'}]",
                "[{'name':'x','works':[{'work_type':'@'}]}]",
                "[{'name':'x','works':[{'params':{'@':1}}]}]",
                "[{'name':'x','works':[{'work_type':'Bursty','params':{'@':1}}]}]",
                "[{'name':'x','works':[{'sched_policy':'@'}]}]",
                "[{'name':'x','works':[{'sched_policy':'fifo:@'}]}]",
                "[{'name':'x','works':[{'affinity':'@'}]}]",
                "[{'name':'x','works':[{'mem_policy':'@'}]}]",
                "[{'name':'x','works':[{'mpol_flags':'@'}]}]",
        };
        g_autofree char *word = g_strnfill(4001, 'x');

        for (size_t i = 1; i < 4001; i += 2)
                memcpy(word + i, "\xc3\xa9", 2); /* no cut at an even number of bytes is right */
        for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
                g_auto(GStrv) around = g_strsplit(lists[i], "@", 2);
                g_autofree char *list = g_strconcat(around[0], word, around[1], NULL);
                g_autoptr(GError) error = refusal(list);
                if (!g_utf8_validate(error->message, -1, NULL) || strlen(error->message) > 1000)
                        fail_msg("%s: %s", lists[i], error->message);
        }
}

/* Control characters in a word are not taken for marks of the decoder's own. */
static void control_characters(void **state G_GNUC_UNUSED) {
        check_refusal("[{'name':'x','a\\u001fb\\u001e':1}]",
                      A "unknown key 'a\x1f"
                        "b\x1e'; known keys",
                      "");
        check_refusal("[{'name':'x','works':[{'work_type':'\\u001e\\u001f'}]}]",
                      AT("works[0].work_type") "unknown work type '\x1e\x1f'", "");
        check_refusal("[{'name':'\\u001f\\u001e','nice':99}]",
                      "cgroups[0].nice: cgroup '\x1f\x1e': 99 is out of range", "");
}

/* ---- the three ways in ---- */

static void single_definition(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) bad = json_quoted("{'name':'x','cpu':{'weight':0}}"), none = json_quoted("{}");
        g_autoptr(GError) error = NULL;

        assert_null(decode_definition(bad, "", &error));
        assert_true(g_str_has_prefix(error->message, "cpu.weight: cgroup 'x': 0 is out of range"));
        g_clear_error(&error);
        assert_null(decode_definition(none, "", &error));
        assert_true(g_str_has_prefix(error->message, "a definition needs a name"));
}

static void documents(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "{}", "the document needs the key 'cgroups', a list of definitions" },
                { "[]", "expected an object, got a list" },
                { "null", "null is no value here; leave the key out, or give an object" },
                { "{'cgroup':[]}", "unknown key 'cgroup'; did you mean 'cgroups'? Known keys: cgroups" },
                { "{'cgroups':[],'steps':[]}", "unknown key 'steps'; known keys: cgroups" },
                { "{'cgroups':{}}", "cgroups: expected a list of definitions, got an object" },
                { "{'cgroups':null}",
                  "cgroups: null is no value here; leave the key out, or give a list of definitions" },
                { "{'cgroups':[{'name':'x','nice':99}]}",
                  "cgroups[0].nice: cgroup 'x': 99 is out of range -20..19 (nice values, sched(7))" },
        };
        g_autoptr(JsonNode) good = json_quoted("{'cgroups':[{'name':'x'},{'name':'y'}]}");
        g_autoptr(GPtrArray) defs = decode_document(good, NULL);

        assert_int_equal(defs->len, 2);
        assert_string_equal(((CgroupDef *)defs->pdata[1])->origin, "cgroups[1]");
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                g_autoptr(GError) error = NULL;
                assert_null(decode_document(node, &error));
                assert_string_equal(error->message, cases[i].message);
        }
}

static void options(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text;
                bool backdrop, dry_run;
                const char *message;
        } cases[] = {
                { "{}", false, false, NULL },
                { "{'target':'step','dry_run':true}", false, true, NULL },
                { "{'target':'backdrop','dry_run':false}", true, false, NULL },
                { "{'target':'both'}", false, false,
                  "options.target: 'both' is neither \"step\" nor \"backdrop\"" },
                { "{'target':1}", false, false,
                  "options.target: expected \"step\" or \"backdrop\", got an integer" },
                { "{'dry_run':1}", false, false, "options.dry_run: expected a boolean, got an integer" },
                { "{'dry-run':true}", false, false,
                  "options: unknown key 'dry-run'; did you mean 'dry_run'? Known keys: target, dry_run" },
                { "[]", false, false, "options: expected an object, got a list" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                ApplyOptions got = { true, true };
                g_autoptr(GError) error = NULL;
                if (decode_apply_options(node, &got, &error) != !cases[i].message)
                        fail_msg("%s", cases[i].text);
                if (cases[i].message) {
                        assert_string_equal(error->message, cases[i].message);
                        assert_true(got.backdrop && got.dry_run); /* untouched */
                } else {
                        assert_int_equal(got.backdrop, cases[i].backdrop);
                        assert_int_equal(got.dry_run, cases[i].dry_run);
                }
        }
}

static void no_options(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) empty = json_quoted("{}"), some = json_quoted("{'dry_run':true}");
        g_autoptr(GError) error = NULL;

        assert_true(decode_no_options(empty, &error));
        assert_false(decode_no_options(some, &error));
        assert_invalid(error, "options: this call takes none yet");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_key),
                cmocka_unit_test(every_key_of_a_work),
                cmocka_unit_test(no_key_takes_null_or_nonsense),
                cmocka_unit_test(wrong_values),
                cmocka_unit_test(names),
                cmocka_unit_test(order_does_not_matter),
                cmocka_unit_test(long_words_are_cut),
                cmocka_unit_test(control_characters),
                cmocka_unit_test(single_definition),
                cmocka_unit_test(documents),
                cmocka_unit_test(options),
                cmocka_unit_test(no_options),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
