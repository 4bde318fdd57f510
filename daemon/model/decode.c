/* SPDX-License-Identifier: GPL-2.0-only */
#include "decode.h"

#include <string.h>

#include "../common/error.h"
#include "../common/suggest.h"
#include "../topology/cpulist.h"
#include "../topology/spec-text.h"
#include "cgroup-name.h"
#include "quantity.h"

/* ---- the machine: an object's fields are rows of a table ---- */

typedef struct Field Field;

/* Reads `node` into `target`; the error's message says what is wrong, the path is put in front by the caller.
 */
typedef bool (*FieldReader)(JsonNode *node, const Field *field, void *target, GError **error);

struct Field {
        const char *key;
        FieldReader read;
        size_t offset;
        int64_t min, max;    /* numbers */
        const char *rule;    /* numbers: what the range is, and whose rule it is */
        const Field *fields; /* of an object or of a list's elements, ended by a NULL key */
};

static bool fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool fail(GError **error, const char *format, ...) {
        va_list args;

        va_start(args, format);
        g_propagate_error(error, g_error_new_valist(KT_ERROR, KT_ERROR_INVALID_DEFINITION, format, args));
        va_end(args);
        return false;
}

/* While an error climbs to the top its message is PATH_START path PATH_END text. The caller's own words stand
 * in the text only, behind the first PATH_END, so that whatever they contain is never taken for a path. */
#define PATH_START "\x1e"
#define PATH_END   "\x1f"

static bool has_path(const GError *error) {
        return error->message[0] == PATH_START[0];
}

static void set_message(GError *error, char *message) {
        g_free(error->message);
        error->message = message;
}

static void at_key(GError **error, const char *key) {
        const char *deeper;

        if (!error || !*error)
                return;
        deeper = (*error)->message + 1;
        if (!has_path(*error))
                set_message(*error, g_strconcat(PATH_START, key, PATH_END, (*error)->message, NULL));
        else
                set_message(*error, g_strconcat(PATH_START, key, deeper[0] == '[' ? "" : ".", deeper, NULL));
}

/* Puts something between path and text. */
static void prefix_text(GError *error, const char *prefix) {
        g_auto(GStrv) parts = g_strsplit(error->message, PATH_END, has_path(error) ? 2 : 1);

        set_message(error, parts[1] ? g_strconcat(parts[0], PATH_END, prefix, parts[1], NULL)
                                    : g_strconcat(prefix, parts[0], NULL));
}

static void finish_path(GError **error) {
        if (!error || !*error || !has_path(*error))
                return;
        g_auto(GStrv) parts = g_strsplit((*error)->message + 1, PATH_END, 2);
        set_message(*error, g_strconcat(parts[0], ": ", parts[1], NULL));
}

static const char *type_name(JsonNode *node) {
        GType type;

        if (JSON_NODE_HOLDS_OBJECT(node))
                return "an object";
        if (JSON_NODE_HOLDS_ARRAY(node))
                return "a list";
        if (JSON_NODE_HOLDS_NULL(node))
                return "null";
        type = json_node_get_value_type(node);
        return type == G_TYPE_STRING    ? "text"
               : type == G_TYPE_BOOLEAN ? "a boolean"
               : type == G_TYPE_INT64   ? "an integer"
                                        : "a real number";
}

static bool wrong_type(JsonNode *node, const char *wanted, GError **error) {
        if (JSON_NODE_HOLDS_NULL(node))
                return fail(error, "null is no value here; leave the key out, or give %s", wanted);
        return fail(error, "expected %s, got %s", wanted, type_name(node));
}

static bool holds(JsonNode *node, GType type) {
        return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

static const char *nth_key(size_t i, const void *fields) {
        return ((const Field *)fields)[i].key;
}

static size_t count_fields(const Field *fields) {
        size_t n = 0;

        while (fields[n].key)
                n++;
        return n;
}

/* "WHAT 'word'; did you mean 'near'? Known: a, b", or "WHAT 'word'; known: a, b". */
static bool unknown_word(GError **error, const char *what, const char *word, const char *known,
                         const char *(*nth)(size_t i, const void *context), size_t n, const void *context) {
        const char *near = suggest_name(word, nth, n, context);
        g_autofree char *shown = spec_excerpt(word);
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_printf(text, "%s '%s'; ", what, shown);
        if (near)
                g_string_append_printf(text, "did you mean '%s'? %c%s: ", near, g_ascii_toupper(known[0]),
                                       known + 1);
        else
                g_string_append_printf(text, "%s: ", known);
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%s", i ? ", " : "", nth(i, context));
        return fail(error, "%s", text->str);
}

static bool unknown_key(const char *key, const Field *fields, GError **error) {
        /* Words of the vocabulary whose meaning is not built yet. Taking them and doing nothing would be a
         * lie. */
        static const char *const reserved[] = { "payload", "pcomm", "swappable", NULL };

        if (g_strv_contains(reserved, key))
                return fail(error,
                            "the key '%s' is not acted on by this version, so it is refused; leave it out",
                            key);
        return unknown_word(error, "unknown key", key, "known keys", nth_key, count_fields(fields), fields);
}

static bool read_fields(JsonNode *node, const Field *fields, void *base, GError **error) {
        JsonObjectIter iter;
        const char *key;
        JsonNode *value;

        if (!JSON_NODE_HOLDS_OBJECT(node))
                return wrong_type(node, "an object", error);
        json_object_iter_init_ordered(&iter, json_node_get_object(node));
        while (json_object_iter_next_ordered(&iter, &key, &value)) {
                const Field *f = fields;
                while (f->key && !g_str_equal(f->key, key))
                        f++;
                if (!f->key)
                        return unknown_key(key, fields, error);
                if (!f->read(value, f, (char *)base + f->offset, error)) {
                        at_key(error, key);
                        return false;
                }
        }
        return true;
}

/* ---- readers ---- */

static bool in_range(int64_t value, const Field *field, GError **error) {
        if (value >= field->min && value <= field->max)
                return true;
        return fail(error,
                    "%" G_GINT64_FORMAT " is out of range %" G_GINT64_FORMAT "..%" G_GINT64_FORMAT " (%s)",
                    value, field->min, field->max, field->rule);
}

static bool read_number(JsonNode *node, const Field *field, void *target, GError **error) {
        OptionalNumber *number = target;
        int64_t value;

        if (!holds(node, G_TYPE_INT64))
                return wrong_type(node, "an integer", error);
        value = json_node_get_int(node);
        if (!in_range(value, field, error))
                return false;
        *number = (OptionalNumber){ .set = true, .value = value };
        return true;
}

/* A fraction of the CPUs. Above 1 oversubscribes on purpose. */
static bool read_workers_pct(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        WorkSpec *spec = target;
        double value;

        if (!holds(node, G_TYPE_DOUBLE) && !holds(node, G_TYPE_INT64))
                return wrong_type(node, "a number such as 0.5", error);
        value = json_node_get_double(node);
        if (!(value > 0) || value > G_MAXDOUBLE)
                return fail(error,
                            "%g is not a finite fraction above 0 (0.5 is one worker for every two CPUs)",
                            value);
        spec->has_workers_pct = true;
        spec->workers_pct = value;
        return true;
}

static bool read_boolean(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        if (!holds(node, G_TYPE_BOOLEAN))
                return wrong_type(node, "a boolean", error);
        *(bool *)target = json_node_get_boolean(node);
        return true;
}

static bool read_object(JsonNode *node, const Field *field, void *target, GError **error) {
        *(bool *)target = true; /* every block begins with `present` */
        return read_fields(node, field->fields, target, error);
}

/* A number of anything, or text: a quantity with a unit (by `parse`) or "max". */
static bool read_quantity(JsonNode *node, const Field *field, uint64_t *value, bool *unlimited,
                          bool (*parse)(const char *text, uint64_t *ret), const char *wanted,
                          GError **error) {
        *unlimited = false;
        if (holds(node, G_TYPE_INT64)) {
                if (json_node_get_int(node) < 0)
                        return fail(error, "%" G_GINT64_FORMAT " is negative; give %s",
                                    json_node_get_int(node), wanted);
                *value = (uint64_t)json_node_get_int(node);
        } else if (holds(node, G_TYPE_STRING)) {
                const char *text = json_node_get_string(node);
                if (g_str_equal(text, "max")) {
                        *unlimited = true;
                        return true;
                }
                if (!parse(text, value)) {
                        g_autofree char *shown = spec_excerpt(text);
                        return fail(error, "'%s' is not %s", shown, wanted);
                }
        } else
                return wrong_type(node, wanted, error);
        if (field->min > 0 && *value < (uint64_t)field->min)
                return fail(error, "%" G_GUINT64_FORMAT " is too small: %s", *value, field->rule);
        return true;
}

static bool read_size(JsonNode *node, const Field *field, void *target, GError **error) {
        Limit limit = { .set = true };

        if (!read_quantity(node, field, &limit.value, &limit.unlimited, size_parse,
                           "bytes (4096), text with K, M, G or T (\"256M\"), or \"max\"", error))
                return false;
        *(Limit *)target = limit;
        return true;
}

static bool count_parse(const char *text, uint64_t *ret) {
        return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret, NULL);
}

static bool read_count_limit(JsonNode *node, const Field *field, void *target, GError **error) {
        Limit limit = { .set = true };

        if (!read_quantity(node, field, &limit.value, &limit.unlimited, count_parse, "a number or \"max\"",
                           error))
                return false;
        *(Limit *)target = limit;
        return true;
}

/* Microseconds, as cpu.max counts them. */
static bool micros_parse(const char *text, uint64_t *ret) {
        uint64_t ns;

        if (!time_parse(text, &ns))
                return false;
        *ret = ns / 1000;
        return true;
}

static bool read_period(JsonNode *node, const Field *field, void *target, GError **error) {
        bool unlimited;
        uint64_t value;

        if (!read_quantity(node, field, &value, &unlimited, micros_parse,
                           "a time: microseconds (100000) or text with a unit (\"100ms\")", error))
                return false;
        if (unlimited)
                return fail(error, "a period cannot be \"max\"; give a time such as \"100ms\"");
        *(uint64_t *)target = value;
        return true;
}

/* A percentage is relative to the period, which may stand later in the object: kept in `percent` for now. */
typedef struct CpuBlock {
        CpuLimits limits;
        bool has_percent;
        uint64_t percent_millis;
} CpuBlock;

static bool read_quota(JsonNode *node, const Field *field, void *target, GError **error) {
        CpuBlock *block = target;
        Limit limit = { .set = true };

        if (holds(node, G_TYPE_STRING) && g_str_has_suffix(json_node_get_string(node), "%")) {
                if (!percent_parse(json_node_get_string(node), &block->percent_millis) ||
                    block->percent_millis == 0) {
                        g_autofree char *shown = spec_excerpt(json_node_get_string(node));
                        return fail(error, "'%s' is not a percentage above 0, such as \"50%%\" (half a CPU)",
                                    shown);
                }
                block->has_percent = true;
                return true;
        }
        if (!read_quantity(node, field, &limit.value, &limit.unlimited, micros_parse,
                           "a time: microseconds (50000), text with a unit (\"50ms\"), a percentage of a CPU "
                           "(\"50%\"), "
                           "or \"max\"",
                           error))
                return false;
        block->limits.quota_us = limit;
        return true;
}

static bool read_cpu(JsonNode *node, const Field *field, void *target, GError **error) {
        CpuBlock block = { .limits = { .present = true, .period_us = 100000 } };

        if (!read_fields(node, field->fields, &block, error))
                return false;
        if (block.has_percent) {
                unsigned __int128 us =
                        (unsigned __int128)block.percent_millis * block.limits.period_us / 100000;
                if (us < 1 || us > G_MAXINT64) {
                        fail(error, "%g %% of a period of %" G_GUINT64_FORMAT " us is no usable quota",
                             (double)block.percent_millis / 1000, block.limits.period_us);
                        at_key(error, "quota_us");
                        return false;
                }
                block.limits.quota_us = (Limit){ .set = true, .value = (uint64_t)us };
        }
        *(CpuLimits *)target = block.limits;
        return true;
}

/* ---- text ---- */

static bool read_text(JsonNode *node, char **ret, GError **error) {
        if (!holds(node, G_TYPE_STRING))
                return wrong_type(node, "text", error);
        *ret = g_strdup(json_node_get_string(node));
        return true;
}

static bool read_name(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        g_autofree char *name = NULL;

        if (!read_text(node, &name, error) || !cgroup_name_check(name, error))
                return false;
        *(char **)target = g_steal_pointer(&name);
        return true;
}

/* TASK_COMM_LEN of linux/sched.h is 16 with the NUL; the kernel would cut a longer name in silence. */
static bool read_comm(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        g_autofree char *comm = NULL;

        if (!read_text(node, &comm, error))
                return false;
        if (!comm[0] || strlen(comm) > 15) {
                g_autofree char *shown = spec_excerpt(comm);
                return fail(error, "'%s' has %zu bytes; a task name has 1 to 15 (TASK_COMM_LEN)", shown,
                            strlen(comm));
        }
        *(char **)target = g_steal_pointer(&comm);
        return true;
}

static bool read_mems(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        hwloc_bitmap_t nodes;

        if (!holds(node, G_TYPE_STRING))
                return wrong_type(node, "text, a list of NUMA nodes such as \"0-1\"", error);
        nodes = hwloc_bitmap_alloc();
        if (!cpulist_parse(json_node_get_string(node), nodes, error)) {
                hwloc_bitmap_free(nodes);
                return false;
        }
        *(hwloc_bitmap_t *)target = nodes;
        return true;
}

/* Fields whose text has a grammar of its own. */
#define SPEC_READER(function, type, parser)                                                                  \
        static bool function(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target,                 \
                             GError **error) {                                                               \
                type *spec;                                                                                  \
                if (!holds(node, G_TYPE_STRING))                                                             \
                        return wrong_type(node, "text", error);                                              \
                spec = parser(json_node_get_string(node), error);                                            \
                if (!spec)                                                                                   \
                        return false;                                                                        \
                *(type **)target = spec;                                                                     \
                return true;                                                                                 \
        }

SPEC_READER(read_cpuset, CpusetSpec, cpuset_spec_parse)
SPEC_READER(read_affinity, AffinitySpec, affinity_spec_parse)
SPEC_READER(read_mempolicy, MemPolicy, mempolicy_parse)

static bool read_sched_policy(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target,
                              GError **error) {
        WorkSpec *spec = target;

        if (!holds(node, G_TYPE_STRING))
                return wrong_type(node, "text such as \"fifo:50\"", error);
        spec->has_sched_policy = true;
        return sched_policy_parse(json_node_get_string(node), &spec->sched_policy, error);
}

/* A list of words, or text with the words in it. */
static bool read_mpol_flags(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        unsigned flags = 0, bits;
        JsonArray *words;

        if (holds(node, G_TYPE_STRING))
                return mempolicy_flags_parse(json_node_get_string(node), target, error);
        if (!JSON_NODE_HOLDS_ARRAY(node))
                return wrong_type(node, "a list of words (static, relative, balancing)", error);
        words = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(words); i++) {
                JsonNode *word = json_array_get_element(words, i);
                if (!holds(word, G_TYPE_STRING))
                        return wrong_type(word, "text", error);
                if (!mempolicy_flags_parse(json_node_get_string(word), &bits, error))
                        return false;
                flags |= bits;
        }
        *(unsigned *)target = flags;
        return true;
}

/* ---- works ---- */

#define WORKER_FIELDS(type, base)                                                                            \
        { "nice", read_number, offsetof(type, base.nice), -20, 19, "nice values, sched(7)", NULL },          \
                { "comm", read_comm, offsetof(type, base.comm), 0, 0, NULL, NULL },                          \
                { "uid", read_number,     offsetof(type, base.uid),                                          \
                  0,     G_MAXUINT32 - 1, "user ids; 4294967295 is \"no id\"",                               \
                  NULL },                                                                                    \
                { "gid", read_number,     offsetof(type, base.gid),                                          \
                  0,     G_MAXUINT32 - 1, "group ids; 4294967295 is \"no id\"",                              \
                  NULL },                                                                                    \
        {                                                                                                    \
                "numa_node", read_number, offsetof(type, base.numa_node), 0, G_MAXINT32, "NUMA node ids",    \
                        NULL                                                                                 \
        }

static bool read_param(const WorkParam *param, JsonNode *node, uint64_t *target, GError **error) {
        Field range = { .key = param->key };
        bool unlimited;
        uint64_t value = 0;
        bool duration = param->kind == PARAM_DURATION;

        if (!read_quantity(node, &range, &value, &unlimited, duration ? time_parse : count_parse,
                           duration ? "a time: microseconds (1000) or text with a unit (\"1ms\")"
                                    : "a number",
                           error))
                return false;
        if (duration && holds(node, G_TYPE_INT64))
                value = value > G_MAXUINT64 / 1000 ? G_MAXUINT64 : value * 1000;
        if (unlimited || value < param->min || value > param->max)
                return fail(error, "%s is out of range %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT "%s",
                            unlimited ? "\"max\"" : "this value", param->min, param->max,
                            duration ? " ns" : "");
        *target = value;
        return true;
}

static const char *nth_param(size_t i, const void *type) {
        return ((const WorkType *)type)->params[i].key;
}

static bool unknown_param(const WorkType *type, const char *key, GError **error) {
        g_autofree char *shown = spec_excerpt(key), *what = NULL;

        if (type->n_params == 0)
                return fail(error, "%s has no parameters, but '%s' is given", type->name, shown);
        what = g_strdup_printf("%s has no parameter", type->name);
        return unknown_word(error, what, key, "it has", nth_param, type->n_params, type);
}

static bool read_params(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        WorkSpec *spec = target;
        const WorkType *type = work_type_get(spec->work_type);
        JsonObjectIter iter;
        const char *key;
        JsonNode *value;

        if (!JSON_NODE_HOLDS_OBJECT(node))
                return wrong_type(node, "an object", error);
        json_object_iter_init_ordered(&iter, json_node_get_object(node));
        while (json_object_iter_next_ordered(&iter, &key, &value)) {
                unsigned i = 0;
                while (i < type->n_params && !g_str_equal(type->params[i].key, key))
                        i++;
                if (i == type->n_params)
                        return unknown_param(type, key, error);
                if (!read_param(&type->params[i], value, &spec->params[i], error)) {
                        at_key(error, key);
                        return false;
                }
        }
        return true;
}

static const char *nth_work_type(size_t i, G_GNUC_UNUSED const void *context) {
        return work_type_get((WorkTypeId)i)->name;
}

static bool find_work_type(const char *name, WorkTypeId *ret, GError **error) {
        return work_type_find(name, ret) || unknown_word(error, "unknown work type", name, "known types",
                                                         nth_work_type, WORK_TYPE_COUNT, NULL);
}

static bool read_work_type(JsonNode *node, WorkTypeId *ret, GError **error) {
        if (!holds(node, G_TYPE_STRING))
                return wrong_type(node, "text", error);
        return find_work_type(json_node_get_string(node), ret, error);
}

/* decode_work() has read it before the other keys, because the parameters are read by it. */
static bool skip_work_type(G_GNUC_UNUSED JsonNode *node, G_GNUC_UNUSED const Field *field,
                           G_GNUC_UNUSED void *target, G_GNUC_UNUSED GError **error) {
        return true;
}

static const Field work_fields[] = {
        { "work_type", skip_work_type, 0, 0, 0, NULL, NULL },
        { "params", read_params, 0, 0, 0, NULL, NULL },
        { "workers", read_number, offsetof(WorkSpec, workers), 1, G_MAXINT32,
          "a group without workers would make every check of it vacuous", NULL },
        { "workers_pct", read_workers_pct, 0, 0, 0, NULL, NULL },
        { "sched_policy", read_sched_policy, 0, 0, 0, NULL, NULL },
        { "affinity", read_affinity, offsetof(WorkSpec, affinity), 0, 0, NULL, NULL },
        { "mem_policy", read_mempolicy, offsetof(WorkSpec, mem_policy), 0, 0, NULL, NULL },
        { "mpol_flags", read_mpol_flags, offsetof(WorkSpec, mpol_flags), 0, 0, NULL, NULL },
        WORKER_FIELDS(WorkSpec, own),
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static bool decode_work(JsonNode *node, GPtrArray *works, GError **error) {
        g_autoptr(WorkSpec) spec = NULL;
        WorkTypeId type = WORK_SPIN_WAIT;
        JsonNode *type_node;

        if (!JSON_NODE_HOLDS_OBJECT(node))
                return wrong_type(node, "an object", error);
        type_node = json_object_get_member(json_node_get_object(node), "work_type");
        if (type_node && !read_work_type(type_node, &type, error)) {
                at_key(error, "work_type");
                return false;
        }
        spec = work_spec_new(type);
        if (!read_fields(node, work_fields, spec, error))
                return false;
        if (spec->has_workers_pct && spec->workers.set)
                return fail(error,
                            "both workers (%" G_GINT64_FORMAT
                            ") and workers_pct (%g) are given; keep one: a fraction of "
                            "the CPUs and a count exclude each other",
                            spec->workers.value, spec->workers_pct);
        g_ptr_array_add(works, g_steal_pointer(&spec));
        return true;
}

static void at_index(GError **error, guint i) {
        g_autofree char *index = g_strdup_printf("[%u]", i);

        at_key(error, index);
}

static bool read_works(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node))
                return wrong_type(node, "a list of worker groups", error);
        array = json_node_get_array(node);
        if (json_array_get_length(array) == 0)
                return fail(error, "the list is empty; leave the key out for one default group (SpinWait)");
        for (guint i = 0; i < json_array_get_length(array); i++)
                if (!decode_work(json_array_get_element(array, i), *(GPtrArray **)target, error)) {
                        at_index(error, i);
                        return false;
                }
        return true;
}

/* ---- definitions ---- */

#define CGROUP_V2 "Documentation/admin-guide/cgroup-v2.rst"

static const Field cpu_fields[] = {
        { "weight", read_number, offsetof(CpuBlock, limits.weight), 1, 10000, "cpu.weight, " CGROUP_V2,
          NULL },
        { "quota_us", read_quota, 0, 1, 0, "the quota must be > 0; write \"max\" for no limit", NULL },
        { "period_us", read_period, offsetof(CpuBlock, limits.period_us), 1, 0, "the period must be > 0",
          NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static const Field memory_fields[] = {
        { "max", read_size, offsetof(MemoryLimits, max), 0, 0, NULL, NULL },
        { "high", read_size, offsetof(MemoryLimits, high), 0, 0, NULL, NULL },
        { "low", read_size, offsetof(MemoryLimits, low), 0, 0, NULL, NULL },
        { "swap_max", read_size, offsetof(MemoryLimits, swap_max), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static const Field io_fields[] = {
        { "weight", read_number, offsetof(IoLimits, weight), 1, 10000, "io.weight, " CGROUP_V2, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static const Field pids_fields[] = {
        { "max", read_count_limit, offsetof(PidsLimits, max), 1, 0,
          "pids.max must be > 0, or no worker could be born; write \"max\" for no limit", NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static const Field definition_fields[] = {
        { "name", read_name, offsetof(CgroupDef, name), 0, 0, NULL, NULL },
        { "cpuset", read_cpuset, offsetof(CgroupDef, cpuset), 0, 0, NULL, NULL },
        { "cpuset_mems", read_mems, offsetof(CgroupDef, cpuset_mems), 0, 0, NULL, NULL },
        { "cpu", read_cpu, offsetof(CgroupDef, cpu), 0, 0, NULL, cpu_fields },
        { "memory", read_object, offsetof(CgroupDef, memory), 0, 0, NULL, memory_fields },
        { "io", read_object, offsetof(CgroupDef, io), 0, 0, NULL, io_fields },
        { "pids", read_object, offsetof(CgroupDef, pids), 0, 0, NULL, pids_fields },
        WORKER_FIELDS(CgroupDef, defaults),
        { "works", read_works, offsetof(CgroupDef, works), 0, 0, NULL, work_fields },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

/* The name, where the definition gives one, in front of the text: it is what the caller knows the thing by.
 */
static void name_cgroup(GError *error, JsonNode *node) {
        JsonNode *name = JSON_NODE_HOLDS_OBJECT(node)
                                 ? json_object_get_member(json_node_get_object(node), "name")
                                 : NULL;

        if (name && holds(name, G_TYPE_STRING) && !strstr(error->message, "cgroup name")) {
                g_autofree char *shown = spec_excerpt(json_node_get_string(name));
                g_autofree char *prefix = g_strdup_printf("cgroup '%s': ", shown);
                prefix_text(error, prefix);
        }
}

static bool decode_fields(JsonNode *node, CgroupDef *def, GError **error) {
        g_autoptr(GError) why = NULL;

        if (!read_fields(node, definition_fields, def, &why)) {
                name_cgroup(why, node);
                g_propagate_error(error, g_steal_pointer(&why));
                return false;
        }
        if (!def->name)
                return fail(error, "a definition needs a name; give the key 'name'");
        return true;
}

static CgroupDef *decode_one(JsonNode *node, const char *origin, GError **error) {
        g_autoptr(CgroupDef) def = g_new0(CgroupDef, 1);

        def->origin = g_strdup(origin);
        def->works = g_ptr_array_new_with_free_func((GDestroyNotify)work_spec_free);
        if (!decode_fields(node, def, error))
                return NULL;
        if (def->works->len == 0)
                g_ptr_array_add(def->works, work_spec_new(WORK_SPIN_WAIT));
        return g_steal_pointer(&def);
}

CgroupDef *decode_definition(JsonNode *node, const char *origin, GError **error) {
        CgroupDef *def = decode_one(node, origin, error);

        if (!def) {
                if (origin[0])
                        at_key(error, origin);
                finish_path(error);
        }
        return def;
}

GPtrArray *decode_definitions(JsonNode *node, const char *origin, GError **error) {
        g_autoptr(GPtrArray) defs = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_def_free);
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node)) {
                wrong_type(node, "a list of definitions", error);
                at_key(error, origin);
                finish_path(error);
                return NULL;
        }
        array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++) {
                g_autofree char *place = g_strdup_printf("%s[%u]", origin, i);
                CgroupDef *def = decode_definition(json_array_get_element(array, i), place, error);
                if (!def)
                        return NULL;
                g_ptr_array_add(defs, def);
        }
        return g_steal_pointer(&defs);
}

typedef struct Document {
        JsonNode *cgroups; /* borrowed */
} Document;

static bool keep_node(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target,
                      G_GNUC_UNUSED GError **error) {
        *(JsonNode **)target = node;
        return true;
}

static const Field document_fields[] = {
        { "cgroups", keep_node, offsetof(Document, cgroups), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

GPtrArray *decode_document(JsonNode *node, GError **error) {
        Document document = { NULL };

        if (!read_fields(node, document_fields, &document, error)) {
                finish_path(error);
                return NULL;
        }
        if (!document.cgroups) {
                fail(error, "the document needs the key 'cgroups', a list of definitions");
                return NULL;
        }
        return decode_definitions(document.cgroups, "cgroups", error);
}

/* ---- options of calls ---- */

static bool read_target(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        const char *text;

        if (!holds(node, G_TYPE_STRING))
                return wrong_type(node, "\"step\" or \"backdrop\"", error);
        text = json_node_get_string(node);
        if (!g_str_equal(text, "step") && !g_str_equal(text, "backdrop")) {
                g_autofree char *shown = spec_excerpt(text);
                return fail(error, "'%s' is neither \"step\" nor \"backdrop\"", shown);
        }
        *(bool *)target = g_str_equal(text, "backdrop");
        return true;
}

static const Field apply_fields[] = {
        { "target", read_target, offsetof(ApplyOptions, backdrop), 0, 0, NULL, NULL },
        { "dry_run", read_boolean, offsetof(ApplyOptions, dry_run), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

bool decode_apply_options(JsonNode *node, ApplyOptions *ret, GError **error) {
        ApplyOptions options = { false, false };

        if (!read_fields(node, apply_fields, &options, error)) {
                at_key(error, "options");
                finish_path(error);
                return false;
        }
        *ret = options;
        return true;
}

bool decode_no_options(JsonNode *node, GError **error) {
        if (JSON_NODE_HOLDS_OBJECT(node) && json_object_get_size(json_node_get_object(node)) == 0)
                return true;
        return fail(error, "options: this call takes none yet; give an empty dictionary");
}

/* ---- for the vocabulary test ---- */

static void collect_keys(const Field *fields, const char *prefix, GPtrArray *keys) {
        for (const Field *f = fields; f->key; f++) {
                char *key = g_strconcat(prefix, f->key, NULL);
                if (f->fields) {
                        g_autofree char *deeper = g_strconcat(key, ".", NULL);
                        collect_keys(f->fields, deeper, keys);
                        g_free(key);
                } else
                        g_ptr_array_add(keys, key);
        }
}

GPtrArray *decode_known_keys(void) {
        GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);

        collect_keys(definition_fields, "", keys);
        return keys;
}
