// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// Finds out what the device files of the node's table are.
#ifndef BERTH_DISCOVER_H
#define BERTH_DISCOVER_H

#include "logic/err.h"
#include "logic/gpu.h"

// Where to look: "" for the machine itself, or a recorded tree.
struct discover_roots {
    const char *proc;     // stands before "/proc/driver/nvidia"
    const char *sys;      // before "/sys/class/drm"
    const char *topology; // an XML file of hwloc's, or NULL
    const char *nvml;     // NVIDIA's library, or NULL (gpu/nvml.h)
};

// Fills in vendor, bus id, model, UUID, NUMA node and cores of each GPU of
// TABLE, or what its problem is. hwloc is asked only if a GPU has a bus id,
// NVML only if one is a MIG instance.
void discover_gpus(struct gpu_table *table, const struct discover_roots *roots);

#endif
