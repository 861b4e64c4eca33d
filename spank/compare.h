// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// srun: whether the nodes of its step have the same image by the same name. No
// node knows of the others; each has a task tell srun (protocol/compare.h),
// which compares.
#ifndef BERTH_COMPARE_H
#define BERTH_COMPARE_H

#include <stdint.h>

struct compare; // a thread of srun's, that listens

// srun, the user, before the launch. Begins to listen for NNODES nodes, and has
// them told where. NULL where that cannot be: the step goes on, and nobody
// compares.
struct compare *compare_begin(uint32_t nnodes);

// So many more are to tell: of another component of a heterogeneous step.
void compare_add(struct compare *compare, uint32_t nnodes);

// The step is over: hears what has come by now, and ends. COMPARE may be NULL.
void compare_end(struct compare *compare);

#endif
