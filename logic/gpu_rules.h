// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Which GPUs the rules let a step have in its container. Pure.
#ifndef BERTH_GPU_RULES_H
#define BERTH_GPU_RULES_H

#include "logic/err.h"
#include "logic/gpu.h"
#include "logic/rules.h"

// Says whether RULES let a step on NODE have the GPUs SET, all of which are
// in TABLE, in its container. 0, or -1 with ERR set to a sentence for the
// user (BERTH_EDENIED). No GPU is always a success.
int gpu_rules_check(const struct gpu_set *set, const struct gpu_table *table,
                    const char *node, const struct rules *rules,
                    struct berth_err *err);

#endif
