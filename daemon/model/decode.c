/* SPDX-License-Identifier: GPL-2.0-only */
#include "decode.h"

#include <string.h>

#include "common/error.h"
#include "topology/cpulist.h"
#include "cgroup-name.h"
#include "decode-payload.h"
#include "decode-works.h"

/* Microseconds, as cpu.max counts them. */
static bool micros_parse(const char *text, uint64_t *ret) {
        uint64_t ns;

        if (!time_parse(text, &ns))
                return false;
        *ret = ns / 1000;
        return true;
}

/* The spellings that a quota's text may have; a percentage has its own reader, this one is for suggestions.
 */
static bool quota_parse(const char *text, uint64_t *ret) {
        return micros_parse(text, ret) || percent_parse(text, ret);
}

#define TIME_FORMS "microseconds (50000) or text with ns, us, ms or s (\"50ms\")"

static const Quantity size_quantity = { size_parse, "a size",
                                        "bytes (4096), text with K, M, G or T (\"256M\"), or \"max\"", 1,
                                        true };
static const Quantity count_quantity = { count_parse, "a limit", "a number or \"max\"", 1, true };
static const Quantity period_quantity = { micros_parse, "a time", TIME_FORMS, 1, false };
static const Quantity quota_quantity = { quota_parse, "a quota",
                                         TIME_FORMS ", a percentage of a CPU (\"50%\"), or \"max\"", 1,
                                         true };

static bool read_size(JsonNode *node, const Field *field, void *target, GError **error) {
        return field_read_quantity(node, field, &size_quantity, target, error);
}

static bool read_count_limit(JsonNode *node, const Field *field, void *target, GError **error) {
        return field_read_quantity(node, field, &count_quantity, target, error);
}

static bool read_period(JsonNode *node, const Field *field, void *target, GError **error) {
        Limit limit;

        if (!field_read_quantity(node, field, &period_quantity, &limit, error))
                return false;
        *(uint64_t *)target = limit.value;
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
        const char *text = node_holds(node, G_TYPE_STRING) ? json_node_get_string(node) : "";

        if (!percent_parse(text, &block->percent_millis))
                return field_read_quantity(node, field, &quota_quantity, &block->limits.quota_us, error);
        block->has_percent = true;
        return block->percent_millis > 0 || field_fail(error, "'%.16s' is too small; %s", text, field->rule);
}

static bool read_cpu(JsonNode *node, const Field *field, void *target, GError **error) {
        CpuBlock block = { .limits = { .present = true, .period_us = 100000 } };

        if (!fields_read(node, field->fields, &block, error))
                return false;
        if (block.has_percent) {
                unsigned __int128 us =
                        (unsigned __int128)block.percent_millis * block.limits.period_us / 100000;
                if (us < 1 || us > G_MAXINT64) {
                        field_fail(error,
                                   "%g %% of a period of %" G_GUINT64_FORMAT
                                   " us is no usable quota; it must come to at least 1 us and fit 63 bits; "
                                   "give a time, or another period",
                                   (double)block.percent_millis / 1000, block.limits.period_us);
                        path_at_key(error, "quota_us");
                        return false;
                }
                block.limits.quota_us = (Limit){ .set = true, .value = (uint64_t)us };
        }
        *(CpuLimits *)target = block.limits;
        return true;
}

static bool read_name(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        g_autofree char *name = NULL;

        if (!field_read_text(node, &name, error) || !cgroup_name_check(name, error))
                return false;
        *(char **)target = g_steal_pointer(&name);
        return true;
}

static bool read_mems(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        hwloc_bitmap_t nodes;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text, a list of NUMA nodes such as \"0-1\"", error);
        nodes = hwloc_bitmap_alloc();
        if (!cpulist_parse(json_node_get_string(node), nodes, error)) {
                hwloc_bitmap_free(nodes);
                return false;
        }
        *(hwloc_bitmap_t *)target = nodes;
        return true;
}

FIELD_SPEC_READER(read_cpuset, CpusetSpec, cpuset_spec_parse)

/* ---- definitions ---- */

#define RULE_WEIGHT(file) "the kernel takes no other " file " (cgroup-v2.rst); its default is 100"

static const Field cpu_fields[] = {
        { "weight", field_read_number, offsetof(CpuBlock, limits.weight), 1, 10000, RULE_WEIGHT("cpu.weight"),
          NULL },
        { "quota_us", read_quota, 0, 1, 0, "the quota must be > 0, write \"max\" for no limit", NULL },
        { "period_us", read_period, offsetof(CpuBlock, limits.period_us), 1, 0,
          "the period must be > 0, the kernel's default is 100ms", NULL },
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
        { "weight", field_read_number, offsetof(IoLimits, weight), 1, 10000, RULE_WEIGHT("io.weight"), NULL },
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
        { "memory", field_read_object, offsetof(CgroupDef, memory), 0, 0, NULL, memory_fields },
        { "io", field_read_object, offsetof(CgroupDef, io), 0, 0, NULL, io_fields },
        { "pids", field_read_object, offsetof(CgroupDef, pids), 0, 0, NULL, pids_fields },
        WORKER_FIELDS(CgroupDef, defaults),
        { "swappable", field_read_boolean, offsetof(CgroupDef, swappable), 0, 0, NULL, NULL },
        { "works", works_read, offsetof(CgroupDef, works), 0, 0, NULL, work_fields },
        { "payload", payload_choice_read, offsetof(CgroupDef, payload), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

/* The name, where the definition gives one, in front of the text: it is what the caller knows the thing by.
 */
static void name_cgroup(GError *error, JsonNode *node) {
        JsonNode *name = JSON_NODE_HOLDS_OBJECT(node)
                                 ? json_object_get_member(json_node_get_object(node), "name")
                                 : NULL;

        if (name && node_holds(name, G_TYPE_STRING) && !strstr(error->message, "cgroup name")) {
                g_autofree char *shown = spec_excerpt(json_node_get_string(name));
                g_autofree char *prefix = g_strdup_printf("cgroup '%s': ", shown);
                path_prefix_text(error, prefix);
        }
}

static bool decode_fields(JsonNode *node, CgroupDef *def, GError **error) {
        g_autoptr(GError) why = NULL;

        if (!fields_read(node, definition_fields, def, &why)) {
                name_cgroup(why, node);
                g_propagate_error(error, g_steal_pointer(&why));
                return false;
        }
        if (!def->name)
                return field_fail(error, "a definition needs a name; give the key 'name', such as \"a\"");
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
                        path_at_key(error, origin);
                path_finish(error, "definition");
        }
        return def;
}

GPtrArray *decode_definitions(JsonNode *node, const char *origin, GError **error) {
        g_autoptr(GPtrArray) defs = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_def_free);
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node)) {
                field_wrong_type(node, "a list of definitions", error);
                path_finish(error, origin);
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

static bool read_document(JsonNode *node, Document *ret, GError **error) {
        return fields_read(node, document_fields, ret, error) &&
               (ret->cgroups ||
                field_fail(error, "the document needs the key 'cgroups', a list of definitions; give it"));
}

GPtrArray *decode_document(JsonNode *node, GError **error) {
        Document document = { NULL };

        if (!read_document(node, &document, error)) {
                path_finish(error, "document");
                return NULL;
        }
        return decode_definitions(document.cgroups, "cgroups", error);
}

/* ---- options of calls ---- */

static const char *nth_target(size_t i, G_GNUC_UNUSED const void *context) {
        static const char *const names[] = { "step", "backdrop" };
        return names[i];
}

static bool read_target(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        static const SpecWords known = { nth_target, NULL, 2, NULL };
        const char *text;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "\"step\" or \"backdrop\"", error);
        text = json_node_get_string(node);
        *(bool *)target = g_str_equal(text, "backdrop");
        return *(bool *)target || g_str_equal(text, "step") ||
               spec_unknown_word(error, "target", text, &known, NULL);
}

static bool read_override(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        ApplyOptions *options = target;

        options->has_work_type_override = true;
        return work_type_read(node, &options->work_type_override, error);
}

static bool read_stall_monitor(JsonNode *node, const Field *field, void *target, GError **error) {
        bool wanted;

        if (!field_read_boolean(node, field, &wanted, error))
                return false;
        *(bool *)target = !wanted;
        return true;
}

static const char *nth_stall_class(size_t i, G_GNUC_UNUSED const void *context) {
        return stall_class_name((StallClass)(STALL_NONE + 1 + i));
}

static bool read_stall_class(JsonNode *node, unsigned *set, GError **error) {
        static const SpecWords known = { nth_stall_class, NULL, STALL_CLASS_COUNT - 1, NULL };
        StallClass class;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text, a class of stalls such as \"starved\"", error);
        if (!stall_class_parse(json_node_get_string(node), &class))
                return spec_unknown_word(error, "stall", json_node_get_string(node), &known, NULL);
        *set |= 1u << class;
        return true;
}

/* An empty list: none fails the step. */
static bool read_stall_fails(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        ApplyOptions *options = target;
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node))
                return field_wrong_type(node, "a list of classes of stalls", error);
        options->has_stall_fails = true;
        array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++)
                if (!read_stall_class(json_array_get_element(array, i), &options->stall_fails, error)) {
                        path_at_index(error, i);
                        return false;
                }
        return true;
}

static const Field apply_fields[] = {
        { "target", read_target, offsetof(ApplyOptions, backdrop), 0, 0, NULL, NULL },
        { "dry_run", field_read_boolean, offsetof(ApplyOptions, dry_run), 0, 0, NULL, NULL },
        { "workers_per_cgroup", field_read_number, offsetof(ApplyOptions, workers_per_cgroup), 1, G_MAXINT32,
          "groups without workers would make every check of them pass vacuously; leave the option out for "
          "WorkersPerCgroup of the configuration",
          NULL },
        { "work_type_override", read_override, 0, 0, 0, NULL, NULL },
        { "stall_monitor", read_stall_monitor, offsetof(ApplyOptions, no_stall_monitor), 0, 0, NULL, NULL },
        { "stall_poll_ms", field_read_number, offsetof(ApplyOptions, stall_poll_ms), 1, STALL_POLL_MS_MAX,
          "a stall is told a window of such periods later; leave the option out for StallPollMs of the "
          "configuration",
          NULL },
        { "stall_window", field_read_number, offsetof(ApplyOptions, stall_window), STALL_WINDOW_MIN,
          STALL_WINDOW_MAX,
          "so many samples without progress are a stall; leave the option out for StallWindow of the "
          "configuration",
          NULL },
        { "stall_fails", read_stall_fails, 0, 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

bool decode_apply_options(JsonNode *node, ApplyOptions *ret, GError **error) {
        ApplyOptions options = { .backdrop = false };

        if (!fields_read(node, apply_fields, &options, error)) {
                path_at_key(error, "options");
                path_finish(error, "options");
                return false;
        }
        *ret = options;
        return true;
}

bool decode_no_options(JsonNode *node, GError **error) {
        if (JSON_NODE_HOLDS_OBJECT(node) && json_object_get_size(json_node_get_object(node)) == 0)
                return true;
        return field_fail(error, "options: this call takes none yet; give an empty dictionary");
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
