// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The variables that an administrator can write in berth.conf(5): %u and the
// like. Pure.
#ifndef BERTH_VARIABLES_H
#define BERTH_VARIABLES_H

#include "logic/decision.h"
#include "logic/err.h"

// Says whether all "%" in TEXT are the start of a variable: %u user, %U his
// number, %g group, %h home, %j job, and %% for the sign itself. 0, or -1
// with ERR set (BERTH_EINVAL).
int variables_check(const char *text, struct berth_err *err);

// Puts the variables' values in, as part of a path: none that is unknown,
// has a ':', a glob character or a control character, or a component ".."
// or "." in it; of %u and %g none with a '/'. Returns a new string, or NULL
// with ERR set: BERTH_ENOTFOUND where a value cannot be had.
char *variables_to_path(const char *text, const struct subject *subject,
                        struct berth_err *err);

// The same as part of any text: none that is unknown or has a control
// character.
char *variables_to_text(const char *text, const struct subject *subject,
                        struct berth_err *err);

#endif
