/* SPDX-License-Identifier: GPL-2.0-only */
#include "decode-works.h"

#include <string.h>

/* A fraction of the CPUs. Above 1 oversubscribes on purpose. */
static bool read_workers_pct(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        WorkSpec *spec = target;
        double value;

        if (!node_holds(node, G_TYPE_DOUBLE) && !node_holds(node, G_TYPE_INT64))
                return field_wrong_type(node, "a number such as 0.5", error);
        value = json_node_get_double(node);
        if (!(value > 0) || value > G_MAXDOUBLE)
                return field_fail(error,
                                  "%g is not a finite fraction above 0; give such as 0.5, one worker for "
                                  "every two CPUs",
                                  value);
        spec->has_workers_pct = true;
        spec->workers_pct = value;
        return true;
}

/* TASK_COMM_LEN of linux/sched.h is 16 with the NUL; the kernel would cut a longer name in silence. */
bool field_read_comm(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        g_autofree char *comm = NULL;

        if (!field_read_text(node, &comm, error))
                return false;
        if (!comm[0] || strlen(comm) > 15) {
                g_autofree char *shown = spec_excerpt(comm);
                return field_fail(error,
                                  "'%s' has %zu bytes; a task name has 1 to 15 (TASK_COMM_LEN); shorten it, "
                                  "or leave the key out",
                                  shown, strlen(comm));
        }
        *(char **)target = g_steal_pointer(&comm);
        return true;
}

FIELD_SPEC_READER(read_affinity, AffinitySpec, affinity_spec_parse)
FIELD_SPEC_READER(read_mempolicy, MemPolicy, mempolicy_parse)

static bool read_sched_policy(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target,
                              GError **error) {
        WorkSpec *spec = target;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text such as \"fifo:50\"", error);
        spec->has_sched_policy = true;
        return sched_policy_parse(json_node_get_string(node), &spec->sched_policy, error);
}

static bool read_flag(JsonNode *node, unsigned *flags, GError **error) {
        unsigned bits;

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text", error);
        if (!mempolicy_flags_parse(json_node_get_string(node), &bits, error))
                return false;
        *flags |= bits;
        return true;
}

/* A list of words, or text with the words in it. */
static bool read_mpol_flags(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        unsigned flags = 0;
        JsonArray *words;

        if (node_holds(node, G_TYPE_STRING))
                return mempolicy_flags_parse(json_node_get_string(node), target, error);
        if (!JSON_NODE_HOLDS_ARRAY(node))
                return field_wrong_type(node, "a list of words (static, relative, balancing)", error);
        words = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(words); i++)
                if (!read_flag(json_array_get_element(words, i), &flags, error)) {
                        path_at_index(error, i);
                        return false;
                }
        *(unsigned *)target = flags;
        return true;
}

/* ---- parameters of the work type ---- */

static char *param_text(const WorkParam *param, uint64_t value) {
        return param->kind == PARAM_DURATION ? time_format(value)
                                             : g_strdup_printf("%" G_GUINT64_FORMAT, value);
}

static bool param_in_range(const WorkParam *param, uint64_t value, GError **error) {
        g_autofree char *shown = param_text(param, value), *min = param_text(param, param->min),
                        *max = param_text(param, param->max);

        if (value >= param->min && value <= param->max)
                return true;
        return field_fail(error, "%s %s is out of range %s..%s; %s", param->key, shown, min, max,
                          param->rule ?: "give a value in this range");
}

static bool read_param_boolean(JsonNode *node, uint64_t *target, GError **error) {
        bool value;

        if (!field_read_boolean(node, NULL, &value, error))
                return false;
        *target = value;
        return true;
}

static bool read_param(const WorkParam *param, JsonNode *node, uint64_t *target, GError **error) {
        static const Quantity duration = { time_parse, "a time",
                                           "microseconds (1000) or text with ns, us, ms or s (\"1ms\")", 1000,
                                           false },
                              count = { count_parse, "a count", "a number such as 1024", 1, false };
        Field unlimited = { .key = param->key };
        Limit value;

        if (param->kind == PARAM_BOOLEAN)
                return read_param_boolean(node, target, error);
        if (!field_read_quantity(node, &unlimited, param->kind == PARAM_DURATION ? &duration : &count, &value,
                                 error) ||
            !param_in_range(param, value.value, error))
                return false;
        *target = value.value;
        return true;
}

static const char *nth_param(size_t i, const void *type) {
        return ((const WorkType *)type)->params[i].key;
}

static bool check_param_names(const WorkType *type, JsonObject *object, GError **error) {
        const SpecWords known = { nth_param, NULL, type->n_params, type };
        g_autofree char *what = g_strdup_printf("%s parameter", type->name);
        JsonObjectIter iter;
        const char *key;

        json_object_iter_init_ordered(&iter, object);
        while (json_object_iter_next_ordered(&iter, &key, NULL)) {
                unsigned i = 0;
                while (i < type->n_params && !g_str_equal(type->params[i].key, key))
                        i++;
                if (i < type->n_params)
                        continue;
                if (type->n_params > 0)
                        return spec_unknown_word(error, what, key, &known, NULL);
                g_autofree char *shown = spec_excerpt(key);
                return field_fail(error, "unknown %s '%s'; %s has no parameters; leave them out", what, shown,
                                  type->name);
        }
        return true;
}

/* In the order of the catalogue: of several values out of range, always the same one is told. */
static bool read_params(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        WorkSpec *spec = target;
        const WorkType *type = work_type_get(spec->work_type);

        if (!JSON_NODE_HOLDS_OBJECT(node))
                return field_wrong_type(node, "an object", error);
        if (!check_param_names(type, json_node_get_object(node), error))
                return false;
        for (unsigned i = 0; i < type->n_params; i++) {
                const WorkParam *param = &type->params[i];
                JsonNode *value = json_object_get_member(json_node_get_object(node), param->key);
                if (value && !read_param(param, value, &spec->params[i], error)) {
                        path_at_key(error, param->key);
                        return false;
                }
        }
        return true;
}

/* ---- works ---- */

static const char *nth_work_type(size_t i, G_GNUC_UNUSED const void *context) {
        return work_type_get((WorkTypeId)i)->name;
}

bool work_type_read(JsonNode *node, WorkTypeId *ret, GError **error) {
        static const SpecWords known = { nth_work_type, NULL, WORK_TYPE_COUNT, NULL };

        if (!node_holds(node, G_TYPE_STRING))
                return field_wrong_type(node, "text", error);
        return work_type_find(json_node_get_string(node), ret) ||
               spec_unknown_word(error, "work type", json_node_get_string(node), &known, NULL);
}

/* decode_work() has read it before the other keys, because the parameters are read by it. */
static bool skip_work_type(G_GNUC_UNUSED JsonNode *node, G_GNUC_UNUSED const Field *field,
                           G_GNUC_UNUSED void *target, G_GNUC_UNUSED GError **error) {
        return true;
}

const Field work_fields[] = {
        { "work_type", skip_work_type, 0, 0, 0, NULL, NULL },
        { "params", read_params, 0, 0, 0, NULL, NULL },
        { "workers", field_read_number, offsetof(WorkSpec, workers), 1, G_MAXINT32,
          "a group without workers would make every check of it pass vacuously; leave the key out for "
          "workers_per_cgroup",
          NULL },
        { "workers_pct", read_workers_pct, 0, 0, 0, NULL, NULL },
        { "sched_policy", read_sched_policy, 0, 0, 0, NULL, NULL },
        { "affinity", read_affinity, offsetof(WorkSpec, affinity), 0, 0, NULL, NULL },
        { "mem_policy", read_mempolicy, offsetof(WorkSpec, mem_policy), 0, 0, NULL, NULL },
        { "mpol_flags", read_mpol_flags, offsetof(WorkSpec, mpol_flags), 0, 0, NULL, NULL },
        { "pcomm", field_read_comm, offsetof(WorkSpec, pcomm), 0, 0, NULL, NULL },
        WORKER_FIELDS(WorkSpec, own),
        { NULL, NULL, 0, 0, 0, NULL, NULL },
};

static bool decode_work(JsonNode *node, GPtrArray *works, GError **error) {
        g_autoptr(WorkSpec) spec = NULL;
        WorkTypeId type = WORK_SPIN_WAIT;
        JsonNode *type_node;

        if (!JSON_NODE_HOLDS_OBJECT(node))
                return field_wrong_type(node, "an object", error);
        type_node = json_object_get_member(json_node_get_object(node), "work_type");
        if (type_node && !work_type_read(type_node, &type, error)) {
                path_at_key(error, "work_type");
                return false;
        }
        spec = work_spec_new(type);
        if (!fields_read(node, work_fields, spec, error))
                return false;
        if (spec->has_workers_pct && spec->workers.set)
                return field_fail(error,
                                  "both workers (%" G_GINT64_FORMAT
                                  ") and workers_pct (%g) are given; a count and a fraction of the CPUs "
                                  "exclude each other; keep one",
                                  spec->workers.value, spec->workers_pct);
        g_ptr_array_add(works, g_steal_pointer(&spec));
        return true;
}

bool works_read(JsonNode *node, G_GNUC_UNUSED const Field *field, void *target, GError **error) {
        JsonArray *array;

        if (!JSON_NODE_HOLDS_ARRAY(node))
                return field_wrong_type(node, "a list of worker groups", error);
        array = json_node_get_array(node);
        if (json_array_get_length(array) == 0)
                return field_fail(error,
                                  "the list is empty; leave the key out for one default group (SpinWait)");
        for (guint i = 0; i < json_array_get_length(array); i++)
                if (!decode_work(json_array_get_element(array, i), *(GPtrArray **)target, error)) {
                        path_at_index(error, i);
                        return false;
                }
        return true;
}
