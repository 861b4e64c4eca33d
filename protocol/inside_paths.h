// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Where the node's Slurm is in a container that may use it (berth.conf(5),
// "slurm"): what berth-slurm knows of it, and stepd/mount_slurm.h mounts.
#ifndef BERTH_INSIDE_PATHS_H
#define BERTH_INSIDE_PATHS_H

// In front of PATH: berth-slurm by the names of Slurm's commands.
#define INSIDE_SLURM_BIN "/run/berth/slurm/bin"
// The node's directory of these commands, and that of its C library, with
// which they run: the image's own may be another.
#define INSIDE_SLURM_COMMANDS "/run/berth/slurm/commands"
#define INSIDE_SLURM_LIBRARIES "/run/berth/slurm/lib"

#endif
