// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The file in which berth-prolog keeps the node's table of GPUs, so that a
// step need not look for them: STATE/NODE/gpus.json, root's.
#ifndef BERTH_GPU_TABLE_H
#define BERTH_GPU_TABLE_H

#include "logic/err.h"
#include "logic/gpu.h"

// 0, or -1 with ERR set. PATH's directory must exist.
int gpu_table_write(const char *path, const struct gpu_table *table,
                    struct berth_err *err);

// Returns a new table for free(), or NULL with ERR set: BERTH_ENOTFOUND if
// there is none, BERTH_EINVAL if it is not one.
struct gpu_table *gpu_table_read(const char *path, struct berth_err *err);

#endif
