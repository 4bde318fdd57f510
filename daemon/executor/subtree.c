/* SPDX-License-Identifier: GPL-2.0-only */
#include "subtree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actions.h"
#include "util.h"

typedef struct Walk {
        Executor *e;
        uint64_t deadline;
        SubtreeVisit before, after; /* the children; either may be NULL */
        void *context;
        char path[PATH_MAX]; /* at hand */
} Walk;

static int is_cgroup(const struct dirent *entry) {
        const char *name = entry->d_name;

        return entry->d_type == DT_DIR && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* EXDEV: something is mounted there, and that is none of ours. */
static bool is_passed_by(int error) {
        return cgroup_is_gone(error) || error == -EXDEV;
}

static int walk_one(Walk *w);

/* All are listed at once: on the way down no directory stays open, however deep it goes. */
static int walk_below(Walk *w, int *directory) {
        const size_t length = strlen(w->path), room = sizeof(w->path) - length;
        struct dirent **entries = NULL;
        int n = scandirat(*directory, ".", &entries, is_cgroup, NULL), r = n < 0 ? -errno : 0;

        close_fd(directory);
        for (int i = 0; i < n; free(entries[i++])) {
                if (r < 0)
                        continue;
                bool fits = snprintf(w->path + length, room, "/%s", entries[i]->d_name) < (int)room;
                r = fits ? walk_one(w) : -ENAMETOOLONG;
                w->path[length] = '\0';
        }
        free(entries);
        return is_passed_by(r) ? 0 : r;
}

static int walk_one(Walk *w) {
        if (ledger_has_cgroup(&w->e->ledger, w->path))
                return 0;
        if (monotonic_ns() >= w->deadline)
                return -ETIMEDOUT;
        executor_beat(w->e);
        CLEANUP(close_fd) int directory = cgroup_open_unmounted(&w->e->root, w->path);
        if (directory < 0)
                return is_passed_by(directory) ? 0 : directory;
        int r = w->before ? w->before(w->context, w->path) : 0;
        if (r >= 0)
                r = walk_below(w, &directory);
        if (r >= 0 && w->after)
                r = w->after(w->context, w->path);
        return r;
}

/* Below the root, or a directory that is not a cgroup, may be anything. */
static int walk(Walk *w, const char *path) {
        if (!w->e->root.is_cgroup2 || !ledger_has_cgroup(&w->e->ledger, path))
                return 0;
        CLEANUP(close_fd) int directory = cgroup_open_unmounted(&w->e->root, path);
        if (directory < 0)
                return is_passed_by(directory) ? 0 : directory;
        strcpy(w->path, path); /* as in the plan, where it is shorter than PATH_MAX */
        return walk_below(w, &directory);
}

int subtree_visit(Executor *e, const char *path, uint64_t deadline, SubtreeVisit visit, void *context) {
        Walk w = { .e = e, .deadline = deadline, .before = visit, .context = context };

        return walk(&w, path);
}

typedef struct Removal {
        Executor *e;
        uint64_t deadline;
        bool settle;
} Removal;

static int remove_one(void *context, const char *path) {
        const Removal *removal = context;
        uint64_t now = monotonic_ns(), left = removal->deadline > now ? removal->deadline - now : 0;
        int r = remove_cgroup(removal->e, path, removal->settle ? left / NS_PER_MS : 0);

        return r == -ECANCELED ? r : 0; /* whatever holds it, those beside it are to go */
}

int subtree_remove(Executor *e, const char *path, uint64_t deadline, bool settle) {
        Removal removal = { e, deadline, settle };
        Walk w = { .e = e, .deadline = deadline, .after = remove_one, .context = &removal };

        return walk(&w, path);
}
