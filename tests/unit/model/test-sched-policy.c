/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/sched.h>

#include "conformance/conf-topology.h"
#include "model/sched-policy.h"

/* work:C25 (the spelling; test-worker sets them): every policy, `normal` being one of them */
static void policies(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text;
                SchedPolicy policy;
        } cases[] = {
                { "normal", { .policy = SCHED_NORMAL } },
                { "batch", { .policy = SCHED_BATCH } },
                { "idle", { .policy = SCHED_IDLE } },
                { "ext", { .policy = 7 } },
                { "fifo:1", { .policy = SCHED_FIFO, .priority = 1 } },
                { "fifo:99", { .policy = SCHED_FIFO, .priority = 99 } },
                { "rr:50", { .policy = SCHED_RR, .priority = 50 } },
                { "deadline:5ms/10ms/20ms",
                  { .policy = SCHED_DEADLINE,
                    .runtime_ns = 5000000,
                    .deadline_ns = 10000000,
                    .period_ns = 20000000 } },
                /* work:C26: a period of 0 passes; the floor and equal times, too */
                { "deadline:1024ns/1024ns/0",
                  { .policy = SCHED_DEADLINE, .runtime_ns = 1024, .deadline_ns = 1024 } },
                { "deadline:7.5ms/7.5ms/7.5ms",
                  { .policy = SCHED_DEADLINE,
                    .runtime_ns = 7500000,
                    .deadline_ns = 7500000,
                    .period_ns = 7500000 } },
                { "deadline:1000/2000/9223372036854775807ns",
                  { .policy = SCHED_DEADLINE,
                    .runtime_ns = 1000000,
                    .deadline_ns = 2000000,
                    .period_ns = INT64_MAX } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                SchedPolicy got = { .policy = 77, .priority = 77 };
                const SchedPolicy *want = &cases[i].policy;
                g_autoptr(GError) error = NULL;
                if (!sched_policy_parse(cases[i].text, &got, &error))
                        fail_msg("%s", error->message);
                assert_int_equal(got.policy, want->policy);
                assert_int_equal(got.priority, want->priority);
                assert_int_equal(got.runtime_ns, want->runtime_ns);
                assert_int_equal(got.deadline_ns, want->deadline_ns);
                assert_int_equal(got.period_ns, want->period_ns);
        }
}

static const struct {
        const char *text, *fragment, *second;
} REFUSED[] = {
        { "", "unknown sched_policy ''; a sched_policy is one of normal, ", "" },
        { "Fifo:5", "unknown sched_policy 'Fifo:5'; did you mean 'fifo:P'?", "" },
        { "fifo50", "unknown sched_policy 'fifo50'; did you mean 'fifo:P'?", "" },
        { "deadlin:1/2/3", "unknown sched_policy", "did you mean 'deadline:RUNTIME/DEADLINE/PERIOD'?" },
        { "other", "unknown sched_policy 'other'; ", "ext" },
        { "normal:", "sched_policy 'normal:': ", "takes no parameter" },
        { "ext:1", "sched_policy 'ext:1': ", "takes no parameter" },
        { "fifo", "sched_policy 'fifo': ", "1 to 99" },
        { "fifo:", "sched_policy 'fifo:': ", "1 to 99" },
        { "fifo:0", "sched_policy 'fifo:0': ", "1 to 99" },
        { "rr:100", "sched_policy 'rr:100': ", "1 to 99" },
        { "rr:-1", "sched_policy 'rr:-1': ", "1 to 99" },
        { "rr:5x", "sched_policy 'rr:5x': ", "1 to 99" },
        { "rr:+5", "sched_policy 'rr:+5': ", "1 to 99" },
        { "deadline", "sched_policy 'deadline': ", "RUNTIME/DEADLINE/PERIOD" },
        { "deadline:5ms/10ms", "sched_policy 'deadline:5ms/10ms': ", "RUNTIME/DEADLINE/PERIOD" },
        { "deadline:5ms/10ms/10ms/1",
          "sched_policy 'deadline:5ms/10ms/10ms/1': ", "RUNTIME/DEADLINE/PERIOD" },
        { "deadline:5 ms/10ms/10ms", "sched_policy 'deadline:5 ms/10ms/10ms': ", "RUNTIME/DEADLINE/PERIOD" },
        { "deadline:5ms/10msec/10ms",
          "sched_policy 'deadline:5ms/10msec/10ms': '10msec' is not a time; did you mean '10ms'?", "" },
        { "deadline:max/10ms/10ms", "sched_policy 'deadline:max/10ms/10ms': ", "RUNTIME/DEADLINE/PERIOD" },
        /* work:C26 */
        { "deadline:0/0/0", "the deadline is 0; it must be > 0", "" },
        { "deadline:5ms/0/10ms", "the deadline is 0; it must be > 0", "" },
        { "deadline:1023ns/1ms/1ms", "runtime of 1023 ns", "floor of 1024 ns" },
        { "deadline:0/1ms/1ms", "runtime of 0 ns", "floor of 1024 ns" },
        { "deadline:11ms/10ms/20ms", "runtime of 11000000 ns", "deadline of 10000000 ns" },
        { "deadline:5ms/21ms/20ms", "deadline of 21000000 ns", "period of 20000000 ns" },
        { "deadline:1ms/9223372036854775808ns/0", "deadline of 9223372036854775808 ns", "2^63-1" },
        { "deadline:9223372036854775808ns/1ms/0", "runtime of 9223372036854775808 ns", "2^63-1" },
        { "deadline:1ms/2ms/9223372036854775808ns", "period of 9223372036854775808 ns", "2^63-1" },
};

static void refusals(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(REFUSED); i++) {
                SchedPolicy got = { .policy = 77 };
                g_autoptr(GError) error = NULL;
                assert_false(sched_policy_parse(REFUSED[i].text, &got, &error));
                assert_invalid(error, REFUSED[i].fragment, REFUSED[i].second);
                assert_int_equal(got.policy, 77); /* untouched */
        }
}

/* Whatever a caller sends, the message stays short, and is text that the bus can carry. */
static void long_text_is_cut(void **state G_GNUC_UNUSED) {
        g_autofree char *umlauts = g_strnfill(20001, 'x');
        SchedPolicy got;
        g_autoptr(GError) error = NULL;

        for (size_t i = 0; i < 20000; i += 2)
                memcpy(umlauts + 1 + i, "\xc3\xa9", 2);
        assert_false(sched_policy_parse(umlauts, &got, &error));
        assert_true(g_utf8_validate(error->message, -1, NULL));
        assert_true(strlen(error->message) < 500);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(policies),
                cmocka_unit_test(refusals),
                cmocka_unit_test(long_text_is_cut),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
