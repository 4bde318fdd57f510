/* SPDX-License-Identifier: GPL-2.0-only */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "common/error.h"
#include "topology/spec-text.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FILE, fclose)

/* Where the texts of an entry are kept; it grows as needed, for a group may have thousands of members. */
static GByteArray *buffer_new(void) {
        GByteArray *buffer = g_byte_array_new();

        g_byte_array_set_size(buffer, 1024);
        return buffer;
}

/* The next line of the file. When the buffer is too small, glibc goes back to the line's start and says
 * ERANGE. Lines that begin with '+' or '-' tell libnss to look elsewhere: they are nobody, though they read
 * as uid 0. */
static struct passwd *next_user(FILE *file, struct passwd *entry, GByteArray *buffer) {
        struct passwd *found = NULL;
        int r;

        do {
                r = fgetpwent_r(file, entry, (char *)buffer->data, buffer->len, &found);
                if (r == ERANGE)
                        g_byte_array_set_size(buffer, buffer->len * 2);
        } while (r == ERANGE || (found && (found->pw_name[0] == '+' || found->pw_name[0] == '-')));
        return r == 0 ? found : NULL;
}

static struct group *next_group(FILE *file, struct group *entry, GByteArray *buffer) {
        struct group *found = NULL;
        int r;

        do {
                r = fgetgrent_r(file, entry, (char *)buffer->data, buffer->len, &found);
                if (r == ERANGE)
                        g_byte_array_set_size(buffer, buffer->len * 2);
        } while (r == ERANGE || (found && (found->gr_name[0] == '+' || found->gr_name[0] == '-')));
        return r == 0 ? found : NULL;
}

/* *ret is NULL when the file is not there. */
static bool open_lines(const char *path, FILE **ret, GError **error) {
        *ret = fopen(path, "re");
        if (*ret || errno == ENOENT)
                return true;
        g_set_error(error, KT_ERROR, KT_ERROR_INVALID_DEFINITION,
                    "%s cannot be read, so no user can be looked up: %s", path, g_strerror(errno));
        return false;
}

/* ---- the user's line ---- */

typedef struct User {
        char *name; /* NULL: no line has it */
        uid_t uid;
        gid_t gid;
} User;

static void take_user(User *user, const struct passwd *entry) {
        g_free(user->name);
        *user = (User){ .name = g_strdup(entry->pw_name), .uid = entry->pw_uid, .gid = entry->pw_gid };
}

/* `number` NULL: by name alone. Every name that was passed goes into `names`. */
static void find_line(FILE *file, const char *text, const uint64_t *number, User *ret, GPtrArray *names) {
        g_autoptr(GByteArray) buffer = buffer_new();
        struct passwd entry, *found;

        while ((found = next_user(file, &entry, buffer))) {
                if (g_str_equal(found->pw_name, text)) {
                        take_user(ret, found);
                        return;
                }
                if (number && !ret->name && found->pw_uid == *number)
                        take_user(ret, found);
                g_ptr_array_add(names, g_strdup(found->pw_name));
        }
}

static const char *nth_name(size_t i, const void *names) {
        return ((const GPtrArray *)names)->pdata[i];
}

static bool unknown_user(const char *passwd, const char *text, const GPtrArray *names, GError **error) {
        const SpecWords known = { nth_name, NULL, names->len, names };
        g_autofree char *rule =
                g_strdup_printf("a user is a name in %s, where alone names are looked up, or a "
                                "number from 0 to 4294967294",
                                passwd);

        return spec_unknown_word(error, "user", text, &known, rule);
}

/* ---- its groups ---- */

static bool find_groups(const char *path, const User *user, GArray *groups, GError **error) {
        g_autoptr(GByteArray) buffer = buffer_new();
        g_autoptr(FILE) file = NULL;
        struct group entry, *found;

        if (!open_lines(path, &file, error))
                return false;
        g_array_append_val(groups, user->gid);
        while (file && (found = next_group(file, &entry, buffer)))
                if (found->gr_gid != user->gid &&
                    g_strv_contains((const char *const *)found->gr_mem, user->name))
                        g_array_append_val(groups, found->gr_gid);
        return true;
}

bool user_find_in(const char *passwd, const char *group, const char *text, UserIds *ret, GError **error) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GArray) groups = g_array_new(false, false, sizeof(gid_t));
        g_autoptr(FILE) file = NULL;
        g_autofree char *name = NULL;
        uint64_t number; /* 2^32-1 is "no id" */
        bool is_number = g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &number, NULL);
        User user = { .name = NULL };

        if (!open_lines(passwd, &file, error))
                return false;
        if (file)
                find_line(file, text, is_number ? &number : NULL, &user, names);
        name = user.name;
        if (!name && !is_number)
                return unknown_user(passwd, text, names, error);
        if (!name)
                user = (User){ .uid = (uid_t)number, .gid = (gid_t)number };
        else if (!find_groups(group, &user, groups, error))
                return false;
        *ret = (UserIds){ .uid = user.uid, .gid = user.gid, .groups = g_steal_pointer(&groups) };
        return true;
}

bool user_find(const char *user, UserIds *ret, GError **error) {
        return user_find_in("/etc/passwd", "/etc/group", user, ret, error);
}
