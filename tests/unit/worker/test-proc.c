/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire/clock.h"
#include "worker/numa-maps.h"
#include "wire/proc.h"

/* work:H3 */
static void test_schedstat_lines(void **state) {
        static const char *const bad[] = { "",      " ",      "100 200", "100 -200 300",
                                           "a b c", "1 2 3x", "1 2 0x3", "1 2 18446744073709551616" };
        SchedStat s;
        (void)state;

        assert_true(schedstat_parse("100 200 300 999 extra", &s));
        assert_int_equal(s.cpu_ns, 100);
        assert_int_equal(s.run_delay_ns, 200);
        assert_int_equal(s.run_count, 300);
        assert_true(schedstat_parse("\t1\n18446744073709551615\t3\n", &s));
        assert_true(s.run_delay_ns == UINT64_MAX);
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                assert_false(schedstat_parse(bad[i], &s));
}

/* ---- vmstat ---- */

static void test_vmstat(void **state) {
        static const struct {
                const char *text;
                bool found;
                uint64_t value;
        } cases[] = {
                { "nr_free_pages 5\nnuma_pages_migrated 123\npgmigrate_success 7\n", true, 123 },
                { "numa_pages_migrated 0\n", true, 0 },
                { "numa_pages_migrated 18446744073709551615\n", true, UINT64_MAX },
                { "numa_pages_migrated 42", true, 42 },
                { "nr_free_pages 5\n", false, 0 },
                { "", false, 0 },
                { "numa_pages_migrated many\n", false, 0 },
                { "numa_pages_migrated \n7\n", false, 0 },
                { "numa_pages_migrated -1\n", false, 0 },
                { "numa_pages_migrated 18446744073709551616\n", false, 0 },
                { "numa_pages_migrated_twice 7\n", false, 0 },
                { "not_numa_pages_migrated 7\n", false, 0 },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                uint64_t value = 0;
                if (vmstat_numa_migrated(cases[i].text, &value) != cases[i].found || value != cases[i].value)
                        fail_msg("case %zu: %llu", i, (unsigned long long)value);
        }
}

static void test_vmstat_of_this_machine(void **state) {
        uint64_t value;
        char text[65536];
        (void)state;

        assert_true(proc_read("/proc/vmstat", text, sizeof(text)) > 0);
        assert_int_equal(vmstat_read_numa_migrated(&value), strstr(text, "\nnuma_pages_migrated ") != NULL);
}

/* ---- numa_maps ---- */

enum { NODES = 8 };

typedef struct Pages {
        uint64_t of[NODES];
} Pages;

/* In pieces of so many bytes. */
static Pages count(const char *text, size_t piece) {
        _Atomic uint64_t counted[NODES] = { 0 };
        NumaMaps n = { .pages = counted, .n_nodes = NODES };
        Pages pages;

        for (size_t length = strlen(text); length;) {
                size_t now = length < piece ? length : piece;
                numa_maps_feed(&n, text, now);
                text += now;
                length -= now;
        }
        for (unsigned i = 0; i < NODES; i++)
                pages.of[i] = counted[i];
        return pages;
}

static void check(const char *text, Pages expected) {
        for (size_t piece = 1; piece < 40; piece++) {
                Pages got = count(text, piece);
                if (memcmp(&got, &expected, sizeof(got)) != 0)
                        fail_msg("in pieces of %zu: %s", piece, text);
        }
}

static void test_numa_maps_lines(void **state) {
        static const struct {
                const char *text;
                Pages pages;
        } cases[] = {
                { "00400000 default file=/bin/x mapped=3 N0=3 kernelpagesize_kB=4\n"
                  "7f0000001000 bind:1 anon=20 dirty=20 N0=5 N1=15 kernelpagesize_kB=4\n",
                  { { 8, 15 } } },
                { "7f00 default N0=1 N3=2 N7=4\n", { { 1, 0, 0, 2, 0, 0, 0, 4 } } },
                { "7f00 default stack\n7f01 default\n\n7f02\n", { { 0 } } },
                /* the address: none, or not one */
                { "default anon=1 N0=1\nxyz default N0=2\n N0=4\nN0=8\n", { { 0 } } },
                { "0x7f00 default N0=1\n12345678901234567 default N0=1\n", { { 0 } } },
                { "zz default N0=1\n7f00 default N0=2\n", { { 2 } } }, /* only that line */
                /* words: these only look like counts */
                { "7f00 default xN0=1 N=1 N0= N0=1x N0=-1 NN0=1 n0=1 N0:1 N0=1=2 N 0=1\n", { { 0 } } },
                { "7f00 default file=/N0=7 N1=2\n", { { 0, 2 } } },
                { "7f00 default N8=1 N99999999999999999999=1 N1=99999999999999999999 N0=1\n", { { 1 } } },
                { "FFffffffff600000 default\tN2=3 \n", { { 0, 0, 3 } } },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
                check(cases[i].text, cases[i].pages);
}

/* A name may be longer than any buffer. */
static void test_numa_maps_of_long_lines(void **state) {
        static char text[100000];
        (void)state;

        memset(text, 'N', sizeof(text));
        memcpy(text, "7f00 default file=/", 19);
        strcpy(text + sizeof(text) - 32, " N0=3 N1=4\n7f01 default N1=5\n");
        Pages pages = count(text, 1024);
        assert_int_equal(pages.of[0], 3);
        assert_int_equal(pages.of[1], 9);
}

static void test_numa_maps_of_this_process(void **state) {
        _Atomic uint64_t pages[NODES] = { 0 };
        uint64_t all = 0;
        (void)state;

        bool numa = access("/proc/self/numa_maps", R_OK) == 0;
        assert_int_equal(numa_maps_read(pages, NODES), numa);
        for (unsigned i = 0; i < NODES; i++)
                all += pages[i];
        assert_int_equal(all > 0, numa);
}

/* One reading serves those who ask soon after, and no others. */
static void test_gauge(void **state) {
        _Atomic uint64_t pages[3][NODES] = { 0 };
        NumaGauge gauge = NUMA_GAUGE_INIT;
        (void)state;

        bool numa = numa_gauge_read(&gauge, pages[0], NODES);
        assert_int_equal(numa, access("/proc/self/numa_maps", R_OK) == 0);
        if (!numa)
                skip();
        pages[0][1] = 12345; /* what it copies from */
        gauge.read_ns = monotonic_ns();
        assert_true(numa_gauge_read(&gauge, pages[1], NODES));
        assert_memory_equal(pages[0], pages[1], sizeof(pages[0]));
        gauge.read_ns -= (NUMA_GAUGE_MS + 1) * NS_PER_MS;
        assert_true(numa_gauge_read(&gauge, pages[2], NODES));
        assert_true(pages[2][1] != 12345);
        assert_ptr_equal(gauge.pages, pages[2]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_schedstat_lines),
                cmocka_unit_test(test_vmstat),
                cmocka_unit_test(test_vmstat_of_this_machine),
                cmocka_unit_test(test_numa_maps_lines),
                cmocka_unit_test(test_numa_maps_of_long_lines),
                cmocka_unit_test(test_numa_maps_of_this_process),
                cmocka_unit_test(test_gauge),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
