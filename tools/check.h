// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-check(8) looks at on one node.
#ifndef BERTH_CHECK_H
#define BERTH_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum check_state {
    CHECK_OK = 0,
    CHECK_WARN = 1,   // may be meant
    CHECK_BAD = 2,    // containers do not work, or are not safe
    CHECK_UNSEEN = 3, // by this user
};

struct check_line {
    const char *name;
    enum check_state state;
    char text[1024]; // what there is or, of what is wrong, a sentence
};

enum { CHECK_LINES_MAX = 128 };

struct check {
    size_t n;
    struct check_line lines[CHECK_LINES_MAX];
};

// Looks at this node with the caller's rights, and changes nothing. Asks the
// engine and programs for their versions, and so may take as long as these do.
void check_node(struct check *out);

// Says whether the version TEXT is at least FROM and below BELOW: numbers with
// dots, and whatever behind them.
bool check_version_within(const char *text, const char *from,
                          const char *below);

#endif
