// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Anchored matching of short globs without backtracking.
#ifndef BERTH_GLOB_H
#define BERTH_GLOB_H

#include <stdbool.h>

enum { GLOB_MAX = 256 }; // bytes of a pattern, with the NUL

// Says whether TEXT as a whole matches PATTERN, in which "*" stands for any
// run of bytes that are not in STOP, "**" for any run of at least one byte,
// and every other byte for itself. Takes at most strlen(TEXT) times
// strlen(PATTERN) steps. A pattern of GLOB_MAX bytes or more matches nothing.
bool glob_match(const char *pattern, const char *text, const char *stop);

#endif
