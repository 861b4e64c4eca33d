// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Whether a name is one image on all nodes: `berth-images check`. The nodes are
// asked by srun, in a step of its own.
#ifndef BERTH_IMAGES_CHECK_H
#define BERTH_IMAGES_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "logic/err.h"

// Asks NODES (as srun's --nodelist, or NULL: those of the allocation). Writes
// what each name is, and where, to OUT; of those that are one image everywhere
// only in JSON. 1: some name is not; 0: none; or -1 with ERR set.
int images_check(const char *nodes, bool json, FILE *out,
                 struct berth_err *err);

#endif
