// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Slurm's configuration files as texts that are changed a line at a time, and
// written whole or not at all. A comment before each line that is new marks
// it, so that it can be taken back.
#ifndef BERTH_SLURM_CONF_H
#define BERTH_SLURM_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <slurm/slurm_version.h>

#include "logic/err.h"

struct conf_file {
    char name[4096];  // as it was named first
    char path[4096];  // without symbolic links
    char *text;       // as it is to be, NUL-terminated
    bool exists;      // on disk, as STAT
    bool changed;     // TEXT is not what is on disk
    bool made;        // by conf_add alone, and that is taken back
    int taken;        // lines that conf_undo has taken away
    struct stat stat; // if it exists
};

enum { CONF_FILES = 64 };

// Each file once.
struct conf_files {
    struct conf_file *v[CONF_FILES];
    size_t n;
};

// A line that sets a key.
struct conf_line {
    struct conf_file *file;
    int number;       // from 1; 0: there is none
    char value[4096]; // without quotes
};

// The file at PATH, read unless it was before. One that does not exist has an
// empty text. NULL with ERR set: it cannot be read, or is no text.
struct conf_file *conf_open(struct conf_files *files, const char *path,
                            struct berth_err *err);

// Opens the slurm.conf at PATH, and what that includes. 0, or -1 with ERR set.
int conf_open_slurm(struct conf_files *files, const char *path,
                    struct berth_err *err);

// Finds the line in FILES that sets KEY behind LINE, or the first if that is
// zeroed. 1; 0 if there is none; or -1 with ERR set: a line sets it in a way
// that this does not understand.
int conf_next(struct conf_files *files, const char *key, struct conf_line *line,
              struct berth_err *err);

// Finds the last of them, or none. 0, or -1 with ERR set.
int conf_find(struct conf_files *files, const char *key, struct conf_line *out,
              struct berth_err *err);

// Says whether the path PROGRAM is among those that VALUE names, or a script
// among them names the program.
bool conf_calls(const char *value, const char *program);

// From this release on, of several lines for a prolog each names one; before,
// the last takes the place of the others.
#define CONF_TAKES_LINES (SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(24, 5, 0))

// Says whether a line of FILES that sets KEY and counts (TAKES_LINES, for
// CONF_TAKES_LINES: each of them) calls PROGRAM. 1, and OUT is that line; 0,
// and OUT is the last, if there is one; or -1 with ERR set.
int conf_find_hook(struct conf_files *files, const char *key,
                   const char *program, bool takes_lines, struct conf_line *out,
                   struct berth_err *err);

// Appends LINE to the file. -1: memory is out.
int conf_add(struct conf_file *file, const char *line);

// Puts TEXT in the place of the line with this number. -1: memory is out.
int conf_replace(struct conf_file *file, int number, const char *text);

// A line that was written here, and what it stands in the place of (or NULL).
typedef bool conf_known(const char *line, const char *old);

// Takes the first change back that is left in FILE, and copies the line to
// LINE. 1; 0 if there is none; or -1 with ERR set: the line is not KNOWN.
int conf_undo(struct conf_file *file, conf_known *known, char line[4096],
              struct berth_err *err);

// Writes the file if it has changed: another beside it, with its owner and
// mode, is renamed to it. One that conf_add made, and that is as empty as it
// was, is removed. 0, or -1 with ERR set.
int conf_write(const struct conf_file *file, struct berth_err *err);

void conf_clear(struct conf_files *files);

#endif
