// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where a process belongs: cgroups, limits, priority, CPUs. As root.
#ifndef BERTH_PLACE_H
#define BERTH_PLACE_H

#include <sys/types.h>

#include "core/err.h"

// Takes this process out of the step's cgroups, which Slurm kills and
// removes at the step's end, into the root of each hierarchy. Hierarchies
// that are not mounted are left alone. 0, or -1 with ERR set.
int place_leave_step(struct berth_err *err);

// Gives process PID what the Slurm task (process LIKE) has: its cgroups in
// every hierarchy, resource limits, nice value, scheduling policy, CPU
// affinity and OOM score adjustment. All are read from the kernel, none
// from the user. 0, or -1 with ERR set: then PID must not run anything.
int place_like(pid_t pid, pid_t like, struct berth_err *err);

#endif
