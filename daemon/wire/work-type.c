/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-type.h"

#include <string.h>

#define MS   UINT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

/* Parameters end where a pass would outlast the test: an hour of sleeping or bursting; a billion units of
 * spinning, which take about a minute where a pause takes long. */
#define UNITS_MAX UINT64_C(1000000000)

static const char no_units[] = "a pass without a unit of work would count as no progress";

static const WorkType work_types[WORK_TYPE_COUNT] = {
        [WORK_SPIN_WAIT] = {
                .name = "SpinWait",
                .summary = "spins in user space, never gives the CPU away",
                .group_size = 1,
        },
        [WORK_YIELD_HEAVY] = {
                .name = "YieldHeavy",
                .summary = "calls sched_yield after every unit of work",
                .group_size = 1,
        },
        [WORK_MIXED] = {
                .name = "Mixed",
                .summary = "spins for 1024 units, then calls sched_yield",
                .group_size = 1,
        },
        [WORK_BURSTY] = {
                .name = "Bursty",
                .summary = "spins for burst_duration, then sleeps for sleep_duration",
                .group_size = 1,
                .samples = SAMPLE_WAKE_LATENCY,
                .n_params = 2,
                .params = {
                        { "burst_duration", PARAM_DURATION, 50 * MS, 1, HOUR,
                          "without a burst a worker would accrue no runtime: it would be a pure sleeper" },
                        /* No sleep at all makes a spinner that reports at the burst's rhythm. */
                        { "sleep_duration", PARAM_DURATION, 100 * MS, 0, HOUR, NULL },
                },
        },
        [WORK_PIPE_IO] = {
                .name = "PipeIo",
                .summary = "pairs: spins for burst_iters units, then exchanges a byte with its partner by pipes",
                .group_size = 2,
                .link = LINK_PIPES,
                .samples = SAMPLE_WAKE_LATENCY,
                .n_params = 1,
                .params = { { "burst_iters", PARAM_COUNT, 1024, 1, UNITS_MAX, no_units } },
        },
        [WORK_FUTEX_PING_PONG] = {
                .name = "FutexPingPong",
                .summary = "pairs: spins for spin_iters units, then hands the turn to its partner by a futex",
                .group_size = 2,
                .link = LINK_REGION,
                .region_size = sizeof(uint32_t),
                .samples = SAMPLE_WAKE_LATENCY,
                .n_params = 1,
                .params = { { "spin_iters", PARAM_COUNT, 1024, 1, UNITS_MAX, no_units } },
        },
        [WORK_IDLE_CHURN] = {
                .name = "IdleChurn",
                .summary = "short bursts and short sleeps; measures by how much a sleep comes out too long",
                .group_size = 1,
                .samples = SAMPLE_WAKE_LATENCY,
                .n_params = 3,
                .params = {
                        { "burst_duration", PARAM_DURATION, 1 * MS, 1, HOUR,
                          "without a burst a worker would accrue no runtime, it would be pure sleep: "
                          "give at least a nanosecond" },
                        { "sleep_duration", PARAM_DURATION, 5 * MS, 1, HOUR,
                          "without a sleep the CPU would never go idle: SpinWait or YieldHeavy is the type for "
                          "that" },
                        { "precise_timing", PARAM_BOOLEAN, 0, 0, 1, NULL },
                },
        },
};

const WorkType *work_type_get(WorkTypeId id) {
        return (unsigned)id < WORK_TYPE_COUNT ? &work_types[id] : NULL;
}

bool work_type_find(const char *name, WorkTypeId *ret) {
        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++)
                if (strcmp(work_types[i].name, name) == 0) {
                        *ret = (WorkTypeId)i;
                        return true;
                }
        return false;
}
