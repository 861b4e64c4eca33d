// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Paths as text: nothing here looks whether there is one. Pure.
#ifndef BERTH_PATH_H
#define BERTH_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"

// Says whether the LEN bytes of COMPONENT are "." or "..".
bool path_is_dots(const char *component, size_t len);

// Says whether PATH is absolute, without empty, "." or ".." components.
bool path_is_normal(const char *path);

// Makes PATH, taken from BASE unless it is absolute, one of single slashes and
// without "."; UP: ".." goes up by its name, and is refused otherwise, as it
// leads elsewhere than it seems where there are symbolic links. A new string,
// or NULL with ERR set.
char *path_normalise(const char *base, const char *path, bool up,
                     struct berth_err *err);

// Says whether S is valid UTF-8 without control characters.
bool path_is_text(const char *s);

// Says whether PATH is DIR or below it; both are normalised.
bool path_is_within(const char *path, const char *dir);

#endif
