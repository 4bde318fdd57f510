/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker-count.h"

#include <math.h>
#include <stdarg.h>

#include "common/error.h"
#include "spec-text.h"

static bool refuse(GError **error, KtError code, const char *label, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

static bool refuse(GError **error, KtError code, const char *label, const char *format, ...) {
        g_autofree char *reason = NULL;
        va_list args;

        va_start(args, format);
        reason = g_strdup_vprintf(format, args);
        va_end(args);
        g_set_error(error, KT_ERROR, code, "%s%s%s", label ?: "", label && *label ? ": " : "", reason);
        return false;
}

/* A short text for messages; 1e100 stays 1e100. */
static char *show(double value) {
        char buffer[G_ASCII_DTOSTR_BUF_SIZE];
        return g_strdup(g_ascii_formatd(buffer, sizeof(buffer), "%.15g", value));
}

static bool resolve_pct(const WorkerCountRequest *r, const char *label, guint64 *ret, GError **error) {
        g_autofree char *pct = show(r->pct), *shown = NULL;
        double n;

        if (!isfinite(r->pct) || r->pct <= 0)
                return refuse(error, KT_ERROR_INVALID_DEFINITION, label,
                              "workers_pct %s must be finite and > 0; it is a fraction of the CPUs, 0.5 for "
                              "half of them",
                              pct);
        n = ceil(r->cpus * r->pct);
        if (n < 1)
                return refuse(
                        error, KT_ERROR_EMPTY_CPUSET, label,
                        "workers_pct %s of a cpuset of size %u gives 0 workers; widen the cpuset or set "
                        "workers",
                        pct, r->cpus);
        shown = show(n);
        /* 2^64: a ceiling near it rounds up to a double that no longer fits */
        if (n > (double)r->ceiling || n >= 0x1p64)
                return refuse(error, KT_ERROR_LIMIT_EXCEEDED, label,
                              "workers_pct %s of %u CPUs gives %s workers, the limit is %" G_GUINT64_FORMAT
                              "; lower it or raise MaxWorkers in the configuration",
                              pct, r->cpus, shown, r->ceiling);
        *ret = n;
        return true;
}

static bool check_both(const WorkerCountRequest *r, const char *label, const char *consequence,
                       GError **error) {
        g_autofree char *pct = show(r->pct);

        if (!r->has_workers || !r->has_pct)
                return true;
        return refuse(error, KT_ERROR_INVALID_DEFINITION, label,
                      "workers %" G_GUINT64_FORMAT " and workers_pct %s are both set and exclude each other; "
                      "keep one of them%s",
                      r->workers, pct, consequence);
}

bool worker_count_resolve(const WorkerCountRequest *r, const char *label, guint64 *ret, GError **error) {
        guint64 n = r->has_workers ? r->workers : r->fallback;
        const char *key = r->has_workers ? "workers" : "workers_per_cgroup";

        if (!check_both(r, label, "", error))
                return false;
        if (r->has_pct)
                return resolve_pct(r, label, ret, error);
        if (n == 0)
                return refuse(error, KT_ERROR_INVALID_DEFINITION, label,
                              "%s is 0, and 0 workers is not allowed; every check of the group would pass "
                              "vacuously; give at least 1",
                              key);
        if (n > r->ceiling)
                return refuse(error, KT_ERROR_LIMIT_EXCEEDED, label,
                              "%s %" G_GUINT64_FORMAT " is over the limit of %" G_GUINT64_FORMAT
                              "; lower it or raise MaxWorkers in the configuration",
                              key, n, r->ceiling);
        *ret = n;
        return true;
}

void worker_count_empty_cpuset(const char *label, const char *cpuset, const WorkerCountRequest *groups,
                               size_t n_groups, GError **error) {
        g_autofree char *shown = spec_excerpt(cpuset);
        g_autoptr(GString) wanted = g_string_new(NULL);

        for (size_t i = 0; i < n_groups; i++) {
                g_autofree char *where =
                        g_strdup_printf("%s%sworks[%zu]", label ?: "", label && *label ? ": " : "", i);
                if (!check_both(&groups[i], where,
                                " (the empty cpuset would have masked this: it resolved to 0 CPUs)", error))
                        return;
        }
        for (size_t i = 0; i < n_groups; i++) {
                g_autofree char *pct = show(groups[i].pct);
                if (groups[i].has_pct)
                        g_string_append_printf(wanted, "%sworks[%zu] workers_pct %s", wanted->len ? ", " : "",
                                               i, pct);
        }
        if (wanted->len > 0)
                refuse(error, KT_ERROR_EMPTY_CPUSET, label,
                       "cpuset '%s' has size 0, of which no percentage gives a worker: %s; widen the cpuset "
                       "or set workers instead",
                       shown, wanted->str);
        else
                refuse(error, KT_ERROR_EMPTY_CPUSET, label,
                       "cpuset '%s' resolved to 0 CPUs; widen it, or leave it out to inherit the parent's",
                       shown);
}
