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
        "'nice':-3,'comm':'c','uid':1,'gid':2,'numa_node':3,'swappable':true,"
        "'works':[{'work_type':'Bursty','params':{'burst_duration':'1ms'},'workers':5,"
        "'sched_policy':'fifo:9','affinity':'random:2@0-3','mem_policy':'bind:1',"
        "'mpol_flags':['static','balancing'],'pcomm':'lead','nice':4,'comm':'w','uid':5,'gid':6,'numa_node':"
        "7},"
        "{'workers_pct':1.5,'mpol_flags':'relative'}],"
        "'payload':{'name':'p','exec':'sh','args':['-c','true']}}";

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
        assert_true(def->swappable);
        assert_int_equal(def->works->len, 2);
        assert_string_equal(def->payload->def->name, "p");
        assert_string_equal(def->payload->def->args[1], "true");
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
        assert_string_equal(w->pcomm, "lead");
        assert_null(second->pcomm);
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
                { "true", ", got a boolean: true" },
                { "{'x':[]}", "" },
        };
        g_autoptr(GPtrArray) keys = decode_known_keys();

        assert_true(keys->len > 20);
        for (guint i = 0; i < keys->len; i++)
                for (size_t j = 0; j < G_N_ELEMENTS(wrong); j++) {
                        bool boolean = g_str_equal(keys->pdata[i], "swappable");
                        g_autofree char *place = NULL;
                        g_autofree char *list = with_key(keys->pdata[i], wrong[j].value, &place);
                        if (!boolean || !g_str_equal(wrong[j].value, "true"))
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
            "uid, gid, numa_node, swappable, works, payload",
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
        /* payloads: their own rules are in test-payload-decode.c */
        { "'payload':7",
          AT("payload") "expected a payload's name, or an object with name and exec, got an integer", "" },
        { "'payload':'/bin/sh'", AT("payload") "'/bin/sh' contains '/'",
          "the path of its program is its exec" },
        { "'payload':{'name':'p'}", AT("payload") "a payload needs a program; give the key 'exec'", "" },
        { "'payload':{'name':'p','exe':'sh'}", AT("payload") "unknown key 'exe'; did you mean 'exec'?", "" },
        { "'payload':{'name':'p','exec':'sh','checks':['exit-code:0','exit-code:x']}",
          AT("payload.checks[1]") "check 'exit-code:x' is malformed", "'x' is no exit status" },
        { "'paylod':'p'", A "unknown key 'paylod'; did you mean 'payload'?", "" },
        /* each key at its own level */
        { "'pcomm':'p'", A "unknown key 'pcomm'; did you mean 'comm'?", "" },
        { "'works':[{'swappable':true}]", AT("works[0]") "unknown key 'swappable'; known keys: ", "" },
        { "'swapable':true", A "unknown key 'swapable'; did you mean 'swappable'?", "" },
        { "'works':[{'pcom':'p'}]", AT("works[0]") "unknown key 'pcom'; did you mean 'pcomm'?", "" },
        { "'cpu.weight':1", A "unknown key 'cpu.weight'; did you mean 'cpu'?", "" },
        { "'swappable':1", AT("swappable") "expected a boolean, got an integer: 1", "" },
        { "'swappable':'yes'", AT("swappable") "expected a boolean, got text: \"yes\"", "" },
        { "'works':[{'pcomm':''}]", AT("works[0].pcomm") "'' has 0 bytes; a task name has 1 to 15", "" },
        { "'works':[{'pcomm':'sixteen-bytes-ab'}]", AT("works[0].pcomm") "'sixteen-bytes-ab' has 16 bytes",
          "TASK_COMM_LEN" },
        /* types */
        { "'cpu':7", AT("cpu") "expected an object, got an integer: 7", "" },
        { "'memory':[]", AT("memory") "expected an object, got a list", "" },
        { "'works':{}", AT("works") "expected a list of worker groups, got an object", "" },
        { "'works':[]", AT("works") "the list is empty; leave the key out", "SpinWait" },
        { "'works':[{},7]", AT("works[1]") "expected an object, got an integer", "" },
        { "'works':[null]", AT("works[0]") "null is no value here", "an object" },
        { "'nice':1.0", AT("nice") "expected an integer, got a real number", "" },
        { "'nice':'1'", AT("nice") "expected an integer, got text", "" },
        { "'comm':7", AT("comm") "expected text, got an integer: 7", "" },
        { "'cpuset':7", AT("cpuset") "expected text, got an integer", "" },
        { "'cpuset_mems':0",
          AT("cpuset_mems") "expected text, a list of NUMA nodes such as \"0-1\", got an integer", "" },
        { "'works':[{'workers_pct':'50%'}]",
          AT("works[0].workers_pct") "expected a number such as 0.5, got text", "" },
        { "'works':[{'params':[]}]", AT("works[0].params") "expected an object, got a list", "" },
        { "'works':[{'sched_policy':5}]",
          AT("works[0].sched_policy") "expected text such as \"fifo:50\", got an integer", "" },
        { "'works':[{'mpol_flags':['static',1]}]",
          AT("works[0].mpol_flags[1]") "expected text, got an integer: 1", "" },
        { "'memory':{'max':1.5}", AT("memory.max") "expected bytes (4096), text with K, M, G or T",
          "got a real number" },
        /* ranges */
        { "'nice':-21", AT("nice") "-21 is out of range -20..19; sched(7) knows no other nice values", "" },
        { "'nice':20", AT("nice") "20 is out of range -20..19", "" },
        { "'uid':-1", AT("uid") "-1 is out of range 0..4294967294", "\"no id\"" },
        { "'uid':4294967295", AT("uid") "4294967295 is out of range 0..4294967294", "" },
        { "'gid':4294967295", AT("gid") "4294967295 is out of range 0..4294967294", "" },
        { "'numa_node':-1", AT("numa_node") "-1 is out of range 0..2147483647",
          "give the id of a NUMA node" },
        { "'works':[{'workers':-1}]", AT("works[0].workers") "-1 is out of range 1..2147483647", "" },
        { "'works':[{'workers':2147483648}]",
          AT("works[0].workers") "2147483648 is out of range 1..2147483647; ", "workers_per_cgroup" },
        { "'works':[{'workers_pct':0}]", AT("works[0].workers_pct") "0 is not a finite fraction above 0",
          "" },
        { "'works':[{'workers_pct':-0.5}]", AT("works[0].workers_pct") "-0.5 is not a finite fraction", "" },
        { "'works':[{'workers_pct':1e999}]", AT("works[0].workers_pct") "inf is not a finite fraction", "" },
        /* quantities, with the unit that was meant */
        { "'memory':{'max':-1}", AT("memory.max") "-1 is negative; a size is bytes (4096), ", "\"max\"" },
        { "'memory':{'max':'256X'}", AT("memory.max") "'256X' is not a size; a size is bytes (4096)",
          "256M" },
        { "'memory':{'max':'256MB'}", AT("memory.max") "'256MB' is not a size; did you mean '256M'?",
          "A size is bytes (4096), text with K, M, G or T" },
        { "'memory':{'high':'1.5 gib'}", AT("memory.high") "'1.5 gib' is not a size; did you mean '1.5G'?",
          "" },
        { "'memory':{'low':'4k'}", AT("memory.low") "'4k' is not a size; did you mean '4K'?", "" },
        { "'memory':{'max':'Max'}", AT("memory.max") "'Max' is not a size; did you mean 'max'?", "" },
        { "'memory':{'low':'18446744073709551616'}",
          AT("memory.low") "'18446744073709551616' is not a size; a size", "" },
        { "'cpu':{'quota_us':'5 ms'}", AT("cpu.quota_us") "'5 ms' is not a quota; did you mean '5ms'?",
          "50%" },
        { "'cpu':{'quota_us':'100msec'}",
          AT("cpu.quota_us") "'100msec' is not a quota; did you mean '100ms'?", "" },
        { "'cpu':{'quota_us':'50 %'}", AT("cpu.quota_us") "'50 %' is not a quota; did you mean '50%'?", "" },
        { "'cpu':{'quota_us':'50percent'}",
          AT("cpu.quota_us") "'50percent' is not a quota; did you mean '50%'?", "" },
        { "'cpu':{'quota_us':'500ns'}", AT("cpu.quota_us") "0 is too small; the quota must be > 0", "" },
        { "'cpu':{'quota_us':'-5%'}", AT("cpu.quota_us") "'-5%' is not a quota; a quota is ", "" },
        { "'cpu':{'quota_us':'0.001%','period_us':1}",
          AT("cpu.quota_us") "0.001 % of a period of 1 us is no usable quota; ", "give a time" },
        { "'cpu':{'period_us':'max'}", AT("cpu.period_us") "'max' is not a time; a time is ", "50ms" },
        { "'cpu':{'period_us':'Max'}", AT("cpu.period_us") "'Max' is not a time; a time is ", "50ms" },
        { "'cpu':{'period_us':'50%'}", AT("cpu.period_us") "'50%' is not a time; a time is ", "" },
        { "'cpu':{'period_us':'1sec'}", AT("cpu.period_us") "'1sec' is not a time; did you mean '1s'?", "" },
        { "'pids':{'max':'many'}", AT("pids.max") "'many' is not a limit; a limit is a number or \"max\"",
          "" },
        { "'pids':{'max':'maxx'}", AT("pids.max") "'maxx' is not a limit; did you mean 'max'?", "" },
        { "'pids':{'max':'0'}", AT("pids.max") "0 is too small; pids.max must be > 0", "" },
        /* texts with a grammar: each reader suggests */
        { "'cpuset':'lcc:0'", AT("cpuset") "unknown cpuset 'lcc:0'; did you mean 'llc:N'?",
          "A cpuset is one of llc:N, numa:N, " },
        { "'cpuset':'llc0'", AT("cpuset") "unknown cpuset 'llc0'; did you mean 'llc:N'?", "" },
        { "'cpuset':'LLC=0'", AT("cpuset") "unknown cpuset 'LLC=0'; did you mean 'llc:N'?", "" },
        { "'cpuset':'0-3'", AT("cpuset") "cpuset '0-3' is a bare CPU list; did you mean 'cpus:0-3'?", "" },
        { "'cpuset':'zzz'", AT("cpuset") "unknown cpuset 'zzz'; a cpuset is one of llc:N, ", "" },
        { "'cpuset':'llc:x'", AT("cpuset") "cpuset 'llc:x' is malformed; it is written llc:N, for example",
          "llc:0" },
        { "'cpuset':'cpus:3-1'", AT("cpuset") "cpuset 'cpus:3-1' is malformed; it is written cpus:LIST, ",
          "'3-1' is a reversed range" },
        { "'cpuset_mems':'0-x'", AT("cpuset_mems") "'0-x' is not a list of numbers: ", "such as 0-3,5" },
        { "'works':[{'affinity':'smtpair'}]",
          AT("works[0].affinity") "unknown affinity 'smtpair'; did you mean 'smt-pair'?",
          "An affinity is one of inherit, " },
        { "'works':[{'affinity':'cpu:0-3'}]",
          AT("works[0].affinity") "unknown affinity 'cpu:0-3'; did you mean 'cpus:LIST'?", "" },
        { "'works':[{'affinity':'rnadom:2'}]",
          AT("works[0].affinity") "unknown affinity 'rnadom:2'; did you mean 'random:COUNT'?", "" },
        { "'works':[{'mem_policy':'bnid:0'}]",
          AT("works[0].mem_policy") "unknown mem_policy 'bnid:0'; did you mean 'bind:LIST'?", "" },
        { "'works':[{'mem_policy':'prefered:0'}]",
          AT("works[0].mem_policy") "unknown mem_policy 'prefered:0'; did you mean 'preferred:N'?",
          "A mem_policy is one of default, " },
        { "'works':[{'mem_policy':'preferred_many:0'}]",
          AT("works[0].mem_policy") "unknown mem_policy 'preferred_many:0'; did you mean "
                                    "'preferred-many:LIST'?",
          "" },
        { "'works':[{'mpol_flags':['static','relativ']}]",
          AT("works[0].mpol_flags[1]") "unknown flag 'relativ'; did you mean 'relative'?",
          "Known flags: static, relative, balancing" },
        { "'works':[{'mpol_flags':'statik'}]",
          AT("works[0].mpol_flags") "unknown flag 'statik'; did you mean 'static'?", "" },
        { "'works':[{'sched_policy':'fifi:1'}]",
          AT("works[0].sched_policy") "unknown sched_policy 'fifi:1'; did you mean 'fifo:P'?",
          "A sched_policy is one of normal, " },
        { "'works':[{'sched_policy':'FIFO'}]",
          AT("works[0].sched_policy") "unknown sched_policy 'FIFO'; did you mean 'fifo:P'?", "" },
        { "'works':[{'sched_policy':'deadline:5 ms/10ms/10ms'}]",
          AT("works[0].sched_policy") "sched_policy 'deadline:5 ms/10ms/10ms': '5 ms' is not a time; did you "
                                      "mean '5ms'?",
          "" },
        { "'works':[{'work_type':'Spinwait'}]",
          AT("works[0].work_type") "unknown work type 'Spinwait'; did you mean 'SpinWait'?",
          "Known work types: SpinWait, " },
        /* parameters */
        { "'works':[{'work_type':'Bursty','params':{'burst-duration':1,'x':1}}]",
          AT("works[0].params") "unknown Bursty parameter 'burst-duration'; did you mean 'burst_duration'?",
          "Known Bursty parameters: burst_duration, sleep_duration" },
        { "'works':[{'params':{'burst_duration':1}}]",
          AT("works[0].params") "unknown SpinWait parameter 'burst_duration'; SpinWait has no parameters",
          "leave them out" },
        { "'works':[{'work_type':'Bursty','params':{'burst_duration':0}}]",
          AT("works[0].params.burst_duration") "burst_duration 0s is out of range 1ns..3600s; ", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':'3601s'}}]",
          AT("works[0].params.sleep_duration") "sleep_duration 3601s is out of range 0s..3600s; ", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':9223372036854775807}}]",
          AT("works[0].params.sleep_duration") "sleep_duration 18446744073709551615ns is out of range", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':'max'}}]",
          AT("works[0].params.sleep_duration") "'max' is not a time; a time is microseconds (1000) or ", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':'1msec'}}]",
          AT("works[0].params.sleep_duration") "'1msec' is not a time; did you mean '1ms'?", "" },
        { "'works':[{'work_type':'Bursty','params':{'sleep_duration':-1}}]",
          AT("works[0].params.sleep_duration") "-1 is negative; a time is ", "" },
        { "'works':[{'work_type':'IdleChurn','params':{'precise_timing':1}}]",
          AT("works[0].params.precise_timing") "expected a boolean, got an integer: 1", "" },
};

static void wrong_values(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autofree char *list = g_strdup_printf("[{'name':'x',%s}]", WRONG[i].body);
                check_refusal(list, WRONG[i].start, WRONG[i].fragment);
        }
}

static void names(void **state G_GNUC_UNUSED) {
        check_refusal("[{'name':'x'},7]", "cgroups[1]: expected an object, got an integer: 7", "");
        check_refusal("[{'name':'x'},{}]", "cgroups[1]: a definition needs a name; give the key 'name'", "");
        check_refusal("[{'name':7}]", "cgroups[0].name: expected text, got an integer: 7", "");
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
                "[{'name':'x','works':[{'pcomm':'@'}]}]",
                "[{'name':'x','payload':'@'}]",
                "[{'name':'x','payload':{'@':1}}]",
                "[{'name':'x','payload':{'name':'a/@'}}]",
                "[{'name':'x','payload':{'exec':'a/@'}}]",
                "[{'name':'x','payload':{'checks':['@']}}]",
                "[{'name':'x','payload':{'checks':['min:@']}}]",
                "[{'name':'x','payload':{'metrics':['@=@']}}]",
                "[{'name':'x','payload':{'environment':['@']}}]",
                "[{'name':'x','payload':{'process_group':'@'}}]",
                "[{'name':'x','nice':'@'}]",
                "[{'name':'x','works':[{'work_type':'Bursty','params':{'burst_duration':'@'}}]}]",
        };
        g_autofree char *word = g_strnfill(4001, 'x');

        for (size_t i = 1; i < 4001; i += 2)
                memcpy(word + i, "\xc3\xa9", 2); /* no cut at an even number of bytes is right */
        for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
                g_auto(GStrv) around = g_strsplit(lists[i], "@", -1);
                g_autofree char *list = g_strjoinv(word, around);
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
        assert_true(g_str_has_prefix(error->message, "definition: a definition needs a name"));
}

static void documents(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "{}", "document: the document needs the key 'cgroups', a list of definitions; give it" },
                { "[]", "document: expected an object, got a list" },
                { "null", "document: null is no value here; leave the key out, or give an object" },
                { "{'cgroup':[]}",
                  "document: unknown key 'cgroup'; did you mean 'cgroups'? Known keys: cgroups" },
                { "{'cgroups':[],'steps':[]}", "document: unknown key 'steps'; known keys: cgroups" },
                { "{'cgroups':{}}", "cgroups: expected a list of definitions, got an object" },
                { "{'cgroups':null}",
                  "cgroups: null is no value here; leave the key out, or give a list of definitions" },
                { "{'cgroups':[{'name':'x','nice':99}]}", "cgroups[0].nice: cgroup 'x': 99 is out of range "
                                                          "-20..19; sched(7) knows no other nice values" },
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
                ApplyOptions options;
        } cases[] = {
                { "{}", { .backdrop = false } },
                { "{'target':'step','dry_run':true}", { .dry_run = true } },
                { "{'target':'backdrop','dry_run':false}", { .backdrop = true } },
                { "{'workers_per_cgroup':1}", { .workers_per_cgroup = { true, 1 } } },
                { "{'work_type_override':'Bursty','workers_per_cgroup':2147483647}",
                  { .workers_per_cgroup = { true, 2147483647 },
                    .has_work_type_override = true,
                    .work_type_override = WORK_BURSTY } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                const ApplyOptions *want = &cases[i].options;
                ApplyOptions got;
                assert_true(decode_apply_options(node, &got, NULL));
                assert_int_equal(got.backdrop, want->backdrop);
                assert_int_equal(got.dry_run, want->dry_run);
                assert_int_equal(got.workers_per_cgroup.set, want->workers_per_cgroup.set);
                assert_int_equal(got.workers_per_cgroup.value, want->workers_per_cgroup.value);
                assert_int_equal(got.has_work_type_override, want->has_work_type_override);
                assert_int_equal(got.work_type_override, want->work_type_override);
        }
}

static void wrong_options(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *start, *fragment;
        } cases[] = {
                { "{'target':'both'}", "options.target: unknown target 'both'; known targets: step, backdrop",
                  "" },
                { "{'target':'backdorp'}",
                  "options.target: unknown target 'backdorp'; did you mean 'backdrop'?", "" },
                { "{'target':1}", "options.target: expected \"step\" or \"backdrop\", got an integer: 1",
                  "" },
                { "{'dry_run':1}", "options.dry_run: expected a boolean, got an integer: 1", "" },
                { "{'dry-run':true}",
                  "options: unknown key 'dry-run'; did you mean 'dry_run'? Known keys: target, dry_run, "
                  "workers_per_cgroup, work_type_override, stall_monitor, stall_poll_ms, stall_window, "
                  "stall_fails",
                  "" },
                { "{'workers_per_cgroup':0}", "options.workers_per_cgroup: 0 is out of range 1..2147483647; ",
                  "pass vacuously" },
                { "{'workers_per_cgroup':-1}", "options.workers_per_cgroup: -1 is out of range 1..", "" },
                { "{'workers_per_cgroup':'2'}",
                  "options.workers_per_cgroup: expected an integer, got text: \"2\"", "" },
                { "{'work_type_override':'bursty'}",
                  "options.work_type_override: unknown work type 'bursty'; did you mean 'Bursty'?",
                  "Known work types: SpinWait, " },
                { "{'work_type_override':7}", "options.work_type_override: expected text, got an integer: 7",
                  "" },
                { "[]", "options: expected an object, got a list", "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                ApplyOptions got = { .backdrop = true, .dry_run = true, .workers_per_cgroup = { true, 7 } };
                g_autoptr(GError) error = NULL;
                if (decode_apply_options(node, &got, &error))
                        fail_msg("%s", cases[i].text);
                if (!g_str_has_prefix(error->message, cases[i].start) ||
                    !strstr(error->message, cases[i].fragment))
                        fail_msg("%s: %s", cases[i].text, error->message);
                assert_true(got.backdrop && got.dry_run && got.workers_per_cgroup.value == 7); /* untouched */
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
                cmocka_unit_test(wrong_options),
                cmocka_unit_test(no_options),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
