/* SPDX-License-Identifier: GPL-2.0-only */
#include "launcher.h"

#include "model/controllers.h"

unsigned launcher_controllers(const Launcher *root) {
        g_autofree char *text = NULL;

        return g_file_get_contents(root->controllers_file, &text, NULL, NULL) ? controllers_parse(text) : 0;
}

void launcher_free(Launcher *root) {
        if (!root)
                return;

        /* The kind's own part may still need them. */
        char *path = root->path, *controllers_file = root->controllers_file, *executor = root->executor;

        root->kind->free(root);
        g_free(path);
        g_free(controllers_file);
        g_free(executor);
}
