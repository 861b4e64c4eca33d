// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Slurm's commands in a container: what of the node is mounted for them where
// the administrator lets a user have them (berth.conf(5), "slurm"). All of it
// is what every user can read on the node, and root's to choose.
#ifndef BERTH_MOUNT_SLURM_H
#define BERTH_MOUNT_SLURM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"
#include "logic/step.h"

enum { MOUNT_SLURM_MAX = 9 };

struct mount_slurm {
    size_t n;
    struct {
        char source[PATH_MAX];
        const char *target;
        bool optional; // it need not be there
    } v[MOUNT_SLURM_MAX];
};

// Finds what is to be mounted, by what slurmstepd has told about STEP; OUT
// borrows of that. 0, or -1 with ERR set to a sentence: this node's Slurm is
// none whose commands work in a container.
int mount_slurm_find(const struct step *step, struct mount_slurm *out,
                     struct berth_err *err);

#endif
