// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What rules let a user do, in words for him. Pure.
#ifndef BERTH_HELP_H
#define BERTH_HELP_H

#include <stddef.h>

#include "logic/decision.h"
#include "logic/rules.h"

// Returns a new text of lines for a terminal: what SUBJECT may run and mount
// by RULES, and the administrator's own words. PARTITIONS, N of them, are
// those with rules of their own that RULES leave out. NULL when memory is
// out.
char *help_make(const struct rules *rules, const struct subject *subject,
                const char *const *partitions, size_t n);

#endif
