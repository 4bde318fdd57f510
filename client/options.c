/* SPDX-License-Identifier: GPL-2.0-only */
#include "options.h"

#include "common/suggest.h"
#include "dbus/names.h"

#include <string.h>

/* Not getopt_long(): which options there are depends on the verb, which may come after some of them; the
 * order of a definition's options has a meaning; and getopt's abbreviations would make each new word of the
 * vocabulary break somebody's script. */

enum { TIMEOUT_DEFAULT = 90, TIMEOUT_MAX = 24 * 60 * 60 }; /* seconds */

const Option options[OPTION_COUNT] = {
        [OPTION_SYSTEM] = { "system", NULL, "use the system bus (default)" },
        [OPTION_SESSION] = { "session", NULL, "use the session bus" },
        [OPTION_ADDRESS] = { "address", "ADDRESS", "use the bus at this D-Bus address" },
        [OPTION_SCENARIO] = { "scenario", "NAME", "scenario to act on (default: " KT_DEFAULT_SCENARIO ")" },
        [OPTION_JSON] = { "json", NULL, "print the daemon's answer, and errors, as JSON" },
        [OPTION_TIMEOUT] = { "timeout", "SECONDS", "how long to wait for an answer (default: 90)" },
        [OPTION_NO_LEGEND] = { "no-legend", NULL, "print no column headings and no summary lines" },
        [OPTION_HELP] = { "help", NULL, "print help, about the verb if one is given" },
        [OPTION_VERSION] = { "version", NULL, "print the version of ktctl" },
        [OPTION_BACKDROP] = { "backdrop", NULL, "add to the backdrop instead of to the step" },
        [OPTION_DRY_RUN] = { "dry-run", NULL, "print the planned actions, and change nothing" },
        [OPTION_WORKERS_PER_CGROUP] = { "workers-per-cgroup", "N",
                                        "workers of a group that sets no number (default: configuration)" },
        [OPTION_WORK_TYPE_OVERRIDE] = { "work-type-override", "TYPE",
                                        "replace the work types of swappable cgroups by this one" },
        [OPTION_STALL_MONITOR] = { "stall-monitor", "BOOL",
                                   "true (default) or false: report workers and payloads without progress" },
        [OPTION_STALL_WINDOW] = { "stall-window", "N",
                                  "samples in a row without progress that make a stall" },
        [OPTION_STALL_POLL_MS] = { "stall-poll-ms", "N", "time between two samples, in milliseconds" },
        [OPTION_STALL_FAILS] = { "stall-fails", "CLASS,...",
                                 "stalls that fail the step: starved throttled stopped blocked sleeping "
                                 "(default: all; '' for none); may be repeated" },
        [OPTION_LIMITS] = { "limits", NULL, "also print the knobs that were set for each cgroup" },
        [OPTION_REPORT] = { "report", "FILE", "also save the report to FILE, as JSON" },
        [OPTION_SIGNALS] = { "count", "N", "end after N lines" },
        [OPTION_CGROUP] = { "cgroup", "NAME", "cgroup of the payload" },
        [OPTION_NAME] = { "name", "NAME", "name of the payload (default: the last part of COMMAND)" },
        [OPTION_OUTPUT] = { "output", "KIND",
                            "exit-code (default) or json: numbers in the output become metrics" },
        [OPTION_CHECK] = { "check", "CHECK",
                           "exit-code:N min:METRIC=N max:METRIC=N range:METRIC=LOW..HIGH exists:METRIC; may "
                           "be repeated" },
        [OPTION_METRIC] = { "metric", "METRIC",
                            "METRIC=higher-better|lower-better|target:N|informational[,UNIT]; may be "
                            "repeated" },
        [OPTION_ENVIRONMENT] = { "environment", "KEY=VALUE",
                                 "environment variable of the program; may be repeated" },
        [OPTION_WORKING_DIRECTORY] = { "working-directory", "DIRECTORY",
                                       "working directory of the program (default: /)" },
        [OPTION_USER] = { "user", "USER", "user that the program runs as, by name or number" },
        [OPTION_PROCESS_GROUP] = { "process-group", "GROUP",
                                   "own (default) or parent (the executor's process group)" },
        [OPTION_WAIT] = { "timeout", "TIME", "how long to wait: 500ms, 2s, or seconds (default: no limit)" },
        [OPTION_KILL] = { "kill", NULL, "kill the payload at the timeout instead of failing" },
        [OPTION_STDOUT_FILE] = { "stdout", "FILE|-",
                                 "save the payload's standard output; - is standard output of ktctl" },
        [OPTION_STDERR_FILE] = { "stderr", "FILE|-",
                                 "save the payload's standard error; - is standard error of ktctl" },
        [OPTION_STDERR] = { "stderr", NULL, "print standard error instead of standard output" },
        [OPTION_FOLLOW] = { "follow", NULL, "continue until the stream has ended" },
};

typedef struct Parser {
        Invocation *invocation;
        char *const *next; /* argument not read yet */
} Parser;

G_GNUC_PRINTF(3, 4)
static bool refuse(GError **error, int code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (error)
                *error = g_error_new_valist(G_OPTION_ERROR, code, format, ap);
        va_end(ap);
        return false;
}

bool invocation_has(const Invocation *i, OptionId id) {
        return i->values[id];
}

const char *invocation_scenario(const Invocation *i) {
        return i->values[OPTION_SCENARIO] ?: KT_DEFAULT_SCENARIO;
}

/* Options of a call that are keys with dashes, and one value. */
static const struct {
        OptionId option;
        const char *key;
        VocabularyKind kind;
} setup_keys[] = {
        { OPTION_WORKERS_PER_CGROUP, "workers_per_cgroup", VOCABULARY_COUNT },
        { OPTION_WORK_TYPE_OVERRIDE, "work_type_override", VOCABULARY_TEXT },
        { OPTION_STALL_MONITOR, "stall_monitor", VOCABULARY_FLAG },
        { OPTION_STALL_POLL_MS, "stall_poll_ms", VOCABULARY_COUNT },
        { OPTION_STALL_WINDOW, "stall_window", VOCABULARY_COUNT },
};

/* What all of a repeatable option list together. */
static JsonArray *texts_of(const GPtrArray *values) {
        JsonArray *texts = json_array_new();

        for (guint n = 0; n < values->len; n++) {
                g_autoptr(JsonNode) part = word_value(VOCABULARY_TEXTS, values->pdata[n]);
                JsonArray *some = json_node_get_array(part);

                for (guint m = 0; m < json_array_get_length(some); m++)
                        json_array_add_element(texts, json_array_dup_element(some, m));
        }
        return texts;
}

JsonObject *invocation_setup_options(const Invocation *i) {
        const GPtrArray *fails = i->lists[OPTION_STALL_FAILS];
        JsonObject *call = json_object_new();

        json_object_set_string_member(call, "target",
                                      invocation_has(i, OPTION_BACKDROP) ? "backdrop" : "step");
        json_object_set_boolean_member(call, "dry_run", invocation_has(i, OPTION_DRY_RUN));
        for (size_t k = 0; k < G_N_ELEMENTS(setup_keys); k++) {
                const char *text = i->values[setup_keys[k].option];
                if (text)
                        json_object_set_member(call, setup_keys[k].key, word_value(setup_keys[k].kind, text));
        }
        if (fails)
                json_object_set_array_member(call, "stall_fails", texts_of(fails));
        return call;
}

void invocation_free(Invocation *i) {
        if (!i)
                return;
        for (OptionId id = 0; id < OPTION_COUNT; id++)
                g_clear_pointer(&i->lists[id], g_ptr_array_unref);
        g_clear_pointer(&i->command, g_ptr_array_unref);
        g_ptr_array_unref(i->arguments);
        definition_free(i->definition);
        g_free(i);
}

static const char *nth_verb(size_t i, const void *context) {
        return ((const Verb *)context)[i].name;
}

const Verb *verb_find(const Verb *verbs, const char *name, GError **error) {
        const char *near;
        size_t n;

        for (n = 0; verbs[n].name; n++)
                if (g_str_equal(verbs[n].name, name))
                        return &verbs[n];
        near = suggest_name(name, nth_verb, n, verbs);
        refuse(error, G_OPTION_ERROR_FAILED,
               near ? "unknown verb '%s'; did you mean '%s'?" : "unknown verb '%s'", name, near);
        return NULL;
}

/* ---- one option ---- */

uint64_t verb_globals(const Verb *verb) {
        bool waits = verb && verb->options & OPTION_BIT(OPTION_WAIT);

        return GLOBAL_OPTIONS & ~(waits ? OPTION_BIT(OPTION_TIMEOUT) : 0);
}

static uint64_t allowed_options(const Verb *verb) {
        return verb_globals(verb) | (verb ? verb->options : 0);
}

static bool takes(const Verb *verb, unsigned what) {
        return verb && verb->takes & what;
}

static OptionId find_option(const Verb *verb, const char *name) {
        for (OptionId id = 0; id < OPTION_COUNT; id++)
                if (allowed_options(verb) & OPTION_BIT(id) && g_str_equal(options[id].name, name))
                        return id;
        return OPTION_COUNT;
}

static const char *nth_text(size_t i, const void *context) {
        return g_ptr_array_index((GPtrArray *)context, i);
}

/* The option that an unknown one was meant to be; the caller frees it. */
static char *near_option(const Verb *verb, const char *name) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

        for (OptionId id = 0; id < OPTION_COUNT; id++)
                if (allowed_options(verb) & OPTION_BIT(id))
                        g_ptr_array_add(names, g_strdup(options[id].name));
        for (size_t i = 0; takes(verb, VERB_DEFINITION) && i < vocabulary_count; i++) {
                char *word = word_option(&vocabulary[i]);
                if (word)
                        g_ptr_array_add(names, word);
        }
        if (takes(verb, VERB_DEFINITION))
                g_ptr_array_add(names, g_strdup(DEFINITION_WORK));
        return g_strdup(suggest_name(name, nth_text, names->len, names));
}

/* What is meant for a program looks like a mistake here. */
static const char *command_hint(const Verb *verb) {
        return takes(verb, VERB_COMMAND) ? "; what is meant for the payload stands behind --" : "";
}

static bool refuse_unknown(const Verb *verb, const char *name, GError **error) {
        g_autofree char *near = near_option(verb, name);

        if (near)
                return refuse(error, G_OPTION_ERROR_UNKNOWN_OPTION, "unknown option --%s; did you mean --%s?",
                              name, near);
        if (verb)
                return refuse(error, G_OPTION_ERROR_UNKNOWN_OPTION, "%s has no option --%s%s", verb->name,
                              name, command_hint(verb));
        return refuse(error, G_OPTION_ERROR_UNKNOWN_OPTION,
                      "--%s is not an option of every verb; options of one verb stand after it", name);
}

/* The value after '=', or else the next argument. */
static const char *take_value(Parser *p, const char *name, const char *sign, GError **error) {
        if (sign)
                return sign + 1;
        if (*p->next)
                return *p->next++;
        refuse(error, G_OPTION_ERROR_BAD_VALUE, "--%s needs a value", name);
        return NULL;
}

static void set_value(Invocation *i, OptionId id, const char *value) {
        i->values[id] = value;
        if (!(REPEATABLE_OPTIONS & OPTION_BIT(id)))
                return;
        if (!i->lists[id])
                i->lists[id] = g_ptr_array_new();
        g_ptr_array_add(i->lists[id], (gpointer)value);
}

/* `text` is the argument without its two dashes. */
static bool parse_option(Parser *p, const char *text, GError **error) {
        Invocation *i = p->invocation;
        const char *sign = strchr(text, '='), *value = "";
        bool takes_value;
        g_autofree char *name = sign ? g_strndup(text, sign - text) : g_strdup(text);
        OptionId id = find_option(i->verb, name);
        bool is_word = id == OPTION_COUNT && takes(i->verb, VERB_DEFINITION) && definition_has_option(name);

        if (id == OPTION_COUNT && !is_word)
                return refuse_unknown(i->verb, name, error);
        takes_value = is_word ? definition_option_takes_value(name) : options[id].argument != NULL;
        if (takes_value) {
                value = take_value(p, name, sign, error);
                if (!value)
                        return false;
        } else if (sign)
                return refuse(error, G_OPTION_ERROR_BAD_VALUE, "--%s takes no value", name);

        if (is_word)
                return definition_set(i->definition, name, value, error);
        set_value(i, id, value);
        return true;
}

/* ---- a command line ---- */

static bool parse_argument(Parser *p, const char *text, GError **error) {
        Invocation *i = p->invocation;

        if (i->verb) {
                g_ptr_array_add(i->command ?: i->arguments, (gpointer)text);
                return true;
        }
        i->verb = verb_find(i->verbs, text, error);
        return i->verb;
}

/* A "--" behind less or more is the usual one: what follows may begin with dashes. */
static void end_options(Invocation *i) {
        if (takes(i->verb, VERB_COMMAND) && i->arguments->len == i->verb->min_arguments)
                i->command = g_ptr_array_new();
}

static bool parse_all(Parser *p, GError **error) {
        bool options_ended = false;

        while (*p->next) {
                const char *text = *p->next++;

                if (options_ended || text[0] != '-' || !text[1]) {
                        if (!parse_argument(p, text, error))
                                return false;
                } else if (g_str_equal(text, "--")) {
                        options_ended = true;
                        end_options(p->invocation);
                } else if (g_str_equal(text, "-h"))
                        p->invocation->values[OPTION_HELP] = "";
                else if (g_str_has_prefix(text, "--")) {
                        if (!parse_option(p, text + 2, error))
                                return false;
                } else
                        return refuse(error, G_OPTION_ERROR_UNKNOWN_OPTION, "unknown option %s%s", text,
                                      command_hint(p->invocation->verb));
        }
        return true;
}

static bool check_arguments(const Invocation *i, GError **error) {
        const Verb *verb = i->verb;

        if (!verb || i->values[OPTION_HELP])
                return true;
        if (i->command && !i->command->len)
                return refuse(error, G_OPTION_ERROR_FAILED, "%s: no command stands behind --", verb->name);
        if (i->arguments->len < verb->min_arguments)
                return refuse(error, G_OPTION_ERROR_FAILED, "%s: too few arguments; usage: ktctl %s%s%s",
                              verb->name, verb->name, *verb->arguments ? " " : "", verb->arguments);
        if (i->arguments->len > verb->max_arguments)
                return refuse(error, G_OPTION_ERROR_FAILED,
                              "%s: argument '%s' is one too many; usage: ktctl %s%s%s", verb->name,
                              (char *)g_ptr_array_index(i->arguments, verb->max_arguments), verb->name,
                              *verb->arguments ? " " : "", verb->arguments);
        return true;
}

/* Text that goes on the bus: libsystemd would only say that it cannot build the message. */
static bool check_text(const Invocation *i, OptionId id, GError **error) {
        const GPtrArray *list = i->lists[id];
        bool valid = !i->values[id] || g_utf8_validate(i->values[id], -1, NULL);

        for (guint n = 0; list && n < list->len; n++)
                valid = valid && g_utf8_validate(list->pdata[n], -1, NULL);
        return valid || refuse(error, G_OPTION_ERROR_BAD_VALUE, "--%s: value is not UTF-8", options[id].name);
}

static bool check_texts(const Invocation *i, GError **error) {
        static const OptionId texts[] = { OPTION_WORKERS_PER_CGROUP,
                                          OPTION_WORK_TYPE_OVERRIDE,
                                          OPTION_STALL_MONITOR,
                                          OPTION_STALL_POLL_MS,
                                          OPTION_STALL_WINDOW,
                                          OPTION_STALL_FAILS,
                                          OPTION_CGROUP,
                                          OPTION_WAIT };

        for (size_t n = 0; n < G_N_ELEMENTS(texts); n++)
                if (!check_text(i, texts[n], error))
                        return false;
        return true;
}

/* Who waits for a payload waits as long as it takes: the daemon has the time, and keeps it. An option before
 * the verb was not known to be that of the verb yet. */
static bool check_timeout(Invocation *i, GError **error) {
        const char **wait = &i->values[OPTION_WAIT], *timeout = i->values[OPTION_TIMEOUT];
        guint64 seconds = TIMEOUT_DEFAULT;

        if (!(verb_globals(i->verb) & OPTION_BIT(OPTION_TIMEOUT))) {
                i->timeout_us = UINT64_MAX;
                *wait = *wait ?: timeout;
                return !i->values[OPTION_KILL] || *wait ||
                       refuse(error, G_OPTION_ERROR_BAD_VALUE,
                              "--kill tells what to do at the timeout, and there is none; give --timeout, "
                              "or use kill-payload");
        }
        if (timeout && !g_ascii_string_to_unsigned(timeout, 10, 1, TIMEOUT_MAX, &seconds, NULL))
                return refuse(error, G_OPTION_ERROR_BAD_VALUE, "--timeout '%s': needs whole seconds, 1 to %d",
                              timeout, TIMEOUT_MAX);
        i->timeout_us = seconds * G_USEC_PER_SEC;
        return true;
}

static bool check_values(Invocation *i, GError **error) {
        const char *count = i->values[OPTION_SIGNALS];

        if (!check_timeout(i, error))
                return false;
        i->signals = G_MAXUINT64;
        if (count && !g_ascii_string_to_unsigned(count, 10, 1, G_MAXUINT64, &i->signals, NULL))
                return refuse(error, G_OPTION_ERROR_BAD_VALUE, "--count '%s': needs a whole number above 0",
                              count);
        if (!!i->values[OPTION_SYSTEM] + !!i->values[OPTION_SESSION] + !!i->values[OPTION_ADDRESS] > 1)
                return refuse(error, G_OPTION_ERROR_BAD_VALUE,
                              "only one of --system, --session and --address can be used");
        if (!*invocation_scenario(i) || !g_utf8_validate(invocation_scenario(i), -1, NULL))
                return refuse(error, G_OPTION_ERROR_BAD_VALUE, "--scenario: not a name");
        return check_texts(i, error);
}

Invocation *invocation_parse(const Verb *verbs, char *const *argv, GError **error) {
        g_autoptr(Invocation) i = g_new0(Invocation, 1);
        Parser parser = { .invocation = i, .next = argv[0] ? argv + 1 : argv };

        i->verbs = verbs;
        i->arguments = g_ptr_array_new();
        i->definition = definition_new();
        if (!parse_all(&parser, error) || !check_arguments(i, error) || !check_values(i, error))
                return NULL;
        return g_steal_pointer(&i);
}
