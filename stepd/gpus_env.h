// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What the environment of a task says of its GPUs.
#ifndef BERTH_GPUS_ENV_H
#define BERTH_GPUS_ENV_H

#include <stddef.h>

#include "logic/err.h"
#include "logic/strv.h"
#include "stepd/gpus.h"

// Appends to CHANGES what a CDI specification has put into the environment of
// the container, to whose first process the directory PROC in /proc belongs:
// what is neither the image's (IMAGE_ENV) nor the engine's own, and a task may
// have. 0, or -1 with ERR set.
int gpus_inherit(int proc, char *const *image_env, size_t nimage_env,
                 struct strv *changes, struct berth_err *err);

// Appends to CHANGES what the tasks' environment says of GPUs. Slurm's own
// variables are right for a step that has some; without, none is left, and
// NVIDIA_VISIBLE_DEVICES is set in either case. 0, or -1 with ERR set.
int gpus_changes(const struct gpus *gpus, struct strv *changes,
                 struct berth_err *err);

#endif
