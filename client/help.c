/* SPDX-License-Identifier: GPL-2.0-only */
#include "options.h"

#include "failure.h"

enum { HELP_INDENT = 2, HELP_LEFT = 32 };

/* The bash completion reads these texts: the verbs below "Verbs:", options as two-blank lines that begin with
 * dashes, with the placeholder of a value behind one blank. */
static void print_row(FILE *out, const char *name, const char *argument, const char *help) {
        g_autofree char *left = g_strconcat(name, argument ? " " : "", argument, NULL);

        fprintf(out, "%*s%-*s %s\n", HELP_INDENT, "", HELP_LEFT - HELP_INDENT, left, help);
}

static void print_options(FILE *out, uint64_t mask) {
        for (OptionId id = 0; id < OPTION_COUNT; id++) {
                g_autofree char *name = g_strconcat("--", options[id].name, NULL);
                if (mask & OPTION_BIT(id))
                        print_row(out, name, options[id].argument, options[id].help);
        }
}

static void print_words(FILE *out, bool of_work) {
        for (size_t i = 0; i < vocabulary_count; i++) {
                const VocabularyWord *word = &vocabulary[i];
                g_autofree char *option = word_option(word), *name = g_strconcat("--", option, NULL);
                if (option && word_is_of_work(word) == of_work)
                        print_row(out, name, definition_option_takes_value(option) ? word->argument : NULL,
                                  word->help);
        }
}

static void print_globals(FILE *out, const Verb *verb) {
        fputs("\nGlobal options, before or after the verb:\n", out);
        print_options(out, verb_globals(verb));
}

void help_print(FILE *out, const Verb *verbs) {
        static const char *const exits[] = {
                [KTCTL_OK] = "done",
                [KTCTL_FAILED] = "the daemon refused, or the call failed",
                [KTCTL_USAGE] = "wrong command line; nothing was sent",
                [KTCTL_UNREACHABLE] = "the daemon cannot be reached",
                [KTCTL_INCOMPLETE] =
                        "done, but a worker, payload or check failed, or a stall failed the step",
        };

        fputs("Usage: ktctl [OPTIONS] VERB [ARGUMENTS] [OPTIONS]\n\n"
              "Creates cgroups with synthetic workers and payloads through ktsetupd, and collects their "
              "reports.\n\nVerbs:\n",
              out);
        for (const Verb *v = verbs; v->name; v++)
                print_row(out, v->name, *v->arguments ? v->arguments : NULL, v->help);
        print_globals(out, NULL);
        fputs("\nExit codes:\n", out);
        for (size_t i = 0; i < G_N_ELEMENTS(exits); i++)
                fprintf(out, "  %zu  %s\n", i, exits[i]);
        fputs("\n'ktctl help VERB' lists the options of a verb. See ktctl(1).\n", out);
}

/* A command stands for the arguments of a verb, or behind them. */
static void print_usage(FILE *out, const Verb *verb) {
        fprintf(out, "Usage: ktctl %s%s%s", verb->name, *verb->arguments ? " " : "", verb->arguments);
        if (verb->takes & VERB_COMMAND && verb->min_arguments > 0)
                fputs(" [-- COMMAND [ARG...]]", out);
        else if (verb->takes & VERB_COMMAND)
                fprintf(out, "\n   or: ktctl %s -- COMMAND [ARG...]", verb->name);
        fprintf(out, "\n\n%c%s.\n", g_ascii_toupper(verb->help[0]), verb->help + 1);
}

void help_print_verb(FILE *out, const Verb *verb) {
        print_usage(out, verb);
        if (verb->options) {
                fputs("\nOptions:\n", out);
                print_options(out, verb->options);
        }
        if (verb->takes & VERB_DEFINITION) {
                fputs("\nOptions of the cgroup:\n", out);
                print_words(out, false);
                fputs("\nOne option for each worker group:\n", out);
                print_row(out, "--" DEFINITION_WORK, "KEY=VALUE,...",
                          "one worker group, such as workers=2,affinity=cpus:0,2; may be repeated");
                fputs("\nOr one option for each key; each further --work-type starts another group:\n", out);
                print_words(out, true);
                fputs("\nSome options are in both lists. Before the first --work-type, such an option is a "
                      "default for all groups.\nAfter a --work-type, it applies to that group only. Together "
                      "with --work, it is always the default.\n",
                      out);
        }
        if (verb->takes & VERB_COMMAND && verb->min_arguments > 0)
                fputs("\nThe command after -- runs in the cgroup as its payload.\n", out);
        print_globals(out, verb);
}
