/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

#include "model/payload.h"

/* Reads every *.payload file of the directories: ktsetupd.payload(5). Of files with one name only that in the
 * first directory counts (an empty one, or a link to /dev/null, hides the others). A file that cannot be read
 * or is not sound is in the set with its error and harms no other; so is a directory that cannot be read,
 * while one that is not there is fine. `directories` is separated by ':'; NULL: none. */
PayloadSet *payload_files_load(const char *directories);
