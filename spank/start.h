// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Starts berth's programs of root from Slurm's daemons: in the namespaces that
// slurmd is in, where the engine sees what they mount. slurmstepd may be in
// others, of a job's.
#ifndef BERTH_START_H
#define BERTH_START_H

#include <stdbool.h>

// slurmd, root: where Slurm gives its jobs namespaces of their own, starts what
// will start the others. It ends with slurmd.
void start_starter(void);

// slurmstepd, root. Says whether its tasks, or it itself, may be in namespaces
// of the job's.
bool start_is_apart(void);

// slurmstepd, root: starts berth-stepd for the step NAME, with LINK as its
// standard input. 0, or -1.
int start_stepd(const char *name, int link);

// slurmstepd, root: has berth-epilog remove what the berth-stepd of the step
// NAME on NODE has left, and waits for that, within bounds.
void start_sweep(const char *node, const char *name);

#endif
