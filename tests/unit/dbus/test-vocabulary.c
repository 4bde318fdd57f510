/* SPDX-License-Identifier: GPL-2.0-only */
#include "conformance/conf-topology.h"
#include "model/decode.h"
#include "dbus/vocabulary.h"

/* The contract's table and the decoder know the same words, each once. */
static void same_words(void **state G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) keys = decode_known_keys();
        g_autoptr(GHashTable) left = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint i = 0; i < keys->len; i++)
                if (!g_hash_table_add(left, keys->pdata[i]))
                        fail_msg("the decoder has '%s' twice", (char *)keys->pdata[i]);
        for (size_t i = 0; i < vocabulary_count; i++)
                if (!g_hash_table_remove(left, vocabulary[i].key))
                        fail_msg("'%s': twice in the vocabulary, or unknown to the decoder",
                                 vocabulary[i].key);
        if (g_hash_table_size(left) > 0)
                fail_msg("'%s' is not in the vocabulary",
                         (char *)g_hash_table_get_keys_as_array(left, NULL)[0]);
}

/* The keys of a payload are no words of a cgroup's definition: none may become an option of ktctl by
 * accident. */
static void a_payload_is_one_word(void **state G_GNUC_UNUSED) {
        unsigned n = 0;

        for (size_t i = 0; i < vocabulary_count; i++)
                if (g_str_has_prefix(vocabulary[i].key, "payload")) {
                        assert_string_equal(vocabulary[i].key, "payload");
                        assert_int_equal(vocabulary[i].kind, VOCABULARY_TEXT);
                        n++;
                }
        assert_int_equal(n, 1);
}

/* A word without a value has no placeholder for one. */
static void every_word_is_explained(void **state G_GNUC_UNUSED) {
        for (size_t i = 0; i < vocabulary_count; i++) {
                bool flag = vocabulary[i].kind == VOCABULARY_FLAG;
                assert_non_null(vocabulary[i].argument);
                assert_int_equal(vocabulary[i].argument[0] == 0, flag);
                assert_true(vocabulary[i].help && vocabulary[i].help[0]);
        }
}

static const VocabularyWord *word_of(const char *key) {
        for (size_t i = 0; i < vocabulary_count; i++)
                if (g_str_equal(vocabulary[i].key, key))
                        return &vocabulary[i];
        fail_msg("no word '%s'", key);
        return NULL;
}

static void every_work_type_is_named(void **state G_GNUC_UNUSED) {
        const char *help = word_of("works.work_type")->help;

        for (unsigned i = 0; i < WORK_TYPE_COUNT; i++)
                if (!strstr(help, work_type_get(i)->name))
                        fail_msg("'%s' does not name %s", help, work_type_get(i)->name);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(same_words),
                cmocka_unit_test(a_payload_is_one_word),
                cmocka_unit_test(every_word_is_explained),
                cmocka_unit_test(every_work_type_is_named),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
