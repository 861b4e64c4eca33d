// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The GPUs of a step: those that its environment names, of those that the
// prolog recorded for its job, as devices of this node.
#ifndef BERTH_GPUS_H
#define BERTH_GPUS_H

#include <sys/types.h>

#include "core/err.h"
#include "core/gpu.h"
#include "core/request.h"
#include "core/step.h"
#include "core/strv.h"
#include "stepd/store.h"

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

// Asks for them in REQUEST, which borrows from GPUS: by the names of CDI
// devices of the kind CDI, if that is not NULL; else NVIDIA's by Docker's
// own driver, and others by their device files. 0, or -1 with ERR set.
int gpus_request(struct gpus *gpus, const char *cdi, bool podman,
                 struct request *request, struct berth_err *err);

// Appends to OVERLAY what the tasks' environment says of GPUs. Slurm's own
// variables are right for a step that has some; without, none is left, and
// NVIDIA_VISIBLE_DEVICES is set in either case. 0, or -1 with ERR set.
int gpus_overlay(const struct gpus *gpus, struct strv *overlay,
                 struct berth_err *err);

// Compares the device nodes in the /dev of the container whose root ROOT is
// open on with what there should be: each file of each GPU, the engine's
// standard ones, and no other but those that NVIDIA's drivers share. 0, or
// -1 with ERR set to the first difference.
int gpus_audit(const struct gpus *gpus, int root, struct berth_err *err);

void gpus_clear(struct gpus *gpus);

#endif
