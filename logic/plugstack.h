// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Reads the text of a plugstack.conf as Slurm does, to find the line, and
// the words, by which it loads this plugin: SPANK passes the words without
// their file and line, and the prolog, which is no SPANK plugin, has not
// even those. Opening files and following includes is the caller's.
#ifndef BERTH_PLUGSTACK_H
#define BERTH_PLUGSTACK_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PLUGSTACK_LINE_MAX = 4096, // Slurm's buffer: 4095 bytes and a NUL
    PLUGSTACK_WORDS_MAX = PLUGSTACK_LINE_MAX / 2,
};

enum plugstack_kind {
    PLUGSTACK_PLUGIN = 1,  // "required PATH WORD..." or "optional ..."
    PLUGSTACK_INCLUDE = 2, // "include GLOB": if it is no absolute path, it is
                           // relative to the directory of the file
};

struct plugstack_line {
    enum plugstack_kind kind;
    int number;       // from 1, as an editor counts
    bool cut;         // longer than Slurm reads: it has lost its end, and
                      // words there may allow less than these (or more)
    const char *path; // of the plugin or the include
    size_t argc;
    const char *argv[PLUGSTACK_WORDS_MAX];
    char text[PLUGSTACK_LINE_MAX]; // what path and argv point into
};

// A text being read. Zeroed but for text and len, it stands at the start.
struct plugstack {
    const char *text; // borrowed
    size_t len;
    size_t pos;
    int number;
    bool inside; // of a line that Slurm's buffer has cut
};

// Finds the next line that is an include, or that loads a plugin whose file
// name is PLUGIN ("spank_berth.so"), in any directory. Lines that Slurm
// would ignore are passed over. Returns true and fills OUT, or false at the
// end of the text. Do not copy OUT, it points into itself.
bool plugstack_next(struct plugstack *stack, const char *plugin,
                    struct plugstack_line *out);

// Says whether the words of LINE are those of ARGV: the file may load the
// plugin twice, or may have been edited since.
bool plugstack_same_words(const struct plugstack_line *line, size_t argc,
                          const char *const *argv);

// Copies the value of PlugStackConfig= in the text of a slurm.conf to BUF of
// SIZE bytes; of several, the last holds. Returns whether there is one that
// fits. Without one, Slurm reads plugstack.conf beside slurm.conf. Includes
// of the slurm.conf are not followed.
bool plugstack_from_slurm_conf(const char *text, size_t len, char *buf,
                               size_t size);

#endif
