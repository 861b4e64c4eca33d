// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What berth-task was started with, and what berth-stepd makes of it: the
// changes (protocol/wire.h) applied to arguments, environment, working
// directory and limits. Pure.
#ifndef BERTH_CHANGE_H
#define BERTH_CHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/wire.h"

// How a program is started. The strings are borrowed; the two arrays have
// room for as many more as there are changes, and for a NULL.
struct start {
    char **argv; // berth-task's own; without its argv[0] in the end
    size_t argc;
    char **env;
    size_t envc;
    const char *cwd; // NULL unless a change names one; likewise
    const char *hint;
    struct wire_run *run; // limits
};

// The number of strings in the SIZE bytes of TEXT, which end in a NUL.
size_t change_count(const char *text, size_t size);

// Applies the COUNT strings from TEXT on to START, which borrows from them.
// False: one of them is none that this berth-task knows.
bool change_apply(struct start *start, char *text, size_t count);

#endif
