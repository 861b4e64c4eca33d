// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The text of berth.conf(5), taken apart:
//
//     file    = { setting | section }
//     section = KIND title "{" { setting } "}"
//     setting = KEY ( "=" | "+=" ) ( value | "{" [ value { "," value } ] "}" )
//
// A list may have a comma behind its last value; += and braces are for lists.
// KIND and KEY are words of the tables that are given. A title or a value is
// a word of letters, digits and ". _ % -", or a text in double quotes, on one
// line, in which \", \\ and \n (a new line) are the only escapes, and "${" is
// refused. Comments go from # or // to the end of the line, or stand within
// /* and */. Nothing is included, executed, or taken from the environment.
#ifndef BERTH_CONFFILE_H
#define BERTH_CONFFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"
#include "logic/keys.h"

// The top of the file, or sections of one kind.
struct conffile_place {
    const char *kind;       // NULL: the top
    const struct key *keys; // that can stand there; the last has no name
};

// What is told of a file, as it is read. A setting of a section belongs to the
// one that was told last, and a value to the setting that was. Each stops the
// parser by returning -1 with ERR set.
struct conffile_reader {
    int (*section)(void *arg, const struct conffile_place *place,
                   const char *title, int line, struct berth_err *err);
    int (*setting)(void *arg, const struct conffile_place *place,
                   const struct key *key, bool add, struct berth_err *err);
    int (*value)(void *arg, const char *text, int line, struct berth_err *err);
};

// Parses the LEN bytes of TEXT and the NUL behind them, which stand in FILE,
// and tells READER. What it tells points into TEXT, which is changed. PLACES
// starts with the top, and ends with one that has no keys. A key is there
// once at most in its place. Returns 0, or -1 with ERR set: a sentence that
// starts with file and line.
int conffile_parse(const char *file, char *text, size_t len,
                   const struct conffile_place *places,
                   const struct conffile_reader *reader, void *arg,
                   struct berth_err *err);

#endif
