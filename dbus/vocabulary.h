/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include <stddef.h>

/* The words of a definition, once: JSON key = a{sv} key = ktctl option. `key` is the path inside a definition
 * ("cpu.weight"; "works.comm" is a key of each element of works). ktctl's option is the path without
 * "works.", with '.' and '_' as '-': --cpu-weight. A unit test holds this table and the decoder to the same
 * words. */
typedef enum VocabularyKind {
        VOCABULARY_TEXT,
        VOCABULARY_COUNT,  /* integer */
        VOCABULARY_NUMBER, /* real number */
        VOCABULARY_SIZE,   /* bytes: integer, or text with K M G T, or "max" */
        VOCABULARY_TIME,   /* microseconds: integer, or text with ns us ms s */
        VOCABULARY_TEXTS,  /* list of words, comma-separated on a command line */
        VOCABULARY_PARAMS, /* object; KEY=VALUE on a command line, repeatable */
        VOCABULARY_FLAG,   /* boolean; on a command line an option without a value, which means true */
} VocabularyKind;

typedef struct VocabularyWord {
        const char *key;
        VocabularyKind kind;
        const char *argument; /* placeholder in usage texts; "" for a flag */
        const char *help;
} VocabularyWord;

extern const VocabularyWord vocabulary[];
extern const size_t vocabulary_count;
