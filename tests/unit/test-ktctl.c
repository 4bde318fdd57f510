/* SPDX-License-Identifier: GPL-2.0-only */
#include "cells.h"
#include "definition.h"
#include "options.h"
#include "print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int run_nothing(const Invocation *i) {
        (void)i;
        return 0;
}

static const Verb verbs[] = {
        { "add-cgroup", "NAME", "add", 1, 1, OPTION_BIT(OPTION_DRY_RUN), true, run_nothing },
        { "end-step", "", "end", 0, 0, OPTION_BIT(OPTION_REPORT), false, run_nothing },
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
        assert_definition(
                "--param burst=10ms --param n=4 --param e=a=b",
                "{\"name\":\"a\",\"works\":[{\"params\":{\"burst\":\"10ms\",\"n\":4,\"e\":\"a=b\"}}]}");
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
                g_autofree char *option = definition_option_name(&vocabulary[i]);

                if (!option)
                        continue;
                assert_true(definition_has_option(option));
                for (OptionId id = 0; id < OPTION_COUNT; id++) /* ours must not hide it */
                        assert_string_not_equal(options[id].name, option);
        }
        assert_false(definition_has_option("name"));
        assert_false(definition_has_option("cpu.weight"));
}

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

static void test_help_asks_for_no_arguments(void **state) {
        g_auto(GStrv) argv = NULL;
        g_autoptr(Invocation) i = parse("ktctl add-cgroup --help", &argv, NULL);

        (void)state;
        assert_non_null(i);
        assert_true(invocation_has(i, OPTION_HELP));
}

/* ---- tables ---- */

static void assert_cell(char *(*format)(JsonNode *node), const char *json, const char *want) {
        g_autoptr(JsonNode) node = json_from_string(json, NULL);
        g_autofree char *cell = format(node);

        assert_string_equal(cell, want);
}

static void test_cells(void **state) {
        (void)state;
        assert_cell(cell_count, "12345", "12345");
        assert_cell(cell_duration, "0", "0ns");
        assert_cell(cell_duration, "999", "999ns");
        assert_cell(cell_duration, "12345", "12.3us");
        assert_cell(cell_duration, "2000000000", "2s");
        assert_cell(cell_duration, "7200000000000", "7200s");
        assert_cell(cell_duration, "\"18446744073709551615\"", "18446744074s"); /* above JSON's integers */
        assert_cell(cell_kib, "32768", "32M");
        assert_cell(cell_kib, "1572864", "1.50G");
        assert_cell(cell_list, "[10,21]", "10 21");
        assert_cell(cell_ranges, "[4,5,6,9,11,12]", "4-6,9,11-12");
        assert_cell(cell_ranges, "[]", "");
        assert_null(cell_text(NULL));
}

static void test_results_of_workers(void **state) {
        (void)state;
        assert_cell(cell_result, "{\"completed\":true,\"exit_info\":null}", "ok");
        assert_cell(cell_result, "{\"completed\":true,\"exit_info\":{\"kind\":\"exited\",\"value\":0}}",
                    "ok");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":null}", "incomplete");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":{\"kind\":\"deadline\"}}", "killed");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":{\"kind\":\"signaled\",\"value\":9}}",
                    "signal 9");
        assert_cell(cell_result, "{\"completed\":false,\"exit_info\":{\"kind\":\"exited\",\"value\":1}}",
                    "exit 1");
        assert_cell(cell_result, "{}", "ok");
}

static char *printed_report(const char *json, const char *summary, guint *ret_failures) {
        g_autoptr(JsonNode) report = json_from_string(json, NULL), node = json_from_string(summary, NULL);
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        print_report(out, json_node_get_object(report), json_node_get_object(node), true);
        fclose(out);
        *ret_failures = report_failures(json_node_get_object(report));
        return text;
}

static void test_report(void **state) {
        guint failures;
        g_autofree char *text = printed_report(
                "{\"cgroups\":[{\"name\":\"a\",\"works\":[{\"work_type\":\"SpinWait\",\"workers\":["
                "{\"tid\":7,\"completed\":true,\"iterations\":3},"
                "{\"tid\":8,\"completed\":false,\"exit_info\":{\"kind\":\"signaled\",\"value\":9}}]}]},"
                "{\"name\":\"b\",\"works\":[]}]}",
                "{\"step_index\":2,\"cgroups\":2,\"workers\":2,\"completed\":1,\"killed\":1,"
                "\"iterations\":3,\"work_units\":0}",
                &failures);

        (void)state;
        assert_int_equal(failures, 1);
        assert_non_null(strstr(text, "signal 9"));
        assert_non_null(strstr(
                text,
                "\n\nStep 2: 2 cgroups, 2 workers: 1 completed, 1 killed; 3 iterations, 0 work units.\n"));
        assert_ptr_equal(strstr(text, "SpinWait"), g_strrstr(text, "SpinWait")); /* once, not once a worker */
        assert_null(strstr(text, "WAKE-P50"));                                   /* nobody measured it */
}

static void test_answers_with_nothing_in_them(void **state) {
        g_autoptr(JsonNode) odd =
                json_from_string("{\"cgroups\":[null,1,{\"works\":{}},{\"works\":[2,{\"workers\":[3]}]}],"
                                 "\"numa_nodes\":[4],\"llcs\":5,\"distances\":[6,7]}",
                                 NULL);
        g_autofree char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        JsonObject *object = json_node_get_object(odd);

        (void)state;
        print_state(out, object, true, true);
        print_topology(out, object, true);
        print_report(out, object, NULL, true);
        print_results(out, json_object_get_array_member(object, "cgroups"), true);
        print_plan(out, json_object_get_array_member(object, "cgroups"));
        print_state(out, NULL, true, true);
        fclose(out);
        assert_int_equal(report_failures(object), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words_nest),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_worker_groups),
                cmocka_unit_test(test_words_of_both),
                cmocka_unit_test(test_every_word_is_an_option),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_global_options),
                cmocka_unit_test(test_help_asks_for_no_arguments),
                cmocka_unit_test(test_cells),
                cmocka_unit_test(test_results_of_workers),
                cmocka_unit_test(test_report),
                cmocka_unit_test(test_answers_with_nothing_in_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
