/* SPDX-License-Identifier: GPL-2.0-only */
#include "conformance/conf-topology.h"
#include "model/quantity.h"

typedef bool (*Parser)(const char *text, uint64_t *ret);

static const struct {
        Parser parse;
        const char *text;
        uint64_t value;
} EXACT[] = {
        { size_parse, "0", 0 },
        { size_parse, "4096", 4096 },
        { size_parse, "1K", 1024 },
        { size_parse, "256M", 268435456 },
        { size_parse, "1.5G", 1610612736 },
        { size_parse, "2T", 2199023255552 },
        { size_parse, "007", 7 },
        { size_parse, "0.5K", 512 },
        { size_parse, "1.0009765625K", 1025 },
        { size_parse, "1.9", 1 }, /* what a byte cannot hold is cut off */
        { size_parse, "0.0009K", 0 },
        { size_parse, "18446744073709551615", UINT64_MAX },
        { size_parse, "16777215.999999999999T", 18446744073709551615ULL - 1 },
        { size_parse, "18014398509481983K", 18446744073709550592ULL },
        { time_parse, "0", 0 },
        { time_parse, "100", 100000 }, /* a bare number counts microseconds */
        { time_parse, "10ns", 10 },
        { time_parse, "250us", 250000 },
        { time_parse, "100ms", 100000000 },
        { time_parse, "7.5ms", 7500000 },
        { time_parse, "0.1s", 100000000 }, /* no double is 0.1 */
        { time_parse, "4.35s", 4350000000 },
        { time_parse, "2s", 2000000000 },
        { time_parse, "1.0000000019s", 1000000001 },
        { time_parse, "18446744073.709551615s", UINT64_MAX },
        { time_parse, "18446744073709551615ns", UINT64_MAX },
        { percent_parse, "50%", 50000 },
        { percent_parse, "200%", 200000 },
        { percent_parse, "12.5%", 12500 },
        { percent_parse, "33.3339%", 33333 },
        { percent_parse, "0%", 0 },
};

static void exact(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(EXACT); i++) {
                uint64_t got = 12345;
                if (!EXACT[i].parse(EXACT[i].text, &got) || got != EXACT[i].value)
                        fail_msg("%s is %" G_GUINT64_FORMAT, EXACT[i].text, got);
        }
}

static const struct {
        Parser parse;
        const char *text;
} MALFORMED[] = {
        { size_parse, "" },
        { size_parse, "K" },
        { size_parse, "-1" },
        { size_parse, "+1" },
        { size_parse, " 1" },
        { size_parse, "1 " },
        { size_parse, "1 K" },
        { size_parse, "1k" },
        { size_parse, "1KB" },
        { size_parse, "1KiB" },
        { size_parse, "1P" },
        { size_parse, ".5K" },
        { size_parse, "1.K" },
        { size_parse, "1..5" },
        { size_parse, "0x10" },
        { size_parse, "1e3" },
        { size_parse, "1,5" },
        { size_parse, "max" },
        { size_parse, "10ms" },
        { size_parse, "5%" },
        { time_parse, "" },
        { time_parse, "ms" },
        { time_parse, "-1ms" },
        { time_parse, "1 ms" },
        { time_parse, "1m" },
        { time_parse, "1min" },
        { time_parse, "1S" },
        { time_parse, "1.ms" },
        { time_parse, "1M" },
        { percent_parse, "50" },
        { percent_parse, "%" },
        { percent_parse, "-5%" },
        { percent_parse, "5%%" },
        { percent_parse, "5 %" },
        { percent_parse, "inf%" },
        /* one more than fits */
        { size_parse, "18446744073709551616" },
        { size_parse, "340282366920938463463374607431768211457" }, /* 2^128 + 1 */
        { size_parse, "18014398509481984K" },
        { size_parse, "99999999999999999999999999999999999999999" },
        { time_parse, "18446744073709551616ns" },
        { time_parse, "18446744073.709551616s" },
        { time_parse, "18446744073709552" }, /* microseconds */
        { percent_parse, "18446744073709552%" },
};

static void malformed(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(MALFORMED); i++) {
                uint64_t got = 12345;
                if (MALFORMED[i].parse(MALFORMED[i].text, &got))
                        fail_msg("'%s' is %" G_GUINT64_FORMAT, MALFORMED[i].text, got);
                assert_int_equal(got, 12345); /* untouched */
        }
}

static const struct {
        Parser parse;
        const char *text, *meant;
} NEAR[] = {
        { size_parse, "256MB", "256M" },       { size_parse, "256mb", "256M" },
        { size_parse, "1.5 GiB", "1.5G" },     { size_parse, "4k", "4K" },
        { size_parse, "4096B", "4096" },       { size_parse, " 4096 ", "4096" },
        { size_parse, "10bytes", "10" },       { size_parse, "1P", NULL },
        { size_parse, "1.M", NULL },           { size_parse, "MB", NULL },
        { size_parse, "10ms", NULL },          { size_parse, "99999999999999999999TB", NULL },
        { time_parse, "100msec", "100ms" },    { time_parse, "100 MS", "100ms" },
        { time_parse, "5\302\265s", "5us" },   { time_parse, "5 usecs", "5us" },
        { time_parse, "1.5sec", "1.5s" },      { time_parse, "2seconds", "2s" },
        { time_parse, "1min", NULL },          { time_parse, "-1ms", NULL },
        { time_parse, "256MB", NULL },         { percent_parse, "50 %", "50%" },
        { percent_parse, "50percent", "50%" }, { count_parse, "4K", NULL },
        { count_parse, "12 ", "12" },
};

static void suggestions(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(NEAR); i++) {
                g_autofree char *got = quantity_suggest(NEAR[i].text, NEAR[i].parse);
                if (g_strcmp0(got, NEAR[i].meant) != 0)
                        fail_msg("%s: %s", NEAR[i].text, got ?: "nothing");
        }
}

static void times_are_written(void **state G_GNUC_UNUSED) {
        static const struct {
                uint64_t ns;
                const char *text;
        } cases[] = {
                { 0, "0s" },
                { 1, "1ns" },
                { 1500, "1500ns" },
                { 1000, "1us" },
                { 50000000, "50ms" },
                { 3600000000000, "3600s" },
                { UINT64_MAX, "18446744073709551615ns" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = time_format(cases[i].ns);
                uint64_t back = 77;
                assert_string_equal(text, cases[i].text);
                assert_true(time_parse(text, &back) && back == cases[i].ns);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(exact),
                cmocka_unit_test(malformed),
                cmocka_unit_test(suggestions),
                cmocka_unit_test(times_are_written),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
