// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The text of a configuration file in libconfuse's format, taken apart:
//
//     # a comment: to the end of the line, as behind //, or /* within */
//     key = value
//     list = {"value", "value"}
//     section "title" {
//         key = value
//         list += {"value"}
//     }
//
// Words of letters, digits and ". _ % -" may stand without quotes, all else
// stands in double quotes, in which \", \\ and \n (a new line) are the only
// escapes. Nothing is included, executed, or taken from the environment. A
// key is there once at most in its section, as is a section with its title.
#ifndef BERTH_CONFFILE_H
#define BERTH_CONFFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

enum { CONFFILE_KEYS_MAX = 64 }; // in one place

struct conffile_value {
    const char *text;
    int line;
};

// One key, or where a section starts. Borrowed.
struct conffile_setting {
    const char *section; // NULL: at the top
    const char *title;   // of the section
    int line;            // where the section starts
    const char *key;     // NULL: here it starts
    bool add;            // it stands with += and not with =
    size_t n;
    const struct conffile_value *const *values;
};

struct conffile_key {
    const char *name;
    bool list; // takes a list, and +=
};

// What a file may have. The arrays end with a name that is NULL.
struct conffile_grammar {
    const struct conffile_key *top;      // keys at the top
    const struct conffile_key *override; // keys in sections
    const char *const *overrides;        // sections with a title and those
    const struct conffile_key *set;      // keys in sections of another kind
    const char *const *sets;             // sections with a title and those
};

// Parses the LEN bytes of TEXT, which stand in FILE, and calls TELL for each
// setting: first those at the top, then for each section its start and what
// is in it, kind by kind in the grammar's order, and within each kind in the
// file's. Stops where
// TELL returns -1, with ERR set by it. Returns 0, or -1 with ERR set: a
// sentence that starts with file and line.
int conffile_parse(const char *file, const char *text, size_t len,
                   const struct conffile_grammar *grammar,
                   int (*tell)(void *arg,
                               const struct conffile_setting *setting,
                               struct berth_err *err),
                   void *arg, struct berth_err *err);

#endif
