/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "conformance/conf-topology.h"

/* Machines of many shapes, each together with what it is made of, counted out in plain arrays without hwloc:
 * what the code under test finds is compared with that. */

enum { CPUS_MAX = 256, NODES_MAX = 8 };

/* Where the NUMA nodes are. */
typedef enum Nesting {
        NODES_IN_PACKAGES, /* each package has `nodes` of them */
        NODES_SPAN,        /* each node has `packages` packages */
        NODES_IN_LLCS,     /* each LLC has `nodes` of them */
        NODES_WITH_MEMORY, /* each package has one, and beside it one that is memory only */
} Nesting;

typedef struct Shape {
        Nesting nesting;
        unsigned packages, nodes, llcs, cores, threads; /* each per thing above it */
        unsigned level;                                 /* of the last cache; 0: no caches */
        unsigned id_step;                               /* between ids of nodes */
        bool interleaved;                               /* all first threads are numbered before the second */
        const char *offline;                            /* list, or NULL */
} Shape;

/* A set of CPUs or of nodes, the plain way. */
typedef struct Set {
        bool has[CPUS_MAX];
} Set;

typedef struct Cpu {
        bool online;
        unsigned node; /* its place in Machine.nodes */
        unsigned llc;  /* number of the cache, before those without an online CPU are left out */
        unsigned core;
} Cpu;

typedef struct Machine {
        const Shape *shape;
        Topology *topology; /* the thing under test */
        unsigned n_cpus;    /* online or not */
        Cpu cpus[CPUS_MAX];
        unsigned n_nodes;
        struct {
                unsigned id;
                bool memory_only;
        } nodes[NODES_MAX];
        unsigned n_caches;
        char *description; /* for messages */
} Machine;

void for_each_machine(void (*check)(const Machine *m));

unsigned set_size(const Set *s);
int set_first(const Set *s);
bool set_within(const Set *inner, const Set *outer);
Set set_common(const Set *a, const Set *b);
Set set_from(hwloc_const_bitmap_t bitmap);
/* The `count` members after the first `skip`. */
Set set_slice(const Set *s, unsigned skip, unsigned count);
hwloc_bitmap_t set_to_bitmap(const Set *s);
char *set_format(const Set *s);

Set machine_online(const Machine *m);
Set machine_usable(const Machine *m);
/* The online CPUs of the `index`-th LLC that has any; empty behind the last. */
Set machine_llc(const Machine *m, unsigned index);
unsigned machine_llcs(const Machine *m);
/* Place of the node with that id, or -1. */
int machine_find_node(const Machine *m, unsigned id);
Set machine_node(const Machine *m, unsigned place);
Set machine_node_ids(const Machine *m);
/* Ids of the nodes that have a CPU of the set. */
Set machine_nodes_of(const Machine *m, const Set *cpus);

void check_same_set(const Machine *m, hwloc_const_bitmap_t got, const Set *expected, const char *what,
                    int line);
#define assert_same_set(m, got, expected) check_same_set((m), (got), &(expected), #got, __LINE__)
/* As assert_true, but tells the machine, and what it was about. */
#define assert_on(m, condition, what)                                                                        \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        fail_msg("line %d: %s: %s: not so: %s", __LINE__, (m)->description, (what),          \
                                 #condition);                                                                \
        } while (0)
