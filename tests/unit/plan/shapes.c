/* SPDX-License-Identifier: GPL-2.0-only */
#include "shapes.h"

#include <hwloc/export.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- sets ---- */

unsigned set_size(const Set *s) {
        unsigned n = 0;

        for (unsigned i = 0; i < CPUS_MAX; i++)
                n += s->has[i];
        return n;
}

int set_first(const Set *s) {
        for (unsigned i = 0; i < CPUS_MAX; i++)
                if (s->has[i])
                        return (int)i;
        return -1;
}

bool set_within(const Set *inner, const Set *outer) {
        for (unsigned i = 0; i < CPUS_MAX; i++)
                if (inner->has[i] && !outer->has[i])
                        return false;
        return true;
}

Set set_common(const Set *a, const Set *b) {
        Set both = { 0 };

        for (unsigned i = 0; i < CPUS_MAX; i++)
                both.has[i] = a->has[i] && b->has[i];
        return both;
}

Set set_from(hwloc_const_bitmap_t bitmap) {
        Set s = { 0 };

        assert_true(hwloc_bitmap_last(bitmap) < CPUS_MAX);
        for (unsigned i = 0; i < CPUS_MAX; i++)
                s.has[i] = hwloc_bitmap_isset(bitmap, i);
        return s;
}

Set set_slice(const Set *s, unsigned skip, unsigned count) {
        Set slice = { 0 };
        unsigned at = 0;

        for (unsigned i = 0; i < CPUS_MAX; i++)
                if (s->has[i]) {
                        slice.has[i] = at >= skip && at - skip < count;
                        at++;
                }
        return slice;
}

hwloc_bitmap_t set_to_bitmap(const Set *s) {
        hwloc_bitmap_t bitmap = bitmap_new();

        for (unsigned i = 0; i < CPUS_MAX; i++)
                if (s->has[i])
                        hwloc_bitmap_set(bitmap, i);
        return bitmap;
}

char *set_format(const Set *s) {
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < CPUS_MAX; i++)
                if (s->has[i])
                        g_string_append_printf(text, "%s%u", text->len ? "," : "", i);
        return g_string_free(text, FALSE);
}

void check_same_set(const Machine *m, hwloc_const_bitmap_t got, const Set *expected, const char *what,
                    int line) {
        Set set = set_from(got);
        g_autofree char *is = set_format(&set), *should = set_format(expected);

        if (strcmp(is, should) != 0)
                fail_msg("line %d: %s: %s is {%s}, expected {%s}", line, m->description, what, is, should);
}

/* ---- what a machine is made of ---- */

Set machine_online(const Machine *m) {
        Set s = { 0 };

        for (unsigned i = 0; i < m->n_cpus; i++)
                s.has[i] = m->cpus[i].online;
        return s;
}

Set machine_usable(const Machine *m) {
        Set online = machine_online(m);
        unsigned n = set_size(&online);

        return set_slice(&online, 0, n > 2 ? n - 1 : n);
}

/* Numbered as their lowest CPUs are. */
Set machine_llc(const Machine *m, unsigned index) {
        Set s = { 0 };
        bool seen[CPUS_MAX] = { 0 };
        unsigned n = 0;

        for (unsigned i = 0; i < m->n_cpus; i++) {
                if (!m->cpus[i].online || seen[m->cpus[i].llc])
                        continue;
                seen[m->cpus[i].llc] = true;
                if (n++ != index)
                        continue;
                for (unsigned j = 0; j < m->n_cpus; j++)
                        s.has[j] = m->cpus[j].online && m->cpus[j].llc == m->cpus[i].llc;
        }
        return s;
}

unsigned machine_llcs(const Machine *m) {
        for (unsigned n = 0;; n++) {
                Set llc = machine_llc(m, n);
                if (set_size(&llc) == 0)
                        return n;
        }
}

int machine_find_node(const Machine *m, unsigned id) {
        for (unsigned i = 0; i < m->n_nodes; i++)
                if (m->nodes[i].id == id)
                        return (int)i;
        return -1;
}

Set machine_node(const Machine *m, unsigned place) {
        Set s = { 0 };

        for (unsigned i = 0; i < m->n_cpus; i++)
                s.has[i] = m->cpus[i].online && m->cpus[i].node == place;
        return s;
}

Set machine_node_ids(const Machine *m) {
        Set s = { 0 };

        for (unsigned i = 0; i < m->n_nodes; i++)
                s.has[m->nodes[i].id] = true;
        return s;
}

Set machine_nodes_of(const Machine *m, const Set *cpus) {
        Set s = { 0 };

        for (unsigned i = 0; i < m->n_cpus; i++)
                if (cpus->has[i] && m->cpus[i].online)
                        s.has[m->nodes[m->cpus[i].node].id] = true;
        return s;
}

/* ---- building ---- */

static unsigned count_cpus(const Shape *s) {
        return s->packages * s->nodes * s->llcs * s->cores * s->threads;
}

static unsigned count_nodes(const Shape *s) {
        switch (s->nesting) {
        case NODES_IN_PACKAGES:
                return s->packages * s->nodes;
        case NODES_SPAN:
                return s->nodes;
        case NODES_IN_LLCS:
                return s->llcs * s->nodes;
        case NODES_WITH_MEMORY:
                return s->packages;
        }
        g_assert_not_reached();
}

static unsigned count_caches(const Shape *s) {
        if (s->level == 0)
                return 1; /* they share the lack of one */
        return s->nesting == NODES_IN_LLCS ? s->llcs : s->packages * s->nodes * s->llcs;
}

/* CPUs are laid out in blocks: the k-th of n equal blocks is the k-th node, cache or core. */
static void fill(Machine *m, const Shape *s) {
        unsigned n = count_cpus(s), cpu_nodes = count_nodes(s);
        bool beside = s->nesting == NODES_WITH_MEMORY;
        g_auto(hwloc_bitmap_t) offline = set_of(s->offline ?: "");

        m->n_cpus = n;
        m->n_caches = count_caches(s);
        m->n_nodes = cpu_nodes * (beside ? 2 : 1);
        assert_true(n <= CPUS_MAX && m->n_nodes <= NODES_MAX);
        for (unsigned i = 0; i < m->n_nodes; i++) {
                m->nodes[i].id = i * s->id_step;
                m->nodes[i].memory_only = beside && i % 2 == 1;
        }
        for (unsigned i = 0; i < n; i++) {
                unsigned core = i / s->threads, thread = i % s->threads;
                unsigned number = s->interleaved ? thread * (n / s->threads) + core : i;
                m->cpus[number] = (Cpu){ .online = !hwloc_bitmap_isset(offline, number),
                                         .node = i / (n / cpu_nodes) * (beside ? 2 : 1),
                                         .llc = i / (n / m->n_caches),
                                         .core = core };
        }
}

/* ":COUNT(indexes=0,8,16)" */
static char *indexes(unsigned count, unsigned step) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < count; i++)
                g_string_append_printf(text, "%s%u", i ? "," : "", i * step);
        return g_strdup_printf("(indexes=%s)", text->str);
}

static char *interleaved_indexes(const Shape *s) {
        g_autoptr(GString) text = g_string_new(NULL);
        unsigned n = count_cpus(s);

        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(text, "%s%u", i ? "," : "",
                                       i % s->threads * (n / s->threads) + i / s->threads);
        return g_strdup_printf("(indexes=%s)", text->str);
}

static char *describe(const Shape *s) {
        g_autofree char *ids = indexes(count_nodes(s), s->id_step);
        g_autofree char *numa = g_strdup_printf("numa:%u%s ", s->nodes, ids);
        g_autofree char *packages = g_strdup_printf("pack:%u ", s->packages);
        g_autofree char *caches = s->level ? g_strdup_printf("l%u:%u ", s->level, s->llcs)
                                           : g_strdup_printf("group:%u ", s->llcs);
        g_autofree char *numbers = s->interleaved ? interleaved_indexes(s) : g_strdup("");
        g_autofree char *rest = g_strdup_printf("core:%u pu:%u%s", s->cores, s->threads, numbers);

        switch (s->nesting) {
        case NODES_IN_PACKAGES:
                return g_strconcat(packages, numa, caches, rest, NULL);
        case NODES_SPAN:
                return g_strconcat(numa, packages, caches, rest, NULL);
        case NODES_IN_LLCS:
                return g_strconcat(caches, numa, rest, NULL);
        case NODES_WITH_MEMORY:
                return g_strconcat(packages, "[numa] [numa] ", caches, rest, NULL);
        }
        g_assert_not_reached();
}

/* ---- CPUs offline: in hwloc's XML they are missing from `cpuset` and stay in `complete_cpuset` ---- */

static gboolean clear_bits(const GMatchInfo *match, GString *result, gpointer offline) {
        g_autofree char *head = g_match_info_fetch(match, 1), *text = g_match_info_fetch(match, 2);
        g_auto(hwloc_bitmap_t) set = bitmap_new();
        char *cleared;

        assert_int_equal(hwloc_bitmap_sscanf(set, text), 0);
        hwloc_bitmap_andnot(set, set, offline);
        assert_true(hwloc_bitmap_asprintf(&cleared, set) >= 0);
        g_string_append_printf(result, "%s\"%s\"", head, cleared);
        free(cleared);
        return FALSE;
}

static gboolean drop_offline(const GMatchInfo *match, GString *result, gpointer offline) {
        g_autofree char *whole = g_match_info_fetch(match, 0), *number = g_match_info_fetch(match, 1);

        if (!hwloc_bitmap_isset(offline, (unsigned)strtoul(number, NULL, 10)))
                g_string_append(result, whole);
        return FALSE;
}

static char *replace(const char *text, const char *pattern, GRegexEvalCallback callback,
                     hwloc_bitmap_t offline) {
        g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
        char *replaced = g_regex_replace_eval(regex, text, -1, 0, 0, callback, offline, NULL);

        assert_non_null(replaced);
        return replaced;
}

static char *xml_of(const char *description, hwloc_bitmap_t offline) {
        g_autofree char *copy = NULL, *without = NULL;
        hwloc_topology_t source;
        char *text;
        int size;

        assert_int_equal(hwloc_topology_init(&source), 0);
        assert_int_equal(hwloc_topology_set_synthetic(source, description), 0);
        assert_int_equal(hwloc_topology_load(source), 0);
        assert_int_equal(hwloc_topology_export_xmlbuffer(source, &text, &size, 0), 0);
        copy = g_strndup(text, (gsize)size);
        hwloc_free_xmlbuffer(source, text);
        hwloc_topology_destroy(source);
        without = replace(copy, "<object type=\"PU\" os_index=\"([0-9]+)\"[^>]*/>", drop_offline, offline);
        return replace(without, "( (?:allowed_)?cpuset=)\"([^\"]*)\"", clear_bits, offline);
}

static Topology *load_with_offline(const char *description, const char *list) {
        g_auto(hwloc_bitmap_t) offline = set_of(list);
        g_autofree char *xml = xml_of(description, offline), *path = NULL;
        g_autoptr(GError) error = NULL;
        Topology *t;
        int fd = g_file_open_tmp("ktsetup-test-XXXXXX", &path, &error);

        assert_true(fd >= 0);
        assert_true(write(fd, xml, strlen(xml)) == (ssize_t)strlen(xml));
        close(fd);
        setenv("HWLOC_XMLFILE", path, 1);
        t = topology_new_live(&error);
        unsetenv("HWLOC_XMLFILE");
        unlink(path);
        if (!t)
                fail_msg("%s without %s: %s", description, list, error->message);
        return t;
}

/* ---- all of them ---- */

static void check_shape(const Shape *s, void (*check)(const Machine *m)) {
        g_autofree Machine *m = g_new0(Machine, 1);
        g_autofree char *description = describe(s);

        m->shape = s;
        m->description =
                s->offline ? g_strconcat(description, " without ", s->offline, NULL) : g_strdup(description);
        fill(m, s);
        m->topology = s->offline ? load_with_offline(description, s->offline) : machine(description);
        check(m);
        topology_free(m->topology);
        g_free(m->description);
}

static const Shape special[] = {
        /* sparse ids of nodes */
        { NODES_IN_PACKAGES, 2, 1, 1, 4, 1, 3, 8, false, NULL },
        { NODES_IN_PACKAGES, 1, 3, 2, 2, 2, 3, 5, false, NULL },
        { NODES_SPAN, 2, 4, 1, 3, 1, 2, 63, false, NULL },
        /* nodes that span packages, or share an LLC */
        { NODES_SPAN, 2, 1, 1, 4, 2, 3, 1, false, NULL },
        { NODES_SPAN, 4, 2, 1, 3, 1, 3, 1, false, NULL },
        { NODES_IN_LLCS, 1, 2, 1, 4, 1, 3, 1, false, NULL },
        { NODES_IN_LLCS, 1, 3, 2, 2, 2, 3, 2, false, NULL },
        /* memory only */
        { NODES_WITH_MEMORY, 2, 1, 1, 4, 1, 3, 1, false, NULL },
        { NODES_WITH_MEMORY, 4, 1, 2, 3, 2, 3, 1, false, NULL },
        { NODES_WITH_MEMORY, 1, 1, 1, 1, 1, 3, 1, false, NULL },
        /* threads numbered last */
        { NODES_IN_PACKAGES, 2, 1, 2, 4, 2, 3, 1, true, NULL },
        { NODES_IN_PACKAGES, 1, 1, 1, 3, 4, 3, 1, true, NULL },
        { NODES_IN_PACKAGES, 2, 2, 2, 16, 2, 3, 1, true, NULL },
        /* CPUs offline: one thread, a whole core, the first, the last, an LLC, a node, all but one */
        { NODES_IN_PACKAGES, 1, 1, 1, 4, 2, 3, 1, false, "3" },
        { NODES_IN_PACKAGES, 1, 1, 2, 4, 2, 3, 1, false, "2-3,15" },
        { NODES_IN_PACKAGES, 2, 1, 1, 4, 1, 3, 1, false, "0,7" },
        { NODES_IN_PACKAGES, 2, 1, 2, 2, 2, 3, 1, false, "4-7" },
        { NODES_IN_PACKAGES, 2, 1, 2, 2, 1, 3, 8, false, "4-7" },
        { NODES_IN_PACKAGES, 2, 1, 2, 2, 1, 3, 1, false, "0-3" },
        { NODES_IN_PACKAGES, 1, 1, 2, 4, 1, 2, 1, false, "0,2-7" },
        { NODES_IN_PACKAGES, 1, 2, 2, 4, 2, 3, 1, true, "16-31" },
        { NODES_IN_PACKAGES, 2, 2, 2, 16, 2, 3, 1, false, "1,3,5,7,64-127,190-255" },
};

void for_each_machine(void (*check)(const Machine *m)) {
        static const unsigned sizes[] = { 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 192, 255, 256 };
        Shape s = { NODES_IN_PACKAGES, 1, 1, 1, 1, 1, 0, 1, false, NULL };

        for (s.cores = 1; s.cores <= 17; s.cores++)
                check_shape(&s, check);
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                s.cores = sizes[i];
                check_shape(&s, check);
        }
        for (s.packages = 1; s.packages <= 2; s.packages++)
                for (s.nodes = 1; s.nodes <= 4; s.nodes++)
                        for (s.llcs = 1; s.llcs <= 3; s.llcs++)
                                for (s.threads = 1; s.threads <= 4; s.threads *= 2) {
                                        s.cores = 1 + (s.nodes + s.llcs) % 3;
                                        s.level = 1 + (s.nodes + s.threads) % 3;
                                        check_shape(&s, check);
                                }
        for (size_t i = 0; i < G_N_ELEMENTS(special); i++)
                check_shape(&special[i], check);
}
