/* SPDX-License-Identifier: GPL-2.0-only */
#include "json-write.h"

#include <string.h>

/* "e+22" at `text`; 1 for the 'e' of "true". */
static size_t exponent_length(const char *text) {
        size_t sign = text[1] == '+' || text[1] == '-';

        return 1 + sign + strspn(text + 1 + sign, "0123456789");
}

char *json_write(JsonNode *node, bool pretty) {
        char *text = json_to_string(node, pretty), *to = text;
        bool quoted = false;
        size_t n;

        for (const char *from = text; *from; from += n) {
                n = 1;
                if (*from == '"')
                        quoted = !quoted;
                else if (quoted && *from == '\\')
                        n = 2;
                else if (!quoted && *from == 'e')
                        n = exponent_length(from);
                memmove(to, from, n);
                to += n;
                if (n > 2 && !quoted && g_str_has_prefix(from + n, ".0"))
                        n += 2;
        }
        *to = '\0';
        return text;
}
