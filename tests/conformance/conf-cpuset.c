/* SPDX-License-Identifier: GPL-2.0-only */
#include "conf-topology.h"

#include "topology/cpuset-spec.h"

static CpusetSpec *parsed(const char *text) {
        g_autoptr(GError) error = NULL;
        CpusetSpec *spec = cpuset_spec_parse(text, &error);

        if (!spec)
                fail_msg("%s", error->message);
        return spec;
}

static const struct {
        const char *machine, *spec, *cpus;
} RESOLUTIONS[] = {
        { TWO_LLCS_8, "cpus:1,4-5", "1,4-5" }, /* res:R92 ops:D1 */
        { TWO_LLCS_8, "disjoint:0/0", "" },    /* res:R92 ops:D2 */
        { TWO_LLCS_8, "overlap:0/0@0.5", "" }, /* res:R92 ops:D3 */
        { TWO_LLCS_8, "range:0.8-0.2", "" },   /* res:R92 ops:D4 */
        { TWO_LLCS_8, "range:nan-nan", "" },   /* res:R92 ops:D5 */
        { TWO_LLCS_8, "range:0-nan", "" },     /* res:R92 ops:D5 */
        { TWO_LLCS_8, "range:0-inf", "" },     /* not finite counts as 0 */
        { TWO_LLCS_8, "range:nan-0.5", "0-2" },
        { TWO_LLCS_8, "overlap:0/2@nan", "0-2" }, /* res:R92 ops:D6: as with fraction 0 */
        { TWO_LLCS_8, "disjoint:0/2", "0-2" },    /* res:R93 ops:D7: of 0-6, 7 is the root cgroup's */
        { TWO_LLCS_8, "disjoint:1/2", "3-6" },    /* res:R93 ops:D7 */
        { TWO_LLCS_8, "disjoint:0/3", "0-1" },    /* res:R93 */
        { TWO_LLCS_8, "disjoint:2/3", "4-6" },    /* res:R93 ops:D8 */
        { TWO_LLCS_8, "disjoint:0/1", "0-6" },    /* res:R93 ops:D9 */
        { TWO_LLCS_8, "disjoint:5/3", "" },       /* res:R93 ops:D10 */
        { TWO_LLCS_8, "disjoint:5/6", "5-6" },    /* parts of one CPU, the last has the rest */
        { TWO_LLCS_8, "disjoint:8/9", "0-6" },    /* parts of none, the last has all */
        { TWO_LLCS_8, "disjoint:7/9", "" },
        { TWO_LLCS_8, "range:0-0.5", "0-2" }, /* res:R94 ops:D11 ops:D12: floor(3.5) */
        { TWO_LLCS_8, "range:0.5-1", "3-6" }, /* res:R94 ops:D12 */
        { TWO_LLCS_8, "range:0-1", "0-6" },   /* res:R94 ops:D13 */
        { TWO_LLCS_8, "range:0.5-0.5", "" },  /* res:R94 ops:D14 */
        { TWO_LLCS_8, "range:0-2.0", "0-6" }, /* res:R94 ops:D15 */
        { TWO_LLCS_8, "range:-1-0.5", "0-2" },
        { ONE_LLC_4, "range:0-0.1", "" },         /* valid, and yet empty */
        { TWO_LLCS_8, "overlap:0/2@0.5", "0-3" }, /* res:R95 ops:D16 ops:D18: 3 CPUs and floor(1.5) */
        { TWO_LLCS_8, "overlap:1/2@0.5", "2-6" }, /* res:R95 ops:D16 ops:D18 */
        { TWO_LLCS_8, "overlap:0/2@0", "0-2" },   /* res:R95 ops:D17 */
        { TWO_LLCS_8, "overlap:1/2@0", "3-6" },   /* res:R95 ops:D17 */
        { TWO_LLCS_8, "overlap:0/3@1", "0-3" },   /* res:R95: a whole part on each side */
        { TWO_LLCS_8, "overlap:1/3@1", "0-5" },   /* res:R95 */
        { TWO_LLCS_8, "overlap:2/3@1", "2-6" },   /* res:R95 */
        { TWO_LLCS_8, "overlap:1/3@9", "0-5" },   /* clamped to 1 */
        { TWO_LLCS_8, "llc:0", "0-3" },           /* res:R96 ops:D19 */
        { TWO_LLCS_8, "llc:1", "4-7" },           /* res:R96 ops:D19: the reserved CPU too */
        { TWO_LLCS_8, "llc:9", "4-7" },
        { FOUR_LLC_16, "numa:0", "0-7" },  /* res:R96 ops:D20 */
        { FOUR_LLC_16, "numa:1", "8-15" }, /* res:R96 ops:D20 */
        { FOUR_LLC_16, "numa:7", "8-15" },
        { FOUR_LLC_16, "llc:2", "8-11" },
        { ONE_NODE_8, "numa:0", "0-7" }, /* res:R96 ops:D21 */
        { SPARSE_8, "numa:8", "4-7" },   /* decision 19 */
        { SPARSE_8, "numa:1", "4-7" },   /* no such node: the last one */
        { MEM_ONLY_8, "numa:1", "" },
        { TWO_LLCS_8, "disjoint:18446744073709551614/18446744073709551615", "0-6" },
        { TWO_LLCS_8, "overlap:18446744073709551613/18446744073709551615@1", "" },
        { TWO_LLCS_8, "overlap:18446744073709551615/2@1", "" },
};

static void resolution(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(RESOLUTIONS); i++) {
                g_autoptr(Topology) t = machine(RESOLUTIONS[i].machine);
                g_autoptr(CpusetSpec) spec = parsed(RESOLUTIONS[i].spec);
                g_auto(hwloc_bitmap_t) cpus = cpuset_spec_resolve(spec, t), expected = NULL;

                check_set(cpus, RESOLUTIONS[i].cpus, RESOLUTIONS[i].spec, __LINE__);
                expected = set_of(RESOLUTIONS[i].cpus);
                assert_int_equal(cpuset_spec_count(spec, t), bitmap_size(expected)); /* ops:D22 */
        }
}

/* res:R93 ops:D7: for any number of parts the parts are disjoint and together they are the usable CPUs */
static void disjoint_parts_partition(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(FOUR_LLC_16);

        for (unsigned of = 1; of <= 17; of++) {
                g_auto(hwloc_bitmap_t) all = bitmap_new();
                for (unsigned i = 0; i < of; i++) {
                        CpusetSpec spec = { .kind = CPUSET_DISJOINT, .index = i, .of = of };
                        g_auto(hwloc_bitmap_t) part = cpuset_spec_resolve(&spec, t);
                        assert_false(hwloc_bitmap_intersects(all, part));
                        hwloc_bitmap_or(all, all, part);
                }
                assert_set(all, "0-14");
        }
}

static const struct {
        const char *machine, *spec;
} VALID[] = {
        { FOUR_LLC_16, "numa:0" },                              /* ops:E2 */
        { FOUR_LLC_16, "numa:1" },                              /* ops:E2 */
        { FOUR_LLC_16, "llc:3" },       { SPARSE_8, "numa:8" }, /* decision 19 */
        { ONE_LLC_4, "cpus:0,2" },                              /* ops:E13 */
        { ONE_LLC_4, "cpus:3" },                                /* ops:E16 */
        { TWO_LLCS_8, "disjoint:1/2" },                         /* ops:E17 */
        { TWO_LLCS_8, "disjoint:6/7" }, { TWO_LLCS_8, "overlap:0/2@0" }, { TWO_LLCS_8, "overlap:0/2@1" },
        { TWO_LLCS_8, "range:0-1" },    { ONE_LLC_4, "range:0-0.1" },
};

static void valid(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(VALID); i++) {
                g_autoptr(Topology) t = machine(VALID[i].machine);
                g_autoptr(CpusetSpec) spec = parsed(VALID[i].spec);
                g_autoptr(GError) error = NULL;

                if (!cpuset_spec_validate(spec, t, &error))
                        fail_msg("%s", error->message);
        }
}

static const struct {
        const char *machine, *spec, *fragments[3];
} INVALID[] = {
        { FOUR_LLC_16, "numa:5", { "node 5 is out of range", "nodes here is 2" } },      /* res:R91 ops:E1 */
        { SPARSE_8, "numa:1", { "out of range", "0,8" } },                               /* decision 19 */
        { TWO_LLCS_8, "llc:5", { "LLC 5 is out of range", "LLCs here is 2", "llc:1" } }, /* res:R91 ops:E3 */
        { TWO_LLCS_8, "disjoint:0/0", { "must be > 0" } },                               /* res:R88 ops:E4 */
        { TWO_LLCS_8, "overlap:0/0@0.5", { "must be > 0" } },                            /* res:R88 ops:E5 */
        { TWO_LLCS_8, "disjoint:3/3", { "index 3 is >= partition count 3" } },           /* res:R88 ops:E6 */
        { TWO_LLCS_8, "overlap:2/2@0.5", { "index 2 is >= partition count 2" } },        /* res:R88 ops:E6 */
        { TWO_LLCS_8, "range:0.8-0.2", { "start 0.8 is not below end 0.2" } },           /* res:R89 ops:E7 */
        { TWO_LLCS_8, "range:0.5-0.5", { "start 0.5 is not below end 0.5" } },           /* res:R89 ops:E7 */
        { TWO_LLCS_8, "range:nan-1", { "not finite", "start nan" } },                    /* res:R89 ops:E8 */
        { TWO_LLCS_8, "range:0-NaN", { "not finite", "end nan" } },                      /* res:R89 ops:E8 */
        { TWO_LLCS_8, "range:-inf-1", { "not finite", "start -inf" } },                  /* res:R89 ops:E8 */
        { TWO_LLCS_8, "range:0-Infinity", { "not finite", "end inf" } },                 /* res:R89 ops:E8 */
        { TWO_LLCS_8, "range:-0.5-1", { "outside [0.0, 1.0]", "start -0.5" } },          /* res:R89 ops:E9 */
        { TWO_LLCS_8, "range:0-1.5", { "outside [0.0, 1.0]", "end 1.5" } },              /* res:R89 ops:E9 */
        { TWO_LLCS_8, "overlap:0/2@nan", { "not finite" } },                             /* res:R90 ops:E10 */
        { TWO_LLCS_8, "overlap:0/2@inf", { "not finite" } },                             /* res:R90 ops:E10 */
        { TWO_LLCS_8, "overlap:0/2@1.5", { "fraction 1.5", "outside [0.0, 1.0]" } },     /* res:R90 ops:E11 */
        { TWO_LLCS_8, "overlap:0/2@-0.1", { "fraction -0.1", "outside [0.0, 1.0]" } },
        { TWO_CPUS, "disjoint:0/5", { "not enough usable CPUs", "2 for 5" } },    /* res:R91 ops:E12 */
        { TWO_CPUS, "overlap:0/5@0.5", { "not enough usable CPUs", "2 for 5" } }, /* res:R91 ops:E12 */
        { ONE_LLC_4, "disjoint:0/4", { "not enough usable CPUs", "3 for 4" } },
        { ONE_LLC_4,
          "cpus:0,99",
          { "CPUs 99 are not in the physical CPU set", "CPU is 3" } }, /* res:R91 ops:E15 */
        /* what is checked first decides */
        { TWO_CPUS, "overlap:7/5@nan", { "index 7" } },
        { TWO_CPUS, "overlap:0/5@nan", { "not finite" } },
        { TWO_LLCS_8, "range:-1-nan", { "not finite" } },
        { TWO_LLCS_8, "range:2-1.5", { "outside" } },
};

static void invalid(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(INVALID); i++) {
                g_autoptr(Topology) t = machine(INVALID[i].machine);
                g_autoptr(CpusetSpec) spec = parsed(INVALID[i].spec);
                g_autoptr(GError) error = NULL;
                const char *const *f = INVALID[i].fragments;

                if (cpuset_spec_validate(spec, t, &error))
                        fail_msg("%s is valid", INVALID[i].spec);
                assert_invalid(error, f[0], f[1] ?: f[0], f[2] ?: f[0]);
        }
}

/* res:R91 ops:E14 */
static void empty_list_is_invalid(void **state G_GNUC_UNUSED) {
        g_autoptr(Topology) t = machine(ONE_LLC_4);
        g_autoptr(CpusetSpec) spec = parsed("cpus:");
        g_autoptr(GError) error = NULL;

        assert_false(cpuset_spec_validate(spec, t, &error));
        assert_refused(error, KT_ERROR_EMPTY_CPUSET, "exact set is empty");
}

static void text_round_trip(void **state G_GNUC_UNUSED) {
        static const char *const texts[] = {
                "llc:0",          "numa:8",       "range:0-0.5",      "range:-0.5-1",
                "range:nan--inf", "disjoint:1/3", "overlap:0/2@0.25", "overlap:0/2@nan",
                "cpus:0-3,5",     "cpus:",        "range:0.1-0.3",    "range:0.000001-0.30000000000000004",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(CpusetSpec) spec = parsed(texts[i]);
                g_autofree char *text = cpuset_spec_format(spec);
                assert_string_equal(text, texts[i]);
        }
}

static void malformed_text(void **state G_GNUC_UNUSED) {
        static const struct {
                const char *text, *fragment;
        } cases[] = {
                { "", "one of llc:N" },
                { "lcc:1", "did you mean 'llc:N'?" },
                { "disjont:0/2", "did you mean 'disjoint:I/N'?" },
                { "0-3", "did you mean 'cpus:0-3'?" },
                { "llc", "written llc:N, for example llc:0" },
                { "llc:", "written llc:N" },
                { "llc:-1", "written llc:N" },
                { "llc:+1", "written llc:N" },
                { "llc:1 ", "written llc:N" },
                { " llc:1", "did you mean 'llc:N'?" },
                { "llc:0x1", "written llc:N" },
                { "numa:one", "written numa:N" },
                { "range:0.5", "range:0-0.5" },
                { "range:0-0.5x", "range:0-0.5" },
                { "range:0,5-1", "range:0-0.5" },
                { "range:0-1e-1", "range:0-0.5" },
                { "range:0x0-0x1", "range:0-0.5" },
                { "range:.-1", "range:0-0.5" },
                { "range:0.1.2-1", "range:0-0.5" },
                { "disjoint:1", "disjoint:0/2" },
                { "disjoint:1/", "disjoint:0/2" },
                { "disjoint:0/2@0.5", "disjoint:0/2" },
                { "overlap:0/2", "overlap:0/2@0.5" },
                { "overlap:0@0.5/2", "overlap:0/2@0.5" },
                { "cpus:0-x", "'0-x' is neither" },
                { "cpus:5-2", "reversed range" },
                { "CPUS:0", "did you mean 'cpus:LIST'?" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                if (cpuset_spec_parse(cases[i].text, &error))
                        fail_msg("'%s' was accepted", cases[i].text);
                assert_invalid(error, cases[i].fragment);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(resolution),
                cmocka_unit_test(disjoint_parts_partition),
                cmocka_unit_test(valid),
                cmocka_unit_test(invalid),
                cmocka_unit_test(empty_list_is_invalid),
                cmocka_unit_test(text_round_trip),
                cmocka_unit_test(malformed_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
