/* SPDX-License-Identifier: GPL-2.0-only */
#include "build-config.h"

#include "failure.h"
#include "options.h"
#include "verbs.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>

static int verb_help(const Invocation *i);

#define SETUP_OPTIONS                                                                                        \
        (OPTION_BIT(OPTION_BACKDROP) | OPTION_BIT(OPTION_DRY_RUN) | OPTION_BIT(OPTION_WORKERS_PER_CGROUP) |  \
         OPTION_BIT(OPTION_WORK_TYPE_OVERRIDE))

static const Verb verbs[] = {
        { "add-cgroup", "NAME [DEFINITION]", "make a cgroup, set its limits, start workers in it", 1, 1,
          SETUP_OPTIONS, true, verb_add_cgroup },
        { "apply", "FILE|-", "make all cgroups of a JSON document, or none", 1, 1, SETUP_OPTIONS, false,
          verb_apply },
        { "status", "", "show cgroups, workers and their progress", 0, 0, OPTION_BIT(OPTION_LIMITS), false,
          verb_status },
        { "monitor", "", "print what happens in a scenario, a line each, until interrupted", 0, 0,
          OPTION_BIT(OPTION_SIGNALS), false, verb_monitor },
        { "topology", "", "show CPUs, last-level caches and NUMA nodes", 0, 0, 0, false, verb_topology },
        { "end-step", "", "stop the step's workers, report on them, remove the step's cgroups", 0, 0,
          OPTION_BIT(OPTION_REPORT), false, verb_end_step },
        { "teardown", "", "end the step, then the same for the backdrop", 0, 0, OPTION_BIT(OPTION_REPORT),
          false, verb_teardown },
        { "version", "", "show the versions of ktctl and ktsetupd, and what the host offers", 0, 0, 0, false,
          verb_version },
        { "help", "[VERB]", "print help", 0, 1, 0, false, verb_help },
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

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Invocation) invocation = NULL;
        bool json;
        KtctlExit code;

        (void)argc;
        setlocale(LC_CTYPE, ""); /* only this: numbers look the same everywhere */
        json = g_strv_contains((const char *const *)argv,
                               "--json"); /* holds for what is wrong before it, too */
        invocation = invocation_parse(verbs, argv, &error);
        if (!invocation)
                return usage_failure(json, error);
        code = dispatch(invocation);
        if (fflush(stdout) == EOF || ferror(stdout))
                return failure_print(json, KTCTL_FAILED, "File", "cannot write to standard output: %s",
                                     g_strerror(errno));
        return code;
}
