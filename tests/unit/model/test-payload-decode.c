/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/decode-payload.h"
#include "plan-fixture.h"

static PayloadDef *decoded(const char *text) {
        g_autoptr(JsonNode) node = json_quoted(text);
        g_autoptr(GError) error = NULL;
        PayloadDef *def = decode_payload(node, "", NULL, &error);

        if (!def)
                fail_msg("%s: %s", text, error->message);
        return def;
}

static void assert_words(char **words, const char *expected) {
        g_autofree char *got = g_strjoinv("|", words);

        assert_string_equal(got, expected);
}

/* ---- what is kept ---- */

static void every_key(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadDef) def = decoded(
                "{'name':'disk \\u00e9','exec':'/usr/bin/fio','args':['--name=a','','b c'],'output':'json',"
                "'known_flags':['rw','iodepth'],'checks':['exit-code:0','min:iops=5'],"
                "'metrics':['iops=higher-better,1/s'],'process_group':'parent','working_directory':'/tmp',"
                "'environment':['A=1','_b2=','C=x=y'],'user':'nobody'}");
        const PayloadCheck *check = def->checks->pdata[1];
        const MetricHint *hint = def->metrics->pdata[0];

        assert_string_equal(def->name, "disk \xc3\xa9");
        assert_string_equal(def->exec, "/usr/bin/fio");
        assert_words(def->args, "--name=a||b c");
        assert_int_equal(def->output, PAYLOAD_OUTPUT_JSON);
        assert_words(def->known_flags, "rw|iodepth");
        assert_int_equal(def->checks->len, 2);
        assert_string_equal(check->metric, "iops");
        assert_int_equal(def->metrics->len, 1);
        assert_string_equal(hint->unit, "1/s");
        assert_true(def->parent_process_group);
        assert_string_equal(def->working_directory, "/tmp");
        assert_words(def->environment, "A=1|_b2=|C=x=y");
        assert_string_equal(def->user, "nobody");
}

static void defaults(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadDef) def = decoded("{'exec':'sh','name':'x'}"), none = NULL;

        assert_string_equal(def->exec, "sh");
        assert_words(def->args, "");
        assert_int_equal(def->output, PAYLOAD_OUTPUT_EXIT_CODE);
        assert_null(def->known_flags); /* any */
        assert_int_equal(def->checks->len + def->metrics->len, 0);
        assert_false(def->parent_process_group);
        assert_string_equal(def->working_directory, "/");
        assert_words(def->environment, "");
        assert_null(def->user);
        none = decoded("{'exec':'sh','name':'x','known_flags':[],'user':0,'process_group':'own',"
                       "'output':'exit-code'}");
        assert_non_null(none->known_flags); /* none */
        assert_null(none->known_flags[0]);
        assert_string_equal(none->user, "0");
}

static void lengths(void **state G_GNUC_UNUSED) {
        g_autofree char *name = g_strnfill(255, 'n'), *word = g_strnfill(131071, 'w');
        g_autofree char *path = g_strnfill(4094, 'p'), *variable = g_strnfill(131069, 'v');
        g_autofree char *text =
                g_strdup_printf("{'name':'%s','exec':'/%s','args':['%s'],'environment':['V=%s']}", name, path,
                                word, variable);
        g_autoptr(PayloadDef) def = decoded(text);

        assert_int_equal(strlen(def->args[0]), 131071);
}

/* The file's name is one only where the object has none; and it has to be one. */
static void another_name(void **state G_GNUC_UNUSED) {
        g_autoptr(JsonNode) without = json_quoted("{'exec':'sh'}"),
                            with = json_quoted("{'exec':'sh','name':'b'}");
        g_autoptr(PayloadDef) a = decode_payload(without, "", "a", NULL),
                              b = decode_payload(with, "", "@", NULL);
        g_autoptr(GError) error = NULL;

        assert_string_equal(a->name, "a");
        assert_string_equal(b->name, "b");
        assert_null(decode_payload(without, "", "@a", &error));
        assert_invalid(error, "name: '@a' starts with '@'");
        assert_null(decode_payload(without, "here", NULL, &error));
        assert_invalid(error, "here: a payload needs a name");
}

/* ---- what is refused ---- */

static const struct {
        const char *body, *start, *fragment;
} WRONG[] = {
        { "'exec':'sh'", "payload: a payload needs a name; give the key 'name'", "" },
        { "'name':'x'", "payload: a payload needs a program; give the key 'exec'", "" },
        { "'binary':'sh'",
          "payload: unknown key 'binary'; known keys: name, exec, args, output, known_flags, "
          "checks, metrics, process_group, working_directory, environment, user",
          "" },
        { "'arg':[]", "payload: unknown key 'arg'; did you mean 'args'?", "" },
        { "'KnownFlags':[]", "payload: unknown key 'KnownFlags'; did you mean 'known_flags'?", "" },
        /* names */
        { "'name':7", "name: expected text, got an integer: 7", "" },
        { "'name':null", "name: null is no value here", "" },
        { "'name':''", "name: '' is empty; give the payload a name", "" },
        { "'name':'/bin/sh'", "name: '/bin/sh' contains '/'", "the path of its program is its exec" },
        { "'name':'@x'", "name: '@x' starts with '@'", "" },
        { "'name':'a\\nb'", "name: 'a\nb' contains a control character", "leave it out" },
        { "'name':'a\\u0085'", "name: 'a\xc2\x85' contains a control character", "" },
        /* programs */
        { "'exec':''", "exec: '' is empty; give a full path, or a name that is looked up in PATH", "" },
        { "'exec':'a/b'", "exec: 'a/b' is a relative path", "give a full path, or a name without '/'" },
        { "'exec':'./b'", "exec: './b' is a relative path", "" },
        { "'exec':['sh']", "exec: expected text, got a list", "" },
        /* lists */
        { "'args':'-x'", "args: expected a list of texts such as [\"--cpu=2\"], got text: \"-x\"", "" },
        { "'args':{}", "args: expected a list of texts such as ", "got an object" },
        { "'args':['a',2]", "args[1]: expected text, got an integer: 2", "" },
        { "'args':[null]", "args[0]: null is no value here", "give text" },
        { "'known_flags':['a','--b']", "known_flags[1]: '--b' begins with a dash", "without its dashes" },
        { "'known_flags':['-b']", "known_flags[0]: '-b' begins with a dash", "" },
        { "'known_flags':['']", "known_flags[0]: '' is empty", "'rw' for --rw" },
        { "'known_flags':['a=1']", "known_flags[0]: 'a=1' contains '='", "without a value" },
        { "'checks':['exit-code:0','exitcode:1']",
          "checks[1]: unknown check 'exitcode:1'; did you mean 'exit-code:N'?", "" },
        { "'checks':['range:a=2..1']", "checks[0]: check 'range:a=2..1' is malformed",
          "the low bound 2 is above the high bound 1" },
        { "'checks':'exit-code:0'", "checks: expected a list of texts such as [\"exit-code:0\"], got text",
          "" },
        { "'metrics':[7]", "metrics[0]: expected text, got an integer: 7", "" },
        { "'metrics':['a=better']", "metrics[0]: unknown polarity 'better'; a polarity is one of ", "" },
        /* words */
        { "'output':'JSON'",
          "output: unknown output 'JSON'; did you mean 'json'? Known outputs: exit-code, json", "" },
        { "'output':1", "output: expected \"exit-code\" or \"json\", got an integer: 1", "" },
        { "'process_group':'none'",
          "process_group: unknown process group 'none'; known process groups: own, parent", "" },
        { "'process_group':true", "process_group: expected \"own\" or \"parent\", got a boolean", "" },
        /* places and users */
        { "'working_directory':'tmp'", "working_directory: 'tmp' is not a full path; it must begin with '/'",
          "" },
        { "'working_directory':''", "working_directory: '' is not a full path", "" },
        { "'user':''", "user: '' is empty; give a user's name or number", "" },
        { "'user':-1", "user: -1 is out of range 0..4294967294; ", "\"no id\"" },
        { "'user':4294967295", "user: 4294967295 is out of range 0..4294967294; ", "" },
        { "'user':'4294967295'", "user: '4294967295' is no user's number; ", "\"no id\"" },
        { "'user':1.5", "user: expected a user's name or number, got a real number: 1.5", "" },
        { "'user':['a']", "user: expected a user's name or number, got a list", "" },
        /* variables */
        { "'environment':['A']", "environment[0]: 'A' is not KEY=VALUE with a KEY of letters, digits and ",
          "" },
        { "'environment':['=1']", "environment[0]: '=1' is not KEY=VALUE", "" },
        { "'environment':['1A=1']", "environment[0]: '1A=1' is not KEY=VALUE", "" },
        { "'environment':['A-B=1']", "environment[0]: 'A-B=1' is not KEY=VALUE", "" },
        { "'environment':['\\u00e9=1']", "environment[0]: '\xc3\xa9=1' is not KEY=VALUE", "" },
        { "'environment':['A=1','AB=1','A=']", "environment[2]: the variable 'A' is given twice",
          "keep one" },
        { "'environment':['KTSETUP_PAYLOAD_ID=x']", "environment[0]: 'KTSETUP_PAYLOAD_ID=x' begins with ",
          "take another key" },
        { "'environment':{'A':'1'}",
          "environment: expected a list of texts such as [\"LANG=C\"], got an object", "" },
};

static void check_refusal(const char *text, const char *start, const char *fragment) {
        g_autoptr(JsonNode) node = json_quoted(text);
        g_autoptr(GError) error = NULL;

        if (decode_payload(node, "", NULL, &error))
                fail_msg("taken: %s", text);
        if (!g_str_has_prefix(error->message, start))
                fail_msg("%s: %s", text, error->message);
        assert_invalid(error, fragment);
}

static void wrong_values(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(WRONG); i++) {
                g_autofree char *text = g_strdup_printf("{%s}", WRONG[i].body);
                check_refusal(text, WRONG[i].start, WRONG[i].fragment);
        }
        check_refusal("[]", "payload: expected an object, got a list", "");
}

/* What could never pass, or would mean nothing. */
static void metrics_that_nobody_reads(void **state G_GNUC_UNUSED) {
        check_refusal("{'name':'x','exec':'sh','checks':['exit-code:0','exists:a']}",
                      "checks[1]: 'exists:a' judges a metric of the payload, but none is read",
                      "output to json");
        check_refusal("{'name':'x','exec':'sh','output':'exit-code','metrics':['a=unknown']}",
                      "metrics: metrics of the payload are described, but none is read", "output to json");
}

static void too_long(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text; /* with the word at every # */
                const char *start, *fragment;
                size_t length;
        } cases[] = {
                { "{'name':'#'}", "name: '", "is longer than 255 bytes; shorten it", 256 },
                { "{'exec':'/#'}", "exec: '", "is longer than 4095 bytes (PATH_MAX)", 4095 },
                { "{'working_directory':'/#'}", "working_directory: '", "is longer than 4095 bytes", 4095 },
                { "{'args':['','#']}", "args[1]: '", "is longer than 131071 bytes", 131072 },
                { "{'environment':['V=#']}", "environment[0]: '", "is longer than 131071 bytes", 131070 },
                { "{'known_flags':['-#']}", "known_flags[0]: '", "begins with a dash", 5000 },
                { "{'environment':['#=','#=']}", "environment[1]: the variable '", "twice", 5000 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *word = g_strnfill(cases[i].length, 'w');
                g_auto(GStrv) around = g_strsplit(cases[i].text, "#", -1);
                g_autofree char *text = g_strjoinv(word, around);
                g_autoptr(JsonNode) node = json_quoted(text);
                g_autoptr(GError) error = NULL;
                assert_null(decode_payload(node, "", NULL, &error));
                assert_true(strlen(error->message) < 500);
                if (!g_str_has_prefix(error->message, cases[i].start))
                        fail_msg("%s", error->message);
                assert_invalid(error, cases[i].fragment, "www...");
        }
}

/* ---- requests and options ---- */

static PayloadRequest *requested(const char *text) {
        g_autoptr(JsonNode) node = json_quoted(text);
        g_autoptr(GError) error = NULL;
        PayloadRequest *request = decode_payload_request(node, &error);

        if (!request)
                fail_msg("%s: %s", text, error->message);
        return request;
}

static void requests(void **state G_GNUC_UNUSED) {
        g_autoptr(PayloadRequest) inline_ = requested(
                "{'args':['-x','a'],'cgroup':'a/b','payload':{'name':'n','exec':'sh','args':['1']}}");
        g_autoptr(PayloadRequest) named = requested("{'payload':'fio'}");

        assert_null(inline_->choice->name);
        assert_string_equal(inline_->choice->def->exec, "sh");
        assert_words(inline_->choice->def->args, "1");
        assert_words(inline_->args, "-x|a");
        assert_string_equal(inline_->cgroup, "a/b");
        assert_string_equal(named->choice->name, "fio");
        assert_null(named->choice->def);
        assert_words(named->args, "");
        assert_null(named->cgroup);
}

static void wrong_requests(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *start, *fragment;
        } cases[] = {
                { "{}", "request: nothing says what to run; give the key 'payload'", "" },
                { "[]", "request: expected an object, got a list", "" },
                { "{'payload':'x','arg':[]}", "request: unknown key 'arg'; did you mean 'args'?",
                  "Known keys: payload, args, cgroup" },
                { "{'payload':7}",
                  "request.payload: expected a payload's name, or an object with name and exec", "" },
                { "{'payload':''}", "request.payload: '' is empty", "" },
                { "{'payload':'/bin/sh'}", "request.payload: '/bin/sh' contains '/'", "is its exec" },
                { "{'payload':{'name':'x'}}", "request.payload: a payload needs a program", "'exec'" },
                { "{'payload':{'name':'x','exec':'sh','checks':['min:a=x']}}",
                  "request.payload.checks[0]: check 'min:a=x' is malformed", "" },
                { "{'payload':'x','args':['a',1]}", "request.args[1]: expected text, got an integer", "" },
                { "{'payload':'x','cgroup':7}", "request.cgroup: expected text, got an integer", "" },
                { "{'payload':'x','cgroup':'@payload-1'}", "request.cgroup: cgroup name '@payload-1' starts ",
                  "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                g_autoptr(GError) error = NULL;
                if (decode_payload_request(node, &error))
                        fail_msg("taken: %s", cases[i].text);
                if (!g_str_has_prefix(error->message, cases[i].start))
                        fail_msg("%s: %s", cases[i].text, error->message);
                assert_invalid(error, cases[i].fragment);
        }
}

static void wait_options(void **state G_GNUC_UNUSED) {
        const struct {
                const char *text;
                PayloadOptions options;
        } cases[] = {
                { "{}", { .cgroup = NULL } },
                { "{'cgroup':''}", { .cgroup = (char[]){ "" } } },
                { "{'cgroup':'a','kill':false}", { .cgroup = (char[]){ "a" } } },
                { "{'timeout':0}", { .has_timeout = true, .timeout_us = 0 } },
                { "{'timeout':1500}", { .has_timeout = true, .timeout_us = 1500 } },
                { "{'timeout':'1500'}", { .has_timeout = true, .timeout_us = 1500 } },
                { "{'timeout':'1.5ms'}", { .has_timeout = true, .timeout_us = 1500 } },
                { "{'timeout':'1ns'}", { .has_timeout = true, .timeout_us = 1 } }, /* not: only look */
                { "{'timeout':'0s','kill':true}", { .has_timeout = true, .kill = true } },
                { "{'timeout':9223372036854775807}", { .has_timeout = true, .timeout_us = INT64_MAX } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                const PayloadOptions *want = &cases[i].options;
                g_auto(PayloadOptions) got = { .cgroup = NULL };
                g_autoptr(GError) error = NULL;
                if (!decode_wait_options(node, &got, &error))
                        fail_msg("%s: %s", cases[i].text, error->message);
                assert_int_equal(g_strcmp0(got.cgroup, want->cgroup), 0);
                assert_int_equal(got.has_timeout, want->has_timeout);
                assert_true(got.timeout_us == want->timeout_us);
                assert_int_equal(got.kill, want->kill);
        }
}

static void wrong_options(void **state G_GNUC_UNUSED) {
        static const struct {
                bool (*decode)(JsonNode *node, PayloadOptions *ret, GError **error);
                const char *text, *start, *fragment;
        } cases[] = {
                { decode_wait_options, "{'timout':1}",
                  "options: unknown key 'timout'; did you mean 'timeout'?",
                  "Known keys: cgroup, timeout, kill" },
                { decode_wait_options, "{'cgroup':'a','timeout':-1}",
                  "options.timeout: -1 is negative; a time is microseconds", "\"10s\"" },
                { decode_wait_options, "{'timeout':'5 sec'}",
                  "options.timeout: '5 sec' is not a time; did you mean '5s'?", "" },
                { decode_wait_options, "{'timeout':'max'}", "options.timeout: 'max' is not a time; ", "" },
                { decode_wait_options, "{'timeout':1.5}", "options.timeout: expected microseconds", "real" },
                { decode_wait_options, "{'kill':true}",
                  "options.kill: there is no timeout at which to end it", "KillPayload" },
                { decode_wait_options, "{'kill':1}", "options.kill: expected a boolean", "" },
                { decode_wait_options, "{'cgroup':'/a'}", "options.cgroup: cgroup name '/a' starts with '/'",
                  "" },
                { decode_address_options, "{'timeout':1}",
                  "options: unknown key 'timeout'; known keys: cgroup", "" },
                { decode_address_options, "{'cgroup':null}", "options.cgroup: null is no value here", "" },
                { decode_address_options, "7", "options: expected an object, got an integer: 7", "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                PayloadOptions got = { .timeout_us = 7, .kill = true };
                g_autoptr(GError) error = NULL;
                if (cases[i].decode(node, &got, &error))
                        fail_msg("taken: %s", cases[i].text);
                if (!g_str_has_prefix(error->message, cases[i].start))
                        fail_msg("%s: %s", cases[i].text, error->message);
                assert_invalid(error, cases[i].fragment);
                assert_true(!got.cgroup && got.timeout_us == 7 && got.kill); /* untouched */
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_key),      cmocka_unit_test(defaults),
                cmocka_unit_test(lengths),        cmocka_unit_test(another_name),
                cmocka_unit_test(wrong_values),   cmocka_unit_test(metrics_that_nobody_reads),
                cmocka_unit_test(too_long),       cmocka_unit_test(requests),
                cmocka_unit_test(wrong_requests), cmocka_unit_test(wait_options),
                cmocka_unit_test(wrong_options),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
