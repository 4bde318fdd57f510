/* SPDX-License-Identifier: GPL-2.0-only */

/* What callers and the environment may say of the stall monitor. */

#include "model/stall.h"
#include "plan-fixture.h"

enum {
        STARVED = 1 << STALL_STARVED,
        THROTTLED = 1 << STALL_THROTTLED,
        STOPPED = 1 << STALL_STOPPED,
        BLOCKED = 1 << STALL_BLOCKED,
        SLEEPING = 1 << STALL_SLEEPING,
};

/* ---- options of a call ---- */

static void options(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text;
                ApplyOptions options;
        } cases[] = {
                { "{}", { .backdrop = false } },
                { "{'stall_monitor':true}", { .no_stall_monitor = false } },
                { "{'stall_monitor':false}", { .no_stall_monitor = true } },
                { "{'stall_poll_ms':1}", { .stall_poll_ms = { true, 1 } } },
                { "{'stall_poll_ms':3600000}", { .stall_poll_ms = { true, 3600000 } } },
                { "{'stall_window':2}", { .stall_window = { true, 2 } } },
                { "{'stall_window':16}", { .stall_window = { true, 16 } } },
                { "{'stall_fails':[]}", { .has_stall_fails = true } },
                { "{'stall_fails':['blocked']}", { .has_stall_fails = true, .stall_fails = BLOCKED } },
                { "{'stall_fails':['starved','throttled','starved']}",
                  { .has_stall_fails = true, .stall_fails = STARVED | THROTTLED } },
                { "{'stall_fails':['starved','throttled','stopped','blocked','sleeping'],"
                  "'stall_monitor':false,'stall_poll_ms':2}",
                  { .has_stall_fails = true,
                    .stall_fails = STARVED | THROTTLED | STOPPED | BLOCKED | SLEEPING,
                    .no_stall_monitor = true,
                    .stall_poll_ms = { true, 2 } } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                const ApplyOptions *want = &cases[i].options;
                ApplyOptions got;
                assert_true(decode_apply_options(node, &got, NULL));
                assert_int_equal(got.no_stall_monitor, want->no_stall_monitor);
                assert_int_equal(got.stall_poll_ms.set, want->stall_poll_ms.set);
                assert_int_equal(got.stall_poll_ms.value, want->stall_poll_ms.value);
                assert_int_equal(got.stall_window.set, want->stall_window.set);
                assert_int_equal(got.stall_window.value, want->stall_window.value);
                assert_int_equal(got.has_stall_fails, want->has_stall_fails);
                assert_int_equal(got.stall_fails, want->stall_fails);
        }
}

static void wrong_options(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *start, *fragment;
        } cases[] = {
                { "{'stall_monitor':1}", "options.stall_monitor: expected a boolean, got an integer: 1", "" },
                { "{'stall_monitor':'no'}", "options.stall_monitor: expected a boolean, got text: \"no\"",
                  "" },
                { "{'stall_monitr':false}",
                  "options: unknown key 'stall_monitr'; did you mean 'stall_monitor'?",
                  "stall_monitor, stall_poll_ms, stall_window, stall_fails" },
                { "{'stall_poll':5}", "options: unknown key 'stall_poll'; did you mean 'stall_poll_ms'?",
                  "" },
                { "{'stall_poll_ms':0}", "options.stall_poll_ms: 0 is out of range 1..3600000; ",
                  "StallPollMs" },
                { "{'stall_poll_ms':3600001}", "options.stall_poll_ms: 3600001 is out of range 1..3600000; ",
                  "" },
                { "{'stall_window':1}", "options.stall_window: 1 is out of range 2..16; ", "StallWindow" },
                { "{'stall_window':17}", "options.stall_window: 17 is out of range 2..16; ", "" },
                { "{'stall_poll_ms':-1}", "options.stall_poll_ms: -1 is out of range 1..", "" },
                { "{'stall_poll_ms':'500ms'}",
                  "options.stall_poll_ms: expected an integer, got text: \"500ms\"", "" },
                { "{'stall_poll_ms':0.5}", "options.stall_poll_ms: expected an integer, got ", "" },
                { "{'stall_fails':'starved'}",
                  "options.stall_fails: expected a list of classes of stalls, got text: \"starved\"", "" },
                { "{'stall_fails':['starved','bloked']}", "options.stall_fails[1]: unknown ",
                  "'bloked'; did you mean 'blocked'?" },
                { "{'stall_fails':['']}", "options.stall_fails[0]: unknown ", "nown " }, /* which there are */
                { "{'stall_fails':['all']}", "options.stall_fails[0]: unknown ",
                  "starved, throttled, stopped, blocked, sleeping" },
                { "{'stall_fails':['none']}", "options.stall_fails[0]: unknown ", "'none'" },
                { "{'stall_fails':['Starved']}", "options.stall_fails[0]: unknown ",
                  "did you mean 'starved'?" },
                { "{'stall_fails':[7]}",
                  "options.stall_fails[0]: expected text, a class of stalls such as "
                  "\"starved\", got an integer: 7",
                  "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(JsonNode) node = json_quoted(cases[i].text);
                ApplyOptions got = { .stall_fails = STOPPED, .stall_poll_ms = { true, 7 } };
                g_autoptr(GError) error = NULL;
                if (decode_apply_options(node, &got, &error))
                        fail_msg("%s", cases[i].text);
                assert_true(g_error_matches(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION));
                if (!g_str_has_prefix(error->message, cases[i].start) ||
                    !strstr(error->message, cases[i].fragment))
                        fail_msg("%s: %s", cases[i].text, error->message);
                assert_true(got.stall_fails == STOPPED && got.stall_poll_ms.value == 7); /* untouched */
        }
}

/* ---- classes ---- */

static void classes(void **state G_GNUC_UNUSED) {
        static const char *const names[] = { "starved", "throttled", "stopped", "blocked", "sleeping" };
        StallClass class = STALL_NONE;
        int every = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                assert_true(stall_class_parse(names[i], &class));
                assert_string_equal(stall_class_name(class), names[i]);
                every |= 1 << class;
        }
        assert_int_equal(every, STALL_EVERY_CLASS);
        assert_int_equal(G_N_ELEMENTS(names), STALL_CLASS_COUNT - 1);
        assert_string_equal(stall_class_name(STALL_NONE), "none");
        assert_false(stall_class_parse("none", &class));
        assert_false(stall_class_parse("", &class));
        assert_false(stall_class_parse("starved ", &class));
        assert_int_equal(class, STALL_SLEEPING); /* as it was */
}

/* ---- the environment ---- */

static void environment(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text;
                unsigned want;
        } cases[] = {
                { NULL, 500 },
                { "", 500 },
                { "  ", 500 },
                { "0", 500 },
                { "000", 500 },
                { "fast", 500 },
                { "100ms", 500 },
                { "-100", 500 },
                { "1.5", 500 },
                { "0x10", 500 },
                { "1e3", 500 },
                { "1 2", 500 },
                { "18446744073709551616", 3600000 }, /* more than 64 bits are no less a number */
                { "1", 1 },
                { "250", 250 },
                { " 250 \n", 250 },
                { "0250", 250 }, /* decimal */
                { "3600000", 3600000 },
                { "3600001", 3600000 }, /* the most that an option may be */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                unsigned got = stall_poll_ms_choose(cases[i].text, 500);
                if (got != cases[i].want)
                        fail_msg("'%s' is %u, not %u", cases[i].text ?: "(unset)", got, cases[i].want);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options),
                cmocka_unit_test(wrong_options),
                cmocka_unit_test(classes),
                cmocka_unit_test(environment),
        };

        return cmocka_run_group_tests_name("stall-options", tests, NULL, NULL);
}
