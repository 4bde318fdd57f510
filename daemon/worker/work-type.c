/* SPDX-License-Identifier: GPL-2.0-only */
#include "work-type.h"

#include <string.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

/* Bursty: a burst of nothing would be a plain sleeper, and a pass must end within the life of a test: bursts
 * from 1 ns to an hour. A sleep of nothing is allowed: it makes a spinner that reports at the burst's rhythm.
 */
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
        [WORK_BURSTY] = {
                .name = "Bursty",
                .summary = "spins for burst_duration, then sleeps for sleep_duration",
                .group_size = 1,
                .samples = SAMPLE_WAKE_LATENCY,
                .n_params = 2,
                .params = {
                        { "burst_duration", PARAM_DURATION, 50 * MS, 1, 3600 * S },
                        { "sleep_duration", PARAM_DURATION, 100 * MS, 0, 3600 * S },
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
