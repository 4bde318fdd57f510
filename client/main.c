/* SPDX-License-Identifier: GPL-2.0-only */
#include "build-config.h"

#include "failure.h"
#include "options.h"
#include "verbs.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>

static int verb_help(const Invocation *i);

#define SETUP_OPTIONS                                                                                        \
        (OPTION_BIT(OPTION_BACKDROP) | OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_WORKERS_PER_CGROUP) |  \
         OPTION_BIT(OPTION_WORK_TYPE_OVERRIDE) | OPTION_BIT(OPTION_STALL_MONITOR) |                          \
         OPTION_BIT(OPTION_STALL_POLL_MS) | OPTION_BIT(OPTION_STALL_WINDOW) |                                \
         OPTION_BIT(OPTION_STALL_FAILS))
#define RUN_OPTIONS                                                                                          \
        (OPTION_BIT(OPTION_BACKDROP) | OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_CGROUP) |              \
         OPTION_BIT(OPTION_NAME) | OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_CHECK) |                    \
         OPTION_BIT(OPTION_METRIC) | OPTION_BIT(OPTION_ENVIRONMENT) | OPTION_BIT(OPTION_WORKING_DIRECTORY) | \
         OPTION_BIT(OPTION_USER) | OPTION_BIT(OPTION_PROCESS_GROUP))
#define RESULT_OPTIONS                                                                                       \
        (OPTION_BIT(OPTION_CGROUP) | OPTION_BIT(OPTION_STDOUT_FILE) | OPTION_BIT(OPTION_STDERR_FILE))

static const Verb verbs[] = {
        { "add-cgroup", "NAME [DEFINITION]", "create a cgroup, set its limits, start workers in it", 1, 1,
          SETUP_OPTIONS, VERB_DEFINITION | VERB_COMMAND, verb_add_cgroup },
        { "apply", "FILE|-", "create all cgroups of a JSON document, or none", 1, 1, SETUP_OPTIONS, 0,
          verb_apply },
        { "run-payload", "NAME [ARG...]", "start a payload that a file defines, or the command after --", 0,
          UINT_MAX, RUN_OPTIONS, VERB_COMMAND, verb_run_payload },
        { "wait-payload", "NAME", "wait until a payload has ended, and show its result", 1, 1,
          RESULT_OPTIONS | OPTION_BIT(OPTION_WAIT) | OPTION_BIT(OPTION_KILL), 0, verb_wait_payload },
        { "kill-payload", "NAME", "kill a payload, and show its result", 1, 1, RESULT_OPTIONS, 0,
          verb_kill_payload },
        { "payload-output", "NAME", "print what a payload has printed so far", 1, 1,
          OPTION_BIT(OPTION_CGROUP) | OPTION_BIT(OPTION_STDERR) | OPTION_BIT(OPTION_FOLLOW), 0,
          verb_payload_output },
        { "payloads", "", "show the payloads that files define", 0, 0, 0, 0, verb_payloads },
        { "reload-payloads", "", "read the payload files again, and show them", 0, 0, 0, 0,
          verb_reload_payloads },
        { "status", "", "show cgroups, workers and payloads, their progress, and stalls", 0, 0,
          OPTION_BIT(OPTION_LIMITS), 0, verb_status },
        { "monitor", "", "print each event of a scenario as one line, until interrupted", 0, 0,
          OPTION_BIT(OPTION_SIGNALS), 0, verb_monitor },
        { "topology", "", "show CPUs, last-level caches and NUMA nodes", 0, 0, 0, 0, verb_topology },
        { "end-step", "", "stop the step's workers, print their reports, remove the step's cgroups", 0, 0,
          OPTION_BIT(OPTION_REPORT), 0, verb_end_step },
        { "teardown", "", "end the step, then the backdrop", 0, 0, OPTION_BIT(OPTION_REPORT), 0,
          verb_teardown },
        { "version", "", "show the versions of ktctl and ktsetupd, and the host's controllers and quirks", 0,
          0, 0, 0, verb_version },
        { "help", "[VERB]", "print help", 0, 1, 0, 0, verb_help },
        { 0 },
};

static KtctlExit usage_failure(bool json, const GError *error) {
        return failure_print(json, KTCTL_USAGE, "Usage", "%s", error->message);
}

static int verb_help(const Invocation *i) {
        g_autoptr(GError) error = NULL;
        const Verb *verb;

        if (i->arguments->len == 0) {
                help_print(stdout, verbs);
                return KTCTL_OK;
        }
        verb = verb_find(verbs, g_ptr_array_index(i->arguments, 0), &error);
        if (!verb)
                return usage_failure(invocation_has(i, OPTION_JSON), error);
        help_print_verb(stdout, verb);
        return KTCTL_OK;
}

static void print_own_version(bool json) {
        if (json)
                printf("{\"ktctl\":\"%s\"}\n", KT_VERSION);
        else
                printf("ktctl %s\n", KT_VERSION);
}

static KtctlExit dispatch(const Invocation *i) {
        if (invocation_has(i, OPTION_HELP)) {
                if (i->verb && i->verb->run != verb_help)
                        help_print_verb(stdout, i->verb);
                else
                        return verb_help(i);
                return KTCTL_OK;
        }
        if (invocation_has(i, OPTION_VERSION)) {
                print_own_version(invocation_has(i, OPTION_JSON));
                return KTCTL_OK;
        }
        if (i->verb)
                return i->verb->run(i);
        help_print(stderr, verbs);
        return KTCTL_USAGE;
}

/* Holds for what is wrong before it, too. Behind "--" it is somebody else's. */
static bool wants_json(char *const *argv) {
        for (; *argv && !g_str_equal(*argv, "--"); argv++)
                if (g_str_equal(*argv, "--json"))
                        return true;
        return false;
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Invocation) invocation = NULL;
        bool json;
        KtctlExit code;

        (void)argc;
        setlocale(LC_CTYPE, ""); /* only this: numbers look the same everywhere */
        json = wants_json(argv);
        invocation = invocation_parse(verbs, argv, &error);
        if (!invocation)
                return usage_failure(json, error);
        code = dispatch(invocation);
        if (fflush(stdout) == EOF || ferror(stdout))
                return failure_print(json, KTCTL_FAILED, "File", "cannot write to standard output: %s",
                                     g_strerror(errno));
        return code;
}
