/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup-name.h"

#include <limits.h>
#include <string.h>

#include "common/error.h"
#include "topology/spec-text.h"

enum { NAME_BYTES_MAX = 2048 }; /* leaves room for the root within PATH_MAX */

static const char *component_fault(const char *component) {
        if (!component[0])
                return "has an empty path component (a double or a trailing slash); write single slashes "
                       "between components";
        if (g_str_equal(component, ".."))
                return "has a '..' component, which would leave the scenario; names go down only";
        if (g_str_equal(component, "."))
                return "has a '.' component; a name has one spelling, leave it out";
        if (component[0] == '.')
                return "has a leading-dot component; begin it with another character";
        if (g_str_has_prefix(component, "cgroup."))
                return "has a component that starts with 'cgroup.', the kernel's prefix for its own files; "
                       "use another";
        if (strlen(component) > NAME_MAX)
                return "has a component of more than 255 bytes (NAME_MAX); shorten it";
        return NULL;
}

static const char *name_fault(const char *name) {
        if (!name[0])
                return "is empty; give one such as 'a' or 'a/b'";
        if (name[0] == '/')
                return "starts with '/'; names are relative to the scenario, leave it out";
        if (strchr(name, '\n'))
                return "contains a newline, which the kernel refuses; leave it out";
        if (name[0] == '@')
                return "starts with '@', which marks places that are not cgroups; begin it with another "
                       "character";
        if (strlen(name) > NAME_BYTES_MAX)
                return "is longer than 2048 bytes; shorten it";
        return NULL;
}

bool cgroup_name_check(const char *name, GError **error) {
        const char *fault = name_fault(name);
        g_auto(GStrv) components = g_strsplit(name, "/", -1);

        for (size_t i = 0; !fault && components[i]; i++)
                fault = component_fault(components[i]);
        /* The executor of a delegated unit lives there. */
        if (!fault && g_str_equal(components[0], "supervisor"))
                fault = "begins with 'supervisor', where the scenario's executor lives; use another";
        if (fault) {
                g_autofree char *shown = spec_excerpt(name);
                g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION, "cgroup name '%s' %s", shown,
                            fault);
        }
        return !fault;
}

char *cgroup_name_parent(const char *name) {
        const char *slash = strrchr(name, '/');

        return slash ? g_strndup(name, (size_t)(slash - name)) : NULL;
}
