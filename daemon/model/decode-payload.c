/* SPDX-License-Identifier: GPL-2.0-only */
#include "decode-payload.h"

#include <limits.h>
#include <string.h>

#include "cgroup-name.h"
#include "decode-works.h"
#include "payload-text.h"

enum {
        NAME_BYTES_MAX = 255,
        WORD_BYTES_MAX = 131071, /* MAX_ARG_STRLEN of linux/binfmts.h with pages of 4 KiB, without the NUL */
};

/* ---- texts ---- */

/* What is wrong with a text, as the end of a sentence that begins with it; NULL: nothing. */
typedef const char *(*TextFault)(const char *text);

static void replace_text(void *target, const char *text) {
        g_free(*(char **)target);
        *(char **)target = g_strdup(text);
}

static bool refuse_text(const char *text, const char *fault, GError **error) {
        g_autofree char *shown = spec_excerpt(text);

        return field_fail(error, "'%s' %s", shown, fault);
}

static bool read_checked(JsonNode *node, TextFault fault_of, void *target, GError **error) {
        const char *text, *fault;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text", error);
        text = json_node_get_string(node);
        fault = fault_of(text);
        if (fault)
                return refuse_text(text, fault, error);
        replace_text(target, text);
        return true;
}

static bool has_control_character(const char *text) {
        for (; *text; text = g_utf8_next_char(text))
                if (g_unichar_iscntrl(g_utf8_get_char(text)))
                        return true;
        return false;
}

static const char *name_fault(const char *name) {
        if (!name[0])
                return "is empty; give the payload a name such as 'stress'";
        if (strchr(name, '/'))
                return "contains '/'; a payload goes by its name, the path of its program is its exec";
        if (name[0] == '@')
                return "starts with '@', as names of the daemon's own do; begin it with another character";
        if (strlen(name) > NAME_BYTES_MAX)
                return "is longer than 255 bytes; shorten it";
        return has_control_character(name) ? "contains a control character; leave it out" : NULL;
}

static const char *exec_fault(const char *exec) {
        if (!exec[0])
                return "is empty; give a full path, or a name that is looked up in PATH";
        if (exec[0] != '/' && strchr(exec, '/'))
                return "is a relative path, and a daemon stands in no directory of yours; give a full path, "
                       "or a name without '/' that is looked up in PATH";
        return strlen(exec) >= PATH_MAX ? "is longer than 4095 bytes (PATH_MAX); shorten it" : NULL;
}

static const char *directory_fault(const char *path) {
        if (path[0] != '/')
                return "is not a full path; it must begin with '/'";
        return strlen(path) >= PATH_MAX ? "is longer than 4095 bytes (PATH_MAX); shorten it" : NULL;
}

static const char *user_fault(const char *user) {
        guint64 uid;

        if (!user[0])
                return "is empty; give a user's name or number, or leave the key out";
        if (spec_parse_number(user, strlen(user), &uid) && uid >= G_MAXUINT32)
                return "is no user's number; " RULE_ID;
        return NULL;
}

static bool read_name(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        return read_checked(node, name_fault, target, error);
}

static bool read_exec(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        return read_checked(node, exec_fault, target, error);
}

static bool read_directory(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        return read_checked(node, directory_fault, target, error);
}

static bool read_user(JsonNode *node, const Field *field, void *target, GError **error) {
        g_autofree char *text = NULL;
        OptionalNumber uid;

        if (node_holds(node, G_TYPE_STRING))
                return read_checked(node, user_fault, target, error);
        if (!node_holds(node, G_TYPE_INT64))
                return field_wrong_type(node, "a user's name or number", error);
        if (!field_read_number(node, field, &uid, error))
                return false;
        text = g_strdup_printf("%" G_GINT64_FORMAT, uid.value);
        replace_text(target, text);
        return true;
}

/* ---- one of two words ---- */

typedef struct WordPair {
        const char *what, *wanted, *words[2];
} WordPair;

static const char *nth_of_pair(size_t i, const void *pair) {
        return ((const WordPair *)pair)->words[i];
}

static bool read_pair(JsonNode *node, const WordPair *pair, bool *ret_second, GError **error) {
        const SpecWords known = { nth_of_pair, NULL, G_N_ELEMENTS(pair->words), pair };
        const char *text;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, pair->wanted, error);
        text = json_node_get_string(node);
        *ret_second = g_str_equal(text, pair->words[1]);
        return *ret_second || g_str_equal(text, pair->words[0]) ||
               spec_unknown_word(error, pair->what, text, &known, NULL);
}

static bool read_output(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        static const WordPair pair = { "output", "\"exit-code\" or \"json\"", { "exit-code", "json" } };
        bool json;

        if (!read_pair(node, &pair, &json, error))
                return false;
        *(PayloadOutput *)target = json ? PAYLOAD_OUTPUT_JSON : PAYLOAD_OUTPUT_EXIT_CODE;
        return true;
}

static bool read_process_group(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target,
                               GError **error) {
        static const WordPair pair = { "process group", "\"own\" or \"parent\"", { "own", "parent" } };

        return read_pair(node, &pair, target, error);
}

/* ---- lists of texts: the one row in `fields` reads an element, its target is the GPtrArray ---- */

static bool read_elements(JsonNode *node, const Field *field, GPtrArray *target, GError **error) {
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node))
                return field_wrong_type(node, field->rule, error);
        array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++) {
                JsonNode *element = json_array_get_element(array, i);
                bool good = node_holds(element, G_TYPE_STRING)
                                    ? field->fields->read(element, field->fields, target, error)
                                    : field_wrong_type(element, "text", error);
                if (!good) {
                        path_at_index(error, i);
                        return false;
                }
        }
        return true;
}

static bool read_parsed(JsonNode *node, const Field *field, void *target, GError **error) {
        return read_elements(node, field, *(GPtrArray **)target, error);
}

static bool read_words(JsonNode *node, const Field *field, void *target, GError **error) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

        if (!read_elements(node, field, words, error))
                return false;
        g_ptr_array_add(words, NULL);
        g_strfreev(*(char ***)target);
        *(char ***)target = (char **)g_ptr_array_steal(words, NULL);
        return true;
}

static bool read_word(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        const char *text = json_node_get_string(node);

        if (strlen(text) > WORD_BYTES_MAX)
                return refuse_text(text,
                                   "is longer than 131071 bytes, which execve(2) does not take; "
                                   "shorten it, or put it into a file",
                                   error);
        g_ptr_array_add(target, g_strdup(text));
        return true;
}

static bool read_flag(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        const char *flag = json_node_get_string(node);

        if (!flag[0])
                return refuse_text(flag, "is empty; give the name of a flag, as 'rw' for --rw", error);
        if (flag[0] == '-')
                return refuse_text(flag,
                                   "begins with a dash; give a long flag without its dashes, as 'rw' for "
                                   "--rw",
                                   error);
        if (strchr(flag, '='))
                return refuse_text(flag, "contains '='; give the flag without a value, it may have any",
                                   error);
        g_ptr_array_add(target, g_strdup(flag));
        return true;
}

static bool read_check(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        PayloadCheck *check = payload_check_parse(json_node_get_string(node), error);

        if (check)
                g_ptr_array_add(target, check);
        return check;
}

static bool read_hint(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        MetricHint *hint = metric_hint_parse(json_node_get_string(node), error);

        if (hint)
                g_ptr_array_add(target, hint);
        return hint;
}

#define KEY_CHARACTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_"

static bool read_variable(JsonNode *node, const Field *field, void *target, GError **error) {
        const char *text = json_node_get_string(node);
        size_t key = strspn(text, KEY_CHARACTERS);

        if (key == 0 || g_ascii_isdigit(text[0]) || text[key] != '=')
                return refuse_text(text,
                                   "is not KEY=VALUE with a KEY of letters, digits and underscores that "
                                   "does not begin with a digit",
                                   error);
        if (g_str_has_prefix(text, "KTSETUP_PAYLOAD"))
                return refuse_text(text,
                                   "begins with KTSETUP_PAYLOAD, by which the daemon knows the processes "
                                   "of a payload; take another key",
                                   error);
        return read_word(node, field, target, error);
}

/* The kernel would take both, and each C library another one of them. */
static bool read_environment(JsonNode *node, const Field *field, void *target, GError **error) {
        g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        char **variables;

        if (!read_words(node, field, target, error))
                return false;
        variables = *(char ***)target;
        for (guint i = 0; variables[i]; i++) {
                g_autofree char *shown = NULL, *key = g_strndup(variables[i], strcspn(variables[i], "="));
                if (g_hash_table_contains(keys, key)) {
                        shown = spec_excerpt(key);
                        field_fail(error, "the variable '%s' is given twice; keep one of them", shown);
                        path_at_index(error, i);
                        return false;
                }
                g_hash_table_add(keys, g_steal_pointer(&key));
        }
        return true;
}

/* ---- a definition ---- */

static const Field word_element = { "", read_word, 0, 0, 0, NULL, NULL };
static const Field flag_element = { "", read_flag, 0, 0, 0, NULL, NULL };
static const Field check_element = { "", read_check, 0, 0, 0, NULL, NULL };
static const Field hint_element = { "", read_hint, 0, 0, 0, NULL, NULL };
static const Field variable_element = { "", read_variable, 0, 0, 0, NULL, NULL };

#define A_LIST(example) "a list of texts such as [\"" example "\"]"

const Field payload_fields[] = {
        { "name", read_name, offsetof(PayloadDef, name), 0, 0, NULL, NULL },
        { "exec", read_exec, offsetof(PayloadDef, exec), 0, 0, NULL, NULL },
        { "args", read_words, offsetof(PayloadDef, args), 0, 0, A_LIST("--cpu=2"), &word_element },
        { "output", read_output, offsetof(PayloadDef, output), 0, 0, NULL, NULL },
        { "known_flags", read_words, offsetof(PayloadDef, known_flags), 0, 0, A_LIST("cpu"), &flag_element },
        { "checks", read_parsed, offsetof(PayloadDef, checks), 0, 0, A_LIST("exit-code:0"), &check_element },
        { "metrics", read_parsed, offsetof(PayloadDef, metrics), 0, 0, A_LIST("iops=higher-better"),
          &hint_element },
        { "process_group", read_process_group, offsetof(PayloadDef, parent_process_group), 0, 0, NULL, NULL },
        { "working_directory", read_directory, offsetof(PayloadDef, working_directory), 0, 0, NULL, NULL },
        { "environment", read_environment, offsetof(PayloadDef, environment), 0, 0, A_LIST("LANG=C"),
          &variable_element },
        { "user", read_user, offsetof(PayloadDef, user), 0, G_MAXUINT32 - 1, RULE_ID, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

bool payload_field_is_list(const Field *field) {
        return field->fields;
}

static bool has_name(const PayloadDef *def, GError **error) {
        const char *fault;

        if (!def->name)
                return field_fail(error, "a payload needs a name; give the key 'name', such as \"stress\"");
        fault = name_fault(def->name); /* that of a file was not read */
        if (!fault)
                return true;
        refuse_text(def->name, fault, error);
        path_at_key(error, "name");
        return false;
}

static bool has_exec(const PayloadDef *def, GError **error) {
        return def->exec ||
               field_fail(error, "a payload needs a program; give the key 'exec', such as \"stress-ng\"");
}

#define RULE_OUTPUT "none is read out of what it prints; set its output to json"

/* Judging numbers that nobody reads would fail for ever, and telling of them would mean nothing. */
static bool reads_what_it_judges(const PayloadDef *def, GError **error) {
        if (def->output == PAYLOAD_OUTPUT_JSON)
                return true;
        for (guint i = 0; i < def->checks->len; i++) {
                const PayloadCheck *check = def->checks->pdata[i];
                if (check->kind != CHECK_EXIT_CODE) {
                        refuse_text(check->text, "judges a metric of the payload, but " RULE_OUTPUT, error);
                        path_at_index(error, i);
                        path_at_key(error, "checks");
                        return false;
                }
        }
        if (def->metrics->len > 0) {
                field_fail(error, "metrics of the payload are described, but " RULE_OUTPUT);
                path_at_key(error, "metrics");
        }
        return def->metrics->len == 0;
}

/* Does not say where `node` itself stands. */
static PayloadDef *decode_object(JsonNode *node, const char *name, GError **error) {
        g_autoptr(PayloadDef) def = payload_def_new(name, NULL);

        if (!fields_read(node, payload_fields, def, error) || !has_name(def, error) ||
            !has_exec(def, error) || !reads_what_it_judges(def, error))
                return NULL;
        return g_steal_pointer(&def);
}

PayloadDef *decode_payload(JsonNode *node, const char *origin, const char *name, GError **error) {
        PayloadDef *def = decode_object(node, name, error);

        if (!def) {
                if (origin[0])
                        path_at_key(error, origin);
                path_finish(error, "payload");
        }
        return def;
}

/* ---- what a caller asks for ---- */

static bool read_choice(JsonNode *node, PayloadChoice *choice, GError **error) {
        if (node_holds(node, G_TYPE_STRING))
                return read_checked(node, name_fault, &choice->name, error);
        if (!JSON_NODE_HOLDS_OBJECT(node))
                return field_wrong_type(node, "a payload's name, or an object with name and exec", error);
        choice->def = decode_object(node, NULL, error);
        return choice->def;
}

bool payload_choice_read(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        PayloadChoice *choice = g_new0(PayloadChoice, 1);

        if (!read_choice(node, choice, error)) {
                payload_choice_free(choice);
                return false;
        }
        *(PayloadChoice **)target = choice;
        return true;
}

static const char *no_fault(G_GNUC_UNUSED const char *text) {
        return NULL;
}

static bool read_cgroup(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        return read_checked(node, no_fault, target, error) && cgroup_name_check(*(char **)target, error);
}

/* "" is the one without a cgroup. */
static bool read_address(JsonNode *node, const Field *field, void *target, GError **error) {
        if (node_holds(node, G_TYPE_STRING) && !json_node_get_string(node)[0]) {
                replace_text(target, "");
                return true;
        }
        return read_cgroup(node, field, target, error);
}

static bool fail_at_top(const char *top, GError **error) {
        path_at_key(error, top);
        path_finish(error, top);
        return false;
}

static const Field request_fields[] = {
        { "payload", payload_choice_read, offsetof(PayloadRequest, choice), 0, 0, NULL, NULL },
        { "args", read_words, offsetof(PayloadRequest, args), 0, 0, A_LIST("--timeout=10"), &word_element },
        { "cgroup", read_cgroup, offsetof(PayloadRequest, cgroup), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

PayloadRequest *decode_payload_request(JsonNode *node, GError **error) {
        g_autoptr(PayloadRequest) request = g_new0(PayloadRequest, 1);

        request->args = g_new0(char *, 1);
        if (fields_read(node, request_fields, request, error) &&
            (request->choice ||
             field_fail(error, "nothing says what to run; give the key 'payload', a name or an object")))
                return g_steal_pointer(&request);
        fail_at_top("request", error);
        return NULL;
}

/* ---- options of the calls that speak of one ---- */

void payload_options_clear(PayloadOptions *options) {
        g_clear_pointer(&options->cgroup, g_free);
}

/* Rounded up: 0 alone means only to look. */
static bool micros_parse(const char *text, uint64_t *ret) {
        uint64_t ns;

        if (!time_parse(text, &ns))
                return false;
        *ret = ns / 1000 + (ns % 1000 > 0);
        return true;
}

static bool read_timeout(JsonNode *node, const Field *field, void *target, GError **error) {
        static const Quantity timeout = { micros_parse, "a time",
                                          "microseconds (1000000) or text with ns, us, ms or s (\"10s\")", 1,
                                          false };
        PayloadOptions *options = target;
        Limit value;

        if (!field_read_quantity(node, field, &timeout, &value, error))
                return false;
        options->has_timeout = true;
        options->timeout_us = value.value;
        return true;
}

static const Field wait_fields[] = {
        { "cgroup", read_address, offsetof(PayloadOptions, cgroup), 0, 0, NULL, NULL },
        { "timeout", read_timeout, 0, 0, 0, NULL, NULL },
        { "kill", field_read_boolean, offsetof(PayloadOptions, kill), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static const Field address_fields[] = {
        { "cgroup", read_address, offsetof(PayloadOptions, cgroup), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static bool kills_at_some_time(const PayloadOptions *options, GError **error) {
        if (!options->kill || options->has_timeout)
                return true;
        field_fail(error, "there is no timeout at which to end it; give the key 'timeout' too, or call "
                          "KillPayload");
        path_at_key(error, "kill");
        return false;
}

static bool decode_options(JsonNode *node, const Field *fields, PayloadOptions *ret, GError **error) {
        g_auto(PayloadOptions) options = { .cgroup = NULL };

        if (!fields_read(node, fields, &options, error) || !kills_at_some_time(&options, error))
                return fail_at_top("options", error);
        *ret = options;
        options.cgroup = NULL;
        return true;
}

bool decode_wait_options(JsonNode *node, PayloadOptions *ret, GError **error) {
        return decode_options(node, wait_fields, ret, error);
}

bool decode_address_options(JsonNode *node, PayloadOptions *ret, GError **error) {
        return decode_options(node, address_fields, ret, error);
}
