// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where this node has Slurm, as slurmstepd knows it: what Slurm's commands
// need to work in a container (stepd/mount_slurm.h).
#ifndef BERTH_SLURM_PATHS_H
#define BERTH_SLURM_PATHS_H

#include <limits.h>

// Each an absolute path, or empty if it is not known.
struct slurm_paths {
    char conf[PATH_MAX];     // slurm.conf
    char plugins[PATH_MAX];  // directory of Slurm's plugins
    char berth[PATH_MAX];    // directory of spank_berth.so
    char commands[PATH_MAX]; // directory of srun
    char munge[PATH_MAX];    // munge's socket; empty if Slurm has another way
                             // to know who somebody is
    char user[65];           // SlurmUser, which is no path
};

// In slurmstepd only: reads Slurm's own record of its configuration.
void slurm_paths_find(struct slurm_paths *out);

// Likewise: in which directory PMIx's server of each step on NODE has its own:
// SlurmdSpoolDir. Empty: it is not known, or this Slurm has no PMIx.
void slurm_paths_pmix(const char *node, char out[PATH_MAX]);

#endif
