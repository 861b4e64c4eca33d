// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
#ifndef BERTH_USER_TRES_H
#define BERTH_USER_TRES_H

// How many GPUs are in TRES, what a step has asked for: "gres:gpu:a100:2",
// "gres/gpu:1" in newer Slurms, "cpu=1,gres/gpu:a100=2" in newer ones still
// (24.11), or NULL.
unsigned tres_count_gpus(const char *tres);

#endif
