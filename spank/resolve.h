// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// srun, sbatch and salloc: what a tag leads to now, by its registry's word.
#ifndef BERTH_RESOLVE_H
#define BERTH_RESOLVE_H

#include <stddef.h>

#include "logic/err.h"

// "sha256:" and 64 hex digits, and a NUL.
enum { RESOLVE_DIGEST = 72 };

// The user, with his own credentials. Asks the registry of NAME, a whole name
// with a tag, and waits for a few seconds at most. 0 and OUT, or -1 with ERR
// set to why not, as a part of a sentence.
int resolve_digest(const char *name, char out[RESOLVE_DIGEST],
                   struct berth_err *err);

#endif
