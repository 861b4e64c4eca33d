// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// A list for people or programs: columns that fit, JSON, or chosen columns.
#ifndef BERTH_TABLE_H
#define BERTH_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"
#include "logic/strv.h"

struct table {
    const char *const *columns; // titles, NULL at the end; as keys of JSON,
                                // in small letters
    struct strv cells;          // row by row
    size_t for_people;          // if not 0: they get so many columns
    struct strv drawn;          // what people see before each row, or none
};

void table_clear(struct table *table);

// How it is written: JSON, or FORMAT, "COLUMN,...", one row a line without a
// title; or neither.
struct table_style {
    bool json;
    const char *format;
};

// Writes TABLE to stdout, which is flushed. What a terminal would obey, and what
// is no UTF-8, is '?' in its cells. For people it fits the terminal
// (or $COLUMNS), what is longer ends in "…", digests have twelve digits, and
// sizes, which are bytes, are in MB. 0, or -1 with ERR set: FORMAT names
// a column that there is not, or what was written went nowhere.
int table_print(const struct table *table, const struct table_style *style,
                struct berth_err *err);

#endif
