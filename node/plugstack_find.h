// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Reads files of configuration, and finds where the plugin's words stand, for
// messages, and to learn whether Slurm has cut their line: SPANK hands the
// bare words over.
#ifndef BERTH_PLUGSTACK_FIND_H
#define BERTH_PLUGSTACK_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/strv.h"

struct plugstack_origin {
    char file[4096]; // absolute; empty if it was not found
    int line;        // or 0
    bool cut;        // longer than Slurm reads (logic/plugstack.h)
};

// Looks for the line that loads the plugin with these words in the
// plugstack.conf that belongs to $SLURM_CONF (or Slurm's usual places), and
// in what that includes. With the caller's rights. Failing that, OUT says
// that nothing is known.
void plugstack_find(int argc, char **argv, struct plugstack_origin *out);

// For a program that SPANK has not handed them to: finds the first line that
// loads the plugin, in PLUGSTACK or (NULL) in the places that plugstack_find
// knows, and appends its words to WORDS. False: there is none.
bool plugstack_load(const char *plugstack, struct plugstack_origin *out,
                    struct strv *words);

// Appends the files to FILES in which that line is looked for, up to it:
// slurm.conf, unless PLUGSTACK is given, and then what it leads to.
void plugstack_files(const char *plugstack, struct strv *files);

// Reads PATH whole, with the caller's rights. Returns a new string and LEN,
// or NULL with errno set. A file that is too long for berth loses its end,
// and is still too long.
char *plugstack_read(const char *path, size_t *len);

#endif
