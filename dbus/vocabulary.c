/* SPDX-License-Identifier: GPL-2.0-only */
#include "vocabulary.h"

#define WORKER_WORDS(prefix)                                                                                 \
        { prefix "nice", VOCABULARY_COUNT, "N", "nice value, -20..19" },                                     \
                { prefix "comm", VOCABULARY_TEXT, "NAME", "task name, 1 to 15 bytes" },                      \
                { prefix "uid", VOCABULARY_COUNT, "UID", "user id of the workers" },                         \
                { prefix "gid", VOCABULARY_COUNT, "GID", "group id of the workers" }, {                      \
                prefix "numa_node", VOCABULARY_COUNT, "NODE", "narrow the affinity to the CPUs of this node" \
        }

const VocabularyWord vocabulary[] = {
        { "name", VOCABULARY_TEXT, "NAME", "cgroup name below the scenario; a/b nests" },
        { "cpuset", VOCABULARY_TEXT, "SPEC", "llc:N numa:N range:A-B disjoint:I/N overlap:I/N@F cpus:LIST" },
        { "cpuset_mems", VOCABULARY_TEXT, "LIST", "NUMA nodes for memory, e.g. 0-1" },
        { "cpu.weight", VOCABULARY_COUNT, "N", "cpu.weight, 1..10000" },
        { "cpu.quota_us", VOCABULARY_TIME, "TIME", "CPU time per period: microseconds, 50ms, 50% or max" },
        { "cpu.period_us", VOCABULARY_TIME, "TIME", "length of a period (default 100ms)" },
        { "memory.max", VOCABULARY_SIZE, "SIZE", "hard limit: bytes, 256M or max" },
        { "memory.high", VOCABULARY_SIZE, "SIZE", "throttling limit: bytes, 256M or max" },
        { "memory.low", VOCABULARY_SIZE, "SIZE", "best-effort protection: bytes or 256M" },
        { "memory.swap_max", VOCABULARY_SIZE, "SIZE", "swap limit: bytes, 256M or max" },
        { "io.weight", VOCABULARY_COUNT, "N", "io.weight, 1..10000" },
        { "pids.max", VOCABULARY_COUNT, "N", "limit on the number of tasks: a number or max" },
        WORKER_WORDS(""),
        { "swappable", VOCABULARY_FLAG, "", "work_type_override may replace the work types of its groups" },
        { "works.work_type", VOCABULARY_TEXT, "TYPE",
          "SpinWait YieldHeavy Mixed Bursty PipeIo FutexPingPong IdleChurn; starts a new worker group" },
        { "works.params", VOCABULARY_PARAMS, "KEY=VALUE", "parameter of the work type" },
        { "works.workers", VOCABULARY_COUNT, "N", "number of workers" },
        { "works.workers_pct", VOCABULARY_NUMBER, "F", "workers as a fraction of the cgroup's CPUs" },
        { "works.sched_policy", VOCABULARY_TEXT, "POLICY",
          "normal batch idle fifo:P rr:P deadline:RUNTIME/DEADLINE/PERIOD ext" },
        { "works.affinity", VOCABULARY_TEXT, "INTENT",
          "inherit llc single smt-pair cross-cgroup cpus:LIST random:COUNT[@LIST]" },
        { "works.mem_policy", VOCABULARY_TEXT, "POLICY",
          "default local bind:LIST preferred:N interleave:LIST preferred-many:LIST "
          "weighted-interleave:LIST" },
        { "works.mpol_flags", VOCABULARY_TEXTS, "FLAGS", "static relative balancing" },
        { "works.pcomm", VOCABULARY_TEXT, "NAME",
          "run the workers as threads of one process of this name, 1 to 15 bytes" },
        WORKER_WORDS("works."),
        { "payload", VOCABULARY_TEXT, "NAME",
          "payload to run in it, defined in a file; see ktsetupd.payload(5)" },
};
const size_t vocabulary_count = sizeof(vocabulary) / sizeof(vocabulary[0]);
