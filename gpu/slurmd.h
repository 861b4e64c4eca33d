// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The GPUs of a node as its slurmd counts them. Pure.
#ifndef BERTH_SLURMD_H
#define BERTH_SLURMD_H

#include "logic/err.h"
#include "logic/gpu.h"

// Adds to TABLE what a line that `slurmd -G` printed says of GPUs, in the
// order of the lines. Lines about anything else are passed over. 0; or -1
// with ERR set: a record without a device file, or one that can't be
// understood.
int slurmd_add_line(struct gpu_table *table, const char *line,
                    struct berth_err *err);

#endif
