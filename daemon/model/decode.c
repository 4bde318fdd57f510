/* SPDX-License-Identifier: GPL-2.0-only */
#include "decode.h"

#include <string.h>

#include "../common/error.h"
#include "../topology/cpulist.h"
#include "../topology/spec-text.h"
#include "cgroup-name.h"
#include "decode-works.h"
#include "quantity.h"

static bool read_size(JsonNode *node, const Field *field, void *target, GError **error) {
        Limit limit = { .set = true };

        if (!field_read_quantity(node, field, &limit.value, &limit.unlimited, size_parse,
                                 "bytes (4096), text with K, M, G or T (\"256M\"), or \"max\"", error))
                return false;
        *(Limit *)target = limit;
        return true;
}

static bool read_count_limit(JsonNode *node, const Field *field, void *target, GError **error) {
        Limit limit = { .set = true };

        if (!field_read_quantity(node, field, &limit.value, &limit.unlimited, count_parse,
                                 "a number or \"max\"", error))
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

        if (!field_read_quantity(node, field, &value, &unlimited, micros_parse,
                                 "a time: microseconds (100000) or text with a unit (\"100ms\")", error))
                return false;
        if (unlimited)
                return field_fail(error, "a period cannot be \"max\"; give a time such as \"100ms\"");
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

        if (node_holds(node, G_TYPE_STRING) && g_str_has_suffix(json_node_get_string(node), "%")) {
                if (!percent_parse(json_node_get_string(node), &block->percent_millis) ||
                    block->percent_millis == 0) {
                        g_autofree char *shown = spec_excerpt(json_node_get_string(node));
                        return field_fail(error,
                                          "'%s' is not a percentage above 0, such as \"50%%\" (half a CPU)",
                                          shown);
                }
                block->has_percent = true;
                return true;
        }
        if (!field_read_quantity(
                    node, field, &limit.value, &limit.unlimited, micros_parse,
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

        if (!fields_read(node, field->fields, &block, error))
                return false;
        if (block.has_percent) {
                unsigned __int128 us =
                        (unsigned __int128)block.percent_millis * block.limits.period_us / 100000;
                if (us < 1 || us > G_MAXINT64) {
                        field_fail(error, "%g %% of a period of %" G_GUINT64_FORMAT " us is no usable quota",
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

#define CGROUP_V2 "Documentation/admin-guide/cgroup-v2.rst"

static const Field cpu_fields[] = {
        { "weight", field_read_number, offsetof(CpuBlock, limits.weight), 1, 10000, "cpu.weight, " CGROUP_V2,
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
        { "weight", field_read_number, offsetof(IoLimits, weight), 1, 10000, "io.weight, " CGROUP_V2, NULL },
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
        { "works", works_read, offsetof(CgroupDef, works), 0, 0, NULL, work_fields },
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
                return field_fail(error, "a definition needs a name; give the key 'name'");
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
                path_finish(error);
        }
        return def;
}

GPtrArray *decode_definitions(JsonNode *node, const char *origin, GError **error) {
        g_autoptr(GPtrArray) defs = g_ptr_array_new_with_free_func((GDestroyNotify)cgroup_def_free);
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node)) {
                field_wrong_type(node, "a list of definitions", error);
                path_at_key(error, origin);
                path_finish(error);
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

        if (!fields_read(node, document_fields, &document, error)) {
                path_finish(error);
                return NULL;
        }
        if (!document.cgroups) {
                field_fail(error, "the document needs the key 'cgroups', a list of definitions");
                return NULL;
        }
        return decode_definitions(document.cgroups, "cgroups", error);
}

/* ---- options of calls ---- */

static bool read_target(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        const char *text;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "\"step\" or \"backdrop\"", error);
        text = json_node_get_string(node);
        if (!g_str_equal(text, "step") && !g_str_equal(text, "backdrop")) {
                g_autofree char *shown = spec_excerpt(text);
                return field_fail(error, "'%s' is neither \"step\" nor \"backdrop\"", shown);
        }
        *(bool *)target = g_str_equal(text, "backdrop");
        return true;
}

static const Field apply_fields[] = {
        { "target", read_target, offsetof(ApplyOptions, backdrop), 0, 0, NULL, NULL },
        { "dry_run", field_read_boolean, offsetof(ApplyOptions, dry_run), 0, 0, NULL, NULL },
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

bool decode_apply_options(JsonNode *node, ApplyOptions *ret, GError **error) {
        ApplyOptions options = { false, false };

        if (!fields_read(node, apply_fields, &options, error)) {
                path_at_key(error, "options");
                path_finish(error);
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
