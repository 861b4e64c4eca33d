// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// The check after the start: all of a container's /dev.
#ifndef BERTH_VERIFY_DEV_H
#define BERTH_VERIFY_DEV_H

#include <stdbool.h>
#include <stddef.h>

#include "logic/err.h"
#include "stepd/gpus.h"

// Compares the device nodes in the /dev of the container whose root ROOT is
// open on with what there should be: each file of each GPU, each of DEVICES,
// the engine's standard ones, and no other but those that NVIDIA's GPUs share
// and the GPUs' own graphics devices. OWN: the standard ones are berth's
// (stepd/own_dev.h) and not the node's. 0, or -1 with ERR set to the first
// difference.
int verify_dev(const struct gpus *gpus, const char *const *devices,
               size_t ndevices, bool own, int root, struct berth_err *err);

// Says whether PATH ("/dev/dri/renderD128") is a graphics device of one of
// the GPUs, by the links in SYS ("/sys").
bool verify_dev_is_drm(const struct gpus *gpus, const char *sys,
                       const char *path);

#endif
