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

// AMD's compute interface, which all its GPUs share.
#define GPUS_KFD "/dev/kfd"

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

// Asks for them in REQUEST, which borrows from GPUS, instead of what it asked
// for before: by the names of CDI devices of the kind CDI, if that is not
// NULL; else NVIDIA's by Docker's own driver, and others by their device
// files. 0, or -1 with ERR set: GPUs of NVIDIA and of others at once, other
// than by a kind that the administrator chose.
int gpus_request(struct gpus *gpus, const char *cdi, struct request *request,
                 struct berth_err *err);

// Says whether PATH is one of the device files by which they are asked for, other
// than NVIDIA's.
bool gpus_have_file(const struct gpus *gpus, const char *path);

// The next of them from index *I on, which moves behind it, or NULL.
const struct gpu *gpus_next(const struct gpus *gpus, unsigned *i);

bool gpus_have_vendor(const struct gpus *gpus, enum gpu_vendor vendor);

// Says whether file K of GPU is not a file of an earlier one as well: MIG
// instances share their GPU's.
bool gpus_file_is_first(const struct gpus *gpus, const struct gpu *gpu,
                        size_t k);

void gpus_clear(struct gpus *gpus);

#endif
