// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The environment of a task in a container: the job's, except where the
// image has a value of its own. Worked out here as a list of changes that
// berth-task applies to the environment that Slurm gave it
// (handover/wire.h, "The overlay").
#ifndef BERTH_OVERLAY_H
#define BERTH_OVERLAY_H

#include "core/err.h"
#include "core/strv.h"

// Docker's own default, for images that set no PATH.
#define OVERLAY_PATH                                                         \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Appends to OUT those of the N assignments ENV that an image, or what the
// administrator adds to it, may make: see overlay_build. 0, or -1 with ERR
// set (BERTH_ENOMEM).
int overlay_add(char *const *env, size_t n, struct strv *out,
                struct berth_err *err);

// Appends to OUT the changes for an image whose ENV is IMAGE_ENV
// ("NAME=VALUE"; entries that are no assignment are left out), and HOME.
// Variables that tell a task who and where it is in its job, or that drive
// a vendor's hooks, are never the image's: SLURM*, PMI*, PMIX*, OMPI_*,
// NVIDIA_*, CUDA_VISIBLE_DEVICES and their kin. Returns 0, or -1 with ERR
// set (BERTH_ENOMEM).
int overlay_build(char *const *image_env,
                  size_t nimage_env,
                  const char *home,
                  struct strv *out,
                  struct berth_err *err);

#endif
