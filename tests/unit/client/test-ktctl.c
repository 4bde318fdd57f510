/* SPDX-License-Identifier: GPL-2.0-only */
#include "dbus/bus-json.h"
#include "client/definition.h"
#include "client/options.h"

#include "common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int run_nothing(const Invocation *i) {
        (void)i;
        return 0;
}

static const Verb verbs[] = {
        { "add-cgroup", "NAME", "add", 1, 1,
          OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_BACKDROP) | OPTION_BIT(OPTION_WORKERS_PER_CGROUP) |
                  OPTION_BIT(OPTION_WORK_TYPE_OVERRIDE) | OPTION_BIT(OPTION_STALL_MONITOR) |
                  OPTION_BIT(OPTION_STALL_POLL_MS) | OPTION_BIT(OPTION_STALL_WINDOW) |
                  OPTION_BIT(OPTION_STALL_FAILS),
          VERB_DEFINITION | VERB_COMMAND, run_nothing },
        { "monitor", "", "watch", 0, 0, OPTION_BIT(OPTION_SIGNALS), 0, run_nothing },
        { "end-step", "", "end", 0, 0, OPTION_BIT(OPTION_REPORT), 0, run_nothing },
        { 0 },
};

/* A command line without shell: words with blanks between. */
static Invocation *parse(const char *line, char ***ret_argv, GError **error) {
        *ret_argv = g_strsplit(line, " ", -1);
        return invocation_parse(verbs, *ret_argv, error);
}

static void assert_definition(const char *arguments, const char *json) {
        g_autofree char *line = g_strconcat("ktctl add-cgroup a", *arguments ? " " : "", arguments, NULL);
        g_auto(GStrv) argv = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(Invocation) i = parse(line, &argv, &error);
        g_autoptr(JsonNode) got = json_node_new(JSON_NODE_OBJECT), wanted = json_from_string(json, NULL);
        g_autofree char *text = NULL;

        if (!i)
                fail_msg("%s: %s", line, error->message);
        json_node_set_object(got, definition_finish(i->definition, "a"));
        text = json_to_string(got, FALSE);
        if (!json_node_equal(got, wanted))
                fail_msg("%s\n  is     %s\n  not    %s", line, text, json);
}

static void assert_refused(const char *line, const char *message) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(Invocation) i = parse(line, &argv, &error);

        assert_null(i);
        assert_string_equal(error->message, message);
}

static void test_words_nest(void **state) {
        (void)state;
        assert_definition("", "{\"name\":\"a\"}");
        assert_definition(
                "--cpuset llc:0 --cpuset-mems 0 --cpu-weight 200 --cpu-quota-us 50% --cpu-period-us=100ms",
                "{\"name\":\"a\",\"cpuset\":\"llc:0\",\"cpuset_mems\":\"0\","
                "\"cpu\":{\"weight\":200,\"quota_us\":\"50%\",\"period_us\":\"100ms\"}}");
        assert_definition(
                "--memory-max 256M --memory-swap-max 0 --memory-low max --io-weight 50 --pids-max max",
                "{\"name\":\"a\",\"memory\":{\"max\":\"256M\",\"swap_max\":0,\"low\":\"max\"},"
                "\"io\":{\"weight\":50},\"pids\":{\"max\":\"max\"}}");
}

static void test_values(void **state) {
        (void)state;
        assert_definition("--nice -5 --uid 9223372036854775808 --gid 0x1f",
                          "{\"name\":\"a\",\"nice\":-5,\"uid\":\"9223372036854775808\",\"gid\":\"0x1f\"}");
        assert_definition("--nice +5 --comm 12", "{\"name\":\"a\",\"nice\":\"+5\",\"comm\":\"12\"}");
        assert_definition("--workers-pct 2", "{\"name\":\"a\",\"works\":[{\"workers_pct\":2.0}]}");
        assert_definition("--workers-pct nan", "{\"name\":\"a\",\"works\":[{\"workers_pct\":\"nan\"}]}");
        assert_definition("--mpol-flags static,balancing",
                          "{\"name\":\"a\",\"works\":[{\"mpol_flags\":[\"static\",\"balancing\"]}]}");
        assert_definition("--param burst=10ms --param n=4 --param e=a=b --param p=true --param q=True",
                          "{\"name\":\"a\",\"works\":[{\"params\":{\"burst\":\"10ms\",\"n\":4,\"e\":\"a=b\","
                          "\"p\":true,\"q\":\"True\"}}]}");
        assert_definition("--swappable --cpuset llc:0",
                          "{\"name\":\"a\",\"swappable\":true,\"cpuset\":\"llc:0\"}");
        assert_definition("--pcomm srv --workers 2",
                          "{\"name\":\"a\",\"works\":[{\"pcomm\":\"srv\",\"workers\":2}]}");
}

static void test_worker_groups(void **state) {
        (void)state;
        assert_definition("--workers 2", "{\"name\":\"a\",\"works\":[{\"workers\":2}]}");
        assert_definition("--work-type Bursty --workers 2 --work-type SpinWait",
                          "{\"name\":\"a\",\"works\":[{\"work_type\":\"Bursty\",\"workers\":2},"
                          "{\"work_type\":\"SpinWait\"}]}");
        /* a group that has no type yet gets it */
        assert_definition(
                "--workers 2 --work-type Bursty --affinity llc",
                "{\"name\":\"a\",\"works\":[{\"workers\":2,\"work_type\":\"Bursty\",\"affinity\":\"llc\"}]}");
}

static void test_words_of_both(void **state) {
        (void)state;
        assert_definition("--nice 1 --workers 2 --comm x --work-type Bursty --nice 2 --uid 3 --cpuset numa:0",
                          "{\"name\":\"a\",\"nice\":1,\"comm\":\"x\",\"cpuset\":\"numa:0\",\"works\":["
                          "{\"workers\":2,\"work_type\":\"Bursty\",\"nice\":2,\"uid\":3}]}");
}

static void test_every_word_is_an_option(void **state) {
        (void)state;
        for (size_t i = 0; i < vocabulary_count; i++) {
                g_autofree char *option = word_option(&vocabulary[i]);

                if (!option)
                        continue;
                assert_true(definition_has_option(option));
                for (OptionId id = 0; id < OPTION_COUNT; id++) /* ours must not hide it */
                        assert_string_not_equal(options[id].name, option);
        }
        assert_false(definition_has_option("name"));
        assert_false(definition_has_option("cpu.weight"));
}

/* ---- whole groups ---- */

static void test_work(void **state) {
        (void)state;
        assert_definition("--work work_type=Bursty,workers=4,affinity=cpus:0,2,params.burst_duration=1ms,"
                          "mpol_flags=static,balancing",
                          "{\"name\":\"a\",\"works\":[{\"work_type\":\"Bursty\",\"workers\":4,"
                          "\"affinity\":\"cpus:0,2\",\"params\":{\"burst_duration\":\"1ms\"},"
                          "\"mpol_flags\":[\"static\",\"balancing\"]}]}");
        assert_definition(
                "--work params.n=4,params.p=false,params.e=a=b,workers_pct=0.5 --work pcomm=x,nice=-5",
                "{\"name\":\"a\",\"works\":[{\"params\":{\"n\":4,\"p\":false,\"e\":\"a=b\"},"
                "\"workers_pct\":0.5},{\"pcomm\":\"x\",\"nice\":-5}]}");
        assert_definition("--work=comm=", "{\"name\":\"a\",\"works\":[{\"comm\":\"\"}]}");
}

/* Wherever they stand, options of both are defaults beside --work. */
static void test_work_beside_options(void **state) {
        (void)state;
        assert_definition("--nice 1 --work workers=2,nice=3 --comm x --cpuset llc:0",
                          "{\"name\":\"a\",\"nice\":1,\"comm\":\"x\",\"cpuset\":\"llc:0\","
                          "\"works\":[{\"workers\":2,\"nice\":3}]}");
        assert_refused("ktctl add-cgroup a --work workers=2 --work-type Bursty",
                       "--work and --work-type exclude each other: --work makes whole worker groups; write "
                       "work_type= as a piece of it");
        assert_refused("ktctl add-cgroup a --param n=2 --workers 1 --work workers=2",
                       "--work and --param exclude each other: --work makes whole worker groups; write "
                       "params.KEY= as a piece of it");
}

static void test_work_mistakes(void **state) {
        static const struct {
                const char *work;
                const char *message;
        } rows[] = {
                { "", "piece '': it is empty; write KEY=VALUE,..., for instance work_type=Bursty" },
                { "Bursty", "piece 'Bursty': it has no key; write KEY=VALUE, for instance work_type=Bursty" },
                { "0,workers=2", "piece '0': it has no key; write KEY=VALUE, for instance work_type=Bursty" },
                { "workers=2,", "piece 'workers=2,': nothing stands beside a comma; leave that comma out" },
                { "workers=2,,nice=1",
                  "piece 'workers=2,,nice=1': nothing stands beside a comma; leave that comma out" },
                { "wrokers=2",
                  "piece 'wrokers=2': a worker group has no key 'wrokers'; did you mean 'workers'?" },
                { "work-type=Bursty", "piece 'work-type=Bursty': a worker group has no key 'work-type'; did "
                                      "you mean 'work_type'?" },
                { "=2", "piece '=2': a worker group has no key ''; it has work_type, params.KEY, workers, "
                        "workers_pct, sched_policy, affinity, mem_policy, mpol_flags, pcomm, nice, comm, "
                        "uid, gid, numa_node" },
                { "cpuset=llc:0,1", "piece 'cpuset=llc:0,1': cpuset belongs to the cgroup, not to a worker "
                                    "group; use --cpuset" },
                { "memory.swap_max=1M", "piece 'memory.swap_max=1M': memory.swap_max belongs to the cgroup, "
                                        "not to a worker group; use --memory-swap-max" },
                { "nice=1,workers=2,nice=2",
                  "piece 'nice=2': nice is given twice; start another group with another --work" },
                { "params.n=1,params.n=2",
                  "piece 'params.n=2': params.n is given twice; a group has each parameter once" },
                { "params=1", "piece 'params=1': the parameter has no name; write params.KEY=VALUE, for "
                              "instance params.burst_duration=10ms" },
                { "params.=1", "piece 'params.=1': the parameter has no name; write params.KEY=VALUE, for "
                               "instance params.burst_duration=10ms" },
        };

        (void)state;
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *line = g_strconcat("ktctl add-cgroup a --work=", rows[i].work, NULL);
                g_autofree char *message = g_strconcat("--work, ", rows[i].message, NULL);
                assert_refused(line, message);
        }
        assert_refused("ktctl add-cgroup a --work \xff", "--work: value is not UTF-8");
        assert_refused("ktctl add-cgroup a --work", "--work needs a value");
}

/* ---- what goes over the bus ---- */

/* A connection that nobody answers is enough to make messages. */
static sd_bus *silent_bus(int *ret_other) {
        sd_bus *bus = NULL;
        int pair[2];

        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        *ret_other = pair[1];
        assert_return_code(sd_bus_new(&bus), 0);
        assert_return_code(sd_bus_set_fd(bus, pair[0], pair[0]), 0);
        assert_return_code(sd_bus_start(bus), 0);
        return bus;
}

/* The type of the value at "works.nice" in a{sv}; of lists the first element is meant. */
static char *type_at(sd_bus_message *m, const char *path) {
        const char *key, *contents, *dot = strchr(path, '.');
        size_t length = dot ? (size_t)(dot - path) : strlen(path);

        assert_return_code(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
        for (;;) {
                if (sd_bus_message_enter_container(m, 'e', "sv") <= 0)
                        fail_msg("no '%s'", path);
                assert_return_code(sd_bus_message_read_basic(m, 's', &key), 0);
                assert_return_code(sd_bus_message_peek_type(m, NULL, &contents), 0);
                if (strlen(key) == length && !memcmp(key, path, length))
                        break;
                assert_return_code(sd_bus_message_skip(m, "v"), 0);
                assert_return_code(sd_bus_message_exit_container(m), 0);
        }
        if (!dot)
                return g_strdup(contents);
        assert_return_code(sd_bus_message_enter_container(m, 'v', contents), 0);
        if (g_str_equal(contents, "aa{sv}"))
                assert_return_code(sd_bus_message_enter_container(m, 'a', "a{sv}"), 0);
        return type_at(m, dot + 1);
}

static void assert_type(JsonObject *object, const char *path, const char *type) {
        int other;
        sd_bus *bus = silent_bus(&other);
        sd_bus_message *m = NULL;
        g_autofree char *got = NULL;

        assert_return_code(sd_bus_message_new_signal(bus, &m, "/a", "a.b", "C"), 0);
        assert_return_code(bus_json_append_object(m, object), 0);
        assert_return_code(sd_bus_message_seal(m, 1, 0), 0);
        got = type_at(m, path);
        if (!g_str_equal(got, type))
                fail_msg("%s is '%s' on the bus, not '%s'", path, got, type);
        sd_bus_message_unref(m);
        sd_bus_close_unref(bus);
        close(other);
}

typedef struct Sample {
        const char *text, *type, *json;
} Sample;

/* Two values for each kind: of kinds that take numbers and text, one of each. */
static const Sample samples[][2] = {
        [VOCABULARY_TEXT] = { { "cpus:0,2", "s", "\"cpus:0,2\"" }, { "7", "s", "\"7\"" } },
        [VOCABULARY_COUNT] = { { "-3", "x", "-3" }, { "max", "s", "\"max\"" } },
        [VOCABULARY_NUMBER] = { { "0.5", "d", "0.5" }, { "2", "d", "2.0" } },
        [VOCABULARY_SIZE] = { { "4096", "x", "4096" }, { "256M", "s", "\"256M\"" } },
        [VOCABULARY_TIME] = { { "1000", "x", "1000" }, { "50%", "s", "\"50%\"" } },
        [VOCABULARY_TEXTS] = { { "static", "as", "[\"static\"]" }, { "a,b", "as", "[\"a\",\"b\"]" } },
        [VOCABULARY_PARAMS] = { { "7", "x", "7" }, { "true", "b", "true" } },
        [VOCABULARY_FLAG] = { { NULL, "b", "true" }, { NULL, "b", "true" } },
};

/* {"name":"a", and the value at its path}. */
static char *wanted_json(const VocabularyWord *word, const char *value) {
        g_auto(GStrv) parts = g_strsplit(word_path(word), ".", -1);
        g_autofree char *inner = g_strdup(value);

        for (guint i = g_strv_length(parts); i-- > 0;) {
                g_autofree char *was = inner;
                inner = g_strdup_printf("\"%s\":%s%s%s", parts[i], i + 1 < g_strv_length(parts) ? "{" : "",
                                        was, i + 1 < g_strv_length(parts) ? "}" : "");
        }
        return g_strdup_printf(
                word_is_of_work(word) ? "{\"name\":\"a\",\"works\":[{%s}]}" : "{\"name\":\"a\",%s}", inner);
}

static void check_encoding(const VocabularyWord *word, const char *arguments, const Sample *sample) {
        bool param = word->kind == VOCABULARY_PARAMS;
        g_autofree char *value = param ? g_strdup_printf("{\"k\":%s}", sample->json) : g_strdup(sample->json);
        g_autofree char *json = wanted_json(word, value), *line = NULL;
        g_autofree char *path = g_strconcat(word->key, param ? ".k" : "", NULL);
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = NULL;

        assert_definition(arguments, json);
        line = g_strconcat("ktctl add-cgroup a ", arguments, NULL);
        i = parse(line, &argv, NULL);
        assert_type(definition_finish(i->definition, "a"), path, sample->type);
}

/* --option VALUE; of a key of worker groups, --work KEY=VALUE too. A word of the definition comes before any
 * group, a group's word that is also one of the definition after its --work-type. */
static void check_word(const VocabularyWord *word, const Sample *sample) {
        g_autofree char *option = word_option(word), *arguments = NULL, *piece = NULL;
        bool param = word->kind == VOCABULARY_PARAMS;

        if (!option) /* the name: an argument */
                return;
        arguments = g_strdup_printf("--%s%s%s%s", option, sample->text ? " " : "", param ? "k=" : "",
                                    sample->text ?: "");
        if (!word_is_of_work(word) || !word_by_option(option, false))
                check_encoding(word, arguments, sample);
        if (!word_is_of_work(word))
                return;
        piece = g_strdup_printf("--work %s%s=%s", word_path(word), param ? ".k" : "", sample->text ?: "true");
        check_encoding(word, piece, sample);
}

static void test_every_word_on_the_bus(void **state) {
        (void)state;
        for (size_t i = 0; i < vocabulary_count; i++) {
                if (vocabulary[i].kind >= G_N_ELEMENTS(samples) || !samples[vocabulary[i].kind][0].type)
                        fail_msg("%s is of a kind that this test does not know", vocabulary[i].key);
                for (size_t j = 0; j < 2; j++)
                        check_word(&vocabulary[i], &samples[vocabulary[i].kind][j]);
        }
}

static void assert_setup_options(const char *arguments, const char *json) {
        g_autofree char *line = g_strconcat("ktctl add-cgroup a", arguments, NULL), *text = NULL;
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = parse(line, &argv, NULL);
        g_autoptr(JsonNode) got = json_node_new(JSON_NODE_OBJECT);

        assert_non_null(i);
        json_node_take_object(got, invocation_setup_options(i));
        text = json_to_string(got, FALSE);
        assert_string_equal(text, json);
}

static void test_setup_options(void **state) {
        g_autoptr(JsonObject) call = NULL;
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = NULL;

        (void)state;
        assert_setup_options("", "{\"target\":\"step\",\"dry_run\":false}");
        assert_setup_options(" --backdrop --dry-run", "{\"target\":\"backdrop\",\"dry_run\":true}");
        assert_setup_options(" --workers-per-cgroup 3 --work-type-override Bursty",
                             "{\"target\":\"step\",\"dry_run\":false,\"workers_per_cgroup\":3,"
                             "\"work_type_override\":\"Bursty\"}");
        assert_setup_options(" --workers-per-cgroup many",
                             "{\"target\":\"step\",\"dry_run\":false,\"workers_per_cgroup\":\"many\"}");
        i = parse("ktctl add-cgroup a --workers-per-cgroup 3 --work-type-override X", &argv, NULL);
        call = invocation_setup_options(i);
        assert_type(call, "dry_run", "b");
        assert_type(call, "target", "s");
        assert_type(call, "workers_per_cgroup", "x");
        assert_type(call, "work_type_override", "s");
}

#define WITH(rest) "{\"target\":\"step\",\"dry_run\":false," rest "}"

/* What has no meaning goes as text, and the daemon says why not. */
static void test_stall_options(void **state) {
        g_autoptr(JsonObject) some = NULL, none = NULL;
        g_auto(GStrv) argv = NULL, empty_argv = NULL;
        g_autoptr(Invocation) i = NULL, empty = NULL;

        (void)state;
        assert_setup_options(" --stall-monitor false --stall-poll-ms 100",
                             WITH("\"stall_monitor\":false,\"stall_poll_ms\":100"));
        assert_setup_options(" --stall-monitor=true", WITH("\"stall_monitor\":true"));
        assert_setup_options(" --stall-monitor no --stall-poll-ms 1s",
                             WITH("\"stall_monitor\":\"no\",\"stall_poll_ms\":\"1s\""));
        assert_setup_options(" --stall-fails starved,blocked",
                             WITH("\"stall_fails\":[\"starved\",\"blocked\"]"));
        assert_setup_options(" --stall-fails starved --stall-fails=throttled,blocked",
                             WITH("\"stall_fails\":[\"starved\",\"throttled\",\"blocked\"]"));
        assert_setup_options(" --stall-fails=", WITH("\"stall_fails\":[]"));
        assert_setup_options(" --stall-fails= --stall-fails starved", WITH("\"stall_fails\":[\"starved\"]"));
        assert_setup_options(" --stall-fails starved,", WITH("\"stall_fails\":[\"starved\",\"\"]"));
        i = parse("ktctl add-cgroup a --stall-monitor false --stall-poll-ms 9 --stall-fails x,y", &argv,
                  NULL);
        some = invocation_setup_options(i);
        assert_type(some, "stall_monitor", "b");
        assert_type(some, "stall_poll_ms", "x");
        assert_type(some, "stall_fails", "as");
        empty = parse("ktctl add-cgroup a --stall-fails=", &empty_argv, NULL);
        none = invocation_setup_options(empty);
        assert_type(none, "stall_fails", "as");
}

static void test_stall_mistakes(void **state) {
        (void)state;
        assert_refused("ktctl add-cgroup a --stall-poll 5",
                       "unknown option --stall-poll; did you mean --stall-poll-ms?");
        assert_refused("ktctl add-cgroup a --stall-fails", "--stall-fails needs a value");
        assert_refused("ktctl add-cgroup a --stall-fails \xff --stall-fails starved",
                       "--stall-fails: value is not UTF-8");
        assert_refused("ktctl add-cgroup a --stall-monitor \xff", "--stall-monitor: value is not UTF-8");
        assert_refused("ktctl add-cgroup a --stall-poll-ms=\xff", "--stall-poll-ms: value is not UTF-8");
        assert_refused("ktctl end-step --stall-fails starved", "end-step has no option --stall-fails");
}

/* ---- mistakes, and the rest ---- */

static void test_mistakes(void **state) {
        (void)state;
        assert_refused("ktctl add-cgroup a --cpu_wieght 5",
                       "unknown option --cpu_wieght; did you mean --cpu-weight?");
        assert_refused("ktctl end-step --zzz", "end-step has no option --zzz");
        assert_refused("ktctl add-cgroups", "unknown verb 'add-cgroups'; did you mean 'add-cgroup'?");
        assert_refused("ktctl --dry-run add-cgroup a",
                       "--dry-run is not an option of every verb; options of one verb stand after it");
        assert_refused("ktctl add-cgroup a --nice 1 --nice 2", "--nice is given twice");
        assert_refused("ktctl add-cgroup a --workers 1 --workers=2",
                       "--workers is given twice for one worker group");
        assert_refused("ktctl add-cgroup a --param n=1 --param n=2",
                       "--param n is given twice for one worker group");
        assert_refused("ktctl add-cgroup a --param n",
                       "--param n: needs KEY=VALUE, for instance burst_duration=10ms");
        assert_refused("ktctl add-cgroup a --cpuset \xff", "--cpuset: value is not UTF-8");
        assert_refused("ktctl add-cgroup a --cpuset", "--cpuset needs a value");
        assert_refused("ktctl add-cgroup", "add-cgroup: too few arguments; usage: ktctl add-cgroup NAME");
        assert_refused("ktctl end-step x", "end-step: argument 'x' is one too many; usage: ktctl end-step");
        assert_refused("ktctl end-step -j", "unknown option -j");
        assert_refused("ktctl end-step --json=1", "--json takes no value");
        assert_refused("ktctl end-step --timeout 0", "--timeout '0': needs whole seconds, 1 to 86400");
        assert_refused("ktctl monitor --count 0", "--count '0': needs a whole number above 0");
        assert_refused("ktctl monitor --count few", "--count 'few': needs a whole number above 0");
        assert_refused("ktctl add-cgroup a --swappable=1", "--swappable takes no value");
        assert_refused("ktctl add-cgroup a --swappable --swappable", "--swappable is given twice");
        assert_refused("ktctl add-cgroup a --work-type-override \xff",
                       "--work-type-override: value is not UTF-8");
        assert_refused("ktctl end-step --session --address x",
                       "only one of --system, --session and --address can be used");
}

static void test_global_options(void **state) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i =
                parse("ktctl --scenario s --timeout=3 add-cgroup --json --dry-run -- --name", &argv, NULL);

        (void)state;
        assert_non_null(i);
        assert_string_equal(i->verb->name, "add-cgroup");
        assert_string_equal(invocation_scenario(i), "s");
        assert_true(i->timeout_us == 3 * G_USEC_PER_SEC);
        assert_true(invocation_has(i, OPTION_JSON) && invocation_has(i, OPTION_DRY_RUN));
        assert_int_equal(i->arguments->len, 1);
        assert_string_equal(g_ptr_array_index(i->arguments, 0), "--name");
}

static void test_count(void **state) {
        g_auto(GStrv) argv = NULL, endless_argv = NULL;
        g_autoptr(Invocation) i = parse("ktctl monitor --count 3", &argv, NULL);
        g_autoptr(Invocation) endless = parse("ktctl monitor", &endless_argv, NULL);

        (void)state;
        assert_true(i->signals == 3);
        assert_true(endless->signals == G_MAXUINT64);
}

static void test_help_asks_for_no_arguments(void **state) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = parse("ktctl add-cgroup --help", &argv, NULL);

        (void)state;
        assert_non_null(i);
        assert_true(invocation_has(i, OPTION_HELP));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words_nest),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_worker_groups),
                cmocka_unit_test(test_words_of_both),
                cmocka_unit_test(test_every_word_is_an_option),
                cmocka_unit_test(test_work),
                cmocka_unit_test(test_work_beside_options),
                cmocka_unit_test(test_work_mistakes),
                cmocka_unit_test(test_every_word_on_the_bus),
                cmocka_unit_test(test_setup_options),
                cmocka_unit_test(test_stall_options),
                cmocka_unit_test(test_stall_mistakes),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_global_options),
                cmocka_unit_test(test_count),
                cmocka_unit_test(test_help_asks_for_no_arguments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
