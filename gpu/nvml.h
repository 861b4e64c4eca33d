// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 The berth developers
//
// What only NVIDIA's own library knows: the UUIDs of MIG instances. It is
// loaded by name, where it is there: berth is built without.
#ifndef BERTH_NVML_H
#define BERTH_NVML_H

#include <stddef.h>

#include "logic/err.h"

struct nvml;

// Loads the library PATH: NULL for the system's, "" for the program's own
// symbols. Returns a new handle, or NULL with ERR set to a part of a sentence.
struct nvml *nvml_open(const char *path, struct berth_err *err);
void nvml_close(struct nvml *nvml); // NULL is fine

// Finds the UUID ("MIG-...") of the compute instance CI of the GPU instance
// GI of the GPU with the UUID PARENT. 0, or -1 with ERR set to a part of a
// sentence.
int nvml_mig_uuid(const struct nvml *nvml, const char *parent, unsigned gi,
                  unsigned ci, char *out, size_t size, struct berth_err *err);

#endif
