// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The GPUs of a step: those that its environment names, of those that the
// prolog recorded for its job, as devices of this node.
#ifndef BERTH_GPUS_H
#define BERTH_GPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "logic/err.h"
#include "logic/gpu.h"
#include "logic/request.h"
#include "logic/step.h"
#include "logic/strv.h"
#include "node/store.h"

struct gpus {
    struct gpu_table *table; // NULL if there are none
    struct gpu_set set;
    struct strv names; // for the request
};

// ALLOCATION is NULL where the prolog has no record of the job. A step that
// has no GPU is a success. 0; or -1 with ERR set to a sentence for the user:
// it has some, and they can't be had. gpus_clear in either case.
int gpus_choose(const struct step *step, const struct store_job *allocation,
                struct gpus *out, struct berth_err *err);

// The kind of the CDI devices that NVIDIA's own tool specifies.
#define GPUS_NVIDIA_CDI "nvidia.com/gpu"

// Says whether one of them is NVIDIA's, which takes more than device files.
bool gpus_are_nvidias(const struct gpus *gpus);

// Asks for them in REQUEST, which borrows from GPUS, instead of what it asked
// for before: by the names of CDI devices of the kind CDI, if that is not
// NULL; else NVIDIA's by Docker's own driver, and others by their device
// files. 0, or -1 with ERR set: GPUs of NVIDIA and of others at once, other
// than by a kind that the administrator chose.
int gpus_request(struct gpus *gpus, const char *cdi, struct request *request,
                 struct berth_err *err);

// Appends to OVERLAY what a CDI specification has put into the environment of
// the container, to whose first process the directory PROC in /proc belongs:
// what is neither the image's (IMAGE_ENV) nor the engine's own, and a task may
// have. 0, or -1 with ERR set.
int gpus_inherit(int proc, char *const *image_env, size_t nimage_env,
                 struct strv *changes, struct berth_err *err);

// Appends to OVERLAY what the tasks' environment says of GPUs. Slurm's own
// variables are right for a step that has some; without, none is left, and
// NVIDIA_VISIBLE_DEVICES is set in either case. 0, or -1 with ERR set.
int gpus_overlay(const struct gpus *gpus, struct strv *changes,
                 struct berth_err *err);

// Compares the device nodes in the /dev of the container whose root ROOT is
// open on with what there should be: each file of each GPU, each of DEVICES,
// the engine's standard ones, and no other but those that NVIDIA's GPUs share
// and the GPUs' own graphics devices. 0, or -1 with ERR set to the first
// difference.
int gpus_verify(const struct gpus *gpus, const char *const *devices,
                size_t ndevices, int root, struct berth_err *err);

// Says whether PATH ("/dev/dri/renderD128") is a graphics device of one of
// the GPUs, by the links in SYS ("/sys").
bool gpus_have_drm(const struct gpus *gpus, const char *sys, const char *path);

void gpus_clear(struct gpus *gpus);

#endif
